//! The audit trail, read by an officer while the server runs.

use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::harness::{Counter, EVENING, MORNING, finished, location, program};

/// The lines that `sportello audit` prints.
fn audit(counter: &Counter, arguments: &[&str]) -> Vec<Value> {
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
    let lines = audit(&counter, &["--fiscal-code", code.as_str()]);
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
    let body =
        sportello::application::example(&client, 2024).replacen('{', "{ \"mandate\": \"M-1\",", 1);
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

    let controls = audit(&counter, &["--controls"]);
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
    assert_eq!(commands.len(), 4, "{commands:?}");
    assert!(commands.iter().all(|command| command.contains(": audit of ")), "{commands:?}");
}
