//! Telephone PINs: a person lets a Contact Center act for them for a day.

use hyper::StatusCode;
use serde_json::{Value, json};
use sportello::{application, civic::FiscalCode};

use crate::{
    browser::Browser,
    harness::{
        Answer, Counter, EVENING, Visitor, entrusted, finished, location, mandate, mandates_of,
        program, until,
    },
};

const CENTER: &str = "contact-center-1";
const SETTINGS: [(&str, &str); 3] = [
    ("SPORTELLO_IDENTITY_CONTACT_CENTERS", "contact-center-1, contact-center-2"),
    ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
    ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
];

/// The n-th made-up person at a Contact Center.
async fn clerk_of<'c>(counter: &'c Counter, center: &str, n: u64) -> Visitor<'c> {
    let code = FiscalCode::made_up(n);
    counter.enter(code, &counter.mint(&code, &["--office", center])).await
}

async fn pin_of(citizen: &Visitor<'_>) -> String {
    let made = citizen.post("/telephone-pin", "").await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    made.json()["pin"].as_str().unwrap().to_owned()
}

fn said(n: u64, pin: &str) -> String {
    let code = FiscalCode::made_up(n);
    json!({ "fiscalCode": code.as_str(), "pin": pin, "scheme": "iscro", "year": 2024 }).to_string()
}

/// Another PIN than this one.
fn wrong(pin: &str) -> String {
    format!("{:08}", (pin.parse::<u32>().unwrap() + 1) % 100_000_000)
}

async fn redeem(clerk: &Visitor<'_>, n: u64, pin: &str) -> Answer {
    clerk.post("/mandates", &said(n, pin)).await
}

fn done(arguments: &[&str], counter: &Counter) -> String {
    let (code, out, complaint) =
        finished(program().args(arguments).arg("--data").arg(counter.data()));
    assert_eq!(code, Some(0), "{arguments:?}: {out}{complaint}");
    out
}

/// What the clerk may no longer do, or not yet.
async fn may_nothing(clerk: &Visitor<'_>, n: u64, reference: &str, place: Option<&str>) {
    let body = entrusted(n, reference);
    clerk.submit("nothing", &body).await.assert_problem(403, "no-mandate");
    clerk.post("/estimates", &body).await.assert_problem(403, "no-mandate");
    let draft = format!("/drafts/iscro/{reference}");
    clerk.put(&draft, "{}").await.assert_problem(403, "no-mandate");
    clerk.get(&draft).await.assert_problem(404, "not-found");
    if let Some(place) = place {
        clerk.get(place).await.assert_problem(404, "not-found");
        clerk.delete(place).await.assert_problem(404, "not-found");
    }
}

/// The reference of the mandate that a clerk gets with the PIN of the n-th person.
async fn mandate_by(clerk: &Visitor<'_>, n: u64, pin: &str) -> String {
    let given = redeem(clerk, n, pin).await;
    assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    given.json()["reference"].as_str().unwrap().to_owned()
}

/// The mandate of this evening, as programs see it.
fn of_this_evening(reference: &str) -> Value {
    json!({
        "reference": reference, "office": CENTER, "scheme": "iscro", "year": 2024, "signedOn": "2024-09-16",
        "expiresOn": "2024-09-16", "revokedOn": null, "byTelephone": true, "holds": true,
    })
}

