//! The samples of L7 proxies, with the real proxies in front of a server with a quarter of a core and four times as many
//! people as it can take: people inside finish as without a proxy. With one pool for everybody they do not.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, demo::Minter},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    harness::{Answer, EVENING, PATIENCE, new_session},
    program::program,
    quota::Quota,
    running::Running,
    trust::{Https, client},
};

/// People let in a second: half of what the server can take in a build without optimisation.
const CAPACITY: u32 = 10;
/// How many times as many come, and for how many seconds.
const TIMES: u32 = 4;
const SECONDS: u32 = 8;
/// Longest wait for a receipt that is timely.
const TIMELY: Duration = Duration::from_secs(1);
/// Those who were let in have so much more time to finish.
const TAIL: Duration = Duration::from_secs(4);
/// Tries to see what one pool does: the crowd comes from a machine that may be busy with other things.
const CONTROLS_MAX: usize = 3;
/// Time between two polls of people who ignore what they are asked.
const POLL: Duration = Duration::from_millis(100);

/// A server with a quarter of a core, and what it needs. Dropped in this order.
struct Served {
    _server: Running,
    _quota: Quota,
    place: tempfile::TempDir,
    public: String,
    inside: String,
}

/// What became of those who were let in when a crowd stood outside: in the second half of the time.
#[derive(Debug, Default)]
struct Outcome {
    let_in: usize,
    finished: usize,
    timely: usize,
}

impl Outcome {
    #[expect(clippy::cast_precision_loss, reason = "people")]
    fn timely_share(&self) -> f64 {
        self.timely as f64 / self.let_in as f64
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn serve() -> Served {
    let (place, quota, inside) = (tempfile::tempdir().unwrap(), Quota::of(25), free_address());
    let mut joining = program();
    let binary = joining.get_program().to_owned();
    let arguments = ["serve", "--demo", "--now", EVENING, "--listen", "127.0.0.1:0"];
    joining = Command::new("sh");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPORTELLO_")) {
        joining.env_remove(name);
    }
    // Only a process that joins before it starts sees its quota from the beginning.
    joining.arg("-c").arg(format!("echo $$ > {} && exec \"$0\" \"$@\"", quota.procs())).arg(binary);
    let mut server = joining
        .args(arguments)
        .args(["--operator", "127.0.0.1:0", "--data"])
        .arg(place.path().join("data"))
        .env("SPORTELLO_SERVER_RUNTIMES", "1")
        .env("SPORTELLO_SERVER_LISTEN_INSIDE", &inside)
        .env("SPORTELLO_HTTP_POOLING_PROXIES", "127.0.0.1")
        .env("SPORTELLO_GATE_PEOPLE_PER_SECOND", CAPACITY.to_string())
        .env("SPORTELLO_WAITING_GATHER_SECONDS", "1")
        .env("SPORTELLO_LIMITS_ENTER_BY_PERSON_PER_SECOND", "1000")
        .env("SPORTELLO_LIMITS_ENTER_BY_PERSON_BURST", "1000")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let public = ready.strip_prefix("ready https://").unwrap().split(' ').next().unwrap();
    let public = public.to_owned();
    Served { _server: Running(server), _quota: quota, place, public, inside }
}

/// Everybody comes to `origin`.
async fn crowd_at(origin: &str, served: &Served) -> Outcome {
    let data = served.place.path().join("data");
    let minter = Minter::load(&data).unwrap();
    let people: Vec<_> = (1..=u64::from(CAPACITY * TIMES * SECONDS))
        .map(|n| {
            let code = FiscalCode::made_up(n);
            (code, minter.mint(&code, None, Assurance::Level2, Clock::system().real()))
        })
        .collect();
    let begun = Instant::now();
    let closes = begun + Duration::from_secs(SECONDS.into());
    let visits = people.into_iter().zip(0..).map(|((code, identity), n)| {
        let person =
            Person { web: client(&data, false), origin: origin.to_owned(), session: new_session() };
        tokio::spawn(async move {
            sleep_until(begun + Duration::from_secs(1) * n / (CAPACITY * TIMES)).await;
            let token = person.enter(&identity, closes).await?;
            let is_crowded = begun.elapsed() >= Duration::from_secs(SECONDS.into()) / 2;
            let finishing = timeout(TAIL, person.finish(&token, &code)).await;
            is_crowded.then_some(finishing.ok().flatten())
        })
    });
    let mut outcome = Outcome::default();
    for visit in join_all(visits).await {
        let Some(finished) = visit.unwrap() else { continue };
        outcome.let_in += 1;
        outcome.finished += usize::from(finished.is_some());
        outcome.timely += usize::from(finished.is_some_and(|took| took <= TIMELY));
    }
    outcome
}

struct Person {
    /// With connections that no other person uses.
    web: Https<Full<Bytes>>,
    origin: String,
    session: String,
}

impl Person {
    async fn ask(&self, method: &str, path: &str, token: &str, body: String) -> Option<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{}{path}", self.origin, self.session))
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", "k")
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        let (head, body) = self.web.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status, headers: head.headers, body })
    }

    /// Asks again and again, impatiently, until the doors close; the token of who is let in.
    async fn enter(&self, identity: &str, closes: Instant) -> Option<String> {
        let mut proof = identity.to_owned();
        while Instant::now() < closes {
            let asked = timeout(PATIENCE, self.ask("PUT", "", &proof, String::new())).await;
            if let Some(answer) = asked.ok().flatten() {
                match answer.status {
                    StatusCode::CREATED | StatusCode::OK => {
                        return answer.json()["token"].as_str().map(ToOwned::to_owned);
                    }
                    StatusCode::ACCEPTED => {
                        answer.json()["ticket"].as_str().unwrap().clone_into(&mut proof);
                    }
                    _ => {}
                }
            }
            sleep(POLL).await;
        }
        None
    }

    /// Submits, trying again when told to; the time until the receipt.
    async fn finish(&self, token: &str, code: &FiscalCode) -> Option<Duration> {
        let asked = Instant::now();
        let body = application::example(code, 2024);
        loop {
            let answer = self.ask("POST", "/applications", token, body.clone()).await;
            if answer.as_ref().is_some_and(|answer| answer.status == StatusCode::CREATED) {
                let took = asked.elapsed();
                let _left = self.ask("DELETE", "", token, String::new()).await;
                return Some(took);
            }
            let told = answer.and_then(|answer| answer.header("retry-after").parse().ok());
            sleep(told.map_or(POLL, Duration::from_secs)).await;
        }
    }
}

