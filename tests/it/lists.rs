//! Lists of applications: a citizen's own, and what an office handed in.

use std::{fs, path::Path, time::Duration};

use http_body_util::Full;
use hyper::StatusCode;
use serde_json::{Value, json};
use sportello::{civic::FiscalCode, clock::Stopwatch};

use crate::harness::{
    Answer, Counter, EVENING, OFFICE, Visitor, entrusted, finished, location, mandate, mandates_of,
    program, until,
};

/// Both audiences may enter at any time.
const ALL_DAY: [(&str, &str); 2] = [
    ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
    ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
];
/// Applications in one answer.
const PAGE_APPLICATIONS_MAX: usize = 100;

fn receipts(list: &Value) -> Vec<String> {
    let listed = list["applications"].as_array().unwrap().iter();
    listed.map(|one| one["receipt"].as_str().unwrap().to_owned()).collect()
}

/// A page, once a second has passed since the person's last one.
async fn page(visitor: &Visitor<'_>, path: &str) -> Value {
    until("the page is shown", async || {
        let answer = visitor.get(path).await;
        if answer.status == StatusCode::OK {
            return Some(answer.json());
        }
        answer.assert_problem(429, "too-many-requests");
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    })
    .await
}

/// Every page of a list, one after the other.
async fn all(visitor: &Visitor<'_>) -> Vec<String> {
    let (mut found, mut path) = (Vec::new(), "/applications".to_owned());
    loop {
        let list = page(visitor, &path).await;
        found.extend(receipts(&list));
        match list["next"].as_str() {
            Some(next) => path = format!("/applications/after/{next}"),
            None => return found,
        }
    }
}

/// Has an office hand in applications of made-up people; their receipts in the order of a list.
async fn hand_in(
    counter: &Counter,
    office: &Visitor<'_>,
    people: std::ops::Range<u64>,
) -> Vec<String> {
    let body: String = people.map(|n| entrusted(n, &mandate(n)) + "\n").collect();
    let request = office.batch("application/x-ndjson", Full::from(body));
    let answer = counter.send(request).await.unwrap();
    let lines = String::from_utf8(answer.body.to_vec()).unwrap();
    let receipt = |line: &str| -> String {
        let line: Value = serde_json::from_str(line).unwrap();
        line["receipt"].as_str().unwrap().to_owned()
    };
    let mut receipts: Vec<_> = lines.lines().map(receipt).collect();
    receipts.sort();
    receipts
}

/// Waits until the lists of offices have this many of one's own filings.
async fn listed(visitor: &Visitor<'_>, expected: &[String]) {
    until("everything is listed", async || (all(visitor).await == expected).then_some(())).await;
}

fn refused(answer: &Answer) {
    answer.assert_problem(429, "too-many-requests");
    assert_eq!(answer.header("ratelimit"), "\"default\";r=0;t=1");
    assert!(matches!(&*answer.header("retry-after"), "1" | "2"));
}

