//! Proxies that name their clients' addresses (PROXY protocol): named ones are believed, and nobody else.

use std::time::Duration;

use hyper::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::harness::Counter;

/// An answer comes, or the connection is closed, within this time.
const SOON: Duration = Duration::from_secs(5);
const ENTER: &[u8] =
    b"PUT /v1/sessions/0123456789abcdefghijkl HTTP/1.1\r\nhost: l\r\nauthorization: Bearer x\r\n\r\n";

/// A version 2 header that names an IPv4 client.
fn version_2(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([198, 51, 100, 1, 0xC3, 0x50, 1, 187]);
    header
}

/// The status of an attempt to enter after these bytes; `None` if the connection is closed before an answer.
async fn try_to_enter(counter: &Counter, from: &str, first: &[u8]) -> Option<u16> {
    let mut stream = counter.tcp_from(from).await;
    for byte in first {
        // In pieces: a network may split it anywhere.
        stream.write_all(&[*byte]).await.ok()?;
    }
    let asking = async {
        let mut stream = counter.tls_over(stream).await.ok()?;
        stream.write_all(ENTER).await.ok()?;
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.ok().filter(|read| *read > 0)?;
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        answer.split(' ').nth(1)?.parse().ok()
    };
    timeout(SOON, asking).await.expect("an answer, or a close")
}

#[tokio::test]
async fn a_named_proxy_is_believed_about_its_clients_and_each_has_limits_of_its_own() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_HTTP_PROXIES", "127.0.0.0/30, 2001:db8::/32"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND", "1"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "2"),
    ]);
    let (refused, limited) =
        (StatusCode::UNAUTHORIZED.as_u16(), StatusCode::TOO_MANY_REQUESTS.as_u16());
    for (proxy, client, status) in [
        ("127.0.0.1", version_2([192, 0, 2, 1]), refused),
        ("127.0.0.2", b"PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n".to_vec(), refused),
        ("127.0.0.1", version_2([192, 0, 2, 1]), limited),
        ("127.0.0.1", version_2([192, 0, 2, 2]), refused),
        ("127.0.0.1", b"PROXY TCP6 2001:db8:1::1 ::1 50000 443\r\n".to_vec(), refused),
        ("127.0.0.1", b"PROXY TCP6 2001:db8:1::2 ::1 50000 443\r\n".to_vec(), refused),
        ("127.0.0.1", b"PROXY TCP6 2001:db8:1::3 ::1 50000 443\r\n".to_vec(), limited),
        // Of the proxy itself, such as a health check.
        ("127.0.0.1", b"PROXY UNKNOWN\r\n".to_vec(), refused),
        ("127.0.0.1", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), refused),
    ] {
        let told = try_to_enter(&counter, proxy, &client).await;
        assert_eq!(told, Some(status), "{}", client.escape_ascii());
    }
}

#[tokio::test]
async fn without_a_header_a_named_proxy_gets_nothing_and_with_one_nobody_else_does() {
    let counter = Counter::open_with(&[("SPORTELLO_HTTP_PROXIES", "127.0.0.2")]);
    for header in [&b""[..], b"PROXY TCP4 192.0.2.1\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"] {
        assert_eq!(try_to_enter(&counter, "127.0.0.2", header).await, None);
    }
    assert_eq!(try_to_enter(&counter, "127.0.0.1", &version_2([192, 0, 2, 1])).await, None);
    assert_eq!(try_to_enter(&counter, "127.0.0.1", b"").await, Some(401));
    assert_eq!(try_to_enter(&counter, "127.0.0.2", &version_2([192, 0, 2, 1])).await, Some(401));
}
