//! The console in a real browser, in the states in which operators look at it.

use std::process::Command;

use serde_json::json;

use crate::harness::{Counter, EVENING, finished};

/// A reserve larger than any disk, in bytes.
const RESERVE: &str = "1125899906842624";

#[tokio::test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
async fn a_browser_finds_no_obstacle_in_the_console_and_sees_it_move() {
    let resting = Counter::open();
    let full = Counter::open_at_with(EVENING, &[("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", RESERVE)]);
    let busy = Counter::open();
    let urls = json!({
        "resting": resting.operator, "in trouble": full.operator, "busy": busy.operator,
    });
    let mut browser = Command::new("node");
    browser.args(["tests/outside/console.cjs", &urls.to_string()]);
    let seen = tokio::task::spawn_blocking(move || finished(&mut browser));
    let mut n = 0;
    while !seen.is_finished() {
        n += 1;
        busy.citizen(n).await.apply("key").await;
    }
    let (code, seen, complaint) = seen.await.unwrap();
    assert_eq!((code, &*seen), (Some(0), "9 pages seen\n"), "{seen}{complaint}");
}
