//! A disk that is nearly full: seen before it is, told to everybody, and no reason to stop what was accepted.

use hyper::StatusCode;

use crate::harness::{Answer, Counter, EVENING, MORNING};

/// More than any disk has.
const ALL_OF_IT: (&str, &str) = ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "1125899906842624");

fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!(answer.problem(), "storage-unavailable");
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((60..=120).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn below_the_reserve_nothing_new_is_taken_in_and_what_was_accepted_goes_on() {
    let counter = Counter::open();
    let location = {
        let citizen = counter.citizen(1).await;
        citizen.apply("k").await
    };
    assert!(counter.metric("sportello_disk_free_bytes", &[]).await > 0);
    assert_eq!(counter.metric("sportello_disk_reserve_bytes", &[]).await, 16 << 20);

    let counter = counter.reopen_with(EVENING, &[ALL_OF_IT]);
    let citizen = counter.citizen(1).await;
    assert_eq!(citizen.decided(&location).await["state"], "decided");
    refused(&citizen.submit("k", &citizen.application()).await);
    // Before the body is read: what is no application is refused for the same reason.
    refused(&citizen.submit("other", "no JSON").await);
    let draft = counter.ask("PUT", "/v1/draft", &citizen.token, "{}").await;
    refused(&draft);
    assert_eq!(citizen.delete(&location).await.status, StatusCode::NO_CONTENT);
    let (status, told) = counter.operator_page("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&told).contains("disk is nearly full"), "{told:?}");
    assert_eq!(counter.metric("sportello_ledger_poisoned", &[]).await, 0);
    assert!(counter.log().contains("free disk space is below ledger.disk_reserve_bytes"));
}

#[tokio::test]
async fn below_the_reserve_a_batch_is_refused_as_a_whole() {
    let counter = Counter::open_at(MORNING).reopen_with(MORNING, &[ALL_OF_IT]);
    let office = counter.intermediary(1).await;
    let request = hyper::Request::post(format!("{}/v1/batches", counter.public))
        .header("authorization", format!("Bearer {}", office.token))
        .header("content-type", "application/x-ndjson")
        .body("{}\n".into())
        .unwrap();
    refused(&counter.send(request).await.unwrap());
}
