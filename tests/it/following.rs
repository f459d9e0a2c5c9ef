//! Following one request: its id in the answer, in a problem and in the log, and the trace that it belongs to.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use http_body_util::Full;
use hyper::{Request, StatusCode};

use crate::harness::{Answer, Counter, new_session, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Asks with header fields, without a body.
async fn ask(counter: &Counter, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::get(format!("{}{path}", counter.public));
    let request =
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    counter.send(request.body(Full::default()).unwrap()).await.unwrap()
}

/// Waits until the log has a line with all of these.
async fn logged(counter: &Counter, parts: &[&str]) -> String {
    until("the line is logged", async || line_with(&counter.log(), parts)).await
}

fn line_with(log: &str, parts: &[&str]) -> Option<String> {
    let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
    log.lines().find(has_all).map(ToOwned::to_owned)
}

#[tokio::test]
async fn a_refused_request_is_found_in_the_log_by_what_its_problem_says() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let body = citizen.application().replace("\"iscro\"", "\"unheard-of\"");
    let refused = citizen.submit("key", &body).await;
    refused.assert_problem(422, "invalid-application");
    let id = refused.json()["requestId"].as_str().unwrap().to_owned();
    let route = "route=\"/v1/sessions/{visit}/applications\"";
    logged(&counter, &["input refused", "invalid-application", &id, route]).await;
    let again = citizen.submit("key", &body).await;
    assert_ne!(again.json()["requestId"], id, "each request has an id of its own");
    // So has an answer that is no problem, unless caches keep it for others.
    let shown = citizen.get("").await;
    assert_eq!((shown.status, shown.header("request-id").len()), (StatusCode::OK, 32));
    assert_eq!(counter.ask("GET", "/v1/status", "", "").await.header("request-id"), "");
}

#[tokio::test]
async fn a_page_says_a_reference_that_is_the_end_of_the_id_in_the_log() {
    let counter = Counter::open();
    for (language, words) in [
        ("it", "Se chiedi assistenza, indica questo codice:"),
        ("en", "If you ask for help, say this reference:"),
    ] {
        let fields = [("accept", "text/html"), ("accept-language", language)];
        let page = ask(&counter, "/nowhere", &fields).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        let id = page.header("request-id");
        let reference = format!("{} {} {}", &id[20..24], &id[24..28], &id[28..]);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(text.contains(&format!("{words} <code>{reference}</code>")), "{text}");
        logged(&counter, &["input refused", &reference.replace(' ', "")]).await;
    }
}

#[tokio::test]
async fn a_visit_that_is_not_the_sessions_is_logged_with_its_request_and_without_the_visit() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let other = new_session();
    let answer = counter.ask("GET", &other, &citizen.token, "").await;
    answer.assert_problem(404, "not-found");
    let id = answer.header("request-id");
    let line = logged(&counter, &["the visit in the path is not", &id]).await;
    let visit = other.rsplit('/').next().unwrap();
    assert!(line.contains("route=\"/v1/sessions/{visit}\"") && !line.contains(visit), "{line}");
}

#[tokio::test]
async fn a_trace_is_taken_over_and_a_malformed_one_is_ignored() {
    let mut counter = Counter::open();
    for http2 in [false, true] {
        if http2 {
            counter.speak_http2();
        }
        let id = async |fields: &[(&str, &str)]| {
            let answer = ask(&counter, "/nowhere", fields).await;
            answer.assert_problem(404, "not-found");
            answer.header("request-id")
        };
        assert_eq!(id(&[("traceparent", PARENT)]).await, TRACE);
        let state = "vendor=told,".repeat(400);
        assert_eq!(id(&[("traceparent", PARENT), ("tracestate", &state)]).await, TRACE);
        for fields in [
            &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-")][..],
            &[("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")],
            &[("traceparent", PARENT), ("traceparent", PARENT)],
            &[("tracestate", PARENT)],
        ] {
            assert_ne!(id(fields).await.to_lowercase(), TRACE, "{fields:?}");
        }
    }
    assert!(!counter.log().contains("vendor=told"), "tracestate is not logged");
}

#[tokio::test]
async fn a_crowd_of_refused_requests_leaves_few_lines_and_their_number() {
    const CROWD: usize = 300;
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    for _ in 0..CROWD {
        let refused = citizen.get("/drafts/none").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }
    let told =
        logged(&counter, &["WARN", "log lines of one kind were left out", "input refused"]).await;
    let number = |line: &str| -> usize {
        let number = line.split("lines=").nth(1).unwrap();
        number.split(' ').next().unwrap().parse().unwrap()
    };
    assert!(number(&told) > 0);
    let all = until("every line is told of", async || {
        let log = counter.log();
        let written = log.lines().filter(|line| line.contains(" input refused")).count();
        let left_out: usize = log
            .lines()
            .filter(|line| line.contains("were left out") && line.contains("\"input refused\""))
            .map(number)
            .sum();
        (written + left_out == CROWD).then_some(written)
    });
    let written = all.await;
    assert!(written < CROWD, "{written}");
}

/// What the server logs about one refused request, if the journal's variable is this.
async fn log_of(file: &Path, stream: &str, format: &str) -> String {
    let log = File::create(file).unwrap();
    let settings = [("JOURNAL_STREAM", stream), ("SPORTELLO_LOG_FORMAT", format)];
    let counter = Counter::open_logging_to(log, &settings);
    ask(&counter, "/v1/sessions", &[("traceparent", PARENT)]).await;
    counter.citizen(1).await.get("/nowhere").await;
    counter.signal("TERM");
    until("it is logged", async || {
        let log = fs::read_to_string(file).unwrap();
        log.contains("stopped: every accepted").then_some(log)
    })
    .await
}

#[tokio::test]
async fn lines_for_the_journal_begin_with_their_severity_and_have_no_time() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("log");
    File::create(&file).unwrap();
    let metadata = fs::metadata(&file).unwrap();
    let journal = format!("{}:{}", metadata.dev(), metadata.ino());
    let log = log_of(&file, &journal, "text").await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("sportello::")).collect();
    assert!(lines.len() > 2, "{log}");
    for line in lines {
        let severity = if line.contains("INFO ") { "<6>INFO " } else { "<4>WARN " };
        assert!(line.starts_with(severity), "{line}");
    }
    let log = log_of(&file, &journal, "json").await;
    assert!(log.lines().any(|line| line.starts_with("<6>{\"timestamp\":")), "{log}");
    // The variable is inherited, and standard error is something else.
    let elsewhere = format!("{}:{}", metadata.dev(), metadata.ino() + 1);
    for stream in [&elsewhere, "", "nonsense"] {
        let log = log_of(&file, stream, "text").await;
        assert!(!log.contains("<6>"), "{stream}: {log}");
        assert!(log.lines().any(|line| line.starts_with("20")), "{log}");
    }
}

#[tokio::test]
async fn each_line_of_the_log_is_json_if_that_is_its_format() {
    let place = tempfile::tempdir().unwrap();
    let log = log_of(&place.path().join("log"), "", "json").await;
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let parsed: Vec<serde_json::Value> =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let refused = |line: &&serde_json::Value| line["fields"]["message"] == "input refused";
    let refused = parsed.iter().find(refused).unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&refused["request"], &refused["route"]), (&TRACE.into(), &"unknown".into()));
}
