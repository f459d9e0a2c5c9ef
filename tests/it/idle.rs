//! The cost of an idle server: wake-ups of its threads.

use std::{fs, path::Path, time::Duration};

use hyper::StatusCode;
use tokio::time::sleep;

use crate::harness::Counter;

/// For how long the server is observed, seconds.
const OBSERVED_SECONDS: u64 = 3;
/// Wake-ups of the whole process a second, at most.
const WAKE_UPS_PER_SECOND_MAX: u64 = 5;

/// How many times the threads of this process have gone to sleep so far.
fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).unwrap();
    let statuses = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")));
    let sleeps = statuses.map(|status| {
        let status = status.unwrap();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    });
    sleeps.sum()
}

#[tokio::test]
async fn an_idle_server_hardly_wakes_up_even_with_open_connections() {
    let counter = Counter::open_with(&[("SPORTELLO_CANARY_EVERY_SECONDS", "30")]);
    for path in ["/v1/status", "/nowhere"] {
        // The client keeps the connection open.
        let answer = counter.ask("GET", path, "", "").await;
        assert!(matches!(answer.status, StatusCode::OK | StatusCode::NOT_FOUND));
    }
    // The canary's first visit, its decisions and their checkpoint are over.
    sleep(Duration::from_secs(4)).await;
    let before = sleeps(counter.pid());
    sleep(Duration::from_secs(OBSERVED_SECONDS)).await;
    let wake_ups = sleeps(counter.pid()) - before;
    assert!(
        wake_ups <= OBSERVED_SECONDS * WAKE_UPS_PER_SECOND_MAX,
        "{wake_ups} wake-ups in {OBSERVED_SECONDS} s"
    );
}
