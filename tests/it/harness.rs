//! The harness: a running server and the people who use it.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use sportello::{application, civic::FiscalCode};

pub(crate) use crate::answer::Answer;
pub(crate) use crate::counts::sum_in;
use crate::entrusting;
pub(crate) use crate::entrusting::{OFFICE, entrusted, mandate, mandates_of};
pub(crate) use crate::polling::until;
pub(crate) use crate::program::{finished, program, serve, serve_on};
use crate::trust::{Https, client, trusting};

/// The demo's default time: an evening, in the citizens' time slice, while ISCRO 2024 is open.
pub(crate) const EVENING: &str = "2024-09-16T17:30[Europe/Rome]";
/// The next morning, in the intermediaries' time slice.
pub(crate) const MORNING: &str = "2024-09-17T09:00[Europe/Rome]";
/// A settings file in the data directory, if a test has one.
pub(crate) const SETTINGS_FILE: &str = "sportello.toml";
/// Upper bound on the time that a test waits for one thing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `sportello serve --demo` with a data directory of its own; killed when dropped.
pub(crate) struct Counter {
    data: Arc<tempfile::TempDir>,
    child: Child,
    pub(crate) public: String,
    pub(crate) operator: String,
    client: Https<Full<Bytes>>,
    log: Arc<Mutex<Vec<String>>>,
}

/// A person with an open session.
pub(crate) struct Visitor<'c> {
    counter: &'c Counter,
    pub(crate) code: FiscalCode,
    /// The path of the session; the paths of a visitor's requests are below it.
    pub(crate) session: String,
    pub(crate) token: String,
    pub(crate) tag: String,
}

impl Counter {
    /// Starts a server on an empty data directory, in the citizens' time slice.
    pub(crate) fn open() -> Self {
        Self::open_at(EVENING)
    }

    /// The same with the clock set to `now`.
    pub(crate) fn open_at(now: &str) -> Self {
        Self::open_at_with(now, &[])
    }

    /// The same with settings, given as environment variables.
    pub(crate) fn open_at_with(now: &str, settings: &[(&str, &str)]) -> Self {
        let data = entrusting::data_with_mandates(&std::env::temp_dir());
        Self::start(data, now, "127.0.0.1:0", settings).expect("the counter opens")
    }

    /// Starts a server whose demo makes its own mandates.
    pub(crate) fn open_untouched_at(now: &str) -> Self {
        Self::open_untouched_at_with(now, &[])
    }

    /// The same with settings, given as environment variables.
    pub(crate) fn open_untouched_at_with(now: &str, settings: &[(&str, &str)]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::start(data, now, "127.0.0.1:0", settings).expect("the counter opens")
    }

    /// Starts a server in the citizens' time slice with settings, given as environment variables.
    pub(crate) fn open_with(settings: &[(&str, &str)]) -> Self {
        Self::open_in(&std::env::temp_dir(), settings)
    }

    /// The same with a settings file, which [`set`](Self::set) replaces.
    pub(crate) fn open_with_file(now: &str, file: &str, settings: &[(&str, &str)]) -> Self {
        let data = entrusting::data_with_mandates(&std::env::temp_dir());
        std::fs::write(data.path().join(SETTINGS_FILE), file).unwrap();
        Self::start(data, now, "127.0.0.1:0", settings).expect("the counter opens")
    }

    /// Replaces the settings file, and tells the server.
    pub(crate) fn set(&self, file: &str) {
        std::fs::write(self.data.path().join(SETTINGS_FILE), file).unwrap();
        self.signal("HUP");
    }

    /// The same with its data directory below `place`.
    pub(crate) fn open_in(place: &Path, settings: &[(&str, &str)]) -> Self {
        let data = entrusting::data_with_mandates(place);
        Self::start(data, EVENING, "127.0.0.1:0", settings).expect("the counter opens")
    }

    /// Kills the server if it still runs, and starts it again on the same data and port.
    pub(crate) fn reopen(self, now: &str) -> Self {
        self.reopen_with(now, &[])
    }

    /// The same with settings, given as environment variables.
    pub(crate) fn reopen_with(self, now: &str, settings: &[(&str, &str)]) -> Self {
        let (data, public) = (Arc::clone(&self.data), self.public.clone());
        drop(self);
        Self::start(data, now, address_of(&public), settings).expect("the counter opens again")
    }

