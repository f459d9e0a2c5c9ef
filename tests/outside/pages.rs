//! The pages in a real browser: accessible, readable on a phone, and loading nothing from elsewhere.

use std::process::Command;

use sportello::civic::FiscalCode;

use crate::{
    entrusting::mandate_for,
    harness::{Counter, MORNING, finished, mandates_of},
};

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

#[tokio::test]
#[ignore = "needs chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
async fn an_office_applies_for_clients_and_uploads_files_in_a_browser_and_finds_no_obstacle() {
    const DEMO_OFFICE: &str = "patronato-demo";
    let counter = Counter::open_at(MORNING);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..6)).await;
    let mut browser = Command::new("node");
    browser.args(["tests/outside/office.cjs", &counter.public]);
    let client = |n| format!("{}={}", mandate_for(DEMO_OFFICE, n), FiscalCode::made_up(n).as_str());
    let (code, seen, complaint) = finished(browser.args((0..6).map(client)));
    assert_eq!((code, &*seen), (Some(0), "69 pages seen\n"), "{seen}{complaint}");
    let kept = counter.metric("sportello_applications_accepted_total", &["intermediary"]).await;
    assert_eq!(kept, 6, "one in a form and one in a file in each of three views");
}

#[tokio::test]
#[ignore = "needs chromium, node, the package playwright-core in NODE_PATH, and pdftotext"]
async fn a_receipt_is_printed_with_its_answers_and_without_what_is_only_for_the_screen() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let place = citizen.apply("key").await;
    citizen.decided(&place).await;
    let page = citizen.session.replace("/v1/sessions/", "/visit/") + "/it" + &place;
    let file = counter.data().join("receipt.pdf");
    let mut browser = Command::new("node");
    browser.args(["tests/outside/print.cjs", &counter.public, &page, &citizen.token]).arg(&file);
    let (code, seen, complaint) = finished(&mut browser);
    assert_eq!((code, &*seen), (Some(0), ""), "{complaint}");
    let (code, text, complaint) = finished(Command::new("pdftotext").arg(&file).arg("-"));
    assert_eq!(code, Some(0), "{complaint}");
    let receipt = place.rsplit('/').next().unwrap();
    // The answers are folded in on the screen.
    for printed in ["Abbiamo ricevuto la tua domanda", receipt, "ISCRO 2024", "mario@example.it"] {
        assert!(text.contains(printed), "{printed} is not in {text}");
    }
    for hidden in ["I miei accessi", "Esci", "English", "Note legali", "Ritira la domanda"] {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}
