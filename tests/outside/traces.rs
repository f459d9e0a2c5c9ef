//! Spans at a collector that decodes them with the official classes of the protocol.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::Value;
use sportello::clock::Stopwatch;

use crate::harness::{Counter, Visitor, new_session, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// Samples as many requests as come in these tests.
const ALL: (&str, &str) = ("SPORTELLO_TRACES_REQUESTS_PER_SECOND_MAX", "1000");
const ENDPOINT: &str = "SPORTELLO_TRACES_ENDPOINT";

/// A running collector; killed when dropped.
struct Collector {
    child: Child,
    port: u16,
    batches: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start(mode: &str, tls: &[&Path]) -> Self {
        let mut command = Command::new("python3");
        command.args(["tests/outside/collector.py", mode]).args(tls);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("the collector starts").unwrap().parse().unwrap();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&batches);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                taken.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, batches }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    fn spans(&self) -> Vec<Value> {
        let batches = self.batches.lock().unwrap();
        assert!(batches.iter().all(|batch| batch["known"] == true), "{batches:?}");
        batches.iter().flat_map(|batch| batch["spans"].as_array().unwrap().clone()).collect()
    }

    /// Every byte that came.
    fn bytes(&self) -> Vec<u8> {
        let batches = self.batches.lock().unwrap();
        let hex: String = batches.iter().map(|batch| batch["bytes"].as_str().unwrap()).collect();
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Submits an application in a caller's trace.
async fn submit_traced(counter: &Counter, citizen: &Visitor<'_>) -> String {
    let request = Request::post(format!("{}{}", counter.public, citizen.path("/applications")))
        .header("authorization", format!("Bearer {}", citizen.token))
        .header("idempotency-key", "key-of-this-test")
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("tracestate", "vendor=written-by-an-outsider")
        .body(Full::from(citizen.application()))
        .unwrap();
    let answer = counter.send(request).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("request-id")),
        (StatusCode::CREATED, TRACE.to_owned())
    );
    answer.json()["receipt"].as_str().unwrap().to_owned()
}

fn names(spans: &[Value]) -> BTreeSet<&str> {
    spans.iter().map(|span| span["name"].as_str().unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs python3 with the package opentelemetry-proto"]
async fn a_collector_gets_the_spans_of_a_visit_over_tls_and_nothing_about_a_person() {
    let place = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| place.path().join(name));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let collector = Collector::start("take", &[&certificate, &key]);
    let url = collector.url("https");
    let ca = ("SPORTELLO_TRACES_CA", certificate.to_str().unwrap());
    let counter = Counter::open_with(&[(ENDPOINT, &url), ca, ALL]);

    let citizen = counter.citizen(1).await;
    let receipt = submit_traced(&counter, &citizen).await;
    citizen.decided(&format!("/applications/{receipt}")).await;
    citizen.post("/estimates", &citizen.application()).await;
    citizen.put("/drafts/iscro", &citizen.application()).await;
    citizen.get("/drafts/iscro").await;
    let other = new_session();
    counter.ask("GET", &other, &citizen.token, "").await.assert_problem(404, "not-found");
    citizen.delete("").await;

    let below = "/v1/sessions/{visit}";
    let expected = [
        format!("PUT {below}"),
        format!("POST {below}/applications"),
        format!("GET {below}/applications/{{receipt}}"),
        format!("POST {below}/estimates"),
        format!("PUT {below}/drafts/{{scheme}}"),
        format!("GET {below}/drafts/{{scheme}}"),
        format!("GET {below}"),
        format!("DELETE {below}"),
        "wait for a turn".to_owned(),
        "wait for the committer".to_owned(),
        "commit".to_owned(),
        "read".to_owned(),
        "decide".to_owned(),
    ];
    let spans = until("the spans have come", async || {
        let spans = collector.spans();
        let come = names(&spans);
        expected.iter().all(|name| come.contains(name.as_str())).then_some(spans)
    })
    .await;
    assert_eq!(names(&spans).len(), expected.len(), "{:?}", names(&spans));
    assert_tree(&spans);
    let sent = counter.metric("sportello_spans_total", &["outcome=\"sent\""]).await;
    assert!(sent >= spans.len() as u64, "{sent}");

    let bytes = collector.bytes();
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("sportello") && has("{visit}"));
    let [visit, other] = [&citizen.session, &other].map(|path| path.rsplit('/').next().unwrap());
    for personal in [
        citizen.code.as_str(),
        visit,
        other,
        &citizen.token,
        &citizen.tag,
        &receipt,
        "mario@example.it",
        "key-of-this-test",
        "written-by-an-outsider",
        "127.0.0.1:8443",
    ] {
        assert!(!has(personal), "{personal} is in the spans");
    }
}