    /// Starts a server that writes its log to `log` instead of a pipe that the test reads.
    pub(crate) fn open_logging_to(log: impl Into<Stdio>, settings: &[(&str, &str)]) -> Self {
        let data = entrusting::data_with_mandates(&std::env::temp_dir());
        Self::start_logging_to(log.into(), data, EVENING, "127.0.0.1:0", settings)
            .expect("the counter opens")
    }

    /// Starts a server on a socket of a service manager.
    pub(crate) fn open_on(socket: &TcpListener, settings: &[(&str, &str)]) -> Self {
        Self::start_on(socket, entrusting::data_with_mandates(&std::env::temp_dir()), settings)
    }

    /// Starts it again on the same data and such a socket.
    pub(crate) fn reopen_on(self, socket: &TcpListener) -> Self {
        let data = Arc::clone(&self.data);
        drop(self);
        Self::start_on(socket, data, &[])
    }

    fn start_on(
        socket: &TcpListener,
        data: Arc<tempfile::TempDir>,
        settings: &[(&str, &str)],
    ) -> Self {
        let serve = serve_on(socket, "public", data.path());
        Self::start_as(serve, Stdio::piped(), data, EVENING, settings).expect("the counter opens")
    }

    fn start(
        data: Arc<tempfile::TempDir>,
        now: &str,
        listen: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        Self::start_logging_to(Stdio::piped(), data, now, listen, settings)
    }

    fn start_logging_to(
        log: Stdio,
        data: Arc<tempfile::TempDir>,
        now: &str,
        listen: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        let serve = serve(listen, data.path());
        Self::start_as(serve, log, data, now, settings)
    }

