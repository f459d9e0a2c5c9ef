//! What a demo begins with, and what `mint` makes for it.

use hyper::StatusCode;
use sportello::{application, civic::FiscalCode};

use crate::{
    browser::Browser,
    harness::{Counter, MORNING, finished, new_session, program},
};

/// The person of the demo's example application.
const CLIENT: &str = "RSSMRA80A01H501U";

#[tokio::test]
async fn the_demos_clerk_has_clients_at_once_and_a_file_that_is_there_stays() {
    let mut counter = Counter::open_untouched_at(MORNING);
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/mandates")).await;
    for client in ["granted", "refused", "pending"] {
        clerk.shows(&format!("<code>demo-{client}-iscro-2024</code>"));
    }
    assert_eq!(clerk.html.matches("</code></th><td>ISCRO 2024</td>").count(), 3);
    assert_eq!(clerk.html.matches("Apply for this client").count(), 3);
    let refused = clerk.at("/clients/demo-refused-iscro-2024");
    clerk.open(&refused).await;
    clerk.post(&format!("{refused}/example"), &[]).await;
    assert_eq!(clerk.heading(), "Check the answers");
    clerk.shows("VRDLGU75B12F205B");
    // The clerk's own code and office, by a program.
    let own = FiscalCode::parse("NREPLA70D20D612M").unwrap();
    let office = counter.enter(own, &counter.mint(&own, &["--office", "patronato-demo"])).await;
    let client = FiscalCode::parse(CLIENT).unwrap();
    let body = application::example(&client, 2024);
    let body = body.replacen('{', "{\"mandate\":\"demo-granted-iscro-2024\",", 1);
    let receipt = office.submit("key", &body).await;
    assert_eq!(receipt.status, StatusCode::CREATED, "{receipt:?}");

    let file = counter.data().join("mandates.ndjson");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.lines().all(|line| line.contains(own.as_str())), "signed before the clerk");
    let one = text.lines().next().unwrap().to_owned() + "\n";
    std::fs::write(&file, &one).unwrap();
    assert_eq!(counter.stop().code(), Some(0));
    let counter = counter.reopen(MORNING);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), one);
    assert_eq!(counter.metric("sportello_mandates", &[]).await, 1);
}

#[tokio::test]
async fn the_demos_contact_center_acts_for_a_person_who_says_their_pin() {
    let all_day = [
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
    ];
    let counter = Counter::open_with(&all_day);
    let mut caller = Browser::signed_in(&counter, "granted").await;
    caller.open(&caller.at("/mandates")).await;
    let made = caller.post(&caller.at("/mandates/telephone-pin"), &[]).await;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let shown = String::from_utf8(made.body.to_vec()).unwrap();
    let pin = shown.split(['<', '>']).map(digits).find(|text| text.len() == 8).unwrap();

    let mut clerk = Browser::signed_in(&counter, "contact-center").await;
    clerk.open(&clerk.at("/mandates")).await;
    let fields = [("fiscalCode", CLIENT), ("pin", &*pin), ("campaign", "iscro-2024")];
    let redeemed = clerk.post(&clerk.at("/mandates/redemption"), &fields).await;
    assert!(redeemed.status.is_redirection() || redeemed.status.is_success(), "{redeemed:?}");
    clerk.open(&clerk.at("/mandates")).await;
    assert_eq!(clerk.html.matches("Apply for this client").count(), 1, "{}", clerk.html);
    // By a program, as `mint` makes tokens for it.
    let code = FiscalCode::parse("GLLLNE78R55L736G").unwrap();
    let token = counter.mint(&code, &["--office", "contact-center-demo"]);
    let visitor = counter.enter(code, &token).await;
    let mandates = visitor.get("/mandates").await.json();
    assert_eq!(mandates["mandates"].as_array().unwrap().len(), 1, "{mandates}");
}

#[tokio::test]
async fn a_demo_takes_an_identity_token_on_its_page() {
    let counter = Counter::open();
    let mut browser = Browser::new(&counter);
    browser.open("/en/signin").await;
    let code = FiscalCode::made_up(3);
    let token = counter.mint(&code, &[]);
    let entered = browser.post("/en/signin", &[("token", &token)]).await;
    assert_eq!(entered.status, 303, "{entered:?}");
    browser.shows(&format!("{}***********{}", &code.as_str()[..3], &code.as_str()[14..]));
    let mut other = Browser::new(&counter);
    other.open("/en/signin").await;
    let refused = other.post("/en/signin", &[("token", &token[1..])]).await;
    assert_eq!((refused.status.as_u16(), &*refused.header("set-cookie")), (401, ""));
}

#[test]
fn the_demo_of_another_campaign_has_its_mandates() {
    let counter = Counter::open_untouched_at("2020-04-01T17:30[Europe/Rome]");
    let text = std::fs::read_to_string(counter.data().join("mandates.ndjson")).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("\"demo-granted-allowance600-2020\""), "{text}");
}

#[tokio::test]
async fn mint_makes_every_kind_for_a_demo_and_nothing_without_one() {
    let person = ["--fiscal-code", CLIENT];
    let kinds: [&[&str]; 9] = [
        &person,
        &[person[0], person[1], "--level", "1"],
        &[person[0], person[1], "--acr", "https://www.spid.gov.it/SpidL3"],
        &[person[0], person[1], "--office", "patronato-1"],
        &["--office", "patronato-1", "--clerk", CLIENT],
        &[person[0], person[1], "--alg", "PS256"],
        &["--count", "2"],
        &["--mandates", "--office", "patronato-1", "--count", "2"],
        &[person[0], person[1], "--certificate"],
    ];
    let mint = |kind: &[&str], data: &std::path::Path| {
        finished(program().arg("mint").args(kind).arg("--data").arg(data))
    };
    let nowhere = tempfile::tempdir().unwrap();
    for kind in kinds {
        let (code, out, complaint) = mint(kind, nowhere.path());
        assert_eq!((code, &*out), (Some(2), ""), "{kind:?}");
        assert!(complaint.contains("of a demo in"), "{kind:?}: {complaint}");
        assert_eq!(std::fs::read_dir(nowhere.path()).unwrap().count(), 0, "it makes no keys");
    }

    let settings = [
        ("SPORTELLO_SERVER_LISTEN_CERTIFICATES", "127.0.0.1:0"),
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
    ];
    let counter = Counter::open_with(&settings);
    let made: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let (code, out, complaint) = mint(kind, &counter.data());
            assert_eq!(code, Some(0), "{kind:?}: {complaint}");
            out
        })
        .collect();
    for (n, audience) in [
        (0, "citizens"),
        (2, "citizens"),
        (3, "intermediaries"),
        (4, "intermediaries"),
        (5, "citizens"),
    ] {
        let entered = counter.ask("PUT", &new_session(), made[n].trim(), "").await;
        assert_eq!(entered.status, StatusCode::CREATED, "{:?}", kinds[n]);
        assert_eq!(entered.json()["audience"], audience, "{:?}", kinds[n]);
    }
    let low = counter.ask("PUT", &new_session(), made[1].trim(), "").await;
    low.assert_problem(403, "assurance-too-low");
    assert!(made[6].lines().count() == 2 && made[6].lines().all(|line| line.contains('\t')));
    assert!(made[7].lines().count() == 2 && made[7].lines().all(|line| line.contains("grantor")));
    assert!(made[8].contains("BEGIN CERTIFICATE") && made[8].contains("BEGIN PRIVATE KEY"));
}