#[tokio::test]
async fn an_office_sees_what_it_handed_in_page_by_page_while_more_arrives() {
    let counter = Counter::open_with(&ALL_DAY);
    let office = counter.intermediary(9).await;
    let colleague = counter.intermediary(10).await;
    let before = hand_in(&counter, &office, 0..150).await;
    listed(&colleague, &before).await;

    let first = page(&office, "/applications").await;
    assert_eq!(receipts(&first), before[..PAGE_APPLICATIONS_MAX]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(next, before[PAGE_APPLICATIONS_MAX - 1]);
    let more = hand_in(&counter, &office, 150..200).await;
    let mut now = [before.clone(), more].concat();
    now.sort();
    listed(&colleague, &now).await;
    let rest = page(&office, &format!("/applications/after/{next}")).await;
    let from = now.partition_point(|receipt| receipt.as_str() <= next);
    assert_eq!(receipts(&rest), now[from..now.len().min(from + PAGE_APPLICATIONS_MAX)]);
    // Any receipt is a place to continue from, whether it exists or not.
    let place = "iscro-2024-8000-0000-0000-0000";
    let later = page(&office, &format!("/applications/after/{place}")).await;
    let from = now.partition_point(|receipt| *receipt < place.to_uppercase());
    assert_eq!(receipts(&later), now[from..now.len().min(from + PAGE_APPLICATIONS_MAX)]);
    for (place, expected) in
        [("ISCRO-2023-ZZZZ-ZZZZ-ZZZZ-ZZZZ", 100), ("ISCRO-2025-0000-0000-0000-0000", 0)]
    {
        let list = page(&office, &format!("/applications/after/{place}")).await;
        assert_eq!(receipts(&list).len(), expected, "{place}");
    }
    office.get("/applications/after/nonsense").await.assert_problem(404, "not-found");
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

#[tokio::test]
async fn a_list_of_an_office_ends_with_each_mandate_and_is_no_other_offices() {
    let counter = Counter::open_with(&ALL_DAY);
    counter.entrust(&mandates_of("patronato-2", 0..5)).await;
    let office = counter.intermediary(9).await;
    let code = FiscalCode::made_up(20);
    let other = counter.enter(code, &counter.mint(&code, &["--office", "patronato-2"])).await;
    let own = counter.citizen(3).await;
    let filed = hand_in(&counter, &office, 0..3).await;
    let mine = own.apply("own").await;
    listed(&office, &filed).await;
    assert_eq!(all(&other).await, [""; 0], "it has a mandate of each of them, too");

    // A withdrawal is seen at once, and a revocation.
    let citizen = counter.citizen(1).await;
    let theirs = page(&citizen, "/applications").await;
    let place = location(&theirs["applications"][0]);
    counter.all_decided().await;
    assert_eq!(citizen.delete(&place).await.status, StatusCode::NO_CONTENT);
    let list = page(&office, "/applications").await;
    let shown = list["applications"].as_array().unwrap().iter();
    let shown: Vec<_> = shown.filter(|one| location(one) == place).collect();
    assert_eq!(
        shown,
        [&json!({
            "receipt": theirs["applications"][0]["receipt"], "state": "withdrawn", "outcome": "granted",
            "receivedOn": "2024-09-16", "channel": "intermediary", "office": OFFICE,
        })]
    );
    let named = format!("/mandates/{}", mandate(1));
    assert_eq!(citizen.delete(&named).await.status, StatusCode::NO_CONTENT);
    let still = page(&office, "/applications").await;
    assert_eq!(receipts(&still).len(), 2);
    assert!(!still.to_string().contains(shown[0]["receipt"].as_str().unwrap()));
    // The registry takes them all.
    counter.replace_mandates("").await;
    assert_eq!(page(&office, "/applications").await, json!({ "applications": [], "next": null }));

    // What a citizen filed is in no office's list, and what an office filed is in its person's.
    assert_eq!(receipts(&page(&own, "/applications").await), [mine.rsplit('/').next().unwrap()]);
    assert_eq!(receipts(&page(&citizen, "/applications").await).len(), 1);
}

#[tokio::test]
async fn a_person_may_list_once_a_second_in_every_capacity_together() {
    let counter = Counter::open_with(&ALL_DAY);
    let (citizen, clerk) = (counter.citizen(9).await, counter.intermediary(9).await);
    let neighbour = counter.citizen(8).await;
    let watch = Stopwatch::start();
    let first = citizen.get("/applications").await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    let (own, office) = (citizen.get("/applications").await, clerk.get("/applications").await);
    let after = "/applications/after/ISCRO-2024-0000-0000-0000-0000";
    let later = citizen.get(after).await;
    // On a machine that is this slow they may have been allowed.
    if watch.elapsed() < Duration::from_secs(1) {
        [own, office, later].iter().for_each(refused);
    }
    assert_eq!(neighbour.get("/applications").await.status, StatusCode::OK);
    page(&clerk, "/applications").await;
    // Everything else is counted apart.
    assert_eq!(clerk.get("/mandates").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_citizen_sees_every_application_in_their_name_also_after_a_restart() {
    let mut counter = Counter::open_with(&ALL_DAY);
    let data = counter.data();
    let citizen = counter.citizen(1).await;
    let office = counter.intermediary(9).await;
    let mut expected = Vec::new();
    for key in ["one", "two"] {
        let place = citizen.apply(key).await;
        assert_eq!(citizen.delete(&place).await.status, StatusCode::NO_CONTENT);
        expected.push(place.rsplit('/').next().unwrap().to_owned());
    }
    let latest = office.submit("three", &entrusted(1, &mandate(1))).await.json();
    let latest = latest["receipt"].as_str().unwrap().to_owned();
    expected.push(latest.clone());
    expected.sort();
    counter.all_decided().await;
    let states = |list: &Value| -> Vec<(String, Value, Value)> {
        let listed = list["applications"].as_array().unwrap().iter();
        let channel = |one: &Value| (one["channel"].clone(), one["office"].clone());
        for one in listed.clone() {
            let is_latest = one["receipt"] == latest;
            let expected = if is_latest {
                (json!("intermediary"), json!(OFFICE))
            } else {
                (json!("citizen"), Value::Null)
            };
            assert_eq!(channel(one), expected);
        }
        listed
            .map(|one| {
                let receipt = one["receipt"].as_str().unwrap().to_owned();
                (receipt, one["state"].clone(), one["receivedOn"].clone())
            })
            .collect()
    };
    let list = page(&citizen, "/applications").await;
    assert_eq!(receipts(&list), expected);
    assert_eq!(list["next"], Value::Null);
    for (receipt, state, received_on) in states(&list) {
        assert_eq!(state, if receipt == latest { "decided" } else { "withdrawn" });
        assert_eq!(received_on, "2024-09-16");
    }
    let rest = page(&citizen, &format!("/applications/after/{}", expected[0])).await;
    assert_eq!(receipts(&rest), expected[1..]);
    let neighbour = counter.citizen(2).await;
    assert_eq!(receipts(&page(&neighbour, "/applications").await), [""; 0]);
    counter.stop();
    erase(&data, &expected[1]);
    let counter = counter.reopen_with(EVENING, &ALL_DAY);
    let citizen = counter.citizen(1).await;
    expected.remove(1);
    assert_eq!(receipts(&page(&citizen, "/applications").await), expected);
}

fn erase(data: &Path, receipt: &str) {
    let erase = ["erase", "--receipt", receipt, "--reason", "an order", "--data"];
    let (code, out, complaint) = finished(program().args(erase).arg(data));
    assert_eq!(code, Some(0), "{out}{complaint}");
}

#[tokio::test]
async fn the_index_of_filings_survives_a_kill_and_is_written_anew_when_it_is_lost() {
    let counter = Counter::open_with(&ALL_DAY);
    let data = counter.data();
    let index = data.join("ledger/iscro-2024.filings");
    let office = counter.intermediary(9).await;
    let mut filed = hand_in(&counter, &office, 0..20).await;
    listed(&office, &filed).await;
    counter.all_decided().await;
    let more = hand_in(&counter, &office, 20..30).await;
    filed.extend(more);
    filed.sort();
    // Killed, whether the last ones were indexed or not.
    let mut counter = counter.reopen_with(EVENING, &ALL_DAY);
    let office = counter.intermediary(9).await;
    assert_eq!(receipts(&page(&office, "/applications").await), filed);
    counter.all_decided().await;
    counter.stop();
    for damage in [None, Some("no index")] {
        let gone = fs::remove_file(&index);
        assert!(gone.is_ok() && !index.exists());
        if let Some(text) = damage {
            fs::write(&index, text).unwrap();
        }
        counter = counter.reopen_with(EVENING, &ALL_DAY);
        let office = counter.intermediary(9).await;
        assert_eq!(receipts(&page(&office, "/applications").await), filed, "{damage:?}");
        counter.stop();
    }
    let erased = filed.remove(7);
    erase(&data, &erased);
    let counter = counter.reopen_with(EVENING, &ALL_DAY);
    let office = counter.intermediary(9).await;
    assert_eq!(receipts(&page(&office, "/applications").await), filed);
    let backups = tempfile::tempdir().unwrap();
    let (code, out, complaint) = finished(
        program().args(["backup", "--to", backups.path().to_str().unwrap(), "--data"]).arg(&data),
    );
    assert_eq!(code, Some(0), "{out}{complaint}");
    let copied =
        fs::read_dir(backups.path().join("ledger")).or_else(|_| fs::read_dir(backups.path()));
    let names = copied.unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.collect();
    assert!(names.iter().any(|name| name == "iscro-2024.sqlite"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("filings")), "{names:?}");
}