    fn start_as(
        mut serve: Command,
        log: Stdio,
        data: Arc<tempfile::TempDir>,
        now: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        let file = data.path().join(SETTINGS_FILE);
        if file.exists() {
            serve.arg("--config").arg(file);
        }
        let mut child = serve
            .args(["--now", now])
            // Whether people have to wait must not depend on what else this machine does.
            .env("SPORTELLO_GATE_PEOPLE_PER_SECOND", "1000000")
            // Nor may what is counted depend on the canary: its own tests let it come.
            .env("SPORTELLO_CANARY_EVERY_SECONDS", "0")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let (log, lines) = (Arc::clone(&log), BufReader::new(stderr).lines());
            std::thread::spawn(move || {
                lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line));
            });
        }
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let words: Vec<&str> = ready.split_whitespace().collect();
        let &["ready", public, "operator", operator] = words.as_slice() else {
            let _status = child.wait();
            std::thread::sleep(Duration::from_millis(50));
            return Err(log.lock().unwrap().join("\n"));
        };
        let client = client(data.path(), false);
        Ok(Self {
            public: public.to_owned(),
            operator: operator.to_owned(),
            data,
            child,
            client,
            log,
        })
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.path().to_owned()
    }

    /// Address and port of the public listener.
    pub(crate) fn address(&self) -> &str {
        address_of(&self.public)
    }

    /// Uses HTTP/2 from now on.
    pub(crate) fn speak_http2(&mut self) {
        self.client = client(self.data.path(), true);
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server with SIGKILL. What it wrote stays in the kernel's page cache, unlike after a power cut.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// The exit status; `None` while the server runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A new TLS connection, for bytes of the test's choice.
    pub(crate) async fn raw(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        self.tls_over(self.tcp_from("127.0.0.1").await).await.unwrap()
    }

    /// A TCP connection from a loopback address, such as 127.0.0.2.
    pub(crate) async fn tcp_from(&self, address: &str) -> tokio::net::TcpStream {
        tcp_between(address, self.address()).await
    }

    /// TLS over it.
    pub(crate) async fn tls_over(
        &self,
        stream: tokio::net::TcpStream,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let tls = trusting(self.data.path());
        let tls = tokio_rustls::TlsConnector::from(Arc::new(tls));
        tls.connect("localhost".try_into().unwrap(), stream).await
    }

    /// A client whose requests have bodies of another kind, over HTTP/2.
    pub(crate) fn http2_client<B>(&self) -> Https<B>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
    {
        client(self.data.path(), true)
    }

    /// Sends a request unchanged; fails after [`PATIENCE`].
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let sending = async {
            let response = self.client.request(request).await.map_err(|fault| fault.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|fault| fault.to_string())?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, sending).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// Sends a request with a bearer token and a JSON body, each if it is not empty.
    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.try_ask(method, path, token, body, "").await.unwrap()
    }

    /// The same with an idempotency key, if it is not empty; an error if the connection fails.
    pub(crate) async fn try_ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
        key: &str,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.public));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(Full::from(body.to_owned())).unwrap()).await
    }

    /// A new identity token of the demo.
    pub(crate) fn mint(&self, code: &FiscalCode, more: &[&str]) -> String {
        let mut mint = program();
        mint.args(["mint", "--fiscal-code", code.as_str(), "--data"]).arg(self.data.path());
        let (code, token, complaint) = finished(mint.args(more));
        assert_eq!(code, Some(0), "{complaint}");
        token.trim().to_owned()
    }

    /// The n-th made-up citizen, with a new session.
    pub(crate) async fn citizen(&self, n: u64) -> Visitor<'_> {
        let code = FiscalCode::made_up(n);
        self.enter(code, &self.mint(&code, &[])).await
    }

    /// The n-th made-up person, at an intermediary's office and with a new session.
    pub(crate) async fn intermediary(&self, n: u64) -> Visitor<'_> {
        let code = FiscalCode::made_up(n);
        self.enter(code, &self.mint(&code, &["--office", OFFICE])).await
    }

    /// Opens a session with an identity token, which must be accepted.
    pub(crate) async fn enter(&self, code: FiscalCode, identity: &str) -> Visitor<'_> {
        let session = new_session();
        let answer = self.ask("PUT", &session, identity, "").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let json = answer.json();
        let text = |member: &str| json[member].as_str().unwrap().to_owned();
        Visitor { counter: self, code, session, token: text("token"), tag: text("subjectTag") }
    }

    /// Asks to open a session with an identity token.
    pub(crate) async fn knock(&self, identity: &str) -> Answer {
        self.ask("PUT", &new_session(), identity, "").await
    }

    /// The metrics page.
    pub(crate) async fn metrics(&self) -> String {
        String::from_utf8(self.operator_page("/metrics").await.1).unwrap()
    }

    /// Status and content of a page of the operator listener.
    pub(crate) async fn operator_page(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("{}{path}", self.operator).parse().unwrap();
        let response = client.get(uri).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Visitor<'_> {
    pub(crate) async fn submit(&self, key: &str, body: &str) -> Answer {
        let path = self.path("/applications");
        self.counter.try_ask("POST", &path, &self.token, body, key).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.counter.ask("GET", &self.path(path), &self.token, "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.counter.ask("DELETE", &self.path(path), &self.token, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.counter.ask("POST", &self.path(path), &self.token, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.counter.ask("PUT", &self.path(path), &self.token, body).await
    }

    /// A request with a batch.
    pub(crate) fn batch<B>(&self, kind: &str, body: B) -> Request<B> {
        Request::post(format!("{}{}", self.counter.public, self.path("/batches")))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", kind)
            .body(body)
            .unwrap()
    }

    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.session)
    }

    /// A valid application of this person.
    pub(crate) fn application(&self) -> String {
        application::example(&self.code, 2024)
    }

    /// Submits a valid application; returns its location below the session.
    pub(crate) async fn apply(&self, key: &str) -> String {
        let answer = self.submit(key, &self.application()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let location = location(&answer.json());
        assert_eq!(answer.header("location"), self.path(&location));
        location
    }

    /// An application, once it is no longer undecided.
    pub(crate) async fn decided(&self, location: &str) -> Value {
        until("the application is decided", async || {
            let application = self.get(location).await.json();
            (application["state"] != "received").then_some(application)
        })
        .await
    }
}

/// The location of an application below a session, from its receipt.
pub(crate) fn location(receipt: &Value) -> String {
    format!("/applications/{}", receipt["receipt"].as_str().unwrap())
}

/// The path of a session that nobody has opened yet.
pub(crate) fn new_session() -> String {
    let mut visit = [0; 16];
    sportello::vault::fill_random(&mut visit);
    format!("/v1/sessions/{:032x}", u128::from_ne_bytes(visit))
}

/// A TCP connection from a loopback address to a listener.
pub(crate) async fn tcp_between(from: &str, to: &str) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(std::net::SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(to.parse().unwrap()).await.unwrap()
}

pub(crate) fn address_of(public: &str) -> &str {
    public.strip_prefix("https://").unwrap()
}
