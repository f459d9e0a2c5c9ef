//! What everybody may read without a login: cheap to answer, and limited by address.

use http_body_util::Full;
use hyper::{Request, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, Counter};

async fn description(counter: &Counter, accepted: Option<&str>) -> Answer {
    let mut request = Request::get(format!("{}/openapi.json", counter.public));
    if let Some(accepted) = accepted {
        request = request.header("accept-encoding", accepted);
    }
    counter.send(request.body(Full::default()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_description_is_sent_compressed_to_who_accepts_it() {
    let counter = Counter::open();
    let plain = description(&counter, None).await;
    for accepted in ["gzip", "br, GZIP;q=0.5", "deflate, *"] {
        let sent = description(&counter, Some(accepted)).await;
        assert_eq!(sent.header("content-encoding"), "gzip", "{accepted}");
        assert_eq!(sent.header("vary"), "accept-encoding");
        assert!(sent.body.len() * 5 < plain.body.len(), "{}", sent.body.len());
        let mut text = Vec::new();
        let mut unpacking = flate2::read::GzDecoder::new(&sent.body[..]);
        std::io::Read::read_to_end(&mut unpacking, &mut text).unwrap();
        assert!(text == plain.body, "another description");
    }
    for accepted in [None, Some("br"), Some("gzip;q=0"), Some("*;q=0"), Some("gzip;q=0, *")] {
        let sent = description(&counter, accepted).await;
        assert_eq!(sent.header("content-encoding"), "", "{accepted:?}");
        assert_eq!(sent.header("vary"), "accept-encoding");
        assert!(sent.body == plain.body);
    }
}

#[tokio::test]
async fn an_address_that_reads_too_often_has_to_wait_and_others_do_not() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_HTTP_PROXIES", "127.0.0.1"),
        ("SPORTELLO_LIMITS_READ_BY_ADDRESS_PER_SECOND", "1"),
        ("SPORTELLO_LIMITS_READ_BY_ADDRESS_BURST", "3"),
    ]);
    let read = async |client: &str, path: &str| {
        let mut stream = counter.tcp_from("127.0.0.1").await;
        let header = format!("PROXY TCP4 {client} 198.51.100.1 50000 443\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        let mut stream = counter.tls_over(stream).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: l\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        String::from_utf8_lossy(&status[9..]).parse().map(StatusCode::from_u16).unwrap().unwrap()
    };
    for path in ["/v1/status", "/v1/draws", "/openapi.json"] {
        assert_eq!(read("192.0.2.1", path).await, StatusCode::OK);
    }
    assert_eq!(read("192.0.2.1", "/v1/status").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(read("192.0.2.2", "/v1/status").await, StatusCode::OK);
}
