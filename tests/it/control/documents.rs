//! Schedule, limits and notice: set with the tag of what was seen, kept over restarts and reloads.

use hyper::StatusCode;
use sportello::civic::FiscalCode;

use super::client::{call, call_with, controls, done, put, state};
use crate::harness::{Counter, EVENING, finished, serve, until};

const SIX_O_CLOCK: &str = "2024-09-16T18:00:00+02:00";

async fn opens_at(counter: &Counter) -> String {
    let status = counter.ask("GET", "/v1/status", "", "").await.json();
    status["audiences"]["citizens"]["opensAt"].to_string()
}

async fn citizens(counter: &Counter) -> String {
    let state = state(counter).await;
    state["schedule"]["settings"]["citizens"]["value"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_schedule_of_control_is_in_force_at_once_and_survives_a_kill_and_a_reload() {
    let file = "[schedule]\ncitizens = \"16:00-08:00\"\n";
    let counter = Counter::open_with_file(EVENING, file, &[]);
    let before = state(&counter).await;
    assert_eq!(before["schedule"]["source"], "configuration");
    let body = r#"{"citizens": "18:00-08:00", "grace_seconds": 60}"#;
    let tag = before["schedule"]["etag"].as_str().unwrap();
    let path = ("PUT", "/control/schedule?dryRun=true");
    let looked = done(&call_with(&counter, path, &[("if-match", tag)], body).await);
    assert_eq!(looked["changes"][0]["before"], "\"16:00-08:00\"");
    assert!(
        looked["warnings"][0].as_str().unwrap().contains("nobody may enter from 16:00 to 18:00")
    );
    assert_eq!(state(&counter).await, before_with_now(&before, &state(&counter).await));
    counter.citizen(1).await;

    let set = done(&put(&counter, "schedule", body).await);
    assert_eq!(set["changes"], looked["changes"]);
    assert_eq!(
        (&set["undo"]["method"], &set["undo"]["command"]),
        (&"DELETE".into(), &"sportello control schedule --reset".into())
    );
    until("the slice is in force", async || {
        opens_at(&counter).await.contains(SIX_O_CLOCK).then_some(())
    })
    .await;
    let identity = counter.mint(&FiscalCode::made_up(2), &[]);
    counter.knock(&identity).await.assert_problem(403, "window-closed");
    let line = "control: m.rossi: schedule: schedule.citizens was \"16:00-08:00\" and is \"18:00-08:00\"; schedule.grace_seconds was 1800 and is 60";
    until("it is in the trail", async || controls(&counter).contains(line).then_some(())).await;

    let counter = counter.reopen(EVENING);
    assert_eq!(citizens(&counter).await, "18:00-08:00");
    counter.knock(&identity).await.assert_problem(403, "window-closed");
    // A reload keeps what control has set, and says so; what control has not set follows the file.
    counter.set("[schedule]\ncitizens = \"17:00-08:00\"\nspread_seconds_max = 5\n");
    until("the file was read", async || {
        counter.log().contains("schedule.citizens is now \"17:00-08:00\" in the configuration, but control has set \"18:00-08:00\"").then_some(())
    })
    .await;
    let now = state(&counter).await["schedule"].clone();
    let setting = |name: &str| now["settings"][name].to_string();
    assert_eq!(
        setting("citizens"),
        r#"{"value":"18:00-08:00","source":"control","configured":"17:00-08:00"}"#
    );
    assert_eq!(setting("spread_seconds_max"), r#"{"value":5,"source":"configuration"}"#);
    assert_eq!((&now["source"], &now["by"]), (&"control".into(), &"m.rossi".into()));

    let more = done(&put(&counter, "schedule", r#"{"weekends_open": true}"#).await);
    assert_eq!(
        more["undo"]["body"].to_string(),
        r#"{"citizens":"18:00-08:00","grace_seconds":60}"#
    );
    assert_eq!(
        citizens(&counter).await,
        "17:00-08:00",
        "a document takes the place of the one before"
    );
    let reset = done(&call(&counter, "DELETE", "/control/schedule").await);
    assert_eq!(reset["changes"][0]["after"], "false");
    let counter = counter.reopen(EVENING);
    assert_eq!(state(&counter).await["schedule"]["source"], "configuration");
}

/// The state before, at the time of another one.
fn before_with_now(before: &serde_json::Value, now: &serde_json::Value) -> serde_json::Value {
    let mut before = before.clone();
    before["now"] = now["now"].clone();
    before
}

#[tokio::test]
async fn a_change_needs_the_tag_of_what_was_seen() {
    let counter = Counter::open();
    let tag = state(&counter).await["limits"]["etag"].as_str().unwrap().to_owned();
    let path = ("PUT", "/control/limits");
    let body = r#"{"session_by_person_burst": 7}"#;
    call_with(&counter, path, &[], body).await.assert_problem(428, "if-match-missing");
    call_with(&counter, path, &[("if-match", "\"other\"")], body)
        .await
        .assert_problem(412, "changed-meanwhile");
    done(&call_with(&counter, path, &[("if-match", &tag)], body).await);
    // Somebody else has seen what was there before.
    for method in ["PUT", "DELETE"] {
        let late =
            call_with(&counter, (method, "/control/limits"), &[("if-match", &tag)], "{}").await;
        late.assert_problem(412, "changed-meanwhile");
    }
    let now = state(&counter).await;
    assert_eq!(now["limits"]["settings"]["session_by_person_burst"]["value"], 7);
    done(&call_with(&counter, path, &[("if-match", "\"other\", *")], "{}").await);
    assert_eq!(
        state(&counter).await["limits"]["source"],
        "configuration",
        "nothing set is nothing"
    );
    let failed = ["action=\"limits\"", "outcome=\"failed\""];
    assert_eq!(counter.metric("sportello_control_actions_total", &failed).await, 4);
}

#[tokio::test]
async fn every_fault_of_a_document_is_named_at_once_and_nothing_changes() {
    let counter = Counter::open_with_file(EVENING, "[schedule]\nopen_on = \"2025-01-01\"\n", &[]);
    let before = state(&counter).await;
    let faults = async |part: &str, body: &str| {
        let refused = put(&counter, part, body).await;
        refused.assert_problem(422, "invalid");
        let faults = refused.json()["errors"].as_array().unwrap().clone();
        faults
            .iter()
            .map(|it| {
                format!("{} {}", it["pointer"].as_str().unwrap(), it["detail"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let found = faults("schedule", r#"{"citizens": "8-16", "weekends_open": "true", "grace_seconds": null, "listen": "127.0.0.1:1"}"#).await;
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(
        found[0].starts_with("/citizens control: schedule.citizens must be a time slice"),
        "{found:?}"
    );
    assert!(found[3].starts_with("/listen control: schedule.listen is not a setting"), "{found:?}");
    let found = faults("schedule", r#"{"closed_on": "2025-01-01"}"#).await;
    assert!(
        found[0].starts_with("/closed_on") && found[0].contains("must have no day in common"),
        "{found:?}"
    );
    let found = faults("limits", r#"{"keys_max": 0, "session_by_person_burst": 1.5}"#).await;
    assert_eq!(found.len(), 2, "{found:?}");
    let found = faults("notice", r#"{"it": "a\tb", "en": ""}"#).await;
    assert_eq!(
        found,
        ["/it line 1 holds a control character", "/en it has a text in one language only"]
    );
    assert_eq!(state(&counter).await, before_with_now(&before, &state(&counter).await));
}

#[tokio::test]
async fn limits_of_control_are_in_force_at_once_and_go_back_to_the_configuration() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = r#"{"session_by_person_per_second": 1, "session_by_person_burst": 1}"#;
    done(&put(&counter, "limits", body).await);
    let answers = [citizen.get("").await.status, citizen.get("").await.status];
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");
    done(&call(&counter, "DELETE", "/control/limits").await);
    for _ in 0..3 {
        assert_eq!(citizen.get("").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_notice_of_control_is_shown_instead_of_the_file_until_it_is_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("notice.txt");
    std::fs::write(&file, "it: Dal file.\nen: From the file.\n").unwrap();
    let settings = [("SPORTELLO_PAGES_NOTICE", file.to_str().unwrap())];
    let counter = Counter::open_with(&settings);
    let shown = async |counter: &Counter, expected: Option<&str>| {
        until("the notice is shown", async || {
            let status = counter.ask("GET", "/v1/status", "", "").await.json();
            (status["notice"]["en"].as_str() == expected).then_some(())
        })
        .await;
    };
    shown(&counter, Some("From the file.")).await;
    let set = done(&put(&counter, "notice", r#"{"it": "Da noi.", "en": "From us."}"#).await);
    assert_eq!(set["changes"][0]["before"], "it: \"Dal file.\", en: \"From the file.\"");
    shown(&counter, Some("From us.")).await;
    let counter = counter.reopen_with(EVENING, &settings);
    shown(&counter, Some("From us.")).await;
    let none = done(&put(&counter, "notice", r#"{"it": "", "en": ""}"#).await);
    assert_eq!(none["undo"]["command"], "sportello control notice --it 'Da noi.' --en 'From us.'");
    shown(&counter, None).await;
    done(&call(&counter, "DELETE", "/control/notice").await);
    shown(&counter, Some("From the file.")).await;
}

#[test]
fn a_server_does_not_start_with_orders_that_it_cannot_follow_and_names_the_file() {
    let data = tempfile::tempdir().unwrap();
    let set = r#"{"version": 1, "schedule": {"order": {"by": "a", "since": "b"}, "settings": {"closed_on": "2025-01-01"}}}"#;
    let clash = ("SPORTELLO_SCHEDULE_OPEN_ON", "2025-01-01");
    for (file, text, variable, expected) in [
        ("control.json", "{\"version\": 1, \"paus", None, "control.json: it is damaged"),
        ("control.json", "{\"version\": 2}", None, "control.json: it has format version 2"),
        ("control.json", set, Some(clash), "must have no day in common"),
        ("control.token", "short", None, "control.token: it does not hold the token of control"),
    ] {
        let path = data.path().join(file);
        let _may_not_be_there = std::fs::remove_file(&path);
        let private = || sportello::private_files::write_private(&path, text.as_bytes());
        sportello::private_files::private_directory(data.path()).and_then(|()| private()).unwrap();
        let mut serve = serve("127.0.0.1:0", data.path());
        let (code, out, complaint) = finished(serve.envs(variable));
        assert_eq!((code, &*out), (Some(2), ""), "{complaint}");
        assert!(complaint.contains(expected) && complaint.contains(file), "{complaint}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_put_in_force() {
    let counter = Counter::open();
    // A directory of this name cannot be replaced by a file.
    std::fs::create_dir(counter.data().join("control.json")).unwrap();
    call(&counter, "POST", "/control/pause").await.assert_problem(507, "not-kept");
    assert_eq!(state(&counter).await["intake"]["state"], "taking");
    counter.citizen(1).await;
}
