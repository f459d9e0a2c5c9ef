//! Real caches that ignore every header, in front of a real server: nginx and Varnish, thousands of people at once.
//!
//! Both keep each answer for an hour, whatever its headers and status say, and leave the query string out of the key.
//! nginx keeps GET, HEAD and POST (it can keep no PUT), Varnish every method. Each keeps them in two ways: by method and
//! path, and by the path alone. `SPORTELLO_TEST_PEOPLE=20000 cargo test --test outside caches -- --ignored --nocapture`
//! runs longer.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sportello::{civic::FiscalCode, identity::demo::Minter};
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    dice::setting,
    harness::{Answer, PATIENCE},
    owner::{Inspector, Party, Step},
    running::{Running, counter_for_a_crowd},
};

/// People behind each of the four caches, unless `SPORTELLO_TEST_PEOPLE` says how many there are behind all.
const PEOPLE_DEFAULT: u64 = 1000;
/// Requests in progress at each cache; more connections than the caches have descriptors for would be needed otherwise.
const IN_PROGRESS_MAX: usize = 200;
/// Visits that a person tries before giving up: Varnish also keeps the answer that tells a person to wait.
const VISITS_MAX: usize = 40;

/// Each twice, where a cache may answer the second one.
const VISIT: [Step; 13] = [
    Step::Show,
    Step::Show,
    Step::SaveDraft,
    Step::ShowDraft,
    Step::ShowDraft,
    Step::Estimate,
    Step::Estimate,
    Step::Submit,
    Step::Submit,
    Step::Read,
    Step::Read,
    Step::Show,
    Step::Leave,
];

/// One of the four caches.
#[derive(Clone)]
pub(crate) struct Cache {
    pub(crate) name: &'static str,
    address: String,
    client: Client<HttpConnector, Full<Bytes>>,
    places: Arc<Semaphore>,
}

impl Cache {
    pub(crate) fn new(name: &'static str, address: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let places = Arc::new(Semaphore::new(IN_PROGRESS_MAX));
        Self { name, address: address.to_owned(), client, places }
    }

    /// The answer to a step, with a query string that no key holds; it need not be the server's.
    async fn ask(&self, party: &Party, step: Step) -> Result<Answer, String> {
        let sent = party.request(step, party);
        let request = Request::builder()
            .method(sent.method)
            .uri(format!("{}?n={step:?}", sent.path))
            .header("authorization", format!("Bearer {}", sent.token))
            .header("content-type", sent.content_type)
            .header("idempotency-key", sent.key)
            .body(Full::from(sent.body))
            .unwrap();
        self.send(request).await
    }

    /// The answer to a request whose URI is a path.
    pub(crate) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let uri = format!("http://{}{}", self.address, request.uri());
        *request.uri_mut() = uri.parse().unwrap();
        let _place = self.places.acquire().await.unwrap();
        let asking = async {
            let response = self.client.request(request).await.map_err(|fault| fault.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|fault| fault.to_string())?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, asking).await.map_err(|_| "no answer in time".to_owned())?
    }

    /// Enters, in another visit if it has to.
    pub(crate) async fn enter(&self, party: &mut Party, inspector: &Inspector, hits: &mut Hits) {
        for attempt in 0..VISITS_MAX {
            if attempt > 0 {
                party.start_again(crate::harness::new_session());
                sleep(Duration::from_secs(1)).await;
            }
            self.step(party, Step::Enter, inspector, hits).await;
            if !party.token.is_empty() {
                break;
            }
        }
    }

    /// Enters, also again, and takes every step; whether the visit led to a receipt.
    async fn visit(&self, party: &mut Party, inspector: &Inspector, hits: &mut Hits) -> bool {
        self.enter(party, inspector, hits).await;
        self.step(party, Step::Enter, inspector, hits).await;
        for step in VISIT {
            self.step(party, step, inspector, hits).await;
        }
        party.receipt.is_some()
    }

    async fn step(&self, party: &mut Party, step: Step, inspector: &Inspector, hits: &mut Hits) {
        let answer = self.ask(party, step).await.unwrap();
        inspector.check(party, step, &answer);
        hits.count(&answer, step);
    }
}

/// Answers that a cache gave itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hits {
    /// To entering, which is a PUT.
    pub(crate) entering: u64,
    /// To POST.
    pub(crate) posts: u64,
    pub(crate) all: u64,
}

