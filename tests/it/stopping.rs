//! Stopping and starting: what was let in finishes, what cannot start says why.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::Duration,
};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Counter, EVENING, program};

#[tokio::test]
async fn a_stop_finishes_what_was_let_in_and_exits_with_zero() {
    let mut counter = Counter::open();
    let (head, body) = {
        let citizen = counter.citizen(1).await;
        let body = citizen.application();
        let head = format!(
            "POST /v1/applications HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
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
    let address = counter.public.strip_prefix("https://").unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "no new connection");
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
async fn an_idle_connection_does_not_hold_up_a_stop_nor_a_client_that_never_finishes() {
    let mut counter = Counter::open_with(&[("SPORTELLO_SERVER_DRAIN_MS_MAX", "700")]);
    let _idle = counter.raw().await;
    let mut stuck = counter.raw().await;
    stuck.write_all(b"POST /v1/sessions HTTP/1.1\r\nhost: l").await.unwrap();
    counter.signal("TERM");
    let mut tries = 0;
    let status = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        match counter.ended() {
            Some(status) => break status,
            None => assert!(tries < 100, "it does not stop"),
        }
    };
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn readiness_and_health_are_told_on_the_operators_side_only() {
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
    let serve = |data: &std::path::Path| {
        let output = program()
            .args([
                "serve",
                "--demo",
                "--listen",
                "127.0.0.1:0",
                "--operator",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, complaint) = serve(&counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("in use by another process"), "{complaint}");
    // Nor do two servers share a port.
    let taken = counter.public.strip_prefix("https://").unwrap().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let output = program()
        .args(["serve", "--demo", "--listen", &taken, "--operator", "127.0.0.1:0", "--data"])
        .arg(elsewhere.path())
        .output()
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains(&format!("cannot listen on {taken}")), "{complaint}");

    counter.stop();
    let key = counter.data().join("ledger.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, "ab".repeat(32)).unwrap();
    let (code, complaint) = serve(&counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("was written with another key"), "{complaint}");
    fs::write(&key, right).unwrap();
    fs::rename(counter.data().join("ledger.key"), counter.data().join("elsewhere")).unwrap();
    let (code, complaint) = serve(&counter.data());
    assert_eq!(code, Some(2));
    assert!(complaint.contains("restore it from your backup"), "{complaint}");
    let (code, complaint) = serve(std::path::Path::new("/proc/no-such-place"));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("data directory /proc/no-such-place"), "{complaint}");
}

#[test]
fn a_demo_makes_do_with_a_low_limit_of_open_files_and_says_nothing_of_it() {
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
    demo.kill().unwrap();
    demo.wait().unwrap();
    let mut printed = String::new();
    demo.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
    assert!(ready.starts_with("ready "), "{ready}{printed}");
    assert!(printed.starts_with("\nThe counter is open"), "{printed}");
}
