//! A mock of the server with faults on request, to test that surge detects them.

#[path = "mock_pages.rs"]
mod pages;

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    fmt::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, mpsc::sync_channel},
    thread,
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, COOKIE, HeaderValue, ORIGIN},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The fault of a mock server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Some reads return the application of the previous citizen, with the right tag.
    ReadsMixedUp,
    /// Some replies have the tag of the previous citizen.
    TagsMixedUp,
    /// Some logins open a session of the previous citizen.
    LoginsMixedUp,
    /// All submissions get the same receipt number.
    OneReceiptForAll,
    /// Some receipts have the digest of the previous application, with the right number and tag.
    DigestsMixedUp,
    /// Some receipts have a `Location` in the session of the previous citizen.
    LocationsMixedUp,
    /// Some pages show the address of the previous citizen beside the right code.
    EmailsMixedUp,
    /// Some pages lead to the visit of somebody else.
    LinksMixedUp,
    /// Some signed receipts have another number.
    ProofsMixedUp,
    /// Some pages name nobody.
    NobodyNamed,
    /// Makes every citizen wait once, and then admits only the ticket.
    Full,
    /// Answers every second login with 409 once.
    VisitsTaken,
    /// Refuses every second login once, with `Retry-After: 0`.
    Busy,
    /// As `Busy`, but with `Retry-After: 3`.
    BusyForLong,
    /// Replies to the first submission after 1.5 s.
    OneLateReply,
    /// Closes each connection after the login, and serves those inside at a second address only.
    SecondDoor,
}

/// A running mock server.
pub(crate) struct MockServer {
    /// Its address.
    pub(crate) addr: SocketAddr,
    directory: tempfile::TempDir,
}

#[derive(Default)]
struct Books {
    /// Fiscal codes of the last request, and of the last one before it by another citizen.
    last_code: String,
    code_before: String,
    requests: u64,
    submissions: u64,
    refused: HashSet<String>,
    /// Fiscal codes by visit.
    visits: HashMap<String, String>,
    last_digest: String,
    /// The second address.
    inside: String,
}

/// One request, as far as the mock server reads it.
struct Asked {
    method: Method,
    path: String,
    /// The fiscal code in the bearer.
    own: String,
    with_ticket: bool,
    body: Bytes,
}

impl Asked {
    async fn read(request: Request<Incoming>) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let with_ticket = bearer.starts_with("ticket-");
        let mut own =
            bearer.trim_start_matches("session-").trim_start_matches("ticket-").to_owned();
        let cookie = request.headers().get(COOKIE).and_then(|value| value.to_str().ok());
        if let Some(code) = cookie.and_then(|it| it.strip_prefix("__Host-session=session-")) {
            code.clone_into(&mut own);
        }
        let has_origin = request.headers().contains_key(ORIGIN);
        assert_eq!(
            has_origin,
            method == Method::POST && !path.starts_with("/v1/"),
            "as browsers do"
        );
        let body = request.into_body().collect().await.expect("surge sends whole bodies");
        let body = body.to_bytes();
        if let Some(token) = body.strip_prefix(b"token=") {
            own = String::from_utf8_lossy(token).into_owned();
        }
        Self { method, path, own, with_ticket, body }
    }

    /// The visit in the path and what follows it; `None` for a path that is not of a session.
    fn visit(&self) -> Option<(&str, &str)> {
        let rest = self.path.strip_prefix("/v1/sessions/")?;
        Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
    }

    fn submits(&self) -> bool {
        self.visit().is_some_and(|(_, part)| part == "/applications")
    }
}

