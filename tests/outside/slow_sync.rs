//! A disk with slow syncs: a burst of drafts does not hold up another person's submission.

use std::{
    process::{Child, Command},
    time::Duration,
};

use futures_util::future::join_all;
use hyper::StatusCode;
use sportello::clock::Stopwatch;

use crate::harness::{Counter, Visitor, until};

/// Delay of each sync.
const SYNC: Duration = Duration::from_millis(20);
/// Syncs by which the burst may delay a submission: that of a group under way, and the machine's own noise.
const SYNCS_MAX: u32 = 5;
const PEOPLE: u64 = 100;
const SUBMISSIONS: u64 = 15;

/// Delays every sync of a process until dropped.
struct SlowSyncs(Child);

impl SlowSyncs {
    fn of(process: u32) -> Self {
        let inject = format!("inject=fsync,fdatasync:delay_exit={}", SYNC.as_micros());
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null"])
            .args(["-e", "trace=fsync,fdatasync", "-e", &inject, "-p", &process.to_string()])
            .spawn();
        Self(strace.expect("strace is installed"))
    }
}

impl Drop for SlowSyncs {
    fn drop(&mut self) {
        // The traced process continues to run.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The median time of some submissions, one after the other.
async fn median_of(people: &[Visitor<'_>]) -> Duration {
    let mut times = Vec::new();
    for person in people {
        let start = Stopwatch::start();
        person.apply("key").await;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "needs strace and the right to trace"]
async fn a_burst_of_drafts_delays_no_submission_beyond_a_few_slow_syncs() {
    let counter = Counter::open();
    let enter = |from: u64, count: u64| join_all((from..from + count).map(|n| counter.citizen(n)));
    let (alone, meanwhile) = (enter(1, SUBMISSIONS).await, enter(1001, SUBMISSIONS).await);
    let writers = enter(2001, PEOPLE).await;
    let _slow = SlowSyncs::of(counter.pid());
    until("syncs are slow", async || {
        let start = Stopwatch::start();
        writers[0].put("/drafts/iscro", "{}").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (start.elapsed() > SYNC).then_some(())
    })
    .await;

    let quiet = median_of(&alone).await;
    let drafts = async {
        let mut saved = 0;
        for n in 0..15 {
            let draft = format!("{{\"n\":{n}}}");
            let answers =
                join_all(writers.iter().map(|writer| writer.put("/drafts/iscro", &draft))).await;
            saved +=
                answers.iter().filter(|answer| answer.status == StatusCode::NO_CONTENT).count();
        }
        saved
    };
    let (busy, saved) = tokio::join!(median_of(&meanwhile), drafts);
    println!("a submission: {quiet:?} alone, {busy:?} while {saved} drafts were saved");
    assert!(saved > 10 * writers.len(), "{saved}");
    assert!(busy < quiet + SYNC * SYNCS_MAX, "{busy:?} instead of {quiet:?}");
    let groups = counter.metric("sportello_draft_group_size_count", &[]).await;
    assert!(groups < saved as u64 / 10, "{groups} syncs for {saved} drafts");
}