/// Asserts that the parts of the traced submission are children of its span, which is a child of its caller's.
fn assert_tree(spans: &[Value]) {
    for span in spans {
        assert_eq!(span["resource"]["service.name"], "sportello");
        assert_eq!(span["resource"]["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(span["scope"], "sportello");
        assert!(span["begun"].as_u64() <= span["ended"].as_u64(), "{span}");
        assert_ne!(span["id"], span["parent"]);
    }
    let ids: BTreeSet<_> = spans.iter().map(|span| span["id"].as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "every span has an id of its own");
    let traced: Vec<_> = spans.iter().filter(|span| span["trace"] == TRACE).collect();
    let request = traced.iter().find(|span| span["kind"] == 2).unwrap();
    assert_eq!((&request["parent"], &request["flags"]), (&CALLER.into(), &0x301.into()));
    assert_eq!(request["attributes"]["http.response.status_code"], 201);
    assert_eq!(request["attributes"]["http.route"], "/v1/sessions/{visit}/applications");
    assert_eq!(request["status"], 0);
    let parts: Vec<_> = traced.iter().filter(|span| span["parent"] == request["id"]).collect();
    assert_eq!(parts.len() + 1, traced.len(), "{traced:?}");
    for part in ["wait for the committer", "commit", "decide"] {
        assert!(parts.iter().any(|span| span["name"] == part), "{part}: {parts:?}");
    }
    let untraced = spans.iter().filter(|span| span["kind"] == 2 && span["trace"] != TRACE);
    assert!(untraced.clone().count() > 5 && untraced.into_iter().all(|span| span["parent"] == ""));
}

#[tokio::test]
#[ignore = "needs python3 with the package opentelemetry-proto"]
async fn a_crowd_that_asks_to_be_sampled_is_sampled_at_the_rate_of_the_settings() {
    const RATE: u64 = 5;
    let collector = Collector::start("take", &[]);
    let url = collector.url("http");
    let rate = ("SPORTELLO_TRACES_REQUESTS_PER_SECOND_MAX", "5");
    let counter = Counter::open_with(&[(ENDPOINT, &url), rate]);
    let begun = Stopwatch::start();
    for _ in 0..500 {
        let request = Request::get(format!("{}/v1/status", counter.public))
            .header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
        counter.send(request.body(Full::default()).unwrap()).await.unwrap();
    }
    let seconds = begun.elapsed().as_secs() + 1;
    until("the spans have come", async || (!collector.spans().is_empty()).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let sampled = collector.spans().iter().filter(|span| span["kind"] == 2).count() as u64;
    assert!((RATE..=RATE * (seconds + 1)).contains(&sampled), "{sampled} in {seconds} s");
}

#[tokio::test]
#[ignore = "needs python3 with the package opentelemetry-proto"]
async fn a_collector_that_hangs_refuses_or_is_gone_holds_up_nobody_and_lost_spans_are_counted() {
    for mode in ["hang", "refuse", "gone"] {
        let collector = Collector::start(if mode == "gone" { "take" } else { mode }, &[]);
        let url = collector.url("http");
        let mut counter = Counter::open_with(&[(ENDPOINT, &url), ALL]);
        if mode == "gone" {
            drop(collector);
        }
        let begun = Stopwatch::start();
        for n in 0..20 {
            let citizen = counter.citizen(n).await;
            citizen.apply("key").await;
        }
        assert!(begun.elapsed().as_secs() < 20, "{mode}: {:?}", begun.elapsed());
        let lost = async || {
            let lost = counter.metric("sportello_spans_total", &["outcome=\"lost\""]).await;
            (lost > 0).then_some(lost)
        };
        until("spans are lost", lost).await;
        assert_eq!(counter.metric("sportello_spans_total", &["outcome=\"sent\""]).await, 0);
        until("it is logged", async || {
            counter.log().contains("the collector of traces takes no spans").then_some(())
        })
        .await;
        let stopping = Stopwatch::start();
        assert_eq!(counter.stop().code(), Some(0));
        assert!(stopping.elapsed().as_secs() < 15, "{mode}: {:?}", stopping.elapsed());
    }
}
