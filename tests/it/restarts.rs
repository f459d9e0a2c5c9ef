//! Restarts: who was inside goes on with the same token, and who has left does not come back.

use std::time::Duration;

use hyper::StatusCode;
use sportello::civic::FiscalCode;
use tokio::time::sleep;

use crate::harness::{Counter, EVENING, MORNING, OFFICE, Visitor, entrusted, mandate, new_session};

/// A visitor's session, as it goes on after a restart.
struct Kept {
    session: String,
    token: String,
    tag: String,
    expires_at: String,
}

impl Kept {
    async fn of(visitor: &Visitor<'_>) -> Self {
        let expires_at = visitor.get("").await.json()["expiresAt"].to_string();
        let (session, token) = (visitor.session.clone(), visitor.token.clone());
        Self { session, token, tag: visitor.tag.clone(), expires_at }
    }

    async fn is_open(&self, counter: &Counter) -> bool {
        counter.ask("GET", &self.session, &self.token, "").await.status == StatusCode::OK
    }

    async fn assert_same(&self, counter: &Counter) {
        let shown = counter.ask("GET", &self.session, &self.token, "").await;
        assert_eq!(shown.status, StatusCode::OK, "{shown:?}");
        assert_eq!(shown.header("subject-tag"), self.tag);
        assert_eq!(shown.json()["expiresAt"].to_string(), self.expires_at);
    }
}

/// Stops the server the one way or the other, and starts it again.
fn restarted(mut counter: Counter, kill: bool, settings: &[(&str, &str)]) -> Counter {
    if kill {
        counter.kill();
    } else {
        assert_eq!(counter.stop().code(), Some(0));
    }
    counter.reopen_with(EVENING, settings)
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart_and_one_that_has_ended_does_not() {
    for kill in [true, false] {
        let counter = Counter::open();
        let code = FiscalCode::made_up(1);
        let identity = counter.mint(&code, &[]);
        let citizen = counter.enter(code, &identity).await;
        let location = citizen.apply("key").await;
        let inside = Kept::of(&citizen).await;
        let leaver = counter.citizen(2).await;
        let left = Kept::of(&leaver).await;
        assert_eq!(leaver.delete("").await.status, StatusCode::NO_CONTENT);
        // A renewal ends the token before.
        let (other, other_session) = (counter.mint(&FiscalCode::made_up(3), &[]), new_session());
        let enter = async |counter: &Counter| {
            let answer = counter.ask("PUT", &other_session, &other, "").await;
            (answer.status, answer.json()["token"].as_str().unwrap_or_default().to_owned())
        };
        let (_, old) = enter(&counter).await;
        let (status, new) = enter(&counter).await;
        assert_eq!(status, StatusCode::OK);

        let counter = restarted(counter, kill, &[]);
        assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 2);
        inside.assert_same(&counter).await;
        let own = format!("{}{location}", inside.session);
        assert_eq!(counter.ask("GET", &own, &inside.token, "").await.status, StatusCode::OK);
        let elsewhere = counter.ask("GET", &new_session(), &inside.token, "").await;
        elsewhere.assert_problem(404, "not-found");
        assert!(!left.is_open(&counter).await, "killed: {kill}");
        for n in [2, 4] {
            let identity = counter.mint(&FiscalCode::made_up(n), &[]);
            let taken = counter.ask("PUT", &left.session, &identity, "").await;
            taken.assert_problem(409, "visit-taken");
        }
        for (token, status) in [(&old, 401), (&new, 200), (&old, 401)] {
            let shown = counter.ask("GET", &other_session, token, "").await;
            assert_eq!(shown.status.as_u16(), status);
        }
        // Who lost their token asks again in the same visit, as before the restart.
        let stranger = counter.mint(&FiscalCode::made_up(5), &[]);
        let taken = counter.ask("PUT", &inside.session, &stranger, "").await;
        taken.assert_problem(409, "visit-taken");
        let renewed = counter.ask("PUT", &inside.session, &identity, "").await;
        assert_eq!(renewed.status, StatusCode::OK);
        assert_eq!(renewed.json()["expiresAt"].to_string(), inside.expires_at);
        let counter = restarted(counter, kill, &[]);
        assert!(!inside.is_open(&counter).await, "its token was renewed after the first restart");
        assert_eq!(enter(&counter).await.0, StatusCode::OK);
        assert_eq!(counter.metric("sportello_sessions", &["citizens"]).await, 2);
    }
}

