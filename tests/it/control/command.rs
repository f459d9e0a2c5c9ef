//! `sportello control` on the command line.

use std::{path::Path, process::Stdio};

use super::client::state;
use crate::harness::{Counter, finished, program};

/// Runs the command against a counter, without a terminal.
fn control(counter: &Counter, arguments: &[&str]) -> (Option<i32>, String, String) {
    control_in(&counter.data(), &counter.operator, arguments)
}

fn control_in(data: &Path, operator: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program();
    command.arg("control").args(arguments).arg("--data").arg(data).args(["--operator", operator]);
    finished(command.stdin(Stdio::null()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_a_change_before_it_does_it_and_how_to_take_it_back() {
    let counter = Counter::open();
    let (code, out, complaint) = control(&counter, &["status"]);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("intake                        taking"), "{out}");
    assert!(out.contains("  citizens                    16:00-08:00"), "{out}");

    let (code, out, _) = control(&counter, &["pause", "--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("intake was taking and would be paused"), "{out}");
    // Nobody can confirm it.
    let (code, out, complaint) = control(&counter, &["pause"]);
    assert_eq!(code, Some(2), "{complaint}");
    assert!(out.contains("would be paused") && complaint.contains("add --yes"), "{out}{complaint}");
    assert_eq!(state(&counter).await["intake"]["state"], "taking");

    let (code, out, complaint) = control(&counter, &["pause", "--yes", "--as", "a.bianchi"]);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("intake was taking and is paused"), "{out}");
    let undo = out.lines().find_map(|line| line.strip_prefix("undo: sportello ")).unwrap();
    assert_eq!(state(&counter).await["intake"]["by"], "a.bianchi");
    let (code, out, complaint) = finished(program().args(undo.split(' ')).arg("--yes"));
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("intake was paused and is taking"), "{out}");
    let (code, out, _) = control(&counter, &["resume"]);
    assert_eq!(
        (code, out.lines().next()),
        (Some(0), Some("nothing changes")),
        "needs no confirmation"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_adds_to_what_control_has_set_and_takes_it_back_exactly() {
    let counter = Counter::open();
    let (code, out, complaint) =
        control(&counter, &["schedule", "citizens=15:00-08:00", "weekends_open=true", "--yes"]);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(out.contains("warning: both audiences may enter from 15:00 to 16:00"), "{out}");
    let (code, out, _) = control(&counter, &["schedule", "grace_seconds=60", "--yes"]);
    assert_eq!(code, Some(0));
    let shown = control(&counter, &["status"]).1;
    assert!(shown.contains("15:00-08:00 (control; configured: 16:00-08:00)"), "{shown}");
    assert!(shown.contains("60 (control; configured: 1800)"), "{shown}");
    let undo = out.lines().find_map(|line| line.strip_prefix("undo: sportello ")).unwrap();
    assert!(
        undo.starts_with("control schedule --only citizens=15:00-08:00 weekends_open=true"),
        "{undo}"
    );
    assert_eq!(finished(program().args(undo.split(' ')).arg("--yes")).0, Some(0));
    let settings = state(&counter).await["schedule"]["settings"].clone();
    assert_eq!(
        (&settings["grace_seconds"]["value"], &settings["citizens"]["source"]),
        (&1800.into(), &"control".into())
    );
    let (code, _, complaint) =
        control(&counter, &["schedule", "citizens=8-16", "unknown=1", "--yes"]);
    assert_eq!(code, Some(1));
    assert!(
        complaint.contains("must be a time slice")
            && complaint.contains("schedule.unknown is not a setting"),
        "{complaint}"
    );
    assert_eq!(control(&counter, &["schedule", "--reset", "--yes"]).0, Some(0));
    let (it, en) = ("L'ufficio chiude.", "The office's closed.");
    assert_eq!(control(&counter, &["notice", "--it", it, "--en", en, "--yes"]).0, Some(0));
    assert_eq!(state(&counter).await["notice"]["shown"]["it"], it);
    assert_eq!(control(&counter, &["notice", "--none", "--yes"]).0, Some(0));
    assert!(state(&counter).await["notice"]["shown"].is_null());
    assert_eq!(control(&counter, &["reload", "--yes"]).0, Some(0));
    let one = counter.citizen(1).await;
    assert_eq!(control(&counter, &["end-session", &one.tag, "--yes"]).0, Some(0));
    assert_eq!(control(&counter, &["end-session", &one.tag, "--yes"]).0, Some(1));
    let (code, out, _) = control(&counter, &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["actions"][0]["action"]), (Some(0), &"end-session".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_told_apart_from_a_refusal() {
    let counter = Counter::open();
    for arguments in [
        &["schedule", "--yes"][..],
        &["schedule", "citizens", "--yes"],
        &["schedule", "citizens=15:00-08:00", "--reset", "--yes"],
        &["notice", "--it", "x", "--yes"],
        &["pause", "--yes", "--dry-run"],
        &["pause", "--yes", "--as", "a b"],
        &["end-session", "a/b", "--yes"],
        &["unknown"],
    ] {
        let (code, _, complaint) = control(&counter, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {complaint}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let (code, _, complaint) = control_in(elsewhere.path(), &counter.operator, &["status"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("control.token"), "{complaint}");
    std::fs::write(elsewhere.path().join("control.token"), "A".repeat(43)).unwrap();
    let (code, _, complaint) = control_in(elsewhere.path(), &counter.operator, &["status"]);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("No valid token"), "{complaint}");
    for operator in ["http://127.0.0.1:1", "http://192.0.2.1:9464", "https://127.0.0.1:9464"] {
        let (code, _, complaint) = control_in(&counter.data(), operator, &["status"]);
        assert_eq!(code, Some(2), "{operator}: {complaint}");
    }
    assert_eq!(state(&counter).await["actions"].as_array().unwrap().len(), 0);
}
