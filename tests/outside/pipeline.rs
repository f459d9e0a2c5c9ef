//! One connection that carries the requests of several parties at once: pipelined over HTTP/1.1, or multiplexed over
//! HTTP/2. Requests can be cancelled, and the connection can be dropped at any byte.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    client::conn::http2::{SendRequest, handshake},
    header::{HeaderName, HeaderValue},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    dice::Dice,
    harness::{Answer, Counter, PATIENCE},
    owner::Sent,
    trust::trusting,
};

/// What happens to a connection while its requests are in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    None,
    /// Some requests are cancelled: over HTTP/2 one by one, over HTTP/1.1 by not reading further answers.
    Cancelled,
    /// The connection breaks off while requests are sent.
    Dropped,
}

/// An open connection.
pub(crate) enum Line {
    /// Requests one after the other, without waiting for answers.
    Pipelined(Box<BufReader<TlsStream<TcpStream>>>),
    /// Requests side by side.
    Multiplexed(SendRequest<Full<Bytes>>, Connection),
}

/// Drives an HTTP/2 connection; drops it when dropped.
pub(crate) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Line {
    pub(crate) async fn pipelined(counter: &Counter) -> Self {
        Self::Pipelined(Box::new(BufReader::new(counter.raw().await)))
    }

    pub(crate) async fn multiplexed(counter: &Counter) -> Self {
        let tcp = counter.tcp_from("127.0.0.1").await;
        let mut config = trusting(&counter.data());
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let tls = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        let driving = tokio::spawn(async {
            // It ends with the disturbance of the test.
            let _ended = connection.await;
        });
        Self::Multiplexed(sender, Connection(driving))
    }

    /// Sends all requests at once. Returns an answer for each that came, and the line if it can be used again.
    pub(crate) async fn exchange(
        self,
        sent: &[Sent],
        disturbance: Disturbance,
        dice: &mut Dice,
    ) -> (Vec<Option<Answer>>, Option<Self>) {
        let exchange = async {
            match self {
                Self::Pipelined(stream) => pipeline(stream, sent, disturbance, dice).await,
                Self::Multiplexed(sender, connection) => {
                    let answers = multiplex(&sender, &connection, sent, disturbance, dice).await;
                    let line = (disturbance != Disturbance::Dropped)
                        .then_some(Self::Multiplexed(sender, connection));
                    (answers, line)
                }
            }
        };
        timeout(PATIENCE, exchange).await.expect("the exchange ends in time")
    }
}

async fn pipeline(
    mut stream: Box<BufReader<TlsStream<TcpStream>>>,
    sent: &[Sent],
    disturbance: Disturbance,
    dice: &mut Dice,
) -> (Vec<Option<Answer>>, Option<Line>) {
    let bytes: Vec<u8> = sent.iter().flat_map(written).collect();
    let wanted = match disturbance {
        Disturbance::None => sent.len(),
        _ => dice.below(sent.len() + 1),
    };
    let until = match disturbance {
        Disturbance::Dropped => dice.below(bytes.len()),
        _ => bytes.len(),
    };
    // They are small enough for the buffers between client and server, so that nobody waits for the other.
    let mut answers: Vec<Option<Answer>> = Vec::new();
    if stream.write_all(&bytes[..until]).await.is_ok() && stream.flush().await.is_ok() {
        if disturbance == Disturbance::Dropped {
            sleep(Duration::from_micros(dice.roll() % 3000)).await;
        }
        while answers.len() < wanted {
            // After a cut only what has arrived is read: the rest will not be answered.
            let patience = match disturbance {
                Disturbance::Dropped => Duration::from_millis(5),
                _ => PATIENCE,
            };
            match timeout(patience, answer(&mut stream)).await {
                Ok(Some(answer)) => answers.push(Some(answer)),
                _ => break,
            }
        }
    }
    // A request that is cut off may be refused before its end: the rest of it would be taken for the next one's.
    let whole = disturbance != Disturbance::Dropped && answers.len() == sent.len();
    answers.resize_with(sent.len(), || None);
    (answers, whole.then_some(Line::Pipelined(stream)))
}

fn written(sent: &Sent) -> Vec<u8> {
    let Sent { method, path, token, body, content_type, key } = sent;
    let content = if body.is_empty() {
        String::new()
    } else {
        let length = body.len();
        format!(
            "content-type: {content_type}\r\ncontent-length: {length}\r\nidempotency-key: {key}\r\n"
        )
    };
    format!("{method} {path} HTTP/1.1\r\nhost: l\r\nauthorization: Bearer {token}\r\n{content}\r\n{body}")
        .into_bytes()
}

/// The next answer of a pipeline; `None` if the connection ends before it is whole.
async fn answer(stream: &mut BufReader<TlsStream<TcpStream>>) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ").expect("an answer begins here");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let body = if headers.contains_key("transfer-encoding") {
        chunks(stream).await?
    } else {
        let length = headers.get("content-length").map_or("0", |length| length.to_str().unwrap());
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
        body
    };
    let status = StatusCode::from_bytes(&status.as_bytes()[..3]).unwrap();
    Some(Answer { status, headers, body: body.into() })
}

/// A body in chunks (RFC 9112, 7.1).
async fn chunks(stream: &mut BufReader<TlsStream<TcpStream>>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).await.ok()?;
        // Nothing, if the connection has ended.
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; size + "\r\n".len()];
        stream.read_exact(&mut chunk).await.ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

async fn multiplex(
    sender: &SendRequest<Full<Bytes>>,
    connection: &Connection,
    sent: &[Sent],
    disturbance: Disturbance,
    dice: &mut Dice,
) -> Vec<Option<Answer>> {
    let cut = Duration::from_micros(dice.roll() % 20_000);
    let asking = sent.iter().map(|sent| {
        let patience = match disturbance {
            Disturbance::Cancelled if dice.chance(50) => {
                Duration::from_micros(dice.roll() % 20_000)
            }
            _ => PATIENCE,
        };
        let mut sender = sender.clone();
        async move { timeout(patience, ask(&mut sender, sent)).await.ok().flatten() }
    });
    let asking = join_all(asking.collect::<Vec<_>>());
    let cutting = async {
        if disturbance == Disturbance::Dropped {
            sleep(cut).await;
            connection.0.abort();
        }
    };
    tokio::join!(asking, cutting).0
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, sent: &Sent) -> Option<Answer> {
    let mut request = Request::builder()
        .method(sent.method)
        .uri(format!("https://localhost{}", sent.path))
        .header("authorization", format!("Bearer {}", sent.token));
    if !sent.body.is_empty() {
        request =
            request.header("content-type", sent.content_type).header("idempotency-key", &sent.key);
    }
    let request = request.body(Full::from(sent.body.clone())).unwrap();
    sender.ready().await.ok()?;
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Answer { status: head.status, headers: head.headers, body })
}
