//! Asks the operator listener of this machine.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    client::conn::http1,
    header::{AUTHORIZATION, HOST, IF_MATCH},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, runtime::Builder, time::timeout};

use super::change::Wanted;
use crate::operator::control::token_in;

/// Where a server listens for operators unless its settings say otherwise.
pub(super) const DEFAULT_URL: &str = "http://127.0.0.1:9464";
/// Its port.
const DEFAULT_PORT: u16 = 9464;
/// Longest time for a whole answer: a change waits for the disk, and sessions are looked through.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Largest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A client with the token of a data directory.
pub(super) struct Client {
    host: String,
    port: u16,
    token: String,
    operator: String,
}

/// What the server answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) json: Value,
}

impl Client {
    /// A client of the listener at `url`, for the operator of this name.
    pub(super) fn of(url: &str, data: &Path, operator: String) -> Result<Self, String> {
        let (host, port) = target(url)?;
        let path = token_in(data);
        let token = fs::read_to_string(&path).map_err(|fault| {
            format!(
                "{}: {fault}; name the server's data directory with --data, and run this as a user who may read it",
                path.display()
            )
        })?;
        Ok(Self { host, port, token: token.trim().to_owned(), operator })
    }

    /// The state.
    pub(super) fn state(&self) -> Result<Answer, String> {
        self.send(Request::get("/control"), None)
    }

    /// Asks for a change; in a dry run only for what it would do.
    pub(super) fn ask(&self, wanted: &Wanted, dry_run: bool) -> Result<Answer, String> {
        let Wanted { method, path, body, if_match } = wanted;
        let query = if dry_run { "?dryRun=true" } else { "" };
        let mut request = Request::builder()
            .method::<Method>(method.clone())
            .uri(format!("/control/{path}{query}"))
            .header("sportello-operator", &self.operator);
        if let Some(tag) = if_match {
            request = request.header(IF_MATCH, tag);
        }
        self.send(request, body.as_ref())
    }

    fn send(
        &self,
        request: hyper::http::request::Builder,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Full::<Bytes>::from(body))
            .map_err(|_| "control.token or the name of the operator cannot be sent".to_owned())?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|fault| format!("cannot start a thread: {fault}"))?;
        let answered =
            runtime.block_on(async { timeout(ANSWER_MAX, self.answered(request)).await });
        let answered = answered.unwrap_or_else(|_| Err("no answer in time".into()));
        answered.map_err(|fault| format!("http://{}:{}: {fault}", self.host, self.port))
    }

    async fn answered(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let address = self.host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((address, self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answering = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            // A server of another kind does not answer in JSON.
            let json = serde_json::from_slice(&body)?;
            Ok(Answer { status: head.status, json })
        };
        tokio::select! {
            answer = answering => answer,
            closed = connection => {
                closed?;
                Err("the connection was closed".into())
            }
        }
    }
}

/// Host and port of an operator listener. The token goes to this machine alone: it would be readable on any network.
fn target(url: &str) -> Result<(String, u16), String> {
    let wrong = || format!("--operator {url}: not a URL such as {DEFAULT_URL}, on this machine");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    let address = host.trim_matches(['[', ']']);
    let is_here = host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_plain = uri.scheme_str() == Some("http")
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
        && !url.contains('@');
    if is_here && is_plain {
        Ok((host.to_owned(), uri.port_u16().unwrap_or(DEFAULT_PORT)))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_leaves_for_this_machine_alone() {
        for (url, expected) in [
            ("http://127.0.0.1:9464", ("127.0.0.1", 9464)),
            ("http://localhost:1/", ("localhost", 1)),
            ("http://[::1]:9464", ("[::1]", 9464)),
            ("http://127.0.0.2", ("127.0.0.2", 9464)),
        ] {
            assert_eq!(target(url), Ok((expected.0.to_owned(), expected.1)), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:9464",
            "https://127.0.0.1:9464",
            "http://10.0.0.1:9464",
            "http://localhost.example",
            "http://localhost@example.it",
            "http://127.0.0.1:9464/metrics",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
    }
}
