//! Stopping finishes the requests in progress; a server that cannot start names the reason.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Counter, EVENING, finished, program, serve};

#[tokio::test]
async fn a_stop_finishes_requests_in_progress_and_exits_with_zero() {
    let mut counter = Counter::open();
    let (head, body) = {
        let citizen = counter.citizen(1).await;
        let body = citizen.application();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            citizen.path("/applications"),
            citizen.token,
            body.len()
        );
        (head, body)
    };
    let mut finishing = counter.raw().await;
    finishing.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    counter.signal("TERM");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(counter.operator_page("/healthz").await.0, StatusCode::OK);
    let connecting = tokio::net::TcpStream::connect(counter.address()).await;
    assert!(connecting.is_err(), "a new connection is accepted");
    finishing.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _closed = finishing.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 201 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(counter.wait().code(), Some(0), "{}", counter.log());

    let counter = counter.reopen(EVENING);
    counter.all_decided().await;
    assert_eq!(counter.balance().await, (1, 1));
}

#[tokio::test]
async fn signals_are_heard_as_soon_as_the_server_says_that_it_is_ready() {
    for _ in 0..6 {
        let mut counter = Counter::open();
        counter.signal("HUP");
        assert_eq!(counter.operator_page("/healthz").await.0, StatusCode::OK);
        assert_eq!(counter.stop().code(), Some(0), "{}", counter.log());
    }
}

#[tokio::test]
async fn neither_idle_connections_nor_unfinished_requests_hold_up_a_stop() {
    let mut counter = Counter::open_with(&[("SPORTELLO_SERVER_DRAIN_MS_MAX", "700")]);
    let _idle = counter.raw().await;
    let mut stuck = counter.raw().await;
    stuck.write_all(b"GET /v1/status HTTP/1.1\r\nhost: l").await.unwrap();
    counter.signal("TERM");
    let mut tries = 0;
    let status = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        match counter.ended() {
            Some(status) => break status,
            None => assert!(tries < 100, "the server does not stop within 10 s"),
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn readiness_and_health_are_served_by_the_operator_listener_only() {
    let counter = Counter::open();
    assert_eq!(counter.operator_page("/readyz").await.0, StatusCode::OK);
    assert_eq!(counter.operator_page("/healthz").await.0, StatusCode::OK);
    assert_eq!(counter.operator_page("/nowhere").await.0, StatusCode::NOT_FOUND);
    for path in ["/metrics", "/healthz", "/readyz", "/control/drain"] {
        assert_eq!(counter.ask("GET", path, "", "").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn files_are_readable_by_their_owner_alone() {
    let counter = Counter::open();
    let data = counter.data();
    for private in ["ledger.key", "demo-identity.key", "demo-key.pem"] {
        let mode = fs::metadata(data.join(private)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{private}: {mode:o}");
    }
    for file in fs::read_dir(data.join("ledger")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}: {mode:o}", file.path());
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_data_or_a_lost_key_is_a_clear_error() {
    let mut counter = Counter::open();
    counter.citizen(1).await.apply("key").await;
    let refused = |listen: &str, data: &Path| {
        let (code, _, complaint) = finished(&mut serve(listen, data));
        (code, complaint)
    };
    let any = "127.0.0.1:0";
    let (code, complaint) = refused(any, &counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("in use by another process"), "{complaint}");
    // Two servers do not share a port.
    let taken = counter.address().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let (_, complaint) = refused(&taken, elsewhere.path());
    assert!(complaint.contains(&format!("cannot listen on {taken}")), "{complaint}");

    counter.stop();
    let key = counter.data().join("ledger.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, "ab".repeat(32)).unwrap();
    let (code, complaint) = refused(any, &counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("was written with another key"), "{complaint}");
    fs::write(&key, right).unwrap();
    fs::rename(counter.data().join("ledger.key"), counter.data().join("elsewhere")).unwrap();
    let (code, complaint) = refused(any, &counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("restore it from your backup"), "{complaint}");
    let (code, complaint) = refused(any, Path::new("/proc/no-such-place"));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("data directory /proc/no-such-place"), "{complaint}");
}

#[test]
fn a_demo_starts_without_a_warning_at_a_low_limit_of_open_files() {
    let data = tempfile::tempdir().unwrap();
    let serve = "ulimit -n 600 && exec \"$0\" serve --demo --listen 127.0.0.1:0 --operator 127.0.0.1:0 --data \"$1\"";
    let mut demo = Command::new("sh")
        .args(["-c", serve])
        .arg(program().get_program())
        .arg(data.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    // Two lines: the server may still be writing them when it is ready. A warning would be the first.
    let mut printed = String::new();
    let mut stderr = BufReader::new(demo.stderr.take().unwrap());
    for _ in 0..2 {
        stderr.read_line(&mut printed).unwrap();
    }
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(ready.starts_with("ready "), "{ready}{printed}");
    assert!(printed.starts_with("\nOpen https://127.0.0.1:"), "{printed}");
}
