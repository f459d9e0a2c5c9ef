//! A newer version takes the socket over: nobody is refused a connection, and nobody loses a session.

use std::{net::TcpListener, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use tokio::time::{sleep, timeout};

use crate::{
    harness::{Counter, PATIENCE, finished, serve_on},
    trust::client,
};

#[tokio::test]
async fn an_upgrade_refuses_no_connection_and_ends_no_session() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut counter = Counter::open_on(&socket, &[]);
    assert_eq!(counter.address(), socket.local_addr().unwrap().to_string());
    let citizen = counter.citizen(1).await;
    let (session, token) = (citizen.session.clone(), citizen.token.clone());
    for _ in 0..3 {
        assert_eq!(counter.stop().code(), Some(0), "{}", counter.log());
        // Between two versions nobody serves the socket, and connections wait.
        let client = client::<Full<Bytes>>(&counter.data(), false);
        let address = format!("{}/v1/status", counter.public).parse().unwrap();
        let asking = tokio::spawn(timeout(PATIENCE, client.get(address)));
        sleep(Duration::from_millis(200)).await;
        assert!(!asking.is_finished());
        counter = counter.reopen_on(&socket);
        assert_eq!(asking.await.unwrap().unwrap().unwrap().status(), StatusCode::OK);
        assert_eq!(counter.ask("GET", &session, &token, "").await.status, StatusCode::OK);
    }
}

#[test]
fn sockets_that_nobody_would_serve_are_named() {
    let (socket, data) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
    for (name, complaint) in [
        ("publik", "sockets of the service manager: nothing serves \"publik\""),
        ("certificates", "nothing serves \"certificates\""),
    ] {
        let (code, _, said) = finished(&mut serve_on(&socket, name, &data.path().join("data")));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(complaint), "{said}");
    }
}