/// A sample with its addresses and files replaced, and with one pool for everybody if `shares`; starts the proxy.
async fn proxy(name: &str, shares: bool, served: &Served) -> (Running, String) {
    let place = served.place.path();
    let read = |file: &str| fs::read_to_string(place.join("data").join(file)).unwrap();
    let file = |name: &str, text: String| {
        fs::write(place.join(name), text).unwrap();
        place.join(name).to_str().unwrap().to_owned()
    };
    let (certificate, key) = (read("demo-cert.pem"), read("demo-key.pem"));
    let site = file("site.pem", format!("{certificate}{key}"));
    let (certificate, key) = (file("site.crt", certificate), file("site.key", key));
    let listens = free_address();
    let mut text = fs::read_to_string(Path::new("deploy/proxy").join(name)).unwrap();
    let mut replace = |old: &str, new: &str| {
        assert!(text.contains(old), "{old} is in {name}");
        text = text.replace(old, new);
    };
    replace("0.0.0.0:443", &listens);
    replace("127.0.0.1:8443", &served.public);
    replace("127.0.0.1:8444", &served.inside);
    let mut command;
    if name.starts_with("haproxy") {
        replace("/etc/haproxy/site.pem", &site);
        replace("/etc/haproxy/sportello-ca.pem", &certificate);
        // All clients of this test have one address, and a small crowd has a small pool.
        replace("maxconn 50000", "maxconn 5000");
        replace("gt 2000", "gt 1000000");
        replace("gt 200 ", "gt 1000000 ");
        replace("maxconn 256", "maxconn 32");
        if shares {
            replace("use_backend inside if below_visit", "");
        }
        let config = file("proxy.cfg", text);
        command = Command::new("haproxy");
        command.args(["-db", "-f", &config]);
    } else {
        replace("/etc/nginx/site.crt", &certificate);
        replace("/etc/nginx/site.key", &key);
        replace("/etc/nginx/sportello-ca.pem", &certificate);
        replace("rate=200r/s", "rate=100000r/s");
        replace("burst=2000", "burst=100000");
        replace("connections 1000", "connections 65000");
        // It refuses whatever it has no connection for; the smaller the pool, the more often.
        replace("max_conns=256", "max_conns=2");
        if shares {
            replace("proxy_pass https://inside", "proxy_pass https://outside");
        }
        let config = file("proxy.conf", text);
        command = Command::new("nginx");
        command.args(["-p", place.to_str().unwrap(), "-c", &config]);
        command.args(["-g", "daemon off; master_process off; pid nginx.pid;"]);
    }
    let log = fs::File::create(place.join("proxy.log")).unwrap();
    let running = Running(command.stdout(log).spawn().unwrap());
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(&listens).await.is_ok() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    (running, listens)
}

async fn behind(name: &str, shares: bool) -> Outcome {
    let served = serve();
    let (_proxy, listens) = proxy(name, shares, &served).await;
    let outcome = crowd_at(&listens, &served).await;
    let log = fs::read_to_string(served.place.path().join("proxy.log")).unwrap();
    assert!(log.contains(" PUT visit 20") && log.contains(" POST below-visit 20"), "{log}");
    assert!(!log.contains("sessions"), "the log holds no path");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs haproxy, nginx and the superuser"]
async fn behind_haproxy_and_nginx_people_inside_finish_whatever_waits_outside() {
    let served = serve();
    let direct = crowd_at(&served.public, &served).await;
    drop(served);
    for name in ["haproxy-l7.cfg", "nginx-l7.conf"] {
        let apart = behind(name, false).await;
        let told = format!("direct {direct:?}; {name}: pools apart {apart:?}");
        println!("{told}");
        assert!(direct.let_in >= 10 && apart.let_in >= 10, "{told}");
        assert_eq!(apart.finished, apart.let_in, "{told}");
        assert!(apart.timely_share() >= direct.timely_share() - 0.1, "{told}");
        let mut is_seen = false;
        for _ in 0..CONTROLS_MAX {
            let shared = behind(name, true).await;
            println!("{name}: one pool {shared:?}");
            is_seen = shared.timely_share() <= direct.timely_share() - 0.2;
            if is_seen {
                break;
            }
        }
        assert!(is_seen, "the control: {name} with one pool is as good");
    }
}
