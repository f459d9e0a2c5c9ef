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

#[tokio::test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
async fn a_citizen_applies_in_a_browser_with_and_without_scripts_and_finds_no_obstacle() {
    let counter = Counter::open();
    let mut browser = Command::new("node");
    browser.args(["tests/outside/desk.cjs", &counter.public]);
    let (code, seen, complaint) = finished(&mut browser);
    assert_eq!((code, &*seen), (Some(0), "102 pages seen\n"), "{seen}{complaint}");
    let kept = counter.metric("sportello_applications_accepted_total", &[]).await;
    assert_eq!(kept, 3, "one application in each of three views");
}
