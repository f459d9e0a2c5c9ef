//! The audit trail, read by an officer while the server runs.

use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::harness::{
    Counter, EVENING, MORNING, entrusted, finished, location, mandate, program, until,
};

/// The lines that `sportello audit` prints.
pub(crate) fn audit(counter: &Counter, arguments: &[&str]) -> Vec<Value> {
    let mut audit = program();
    audit.args(["audit", "--format", "ndjson", "--data"]).arg(counter.data()).args(arguments);
    let (code, lines, complaint) = finished(&mut audit);
    assert_eq!(code, Some(0), "{complaint}");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each line's action, and the person who did it; `None` if it was the server.
fn actions(lines: &[Value]) -> Vec<(&str, Option<&str>)> {
    lines.iter().map(|line| (line["what"].as_str().unwrap(), line["by"].as_str())).collect()
}

#[tokio::test]
async fn an_officer_learns_who_was_shown_or_changed_whose_data_and_when() {
    let mut counter = Counter::open_at(EVENING);
    let citizen = counter.citizen(1).await;
    let (code, other) = (citizen.code, FiscalCode::made_up(2));
    citizen.get("/drafts/iscro").await;
    let place = citizen.apply("key").await;
    citizen.decided(&place).await;
    citizen.get(&place).await;
    assert_eq!(citizen.delete(&place).await.status, 204);
    let neighbour = counter.citizen(2).await;
    assert_eq!(neighbour.get(&place).await.status, 404);

    let me = Some(code.as_str());
    let expected = [
        ("entered", me),
        ("draft-shown", me),
        ("application-received", me),
        ("decided-granted", None),
        ("application-shown", me),
        ("withdrawal-asked", me),
        ("withdrawn", None),
    ];
    // What people do with their own data is written soon after.
    let lines = until("everything is written", async || {
        let lines = audit(&counter, &["--fiscal-code", code.as_str()]);
        (lines.len() >= expected.len()).then_some(lines)
    })
    .await;
    let mut found = actions(&lines);
    let mut sorted = expected;
    found.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(
        found, sorted,
        "each action once, also the application that was shown twice within a minute"
    );
    let receipt = place.rsplit('/').next().unwrap();
    let about: Vec<_> = lines.iter().filter(|line| line["receipt"] == receipt).collect();
    assert_eq!(about.len(), 5);
    counter.stop();
    let neighbours = audit(&counter, &["--fiscal-code", other.as_str()]);
    assert_eq!(
        actions(&neighbours),
        [("entered", Some(other.as_str()))],
        "a refused request shows nothing"
    );

    // A clerk of an intermediary is named with the office, both in the client's lines and in the clerk's own.
    let counter = counter.reopen(MORNING);
    let clerk = counter.intermediary(9).await;
    let client = FiscalCode::made_up(3);
    let body = entrusted(3, &mandate(3));
    let answer = clerk.submit("key", &body).await;
    clerk.decided(&location(&answer.json())).await;
    let clerks = (Some(clerk.code.as_str()), Some("patronato-1"));
    let lines = audit(&counter, &["--fiscal-code", client.as_str()]);
    let by = |what: &str| {
        let line = lines.iter().find(|line| line["what"] == what).unwrap();
        (line["by"].as_str(), line["office"].as_str())
    };
    assert_eq!((by("application-received"), by("application-shown")), (clerks, clerks));
    assert_eq!(by("decided-granted"), (None, None));
    let done = audit(&counter, &["--by", "--fiscal-code", clerk.code.as_str()]);
    assert_eq!(actions(&done), [("entered", clerks.0), ("application-shown", clerks.0)]);
    one_start_and_one_restart_are_recorded(&counter);
}

/// What the server and commands did, beside people.
fn one_start_and_one_restart_are_recorded(counter: &Counter) {
    let controls = audit(counter, &["--controls"]);
    let controls: Vec<_> = controls.iter().map(|line| line["what"].as_str().unwrap()).collect();
    let (rooms, controls): (Vec<&str>, Vec<_>) =
        controls.into_iter().partition(|what| what.starts_with("waiting room: "));
    assert!(rooms[0].contains(" is next, commitment "), "{rooms:?}");
    assert_eq!(
        (rooms.len(), rooms[0]),
        (2, rooms[1]),
        "one a start, and a restart changes nothing"
    );
    let (servers, commands) = controls.split_at(3);
    assert_eq!(servers, ["server: opened", "server: drained and closed", "server: opened"]);
    assert!(commands.len() >= 4, "{commands:?}");
    assert!(commands.iter().all(|command| command.contains(": audit of ")), "{commands:?}");
}

#[tokio::test]
async fn reading_two_things_in_turn_is_recorded_once_each() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let place = citizen.apply("key").await;
    citizen.put("/drafts/allowance600", "{}").await;
    for _ in 0..5 {
        assert_eq!(citizen.get(&place).await.status, 200);
        assert_eq!(citizen.get("/drafts/allowance600").await.status, 200);
    }
    let shown = async || {
        let lines = audit(&counter, &["--by", "--fiscal-code", citizen.code.as_str()]);
        let count = |what: &str| lines.iter().filter(|line| line["what"] == what).count();
        let shown = (count("application-shown"), count("draft-shown"));
        (shown.0 > 0 && shown.1 > 0).then_some(shown)
    };
    assert_eq!(until("both are written", shown).await, (1, 1));
}

#[tokio::test]
async fn who_asks_for_unknown_receipts_again_and_again_is_recorded_and_learns_nothing() {
    let counter = Counter::open();
    let (owner, curious) = (counter.citizen(1).await, counter.citizen(2).await);
    let place = owner.apply("key").await;
    let by_curious = || {
        let lines = audit(&counter, &["--by", "--fiscal-code", curious.code.as_str()]);
        lines.iter().filter(|line| line["what"] == "unknown-receipts-asked").count()
    };
    for _ in 0..4 {
        assert_eq!(curious.get(&place).await.status, 404);
    }
    assert_eq!(by_curious(), 0, "a slip of the hand is no event");
    let mut answers = Vec::new();
    for n in 0..10 {
        let missing = n % 2 == 0;
        let path = if missing { "/applications/ISCRO-2024-7K3M-9QXT-B2FD-0YHR" } else { &place };
        let answer = curious.get(path).await;
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers.remove("request-id");
        answers.push((answer.status, headers, answer.without_id()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    until("the event is written", async || (by_curious() > 0).then_some(())).await;
    assert_eq!(by_curious(), 1, "once a minute");
    let about_owner = audit(&counter, &["--fiscal-code", owner.code.as_str()]);
    let by_others = |line: &&Value| line["by"].as_str() == Some(curious.code.as_str());
    assert_eq!(about_owner.iter().filter(by_others).count(), 0, "nothing was shown");
    assert!(counter.metric("sportello_unknown_receipts_total", &[]).await >= 9);
}

#[tokio::test]
async fn what_an_office_is_shown_is_written_before_it_leaves() {
    let counter = Counter::open_at_with(MORNING, &[("SPORTELLO_AUDIT_OWN_WAIT_MS", "10000")]);
    let clerk = counter.intermediary(9).await;
    let place = location(&clerk.submit("key", &entrusted(3, &mandate(3))).await.json());
    assert_eq!(clerk.get(&place).await.status, 200);
    let lines = audit(&counter, &["--fiscal-code", FiscalCode::made_up(3).as_str()]);
    assert_eq!(lines.iter().filter(|line| line["what"] == "application-shown").count(), 1);
}
