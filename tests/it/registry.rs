//! Facts from the institute's registry in the decisions of a running server.

use std::{fs, path::Path};

use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::harness::{
    Counter, EVENING, Visitor, entrusted, finished, location, mandate, serve, until,
};

/// A person with regular contributions and higher incomes than declared; one in arrears; one who is not in the file.
const IN_ORDER: u64 = 1;
const IN_ARREARS: u64 = 2;
const UNKNOWN: u64 = 3;

/// Writes a registry file; its path.
fn written(directory: &Path) -> String {
    let path = directory.join("registry.csv");
    let (one, two) = (FiscalCode::made_up(IN_ORDER), FiscalCode::made_up(IN_ARREARS));
    let text = format!(
        "fiscalCode,contributionsRegular,2021,2022,2023\n{},true,7000.00,7000.00,\n{},false,,,\nend,2\n",
        one.as_str(),
        two.as_str(),
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// An application that leaves the contributions to the registry.
fn open_question(visitor: &Visitor<'_>) -> String {
    visitor
        .application()
        .replace("\"contributionsRegular\": true", "\"contributionsRegular\": null")
}

fn outcome(decision: &Value) -> (&str, Option<&str>) {
    (decision["outcome"].as_str().unwrap(), decision["monthlyAmount"].as_str())
}

#[tokio::test]
async fn judges_decide_with_the_facts_of_the_registry() {
    let directory = tempfile::tempdir().unwrap();
    let counter = Counter::open_with(&[("SPORTELLO_REGISTRY_FILE", &written(directory.path()))]);
    for (person, expected) in [
        (IN_ORDER, ("granted", Some("800.00"))),
        (IN_ARREARS, ("refused", None)),
        (UNKNOWN, ("pending", None)),
    ] {
        let citizen = counter.citizen(person).await;
        let body = open_question(&citizen);
        let estimate = citizen.post("/estimates", &body).await.json();
        assert_eq!(outcome(&estimate), expected);
        let answer = citizen.submit("key", &body).await;
        let decision = citizen.decided(&location(&answer.json())).await["decision"].clone();
        assert_eq!(outcome(&decision), expected);
        assert_eq!(decision, estimate, "estimate and decision come from one rules engine");
    }
}

#[tokio::test]
async fn what_was_pending_is_decided_again_when_the_registry_answers() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path());
    let mut counter = Counter::open_with(&[("SPORTELLO_REGISTRY_FILE", &file)]);
    let citizen = counter.citizen(UNKNOWN).await;
    let body = open_question(&citizen);
    let answer = citizen.submit("key", &body).await;
    let place = location(&answer.json());
    let before = citizen.decided(&place).await["decision"].clone();
    assert_eq!(outcome(&before), ("pending", None));
    assert_eq!(counter.metric("sportello_applications_pending", &[]).await, 1);

    let newer = directory.path().join("newer.csv");
    let known = FiscalCode::made_up(UNKNOWN);
    let rows = format!("fiscalCode,contributionsRegular,2021\n{},true,\nend,1\n", known.as_str());
    fs::write(&newer, rows).unwrap();
    fs::rename(&newer, &file).unwrap();
    counter.signal("HUP");
    let after = until("the application is decided again", async || {
        let decision = citizen.get(&place).await.json()["decision"].clone();
        (decision != before).then_some(decision)
    })
    .await;
    assert_eq!(outcome(&after).0, "granted", "{}", counter.log());
    assert_eq!(
        after,
        citizen.post("/estimates", &body).await.json(),
        "estimate and decision come from one rules engine"
    );
    assert_eq!(counter.metric("sportello_applications_pending", &[]).await, 0);
    let granted = ["outcome=\"granted\""];
    assert_eq!(counter.metric("sportello_applications_redecided_total", &granted).await, 1);
    assert_eq!(
        counter.balance().await,
        (1, 1),
        "an application that is decided twice is counted once"
    );

    let code = citizen.code;
    counter.stop();
    let counter = counter.reopen(EVENING);
    let identity = counter.mint(&code, &[]);
    let citizen = counter.enter(code, &identity).await;
    assert_eq!(citizen.get(&place).await.json()["decision"], after);
    assert_eq!(counter.balance().await, (1, 1));
}

#[tokio::test]
async fn an_intermediarys_estimate_uses_nothing_from_the_registry() {
    let directory = tempfile::tempdir().unwrap();
    let counter = Counter::open_with(&[
        ("SPORTELLO_REGISTRY_FILE", &written(directory.path())),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "16:00-08:00"),
    ]);
    let clerk = counter.intermediary(9).await;
    let body = entrusted(IN_ORDER, &mandate(IN_ORDER))
        .replace("\"contributionsRegular\": true", "\"contributionsRegular\": null");
    let estimate = clerk.post("/estimates", &body).await;
    assert_eq!(outcome(&estimate.json()), ("pending", None));
    assert!(!String::from_utf8_lossy(&estimate.body).contains("7000"));
}

#[test]
fn a_broken_registry_keeps_the_counter_closed_and_names_its_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = written(directory.path());
    let broken = fs::read_to_string(&path).unwrap().replace(",false,", ",perhaps,");
    fs::write(&path, broken).unwrap();
    let mut serve = serve("127.0.0.1:0", &directory.path().join("data"));
    let (code, _, complaint) = finished(serve.env("SPORTELLO_REGISTRY_FILE", &path));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("registry.csv") && complaint.contains("line 3:"), "{complaint}");
    assert!(!complaint.contains("perhaps"), "{complaint}");
}
