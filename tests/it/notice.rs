//! What the operator tells everybody, and who runs the service.

use crate::{
    browser::Browser,
    harness::{Counter, finished, serve, until},
};

#[tokio::test]
async fn a_notice_is_shown_at_once_and_a_broken_file_keeps_the_one_before() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("notice.txt");
    let write = |text: &str| {
        let newer = place.path().join("notice.new");
        std::fs::write(&newer, text).unwrap();
        std::fs::rename(newer, &file).unwrap();
    };
    write("it: Lunedì si chiude.\nen: Closed <b>on Monday</b>.\nen: Sorry.\n");
    let counter = Counter::open_with(&[
        ("SPORTELLO_PAGES_NOTICE", file.to_str().unwrap()),
        ("SPORTELLO_PAGES_INSTITUTE", "Istituto & Figli"),
        ("SPORTELLO_PAGES_CONTACTS", "06 0000 0000\nsportello@<istituto>.example"),
        ("SPORTELLO_PAGES_UPDATED_ON", "26/11/2026"),
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
    ]);
    let mut browser = Browser::new(&counter);
    browser.open("/en").await;
    browser.shows("<h2 id=\"notice\">Notice</h2>");
    browser.shows("<p>Closed &#60;b&#62;on Monday&#60;/b&#62;.\nSorry.</p>");
    assert_eq!(
        browser.html.matches("Istituto &#38; Figli").count(),
        2,
        "at the top and at the foot"
    );
    browser.open("/it").await;
    browser.shows("<p>Lunedì si chiude.</p>");
    browser.open("/en/help").await;
    browser.shows("<li>06 0000 0000</li>");
    browser.shows("<li>sportello@&#60;istituto&#62;.example</li>");
    browser.shows("Last update: 26/11/2026</p>");
    assert!(!browser.html.contains("Closed"), "{}", browser.html);
    let status = counter.ask("GET", "/v1/status", "", "").await.json();
    assert_eq!(status["notice"]["it"], "Lunedì si chiude.");
    assert_eq!(status["notice"]["en"], "Closed <b>on Monday</b>.\nSorry.");

    // In the waiting room as well.
    let _inside = Browser::signed_in(&counter, "granted").await;
    let outside = Browser::signed_in(&counter, "refused").await;
    assert_eq!(outside.heading(), "You are in the waiting room");
    outside.shows("Closed &#60;b&#62;on Monday");

    write("en: Only in English.\n");
    counter.signal("HUP");
    until("the fault is logged", async || {
        counter.log().contains("it has a text in one language only").then_some(())
    })
    .await;
    browser.open("/en").await;
    browser.shows("Closed &#60;b&#62;on Monday");
    for (text, shown) in [("it: Due\nen: Number two", true), ("# none\n", false)] {
        write(text);
        until("the new notice is shown, or none", async || {
            browser.open("/en").await;
            let is_shown = browser.html.contains("<p>Number two</p>");
            (is_shown == shown && !browser.html.contains("Closed &#60;")).then_some(())
        })
        .await;
    }
    let status = counter.ask("GET", "/v1/status", "", "").await.json();
    assert!(status["notice"].is_null(), "{status}");
}

#[test]
fn a_server_does_not_start_with_a_faulty_notice() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("notice.txt");
    std::fs::write(&file, "en: Only in English.\n").unwrap();
    let mut serve = serve("127.0.0.1:0", data.path());
    let (code, _, complaint) = finished(serve.env("SPORTELLO_PAGES_NOTICE", &file));
    assert_ne!(code, Some(0));
    assert!(complaint.contains("notice.txt: it has a text in one language only"), "{complaint}");
}
