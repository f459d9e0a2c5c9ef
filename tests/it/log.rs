//! A log that cannot be written: the server works on, and counts the lines that are lost.

use std::{
    fs,
    io::{ErrorKind, Write as _, pipe},
    process::Stdio,
};

use hyper::StatusCode;
use rustix::fs::{OFlags, fcntl_setfl};

use crate::harness::{Counter, finished, program, until};

/// At this level the HTTP/2 library logs several lines a request.
const TALKATIVE: &[(&str, &str)] = &[("SPORTELLO_LOG_LEVEL", "debug")];
/// Upper bound on rounds of 100 requests, after which the queue of a blocked log must be full.
const ROUNDS_MAX: usize = 20;

/// Asserts that the server answers, counts lost lines, and stops.
async fn serves_without_a_log(mut counter: Counter) {
    counter.speak_http2();
    let location = counter.citizen(1).await.apply("key").await;
    let citizen = counter.citizen(1).await;
    assert_eq!(citizen.decided(&location).await["state"], "decided");
    let mut lost = 0;
    for _ in 0..ROUNDS_MAX {
        for _ in 0..100 {
            assert_eq!(counter.ask("GET", "/v1/status", "", "").await.status, StatusCode::OK);
        }
        lost = counter.metric("sportello_log_lost_total", &[]).await;
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "no lost lines were counted");
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::OK);
    assert_eq!(counter.balance().await, (1, 1));
    counter.signal("TERM");
    let status = until("the server has stopped", async || counter.ended()).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_log_on_a_full_disk_does_not_stop_the_counter() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    serves_without_a_log(Counter::open_logging_to(full, TALKATIVE)).await;
}

#[tokio::test]
async fn a_log_into_a_closed_pipe_does_not_stop_the_counter() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    serves_without_a_log(Counter::open_logging_to(writer, TALKATIVE)).await;
}

#[tokio::test]
async fn a_log_into_a_full_pipe_that_nobody_reads_does_not_stop_the_counter() {
    let (_unread, mut writer) = pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let full = loop {
        if let Err(fault) = writer.write(&[b'.'; 512]) {
            break fault;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    serves_without_a_log(Counter::open_logging_to(writer, TALKATIVE)).await;
}

#[test]
fn a_command_whose_complaint_cannot_be_written_exits_with_its_code() {
    for arguments in [&["verify", "--data", "/nowhere"][..], &["nonsense"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let status = program().args(arguments).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn results_that_cannot_be_written_are_an_error_and_a_closed_pipe_ends_a_command_quietly() {
    let mut counter = Counter::open();
    counter.citizen(1).await.apply("key").await;
    let data = counter.data();
    counter.stop();
    let data = data.to_str().unwrap();
    let code = "RSSMRA80A01H501U";
    for arguments in [
        &["verify", "--data", data][..],
        &["export", "--data", data],
        &["audit", "--data", data, "--controls"],
        &["mint", "--data", data, "--fiscal-code", code],
        &["config", "default"],
    ] {
        let complaint = |out: Stdio| {
            let (code, _, complaint) = finished(program().args(arguments).stdout(out));
            assert_eq!(code, Some(1), "{arguments:?}");
            complaint
        };
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let printed = complaint(full.into());
        assert!(printed.contains("standard output: No space left"), "{arguments:?}: {printed}");
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(complaint(writer.into()), "", "{arguments:?}");
    }
}