impl MockServer {
    /// Starts a mock server with `fault` on a free port.
    pub(crate) fn start(fault: Fault) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let pem = directory.path().join("demo-cert.pem");
        std::fs::write(pem, made.cert.pem()).expect("it can be written");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (tell, told) = sync_channel(1);
        thread::spawn(move || serve(config, fault, &tell));
        Self { addr: told.recv().expect("the server started"), directory }
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("demo-cert.pem")
    }

    /// A file of identities for `count` fictional people; each token is the fiscal code itself.
    pub(crate) fn tokens(&self, count: usize) -> PathBuf {
        let path = self.directory.path().join("tokens.tsv");
        let mut text = String::new();
        for number in 0..count {
            writeln!(text, "RSSMRA80A01{number:04}U\tRSSMRA80A01{number:04}U").expect("text");
        }
        std::fs::write(&path, text).expect("it can be written");
        path
    }
}

fn serve(config: ServerConfig, fault: Fault, tell: &std::sync::mpsc::SyncSender<SocketAddr>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let [listener, second] = ["127.0.0.1:0"; 2].map(TcpListener::bind);
        let (listener, second) = (listener.await.expect("a port"), second.await.expect("a port"));
        let inside = second.local_addr().expect("an address");
        tell.send(listener.local_addr().expect("an address")).expect("the test waits");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let books = Arc::new(Mutex::new(Books { inside: inside.to_string(), ..Books::default() }));
        loop {
            let (accepted, is_inside) = tokio::select! {
                accepted = listener.accept() => (accepted, false),
                accepted = second.accept() => (accepted, true),
            };
            let Ok((stream, _)) = accepted else { return };
            let (acceptor, books) = (acceptor.clone(), Arc::clone(&books));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(move |request| {
                    answer(request, fault, is_inside, Arc::clone(&books))
                });
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let stream = TokioIo::new(stream);
                // Ignores clients that close the connection, which some tests do.
                if http2 {
                    let connection = http2::Builder::new(TokioExecutor::new());
                    drop(connection.serve_connection(stream, service).await);
                } else {
                    drop(http1::Builder::new().serve_connection(stream, service).await);
                }
            });
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    fault: Fault,
    is_inside: bool,
    books: Arc<Mutex<Books>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = Asked::read(request).await;
    let late = {
        let mut books = books.lock().expect("no answer panics");
        books.submissions += u64::from(asked.submits());
        fault == Fault::OneLateReply && asked.submits() && books.submissions == 1
    };
    if late {
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    if fault == Fault::SecondDoor {
        let enters = asked.visit().is_none_or(|(_, part)| part.is_empty());
        assert_eq!(enters, !is_inside, "entering at one door, all else at the other");
    }
    Ok(reply(&asked, fault, &mut books.lock().expect("no answer panics")))
}

