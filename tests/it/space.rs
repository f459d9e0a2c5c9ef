//! A nearly full disk: intake stops before the disk is full, and accepted applications are still decided and served.

use hyper::StatusCode;
use sportello::civic::FiscalCode;

use crate::harness::{Counter, EVENING, MORNING};

/// A reserve larger than any disk, in bytes.
const RESERVE: (&str, &str) = ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "1125899906842624");

#[tokio::test]
async fn below_the_reserve_intake_stops_and_accepted_applications_are_still_served() {
    let counter = Counter::open();
    let location = {
        let citizen = counter.citizen(1).await;
        citizen.apply("k").await
    };
    assert!(counter.metric("sportello_disk_free_bytes", &[]).await > 0);
    assert_eq!(counter.metric("sportello_disk_reserve_bytes", &[]).await, 16 << 20);

    let counter = counter.reopen_with(EVENING, &[RESERVE]);
    let citizen = counter.citizen(1).await;
    assert_eq!(citizen.decided(&location).await["state"], "decided");
    citizen.submit("k", &citizen.application()).await.assert_storage_unavailable();
    // Refused before the body is read: a body that is not JSON is refused for the same reason.
    citizen.submit("other", "no JSON").await.assert_storage_unavailable();
    let draft = citizen.put("/drafts/iscro", "{}").await;
    draft.assert_storage_unavailable();
    assert_eq!(citizen.delete(&location).await.status, StatusCode::NO_CONTENT);
    let (status, page) = counter.operator_page("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8_lossy(&page).contains("disk is nearly full"), "{page:?}");
    assert_eq!(counter.metric("sportello_ledger_poisoned", &[]).await, 0);
    assert!(counter.log().contains("free disk space is below ledger.disk_reserve_bytes"));
}

#[tokio::test]
async fn nobody_enters_who_could_not_be_recorded() {
    let audit = ("SPORTELLO_AUDIT_DISK_RESERVE_BYTES", RESERVE.1);
    let counter = Counter::open_with(&[RESERVE, audit]);
    let identity = counter.mint(&FiscalCode::made_up(1), &[]);
    let refused = counter.knock(&identity).await;
    refused.assert_problem(503, "access-suspended");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert_eq!(counter.metric("sportello_audit_lost_total", &[]).await, 0);
    assert!(counter.log().contains("the audit trail has no room"), "{}", counter.log());
    let counter = counter.reopen(EVENING);
    assert!(counter.citizen(1).await.get("").await.status.is_success());
}

#[tokio::test]
async fn below_the_reserve_a_batch_is_refused_as_a_whole() {
    let counter = Counter::open_at(MORNING).reopen_with(MORNING, &[RESERVE]);
    let office = counter.intermediary(1).await;
    let request = hyper::Request::post(format!("{}{}", counter.public, office.path("/batches")))
        .header("authorization", format!("Bearer {}", office.token))
        .header("content-type", "application/x-ndjson")
        .body("{}\n".into())
        .unwrap();
    counter.send(request).await.unwrap().assert_storage_unavailable();
}
