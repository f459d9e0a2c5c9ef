//! One address that holds all it can get: connections, or handshakes that never end. Strangers are served all the same.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::harness::Counter;

const HOLDER: &str = "127.0.0.3";
const STRANGER: &str = "127.0.0.2";
/// A stranger is served within this time.
const SOON: Duration = Duration::from_secs(3);
const REQUEST: &[u8] = b"GET /v1/status HTTP/1.1\r\nhost: l\r\n\r\n";

/// Sends a request and reads its answer; false if the connection is closed.
async fn is_answered(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut answer = [0; 4096];
    let asking = async {
        stream.write_all(REQUEST).await.is_ok()
            && stream.read(&mut answer).await.is_ok_and(|read| read > 0)
    };
    timeout(SOON, asking).await.expect("an answer, or a close")
}

async fn enter(counter: &Counter, address: &str) -> Option<TlsStream<TcpStream>> {
    let connecting = async { counter.tls_over(counter.tcp_from(address).await).await };
    let mut stream = timeout(SOON, connecting).await.expect("served in time, or closed").ok()?;
    is_answered(&mut stream).await.then_some(stream)
}

#[tokio::test]
async fn handshakes_that_never_end_hold_up_no_stranger() {
    let counter = Counter::open_with(&[("SPORTELLO_HTTP_HANDSHAKES_MAX", "4")]);
    let mut half_open = Vec::new();
    for _ in 0..12 {
        let mut stream = counter.tcp_from(HOLDER).await;
        stream.write_all(&[22]).await.unwrap();
        half_open.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    for _ in 0..8 {
        assert!(enter(&counter, STRANGER).await.is_some(), "closed");
    }
}

#[tokio::test]
async fn connections_of_one_address_hold_up_no_stranger() {
    let counter = Counter::open_with(&[("SPORTELLO_HTTP_CONNECTIONS_MAX", "8")]);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(enter(&counter, HOLDER).await.expect("there is room"));
    }
    // One of them has a request under way: its body is awaited.
    let request = "GET /v1/status HTTP/1.1\r\nhost: l\r\ncontent-length: 3\r\n\r\nab";
    held[0].write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;

    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(enter(&counter, STRANGER).await.expect("a stranger gets in"));
    }
    for stranger in &mut strangers {
        assert!(is_answered(stranger).await, "closed for those of the largest holder");
    }
    let mut open = 0;
    for stream in &mut held[1..] {
        open += usize::from(is_answered(stream).await);
    }
    assert_eq!(open, 4, "no more are closed than strangers came");
}

#[tokio::test]
async fn an_address_has_a_share_and_its_newcomers_take_the_place_of_its_resting_connections() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_HTTP_CONNECTIONS_MAX", "8"),
        ("SPORTELLO_HTTP_ADDRESS_SHARE_PERCENT", "50"),
        ("SPORTELLO_HTTP_PROXIES", "127.0.0.1"),
    ]);
    let through = async |address: &str| {
        let mut stream = counter.tcp_from("127.0.0.1").await;
        let head = format!("PROXY TCP6 {address} ::1 50000 443\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut stream = counter.tls_over(stream).await.ok()?;
        is_answered(&mut stream).await.then_some(stream)
    };
    let mut held = Vec::new();
    for n in 0..6 {
        held.push(through(&format!("2001:db8:0:1::{n}")).await.expect("a newcomer gets in"));
    }
    let mut open = 0;
    for stream in &mut held {
        open += usize::from(is_answered(stream).await);
    }
    assert_eq!(open, 4, "all addresses of an IPv6 /64 network have one share");
    let mut others = Vec::new();
    for n in 0..4 {
        others.push(through(&format!("2001:db8:0:2::{n}")).await.expect("there is room"));
    }
}