#[tokio::test]
async fn a_lease_outlasts_a_restart_even_if_there_are_fewer_then() {
    let settings = |leases| [("SPORTELLO_GATE_LEASES_MAX", leases)];
    let counter = Counter::open_with(&settings("3"));
    let (first, second) = (counter.citizen(1).await, counter.citizen(2).await);
    let (one, two) = (Kept::of(&first).await, Kept::of(&second).await);
    // The third has used its lease, and needs none any more.
    counter.citizen(3).await.apply("key").await;
    let body = second.application();
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 2);

    let counter = restarted(counter, false, &settings("1"));
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 2);
    let reopened = "sportello_sessions_reopened_total";
    for (lease, expected) in [("within", 1), ("beyond", 1), ("none", 1)] {
        assert_eq!(counter.metric(reopened, &[lease]).await, expected, "{lease}");
    }
    one.assert_same(&counter).await;
    let newcomer = counter.knock(&counter.mint(&FiscalCode::made_up(4), &[])).await;
    assert_eq!(newcomer.status, StatusCode::ACCEPTED);
    let apply = format!("{}/applications", two.session);
    let applied = counter.try_ask("POST", &apply, &two.token, &body, "key").await.unwrap();
    assert_eq!(applied.status, StatusCode::CREATED, "{applied:?}");
    assert_eq!(counter.metric("sportello_leases", &["held"]).await, 1);
}

#[tokio::test]
async fn a_clerks_session_goes_on_for_their_office() {
    let counter = Counter::open_at(MORNING);
    let clerk = counter.intermediary(1).await;
    let kept = Kept::of(&clerk).await;
    let counter = counter.reopen(MORNING);
    kept.assert_same(&counter).await;
    let shown = counter.ask("GET", &kept.session, &kept.token, "").await.json();
    assert_eq!(shown["audience"], "intermediaries");
    let mandates = format!("{}/mandates", kept.session);
    let listed = counter.ask("GET", &mandates, &kept.token, "").await;
    assert_eq!(listed.status, StatusCode::OK, "the office {OFFICE} sees its mandates");
}

#[tokio::test]
async fn a_lost_journal_opens_no_session_again() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let kept = Kept::of(&citizen).await;
    let ledger = counter.data().join("ledger");
    let mut counter = counter;
    counter.kill();
    std::fs::remove_file(ledger.join("journal-000001.sealed")).unwrap();
    let counter = counter.reopen(EVENING);
    let shown = counter.ask("GET", &kept.session, &kept.token, "").await;
    shown.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_clerks_quota_of_the_day_goes_on_after_a_restart() {
    let quota = [("SPORTELLO_QUOTAS_CLERK_APPLICATIONS_PER_DAY_MAX", "2")];
    let counter = Counter::open_at_with(MORNING, &quota);
    let office = counter.intermediary(100).await;
    let kept = Kept::of(&office).await;
    let apply = async |counter: &Counter, n| {
        let (path, key) = (format!("{}/applications", kept.session), format!("key-{n}"));
        let body = entrusted(n, &mandate(n));
        counter.try_ask("POST", &path, &kept.token, &body, &key).await.unwrap()
    };
    assert_eq!(apply(&counter, 1).await.status, StatusCode::CREATED);
    // What was noted is written within some milliseconds.
    sleep(Duration::from_millis(500)).await;
    let mut counter = counter;
    counter.kill();
    let counter = counter.reopen_with(MORNING, &quota);
    assert_eq!(apply(&counter, 2).await.status, StatusCode::CREATED);
    apply(&counter, 3).await.assert_problem(429, "daily-quota-used-up");
    assert_eq!(apply(&counter, 1).await.status, StatusCode::CREATED, "the same again is not new");
}