#[tokio::test]
async fn a_pin_is_shown_once_and_redeemed_for_a_mandate_of_a_day() {
    let counter = Counter::open_with(&SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    let nothing = citizen.get("/telephone-pin").await.json();
    assert_eq!(nothing, json!({ "telephonePin": null }));
    let shown = citizen.post("/telephone-pin", "").await;
    let cache = shown.header("cache-control");
    assert_eq!((shown.status, &*cache), (StatusCode::CREATED, "no-store"));
    let json = shown.json();
    let pin = json["pin"].as_str().unwrap();
    assert!(pin.len() == 8 && pin.bytes().all(|digit| digit.is_ascii_digit()));
    assert!(json["expiresAt"].as_str().unwrap().starts_with("2024-09-17T17:3"));
    let standing = citizen.get("/telephone-pin").await;
    assert!(!String::from_utf8_lossy(&standing.body).contains(pin));
    assert_eq!(standing.json()["telephonePin"]["redeemed"], false);

    let given = redeem(&clerk, 1, pin).await;
    assert_eq!(given.status, StatusCode::CREATED, "{given:?}");
    let reference = given.json()["reference"].as_str().unwrap().to_owned();
    let expected = of_this_evening(&reference);
    assert_eq!(given.json(), expected);
    assert_eq!(given.header("location"), clerk.path(&format!("/mandates/{reference}")));
    assert_eq!(redeem(&clerk, 1, pin).await.json(), expected, "a lost answer costs nothing");
    assert_eq!(citizen.get("/telephone-pin").await.json()["telephonePin"]["redeemed"], true);
    assert_eq!(citizen.get(&format!("/mandates/{reference}")).await.json(), expected);
    assert_eq!(citizen.get("/mandates").await.json()["mandates"][0], expected, "with signed ones");
    assert_eq!(clerk.get("/mandates").await.json()["mandates"], json!([expected]));
}

#[tokio::test]
async fn a_contact_center_acts_under_it_on_every_route() {
    let counter = Counter::open_with(&SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    may_nothing(&clerk, 1, "TEL-none", None).await;
    let reference = mandate_by(&clerk, 1, &pin_of(&citizen).await).await;
    let draft = format!("/drafts/iscro/{reference}");
    assert_eq!(clerk.put(&draft, "{\"step\":1}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(clerk.get(&draft).await.status, StatusCode::OK);
    let body = entrusted(1, &reference);
    assert_eq!(clerk.post("/estimates", &body).await.status, StatusCode::OK);
    let receipt = clerk.submit("key", &body).await;
    assert_eq!(receipt.status, StatusCode::CREATED, "{receipt:?}");
    let place = location(&receipt.json());
    clerk.decided(&place).await;
    let request = clerk.batch("application/x-ndjson", http_body_util::Full::from(body));
    let batch = counter.send(request).await.unwrap();
    assert!(String::from_utf8_lossy(&batch.body).contains("already-applied"), "{batch:?}");
    let listed = until("the filing is listed", async || {
        let answer = clerk.get("/applications").await;
        let json = (answer.status == StatusCode::OK).then(|| answer.json())?;
        (json["applications"] != json!([])).then_some(json)
    })
    .await;
    assert_eq!(listed["applications"][0]["channel"], "contact-center");
    let accepted = "sportello_applications_accepted_total";
    assert_eq!(counter.metric(accepted, &["channel=\"contact-center\""]).await, 1);
    assert_eq!(counter.metric(accepted, &["channel=\"intermediary\""]).await, 0);

    // For nobody else, and nobody else under it.
    let for_another = entrusted(2, &reference);
    clerk.submit("other", &for_another).await.assert_problem(403, "no-mandate");
    clerk.post("/estimates", &for_another).await.assert_problem(403, "no-mandate");
    let elsewhere = clerk_of(&counter, "contact-center-2", 91).await;
    may_nothing(&elsewhere, 1, &reference, Some(&place)).await;
    let named = format!("/mandates/{reference}");
    elsewhere.get(&named).await.assert_problem(404, "not-found");
    assert_eq!(clerk.delete(&place).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_caller_sees_what_a_contact_center_did_and_never_who_sat_there() {
    let counter = Counter::open_with(&SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    let reference = mandate_by(&clerk, 1, &pin_of(&citizen).await).await;
    let draft = format!("/drafts/iscro/{reference}");
    assert_eq!(clerk.put(&draft, "{}").await.status, StatusCode::NO_CONTENT);
    let receipt = clerk.submit("key", &entrusted(1, &reference)).await.json();
    assert_eq!(clerk.get(&location(&receipt)).await.status, StatusCode::OK);
    let own = citizen.get("/applications").await.json();
    let filed = &own["applications"][0];
    assert_eq!((&filed["channel"], &filed["office"]), (&json!("contact-center"), &json!(CENTER)));
    let shown = citizen.get("/disclosures").await;
    assert!(!String::from_utf8_lossy(&shown.body).contains(clerk.code.as_str()));
    let disclosures = shown.json()["disclosures"].as_array().unwrap().clone();
    for (what, by) in [
        ("telephone-pin-made", "yourself"),
        ("telephone-pin-redeemed", "contact-center"),
        ("application-received", "contact-center"),
        ("application-shown", "contact-center"),
        ("draft-saved", "contact-center"),
    ] {
        let found = disclosures.iter().find(|one| one["what"] == what);
        assert_eq!(found.unwrap_or_else(|| panic!("{what}: {disclosures:?}"))["by"], by);
    }
    // The trail names the clerk.
    let trail = done(&["audit", "--fiscal-code", citizen.code.as_str()], &counter);
    let line = trail.lines().find(|line| line.contains("telephone-pin-redeemed")).unwrap();
    let who = format!("by {} of {CENTER}, by telephone", clerk.code.as_str());
    assert!(line.ends_with(&who), "{line}");
}

#[tokio::test]
async fn a_mandate_by_telephone_survives_a_restart_and_ends_with_its_revocation() {
    let counter = Counter::open_with(&SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    let pin = pin_of(&citizen).await;
    let reference = mandate_by(&clerk, 1, &pin).await;
    let place = location(&clerk.submit("key", &entrusted(1, &reference)).await.json());
    let mut counter = counter;
    counter.kill();
    let counter = counter.reopen_with(EVENING, &SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    assert_eq!(clerk.get(&place).await.status, StatusCode::OK);
    assert_eq!(redeem(&clerk, 1, &pin).await.json(), of_this_evening(&reference));

    let named = format!("/mandates/{reference}");
    clerk.delete(&named).await.assert_problem(403, "not-grantor");
    counter.citizen(2).await.delete(&named).await.assert_problem(404, "not-found");
    assert_eq!(citizen.delete(&named).await.status, StatusCode::NO_CONTENT);
    may_nothing(&clerk, 1, &reference, Some(&place)).await;
    redeem(&clerk, 1, &pin).await.assert_problem(403, "telephone-pin-refused");
    assert_eq!(citizen.get(&named).await.json()["revokedOn"], "2024-09-16");

    // What was consented to is in backups; the PIN is not.
    let backups = tempfile::tempdir().unwrap();
    done(&["backup", "--to", backups.path().to_str().unwrap()], &counter);
    let mut counter = counter;
    counter.stop();
    assert!(done(&["verify"], &counter).contains("mandates given by telephone: 1"));
    let key = counter.data().join("ledger.key");
    std::fs::remove_dir_all(counter.data().join("ledger")).unwrap();
    let from = backups.path().to_str().unwrap();
    done(&["restore", "--from", from, "--key", key.to_str().unwrap()], &counter);
    let counter = counter.reopen_with(EVENING, &SETTINGS);
    let restored = counter.citizen(1).await.get(&named).await.json();
    assert_eq!((&restored["revokedOn"], &restored["holds"]), (&json!("2024-09-16"), &json!(false)));
    clerk_of(&counter, CENTER, 90).await.get(&place).await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_mandate_by_telephone_ends_with_its_day() {
    let counter = Counter::open_with(&SETTINGS);
    let (citizen, clerk) = (counter.citizen(1).await, clerk_of(&counter, CENTER, 90).await);
    let pin = pin_of(&citizen).await;
    let reference = redeem(&clerk, 1, &pin).await.json()["reference"].as_str().unwrap().to_owned();
    let receipt = clerk.submit("key", &entrusted(1, &reference)).await.json();
    let place = location(&receipt);
    assert_eq!(clerk.get(&place).await.status, StatusCode::OK);
    // The next morning the PIN can still be redeemed, the evening after not.
    let counter = counter.reopen_with("2024-09-17T09:00[Europe/Rome]", &SETTINGS);
    let clerk = clerk_of(&counter, CENTER, 90).await;
    may_nothing(&clerk, 1, &reference, Some(&place)).await;
    let today = redeem(&clerk, 1, &pin).await.json();
    assert_eq!((&today["signedOn"], &today["holds"]), (&json!("2024-09-17"), &json!(true)));
    assert_eq!(clerk.get(&place).await.status, StatusCode::OK);
    let counter = counter.reopen_with("2024-09-17T17:45[Europe/Rome]", &SETTINGS);
    let clerk = clerk_of(&counter, CENTER, 90).await;
    redeem(&clerk, 1, &pin).await.assert_problem(403, "telephone-pin-refused");
    assert_eq!(clerk.get(&place).await.status, StatusCode::OK, "the day is not over");
}

#[tokio::test]
async fn every_refusal_of_a_pin_is_the_same() {
    let counter = Counter::open_with(&SETTINGS);
    let clerk = clerk_of(&counter, CENTER, 90).await;
    let citizens: Vec<_> = [1, 2, 3, 4].map(|n| counter.citizen(n)).into_iter().collect();
    let mut pins = Vec::new();
    for citizen in citizens {
        let citizen = citizen.await;
        let pin = pin_of(&citizen).await;
        pins.push((citizen, pin));
    }
    let [(_, first), (second, revoked), (_, used), (fourth, tired)] = &pins[..] else { panic!() };
    assert_eq!(second.delete("/telephone-pin").await.status, StatusCode::NO_CONTENT);
    assert_eq!(second.delete("/telephone-pin").await.status, StatusCode::NO_CONTENT, "twice");
    assert_eq!(second.get("/telephone-pin").await.json()["telephonePin"], Value::Null);
    let elsewhere = clerk_of(&counter, "contact-center-2", 91).await;
    assert_eq!(redeem(&elsewhere, 3, used).await.status, StatusCode::CREATED);
    for left in (0..5).rev() {
        let standing = fourth.get("/telephone-pin").await.json();
        assert_eq!(standing["telephonePin"]["triesLeft"], left + 1);
        redeem(&elsewhere, 4, &wrong(tired)).await.assert_problem(403, "telephone-pin-refused");
    }
    let mut refused = Vec::new();
    for (what, n, pin) in [
        ("wrong", 1, &wrong(first)),
        ("revoked", 2, revoked),
        ("another person's", 1, revoked),
        ("used by another office", 3, used),
        ("tries used up", 4, tired),
        ("a person without one", 5, first),
        ("a person whom nobody knows", 9_000_000, first),
    ] {
        let answer = redeem(&clerk, n, pin).await;
        answer.assert_problem(403, "telephone-pin-refused");
        refused.push((what, answer.without_id()));
    }
    assert!(refused.iter().all(|(_, body)| *body == refused[0].1), "{refused:?}");
    // The person sees who tried.
    let tries = fourth.get("/disclosures").await.json();
    let by = tries["disclosures"].as_array().unwrap().iter();
    assert_eq!(by.filter(|one| one["what"] == "telephone-pin-refused").count(), 6);

    // A clerk is stopped for the day, also after a restart, and also with the right PIN.
    for _ in 7..20 {
        redeem(&clerk, 9_000_000, first).await.assert_problem(403, "telephone-pin-refused");
    }
    let stopped = redeem(&clerk, 1, first).await;
    stopped.assert_problem(429, "telephone-tries-used-up");
    assert!(stopped.header("retry-after").parse::<u32>().unwrap() > 3600, "until tomorrow");
    let first = first.clone();
    drop(pins);
    let mut counter = counter;
    counter.kill();
    let counter = counter.reopen_with(EVENING, &SETTINGS);
    let clerk = clerk_of(&counter, CENTER, 90).await;
    redeem(&clerk, 1, &first).await.assert_problem(429, "telephone-tries-used-up");
    let colleague = clerk_of(&counter, CENTER, 92).await;
    assert_eq!(redeem(&colleague, 1, &first).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn pins_are_for_citizens_and_contact_centers_and_signed_mandates_for_other_offices() {
    let counter = Counter::open_with(&SETTINGS);
    counter.entrust(&mandates_of(CENTER, [1])).await;
    let (citizen, office) = (counter.citizen(1).await, counter.intermediary(80).await);
    let clerk = clerk_of(&counter, CENTER, 90).await;
    let pin = pin_of(&citizen).await;
    for other in [&citizen, &office] {
        redeem(other, 1, &pin).await.assert_problem(403, "contact-centers-only");
    }
    for other in [&clerk, &office] {
        for (method, status) in [("POST", 403), ("GET", 403), ("DELETE", 403)] {
            let answer = counter.ask(method, &other.path("/telephone-pin"), &other.token, "").await;
            answer.assert_problem(status, "citizens-only");
        }
    }
    // A signed mandate in the registry is none of a Contact Center's.
    let signed = format!("{CENTER}-iscro-2024-1");
    may_nothing(&clerk, 1, &signed, None).await;
    clerk.get(&format!("/mandates/{signed}")).await.assert_problem(404, "not-found");
    let listed = citizen.get("/mandates").await.json();
    assert!(!listed.to_string().contains(&signed) && listed.to_string().contains(&mandate(1)));

    // Every fault of what is sent is named, and no PIN is tried.
    clerk.post("/mandates", "{").await.assert_problem(400, "malformed");
    let bad = "{\"fiscalCode\":\"RSSMRA80A01H501X\",\"pin\":\"1234 567\",\"scheme\":\"iscro\",\"year\":1999,\"more\":1}";
    let answer = clerk.post("/mandates", bad).await;
    answer.assert_problem(422, "invalid-redemption");
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let pointers: Vec<_> = errors.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/fiscalCode", "/pin", "/year", "/more"]);
    assert_eq!(citizen.get("/telephone-pin").await.json()["telephonePin"]["triesLeft"], 5);

    // Eleven PINs in a day are too many; the last one stays.
    let mut last = pin;
    for _ in 1..10 {
        last = pin_of(&citizen).await;
    }
    let refused = citizen.post("/telephone-pin", "").await;
    refused.assert_problem(429, "telephone-pins-used-up");
    assert_eq!(redeem(&clerk, 1, &last).await.status, StatusCode::CREATED);
    let told = application::example(&citizen.code, 2024);
    assert_eq!(citizen.submit("own", &told).await.status, StatusCode::CREATED);
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

#[tokio::test]
async fn a_person_makes_and_revokes_a_pin_on_pages_and_a_clerk_redeems_it_there() {
    let demo_center = ("SPORTELLO_IDENTITY_CONTACT_CENTERS", "patronato-demo");
    let counter = Counter::open_with(&[demo_center, SETTINGS[1], SETTINGS[2]]);
    let mut citizen = Browser::signed_in(&counter, "granted").await;
    citizen.open(&citizen.at("/mandates")).await;
    citizen.shows("Telephone PIN");
    assert!(!citizen.html.contains("Revoke the PIN"));
    let making = citizen.at("/mandates/telephone-pin");
    let shown = citizen.post(&making, &[]).await;
    assert_eq!((shown.status, citizen.heading()), (StatusCode::OK, "Telephone PIN"));
    let shown = citizen.html.split_once("<strong><code>").unwrap().1;
    let pin = shown.split_once("</code>").unwrap().0.to_owned();
    assert!(
        citizen.open(&making).await.status == StatusCode::METHOD_NOT_ALLOWED,
        "no GET shows it"
    );
    citizen.open(&citizen.at("/mandates")).await;
    citizen.shows("Revoke the PIN");
    assert!(!citizen.html.contains(&pin));

    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/mandates")).await;
    let redemption = clerk.at("/mandates/redemption");
    let said = |code: &str, pin: &str| {
        vec![
            ("fiscalCode", code.to_owned()),
            ("pin", pin.to_owned()),
            ("campaign", "iscro-2024".to_owned()),
        ]
    };
    let post = async |clerk: &mut Browser<'_>, fields: Vec<(&str, String)>| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        clerk.post(&redemption, &fields).await
    };
    let form = clerk.hidden("form");
    let refused = post(&mut clerk, said("vrdlgu75b12f205b", &pin)).await;
    assert_eq!((refused.status, clerk.heading()), (StatusCode::FORBIDDEN, "PIN not accepted"));
    assert!(!form.is_empty());
    clerk.open(&clerk.at("/mandates")).await;
    assert_eq!(post(&mut clerk, said("rssmra80a01h501u", &pin)).await.status, 303);
    clerk.shows(", by telephone</td>");
    // They apply for the caller on pages, as under a signed mandate.
    let (before, _) = clerk.html.split_once("\">Apply for this client").unwrap();
    let apply = before.rsplit_once("href=\"").unwrap().1.to_owned();
    assert_eq!(clerk.open(&apply).await.status, StatusCode::OK, "{apply}");
    citizen.open(&citizen.at("/mandates")).await;
    citizen.shows("Given by telephone on");
    let revocation = citizen.at("/mandates/telephone-pin/revocation");
    assert_eq!(citizen.post(&revocation, &[]).await.status, 303);
    assert!(!citizen.html.contains("Revoke the PIN"));
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}
