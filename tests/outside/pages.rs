//! The pages in a real browser: accessible, readable on a phone, and loading nothing from elsewhere.

use std::process::Command;

use crate::harness::{Counter, finished};

#[tokio::test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
async fn a_browser_finds_the_pages_accessible_and_asks_no_other_host() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let visit = citizen.session.strip_prefix("/v1/sessions/").unwrap();
    let mut browser = Command::new("node");
    browser.args(["tests/outside/browser.cjs", &counter.public, visit, &citizen.token]);
    let (code, seen, complaint) = finished(&mut browser);
    assert_eq!((code, &*seen), (Some(0), "15 pages seen\n"), "{seen}{complaint}");
}
