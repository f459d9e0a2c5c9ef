//! A disk that fills up: intake stops before the disk is full, and a full disk loses no receipt.

use std::{fs, time::Duration};

use hyper::StatusCode;
use sportello::civic::FiscalCode;

use crate::{
    crowd::Crowd,
    disk::Disk,
    harness::{Counter, EVENING, until},
};

const DISK_MEBIBYTES: u64 = 64;
const RESERVE: &str = "SPORTELLO_LEDGER_DISK_RESERVE_BYTES";
/// Pause between applications: free space is measured once a second, and a second's applications must fit the reserve.
const PAUSE_MS: u64 = 20;

#[tokio::test]
#[ignore = "needs the superuser, loop devices and mkfs.ext4"]
async fn a_disk_that_fills_up_loses_nothing_with_the_reserve_and_without() {
    let disk = Disk::small(DISK_MEBIBYTES);
    let (first, second) = (disk.ballast("first", 24), disk.ballast("second", 6));
    let counter = Counter::open_in(&disk.mounted(), &[(RESERVE, "15728640")]);
    let mut crowd = Crowd::before(&counter);

    crowd.apply_until_refused(&counter, PAUSE_MS).await;
    let reserved = crowd.receipts.len();
    assert!(reserved > 10, "{reserved}");
    assert_eq!(counter.metric("sportello_ledger_poisoned", &[]).await, 0);
    let free = counter.metric("sportello_disk_free_bytes", &[]).await;
    assert!((1 << 20..15 << 20).contains(&free), "{free}");
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    crowd.look(&counter).await;
    fs::remove_file(first).unwrap();
    let mut tries = 0;
    while counter.operator_page("/readyz").await.0 != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        assert!(tries < 100, "intake does not resume within 10 s");
    }
    crowd.apply_all(&counter, 5).await;

    // Without a reserve the disk fills up, and a commit fails.
    let counter = counter.reopen_with(EVENING, &[(RESERVE, "0")]);
    crowd.apply_until_refused(&counter, 0).await;
    assert!(crowd.receipts.len() > reserved + 50, "{}", crowd.receipts.len());
    assert_eq!(counter.metric("sportello_ledger_poisoned", &[]).await, 1);
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    crowd.look(&counter).await;
    crowd.apply(&counter).await.unwrap().assert_storage_unavailable();
    assert!(counter.log().contains("the ledger is poisoned"), "{}", counter.log());

    fs::remove_file(second).unwrap();
    let mut counter = counter.reopen_with(EVENING, &[(RESERVE, "0")]);
    crowd.apply_all(&counter, 5).await;
    crowd.look(&counter).await;
    assert_eq!(counter.stop().code(), Some(0), "{}", counter.log());
    crowd.verify(&counter.data());
}

#[tokio::test]
#[ignore = "needs the superuser, loop devices and mkfs.ext4"]
async fn what_cannot_be_recorded_is_not_shown_until_there_is_space_and_the_trail_never_fails() {
    let disk = Disk::small(DISK_MEBIBYTES);
    let counter = Counter::open_in(&disk.mounted(), &[(RESERVE, "15728640")]);
    let citizen = counter.citizen(1).await;
    let place = citizen.apply("key").await;
    let first = citizen.decided(&place).await;
    let free = counter.metric("sportello_disk_free_bytes", &[]).await;
    // A quarter of the reserve, 3.75 MiB, is kept from the trail. 8 MiB free: nothing new, but everything is shown.
    let to_8 = disk.ballast("to-8", usize::try_from((free >> 20) - 8).unwrap());
    until("the reserve is reached", async || {
        (counter.operator_page("/readyz").await.0 != StatusCode::OK).then_some(())
    })
    .await;
    citizen.put("/drafts/iscro", "{}").await.assert_storage_unavailable();
    assert_eq!(citizen.get("/drafts/iscro").await.status, StatusCode::NOT_FOUND, "and recorded");

    let to_2 = disk.ballast("to-2", 6);
    let newcomer = counter.mint(&FiscalCode::made_up(2), &[]);
    until("the trail has no room", async || {
        let answer = counter.knock(&newcomer).await;
        (answer.status == StatusCode::SERVICE_UNAVAILABLE).then_some(answer)
    })
    .await
    .assert_problem(503, "access-suspended");
    citizen.delete("/drafts/iscro").await.assert_problem(503, "access-suspended");
    citizen.delete(&place).await.assert_problem(503, "access-suspended");
    // What was shown and recorded within a minute is shown again without another event.
    assert_eq!(citizen.decided(&place).await["decision"], first["decision"]);
    assert_eq!(counter.metric("sportello_audit_failed", &[]).await, 0);
    assert_eq!(counter.metric("sportello_audit_lost_total", &[]).await, 0);

    fs::remove_file(to_2).unwrap();
    fs::remove_file(to_8).unwrap();
    until("there is room again", async || {
        (citizen.delete(&place).await.status == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
}
