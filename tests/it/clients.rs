//! The web desk of an office: clients and their mandates, one application for a client, what the office submitted.

use crate::{
    browser::Browser,
    harness::{Counter, MORNING},
};

#[tokio::test]
async fn an_office_is_led_to_its_own_pages_and_to_none_that_it_does_not_have() {
    let counter = Counter::open_at(MORNING);
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/applications")).await;
    let (_, navigation) = clerk.html.split_once("<nav class=\"visit\"").unwrap();
    let (navigation, _) = navigation.split_once("</nav>").unwrap();
    let links = navigation.split("<a href=\"").skip(1);
    let links: Vec<_> = links.map(|link| link.split('"').next().unwrap().to_owned()).collect();
    for link in &links {
        clerk.open(link).await;
        assert!(!["Not found", "This visit has ended"].contains(&clerk.heading()), "{link}");
        assert!(!clerk.html.contains("Who saw my data"), "{link}");
    }
    assert!(links.contains(&clerk.at("/mandates")), "{links:?}");
}
