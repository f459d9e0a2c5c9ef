//! A second scheme: the same server accepts and decides the 600-euro allowance of March 2020.

use hyper::StatusCode;
use sportello::application::example_allowance600;

use crate::harness::{Counter, location};

/// The first evening on which the allowance could be claimed, in the citizens' time slice.
const FIRST_EVENING: &str = "2020-04-01T17:30[Europe/Rome]";

#[tokio::test]
async fn the_allowance_is_accepted_decided_and_shown() {
    let counter = Counter::open_at(FIRST_EVENING);
    let citizen = counter.citizen(1).await;
    let body = example_allowance600(&citizen.code);
    let offered = std::fs::read_to_string(counter.data().join("demo-application.json")).unwrap();
    assert!(
        offered.contains("allowance600"),
        "the demo's example is for a campaign that is open at its time"
    );
    let estimate = citizen.post("/estimates", &body).await;
    assert_eq!(
        (estimate.status, estimate.json()["outcome"].as_str()),
        (StatusCode::OK, Some("granted"))
    );
    let answer = citizen.submit("key", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let receipt = answer.json()["receipt"].as_str().unwrap().to_owned();
    assert!(receipt.starts_with("ALLOWANCE600-2020-"), "{receipt}");

    let json = citizen.decided(&location(&answer.json())).await;
    let decision = &json["decision"];
    let figures =
        ["outcome", "monthlyAmount", "grossTotal", "withheldMonthly", "startsOn", "endsOn"]
            .map(|member| decision[member].as_str().unwrap());
    assert_eq!(figures, ["granted", "600.00", "600.00", "0.00", "2020-03-01", "2020-03-31"]);
    assert_eq!(
        (decision["months"].as_u64(), decision["parameters"].as_str()),
        (Some(1), Some("allowance600-2020"))
    );
    assert_eq!(counter.balance().await, (1, 1));
}

#[tokio::test]
async fn the_kinds_exclude_each_other_and_a_journalist_is_sent_to_the_right_office() {
    let counter = Counter::open_at(FIRST_EVENING);
    let citizen = counter.citizen(1).await;
    let professional = example_allowance600(&citizen.code);
    let facts = professional.find("\"facts\"").unwrap()..professional.find("\"payment\"").unwrap();
    let mut journalist = professional.replace("professional", "journalist");
    let shift = professional.len() - journalist.len();
    journalist.replace_range(facts.start - shift..facts.end - shift, "\"facts\": {},\n  ");
    let answer = citizen.submit("key", &journalist).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let json = citizen.decided(&location(&answer.json())).await;
    assert_eq!(json["decision"]["outcome"], "refused");
    assert_eq!(json["decision"]["grounds"][1]["found"], "INPGI: apply there");

    let second = citizen.submit("another", &professional).await;
    second.assert_problem(409, "already-applied");
}

#[tokio::test]
async fn each_scheme_is_closed_outside_its_campaign() {
    let counter = Counter::open_at(FIRST_EVENING);
    let citizen = counter.citizen(1).await;
    let early = citizen.submit("key", &citizen.application()).await;
    assert_eq!(early.problem(), "campaign-closed");
    drop(counter);
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let late = citizen.submit("key", &example_allowance600(&citizen.code)).await;
    assert_eq!(late.problem(), "campaign-closed");
}
