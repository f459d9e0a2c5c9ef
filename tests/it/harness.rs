//! One counter under test and the people who come to it.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::Value;
use sportello::{application, civic::FiscalCode};

/// The evening of the demo: citizens' slice, ISCRO 2024 open.
pub(crate) const EVENING: &str = "2024-09-16T17:30[Europe/Rome]";
/// The morning after: intermediaries' slice.
pub(crate) const MORNING: &str = "2024-09-17T09:00[Europe/Rome]";
/// Longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A running `sportello serve --demo` on data of its own; killed when dropped.
pub(crate) struct Counter {
    data: Arc<tempfile::TempDir>,
    child: Child,
    pub(crate) public: String,
    pub(crate) operator: String,
    client: Https,
    log: Arc<Mutex<Vec<String>>>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Somebody with an open session.
pub(crate) struct Visitor<'c> {
    counter: &'c Counter,
    pub(crate) code: FiscalCode,
    pub(crate) token: String,
    pub(crate) tag: String,
}

impl Counter {
    /// Opens a counter on fresh data in the citizens' slice.
    pub(crate) fn open() -> Self {
        Self::open_at(EVENING)
    }

    /// The same at another time.
    pub(crate) fn open_at(now: &str) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::start(data, now, "127.0.0.1:0", &[]).expect("the counter opens")
    }

    /// The same with settings, given as environment variables.
    pub(crate) fn open_with(settings: &[(&str, &str)]) -> Self {
        Self::open_in(&std::env::temp_dir(), settings)
    }

    /// The same with its data below another directory.
    pub(crate) fn open_in(place: &Path, settings: &[(&str, &str)]) -> Self {
        let data = Arc::new(tempfile::tempdir_in(place).unwrap());
        Self::start(data, EVENING, "127.0.0.1:0", settings).expect("the counter opens")
    }

    /// Opens it again on the same data and port, after it was stopped or killed.
    pub(crate) fn reopen(self, now: &str) -> Self {
        self.reopen_with(now, &[])
    }

    /// The same with other settings.
    pub(crate) fn reopen_with(self, now: &str, settings: &[(&str, &str)]) -> Self {
        let (data, public) = (Arc::clone(&self.data), self.public.clone());
        drop(self);
        let address = public.strip_prefix("https://").unwrap();
        Self::start(data, now, address, settings).expect("the counter opens again")
    }

    /// The same with its log written to `log` instead of being read by the test.
    pub(crate) fn open_logging_to(log: impl Into<Stdio>, settings: &[(&str, &str)]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::start_logging_to(log.into(), data, EVENING, "127.0.0.1:0", settings)
            .expect("the counter opens")
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
        let mut child = program()
            .args([
                "serve",
                "--demo",
                "--now",
                now,
                "--listen",
                listen,
                "--operator",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(data.path())
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
        let client = client(&data.path().join("demo-cert.pem"), false);
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

    /// The same counter over HTTP/2.
    pub(crate) fn speak_http2(&mut self) {
        self.client = client(&self.data.path().join("demo-cert.pem"), true);
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server as a power cut would end it, but for what the kernel holds.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A TLS connection to write on by hand.
    pub(crate) async fn raw(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        self.tls_over(self.tcp_from("127.0.0.1").await).await.unwrap()
    }

    /// A TCP connection from a loopback address, such as 127.0.0.2.
    pub(crate) async fn tcp_from(&self, address: &str) -> tokio::net::TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(std::net::SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        let there = self.public.strip_prefix("https://").unwrap().parse().unwrap();
        socket.connect(there).await.unwrap()
    }

    /// TLS over it.
    pub(crate) async fn tls_over(
        &self,
        stream: tokio::net::TcpStream,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let tls = trusting(&self.data.path().join("demo-cert.pem"));
        let tls = tokio_rustls::TlsConnector::from(Arc::new(tls));
        tls.connect("localhost".try_into().unwrap(), stream).await
    }

    /// A client whose requests have bodies of another kind, over HTTP/2.
    pub(crate) fn http2_client<B>(&self) -> Client<HttpsConnector<HttpConnector>, B>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
    {
        client(&self.data.path().join("demo-cert.pem"), true)
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let sending = async {
            let response = self.client.request(request).await.map_err(|fault| fault.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|fault| fault.to_string())?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, sending).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// Sends a request with a bearer token and, if it is not empty, a JSON body.
    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.try_ask(method, path, token, body, "").await.unwrap()
    }

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

    /// An identity token of the demo.
    pub(crate) fn mint(&self, code: &FiscalCode, more: &[&str]) -> String {
        let output = program()
            .args(["mint", "--fiscal-code", code.as_str(), "--data"])
            .arg(self.data.path())
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The n-th made-up citizen, inside.
    pub(crate) async fn citizen(&self, n: u64) -> Visitor<'_> {
        let code = FiscalCode::made_up(n);
        self.enter(code, &self.mint(&code, &[])).await
    }

    /// The n-th made-up person at an intermediary's office, inside.
    pub(crate) async fn intermediary(&self, n: u64) -> Visitor<'_> {
        let code = FiscalCode::made_up(n);
        self.enter(code, &self.mint(&code, &["--office", "patronato-1"])).await
    }

    pub(crate) async fn enter(&self, code: FiscalCode, identity: &str) -> Visitor<'_> {
        let answer = self.ask("POST", "/v1/sessions", identity, "").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let told = answer.json();
        let text = |member: &str| told[member].as_str().unwrap().to_owned();
        Visitor { counter: self, code, token: text("token"), tag: text("subjectTag") }
    }

    /// The metrics page.
    pub(crate) async fn metrics(&self) -> String {
        String::from_utf8(self.operator_page("/metrics").await.1).unwrap()
    }

    pub(crate) async fn operator_page(&self, path: &str) -> (StatusCode, Vec<u8>) {
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("{}{path}", self.operator).parse().unwrap();
        let response = client.get(uri).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    /// The sum of a count over the series whose line holds all of `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let page = self.metrics().await;
        page.lines()
            .filter(|line| line.split(['{', ' ']).next() == Some(name))
            .filter(|line| labels.iter().all(|label| line.contains(label)))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Waits until every durable application is decided.
    pub(crate) async fn all_decided(&self) {
        for _ in 0..600 {
            if self.metric("sportello_applications_undecided", &[]).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("applications stay undecided:\n{}", self.log());
    }

    /// The balance of promise: accepted = decided + undecided + withdrawn before a decision.
    pub(crate) async fn balance(&self) -> (u64, u64) {
        let accepted = self.metric("sportello_applications_accepted_total", &[]).await;
        let decided = self.metric("sportello_applications_decided_total", &[]).await;
        let undecided = self.metric("sportello_applications_undecided", &[]).await;
        let withdrawn =
            self.metric("sportello_applications_withdrawn_total", &["before=\"decision\""]).await;
        (accepted, decided + undecided + withdrawn)
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
        self.counter.try_ask("POST", "/v1/applications", &self.token, body, key).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.counter.ask("GET", path, &self.token, "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.counter.ask("DELETE", path, &self.token, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.counter.ask("POST", path, &self.token, body).await
    }

    /// A valid application of this person.
    pub(crate) fn application(&self) -> String {
        application::example(&self.code, 2024)
    }

    /// Hands in a valid application and returns where to find it.
    pub(crate) async fn apply(&self, key: &str) -> String {
        let answer = self.submit(key, &self.application()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.header("location")
    }

    /// What an application has become, once it is decided.
    pub(crate) async fn decided(&self, location: &str) -> Value {
        for _ in 0..600 {
            let told = self.get(location).await.json();
            if told["state"] != "received" {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{location} stays undecided");
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    /// The last part of a problem's type; checks the form on the way.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let told = self.json();
        assert_eq!(told["status"], self.status.as_u16());
        assert!(told["title"].is_string() && told["detail"].is_string(), "{told}");
        told["type"].as_str().unwrap().strip_prefix("urn:sportello:problem:").unwrap().to_owned()
    }
}

/// The real program.
/// Polls all of them in turn until each is done.
pub(crate) async fn at_once<T>(work: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = work.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(move |context| {
        let mut pending = false;
        for (one, done) in &mut running {
            if done.is_none() {
                match one.as_mut().poll(context) {
                    std::task::Poll::Ready(result) => *done = Some(result),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(running.drain(..).filter_map(|(_, done)| done).collect())
    })
    .await
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sportello"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPORTELLO_")) {
        command.env_remove(name);
    }
    command
}

fn client<B>(certificate: &Path, two: bool) -> Client<HttpsConnector<HttpConnector>, B>
where
    B: hyper::body::Body<Data = Bytes> + Send,
{
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(trusting(certificate))
        .https_only();
    let connector =
        if two { connector.enable_http2().build() } else { connector.enable_http1().build() };
    Client::builder(TokioExecutor::new()).http2_only(two).build(connector)
}

fn trusting(certificate: &Path) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}