impl Hits {
    fn count(&mut self, answer: &Answer, step: Step) {
        let is_hit = u64::from(answer.header("x-cache") == "HIT");
        self.all += is_hit;
        match step {
            Step::Enter => self.entering += is_hit,
            Step::Estimate | Step::Submit => self.posts += is_hit,
            _ => {}
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.all += other.all;
        self.entering += other.entering;
        self.posts += other.posts;
    }
}

/// Two caches by nginx, and a plain way through it, because Varnish speaks no TLS. Returns their addresses.
fn nginx(place: &Path, server: &str) -> (Running, [String; 3]) {
    let addresses = free_addresses();
    let [by_method, by_path, bridge] = &addresses;
    let cache = |address: &str, zone: &str, key: &str| {
        format!(
            "proxy_cache_path {zone} keys_zone={zone}:32m inactive=1h;
             server {{
               listen {address};
               location / {{
                 proxy_pass https://sportello;
                 proxy_cache {zone};
                 proxy_cache_key {key};
                 proxy_cache_methods GET HEAD POST;
                 proxy_cache_valid any 1h;
                 proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
                 add_header X-Cache $upstream_cache_status always;
               }}
             }}"
        )
    };
    let config = format!(
        "worker_processes 1; worker_rlimit_nofile 16384; error_log stderr crit; pid nginx.pid; daemon off; master_process off;
         events {{ worker_connections 8192; }}
         http {{
           access_log off;
           client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
           uwsgi_temp_path uwsgi; scgi_temp_path scgi;
           keepalive_requests 100000;
           proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;
           proxy_ssl_protocols TLSv1.3;
           upstream sportello {{ server {server}; keepalive 256; keepalive_requests 100000; }}
           {} {}
           server {{ listen {bridge}; location / {{ proxy_pass https://sportello; }} }}
         }}",
        cache(by_method, "by_method", "$request_method$uri"),
        cache(by_path, "by_path", "$uri"),
    );
    let file = place.join("caches.conf");
    fs::write(&file, config).unwrap();
    let nginx = Command::new("nginx")
        .args(["-p", place.to_str().unwrap(), "-c", file.to_str().unwrap(), "-e", "stderr"])
        .spawn()
        .unwrap();
    let nginx = Running(nginx);
    wait_for(&addresses);
    (nginx, addresses)
}

/// Two caches by Varnish in front of `backend`. Returns their addresses.
fn varnish(place: &Path, backend: &str) -> (Running, [String; 2]) {
    let addresses = free_addresses();
    let (host, port) = backend.split_once(':').unwrap();
    let config = format!(
        "vcl 4.1;
         import std;
         backend server {{ .host = \"{host}\"; .port = \"{port}\"; }}
         sub vcl_recv {{
           set req.http.x-method = req.method;
           std.cache_req_body(64KB);
           return (hash);
         }}
         sub vcl_hash {{
           hash_data(regsub(req.url, \"[?].*\", \"\"));
           if (local.socket == \"by_method\") {{ hash_data(req.method); }}
           return (lookup);
         }}
         sub vcl_backend_fetch {{
           # Varnish asks by GET for what it keeps, unless it is told otherwise.
           set bereq.method = bereq.http.x-method;
           unset bereq.http.x-method;
           return (fetch);
         }}
         sub vcl_backend_response {{
           unset beresp.http.vary;
           set beresp.ttl = 1h;
           return (deliver);
         }}
         sub vcl_deliver {{
           if (obj.hits > 0) {{ set resp.http.x-cache = \"HIT\"; }}
           return (deliver);
         }}"
    );
    let file = place.join("caches.vcl");
    fs::write(&file, config).unwrap();
    let listeners = ["by_method", "by_path"].iter().zip(&addresses);
    let listeners = listeners.flat_map(|(name, at)| ["-a".to_owned(), format!("{name}={at},HTTP")]);
    let varnish = Command::new("varnishd")
        .args(["-F", "-n", place.join("varnish").to_str().unwrap(), "-f", file.to_str().unwrap()])
        .args(["-s", "malloc,512m", "-j", "none", "-p", "workspace_client=96k"])
        // The clients of the tests keep connections for longer than its 5 seconds.
        .args(["-p", "timeout_idle=120"])
        .args(listeners)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let varnish = Running(varnish);
    wait_for(&addresses);
    (varnish, addresses)
}

/// Four caches in front of a server, those of nginx first: with the method in their keys, and without.
pub(crate) fn in_front_of(place: &Path, server: &str) -> ([Running; 2], [Cache; 4]) {
    let (nginx, [by_method, by_path, bridge]) = nginx(place, server);
    let (varnish, [varnish_by_method, varnish_by_path]) = varnish(place, &bridge);
    let caches = [
        Cache::new("nginx by method and path", &by_method),
        Cache::new("nginx by path", &by_path),
        Cache::new("Varnish by method and path", &varnish_by_method),
        Cache::new("Varnish by path", &varnish_by_path),
    ];
    ([nginx, varnish], caches)
}

/// Addresses that nothing listens on.
pub(crate) fn free_addresses<const N: usize>() -> [String; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().to_string())
}

pub(crate) fn wait_for(addresses: &[String]) {
    for address in addresses {
        let mut tries = (0..300).map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            TcpStream::connect(address).is_ok()
        });
        assert!(tries.any(|connected| connected), "nothing listens on {address}");
    }
}

/// `people`, numbered from `first`, all at once behind one cache; what they were answered, and how many got a receipt.
async fn crowd(
    cache: &Cache,
    minter: &Arc<Minter>,
    first: u64,
    people: u64,
) -> (Arc<Inspector>, Hits, u64) {
    let inspector = Arc::new(Inspector::default());
    let visits: Vec<_> = (first..first + people)
        .map(|number| {
            let (cache, minter) = (cache.clone(), Arc::clone(minter));
            let inspector = Arc::clone(&inspector);
            tokio::spawn(async move {
                let mut party = Party::citizen(&minter, number, FiscalCode::made_up(number));
                let mut hits = Hits::default();
                let served = cache.visit(&mut party, &inspector, &mut hits).await;
                (served, hits)
            })
        })
        .collect();
    let (mut hits, mut receipts) = (Hits::default(), 0);
    for visit in visits {
        let (served, theirs) = visit.await.unwrap();
        receipts += u64::from(served);
        hits.add(theirs);
    }
    println!(
        "{}: {people} people, {} answers checked, {receipts} receipts, {hits:?}; {}",
        cache.name,
        inspector.checked(),
        inspector.report()
    );
    (inspector, hits, receipts)
}

/// Two people in one and the same visit: the second one's answers that are the first one's.
async fn in_a_shared_visit(cache: &Cache, minter: &Minter, first: u64) -> usize {
    let (inspector, mut hits) = (Inspector::default(), Hits::default());
    let [mut one, mut two] =
        [first, first + 1].map(|n| Party::citizen(minter, n, FiscalCode::made_up(n)));
    two.session.clone_from(&one.session);
    for party in [&mut one, &mut two] {
        cache.step(party, Step::Enter, &inspector, &mut hits).await;
        for step in VISIT.into_iter().filter(|step| *step != Step::Leave) {
            cache.step(party, step, &inspector, &mut hits).await;
        }
    }
    inspector.mixed_up()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nginx and varnish"]
async fn behind_nginx_and_varnish_that_ignore_every_header_nobody_is_mixed_up() {
    let people = setting("SPORTELLO_TEST_PEOPLE").map_or(PEOPLE_DEFAULT, |people| people / 4);
    let (counter, minter) = counter_for_a_crowd(&[]);
    let minter = Arc::new(minter);
    let place = tempfile::tempdir().unwrap();
    let (_running, caches) = in_front_of(place.path(), counter.address());
    let (mut checked, mut first) = (0, 0);
    for (keeps_put, cache) in [false, false, true, true].into_iter().zip(&caches) {
        let (inspector, hits, receipts) = crowd(cache, &minter, first, people).await;
        assert_eq!(inspector.mixed_up(), 0, "{}: {}", cache.name, inspector.report());
        assert!(receipts * 10 > people * 9, "{}: {receipts} receipts", cache.name);
        // The cache does keep what it should not: one answer a person to each repeated request at least.
        assert!(hits.posts >= 2 * receipts && hits.all >= 4 * receipts, "{}: {hits:?}", cache.name);
        assert_eq!(hits.entering > 0, keeps_put, "{}: {hits:?}", cache.name);
        // And it does mix up people who share a visit.
        let mixed_up = in_a_shared_visit(cache, &minter, first + people).await;
        assert!(mixed_up > 4, "{}: {mixed_up}", cache.name);
        checked += inspector.checked();
        first += people + 2;
    }
    println!("{} people, {checked} answers checked, 0 mixed up", 4 * people);
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
    assert!(checked > 4 * people * VISIT.len() as u64);
    let status = counter.ask("GET", "/v1/status", "", "").await;
    assert_eq!(status.status, StatusCode::OK);
}
