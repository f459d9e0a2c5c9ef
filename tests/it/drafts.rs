//! Drafts of many people at once, and of one person who saves too often.

use futures_util::future::join_all;
use hyper::StatusCode;

use crate::harness::{Counter, Visitor};

const PEOPLE: u64 = 60;

/// Groups written so far, each with one sync, and the changes in them.
async fn groups(counter: &Counter) -> (u64, u64) {
    let count = counter.metric("sportello_draft_group_size_count", &[]).await;
    (count, counter.metric("sportello_draft_group_size_sum", &[]).await)
}

#[tokio::test]
async fn drafts_of_many_people_at_once_take_few_syncs() {
    let counter = Counter::open();
    let people: Vec<Visitor> = join_all((1..=PEOPLE).map(|n| counter.citizen(n))).await;
    let saved = join_all(people.iter().map(|person| person.put("/drafts/iscro", "{}"))).await;
    assert!(saved.iter().all(|answer| answer.status == StatusCode::NO_CONTENT), "{saved:?}");
    let (count, changes) = groups(&counter).await;
    assert_eq!(changes, PEOPLE);
    assert!(count <= PEOPLE / 3, "{count} syncs for {PEOPLE} drafts");
    let read = join_all(people.iter().map(|person| person.get("/drafts/iscro"))).await;
    assert!(read.iter().all(|answer| answer.body == "{}"), "{read:?}");

    // Everybody submits: the drafts are gone with the receipts, and their removal is no group a draft either.
    for person in &people {
        person.apply("key").await;
        assert_eq!(person.get("/drafts/iscro").await.status, StatusCode::NOT_FOUND);
    }
    let (after, _) = groups(&counter).await;
    assert!(after - count <= PEOPLE / 3, "{} syncs for {PEOPLE} removals", after - count);
    let removed = crate::harness::until("all drafts are removed", async || {
        (groups(&counter).await.1 == 2 * PEOPLE).then_some(())
    });
    removed.await;
}

#[tokio::test]
async fn who_saves_drafts_too_often_has_to_wait_and_can_submit() {
    let counter = Counter::open();
    let (one, two) = (counter.citizen(1).await, counter.citizen(2).await);
    let answers = join_all((0..60).map(|_| one.put("/drafts/iscro", "{}"))).await;
    let (saved, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == StatusCode::NO_CONTENT);
    assert!((20..40).contains(&saved.len()), "{} drafts were saved", saved.len());
    for answer in refused {
        answer.assert_problem(429, "too-many-requests");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert_eq!(two.put("/drafts/iscro", "{}").await.status, StatusCode::NO_CONTENT);
    one.apply("key").await;
}