fn reply(asked: &Asked, fault: Fault, books: &mut Books) -> Response<Full<Bytes>> {
    let own = &asked.own;
    books.requests += 1;
    if !own.is_empty() && books.last_code != *own {
        books.code_before = std::mem::replace(&mut books.last_code, own.clone());
    }
    if !asked.path.starts_with("/v1/") {
        return pages::reply(asked, fault, books);
    }
    let code_before = books.code_before.clone();
    let now_and_then = books.requests.is_multiple_of(7) && !code_before.is_empty();
    let mixes_up = |wrong| fault == wrong && now_and_then;
    let owner_if = |wrong| if mixes_up(wrong) { &code_before } else { own };
    let (mut location, mut tagged) = (String::new(), true);
    let (status, body) = match asked.visit() {
        None => {
            tagged = false;
            (StatusCode::OK, STATUS.to_owned())
        }
        Some((visit, "")) => {
            tagged = false;
            enter(asked, visit, owner_if(Fault::LoginsMixedUp), fault, books)
        }
        Some((visit, _)) if books.visits.get(visit) != Some(own) => {
            tagged = false;
            (StatusCode::NOT_FOUND, problem("not-found"))
        }
        Some((visit, "/applications")) => {
            let number = if fault == Fault::OneReceiptForAll { "SAME" } else { own };
            let visit = if mixes_up(Fault::LocationsMixedUp) { "another-visit" } else { visit };
            location = format!("/v1/sessions/{visit}/applications/{number}");
            let digest = STANDARD.encode(digest(&SHA256, &asked.body));
            let digest_before = std::mem::replace(&mut books.last_digest, digest.clone());
            let digest = if mixes_up(Fault::DigestsMixedUp) { digest_before } else { digest };
            let body = format!(
                r#"{{"receipt":"{number}","state":"received","digest":"sha-256=:{digest}:"}}"#
            );
            (StatusCode::CREATED, body)
        }
        Some((_, part)) => {
            assert!(part.starts_with("/applications/"), "surge reads applications");
            let owner = owner_if(Fault::ReadsMixedUp);
            let body = format!(
                r#"{{"application":{{"applicant":{{"fiscalCode":"{owner}"}}}},"state":"decided"}}"#
            );
            (StatusCode::OK, body)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if tagged {
        let tag = HeaderValue::try_from(tag(owner_if(Fault::TagsMixedUp)));
        headers.insert("subject-tag", tag.expect("a tag"));
    }
    let seconds = if fault == Fault::BusyForLong { "3" } else { "0" };
    headers.insert("retry-after", HeaderValue::from_static(seconds));
    if fault == Fault::SecondDoor && status == StatusCode::CREATED && location.is_empty() {
        headers.insert("connection", HeaderValue::from_static("close"));
    }
    headers.insert("location", HeaderValue::try_from(location).expect("a path"));
    response
}

/// Answers `PUT /v1/sessions/{visit}` with a session whose masked subject is `owner`.
fn enter(
    asked: &Asked,
    visit: &str,
    owner: &str,
    fault: Fault,
    books: &mut Books,
) -> (StatusCode, String) {
    assert_eq!(asked.method, Method::PUT, "surge enters by PUT");
    let random = URL_SAFE_NO_PAD.decode(visit).expect("base64url");
    assert_eq!(random.len(), 16, "a visit of 128 bits");
    let own = &asked.own;
    match fault {
        Fault::Busy | Fault::BusyForLong if first_refused(books, own) => {
            return (StatusCode::SERVICE_UNAVAILABLE, problem("busy"));
        }
        Fault::VisitsTaken if first_refused(books, own) => {
            return (StatusCode::CONFLICT, problem("visit-taken"));
        }
        Fault::Full if !asked.with_ticket => {
            assert!(books.refused.insert(visit.to_owned()), "the next request shows the ticket");
            let body = format!(
                r#"{{"state":"waiting","ticket":"ticket-{own}","draw":{{"round":1,"commitment":""}},
                    "pollAfterSeconds":1,"estimate":1}}"#
            );
            return (StatusCode::ACCEPTED, body);
        }
        Fault::Full => assert!(books.refused.contains(visit), "a ticket is bound to its visit"),
        _ => {}
    }
    let before = books.visits.insert(visit.to_owned(), own.clone());
    assert!(before.is_none_or(|before| before == *own), "no visit of another citizen");
    let inside = match fault {
        Fault::SecondDoor => format!(r#","inside":"https://{}""#, books.inside),
        _ => String::new(),
    };
    let body = format!(
        r#"{{"token":"session-{own}","subject":"{}","subjectTag":"{}"{inside}}}"#,
        surge::owner::mask(owner),
        tag(own)
    );
    (StatusCode::CREATED, body)
}

fn problem(slug: &str) -> String {
    format!(r#"{{"type":"urn:sportello:problem:{slug}"}}"#)
}

/// A tag that does not reveal the fiscal code: the number within the fictional code.
fn tag(code: &str) -> String {
    format!("tag-{}", code.get(11..15).unwrap_or_default())
}

fn first_refused(books: &mut Books, own: &str) -> bool {
    books.requests.is_multiple_of(2) && books.refused.insert(own.to_owned())
}

const STATUS: &str = r#"{"now":"2024-09-16T17:30:00+02:00",
"audiences":{"citizens":{"open":true},"intermediaries":{"open":false}},
"campaigns":[{"scheme":"iscro","year":2024,"open":true},{"scheme":"allowance600","year":2020,"open":false}],
"draw":null}"#;
