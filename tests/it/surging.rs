//! Restarts in the middle of a surge: hundreds of people wait or are inside, and everybody goes on with the token or
//! ticket that they have.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;
use serde_json::Value;
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, demo::Minter},
};
use tokio::{
    sync::RwLock,
    time::{Instant, sleep},
};

use crate::harness::{Answer, Counter, EVENING, PATIENCE, new_session};

const PEOPLE: u64 = 240;
const LEASES: usize = 30;
/// What a person does between two requests inside, milliseconds.
const THINKING_MS: u64 = 300;
/// How long before a kill an answer may have been given that the journal does not know of: a pause between two writes, and
/// the sync in progress.
const JOURNAL_LAG: Duration = Duration::from_millis(50);
/// The most that the kill under load may take, however many were answered just before it.
const LOST_MAX: usize = 4;
/// Tries of a request after which the server is taken for dead.
const TRIES_MAX: usize = 3000;

fn settings() -> Vec<(&'static str, &'static str)> {
    vec![
        ("SPORTELLO_GATE_LEASES_MAX", "30"),
        ("SPORTELLO_GATE_LAG_MS_MAX", "60000"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
        ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "1"),
        ("SPORTELLO_LIMITS_ENTER_BY_PERSON_PER_SECOND", "100"),
    ]
}

/// What all people share: the server, which may be away, and what is counted.
struct Town {
    counter: RwLock<Option<Counter>>,
    served: AtomicUsize,
    /// Requests that got no answer, or a refusal, because of a restart: by what happened.
    failed: Mutex<BTreeMap<String, usize>>,
    /// When people were let in and got their receipt: each gives up a seat or a lease.
    given_up: Mutex<Vec<Instant>>,
    /// How many of these the kill under load may have taken from the journal.
    lost_max: AtomicUsize,
}

impl Town {
    /// Sends a request once; `None` if no answer came.
    async fn try_once(
        &self,
        (method, path): (&str, &str),
        token: &str,
        body: &str,
        key: &str,
    ) -> Option<Answer> {
        let answer = match self.counter.read().await.as_ref() {
            Some(counter) => counter.try_ask(method, path, token, body, key).await,
            None => return None,
        };
        let failure = match answer {
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => {
                format!("503 {}", answer.problem())
            }
            Ok(answer) => return Some(answer),
            Err(_) => "the connection broke before the answer".to_owned(),
        };
        let what =
            if path.len() > "/v1/sessions/".len() + 32 { "below a session" } else { "a session" };
        self.count(&format!("{method} {what}: {failure}"));
        None
    }

    fn has_given_up(&self) {
        self.given_up.lock().unwrap().push(Instant::now());
    }

    fn count(&self, failure: &str) {
        *self.failed.lock().unwrap().entry(failure.to_owned()).or_default() += 1;
    }
}

/// A person, and what they were told.
struct Person {
    code: FiscalCode,
    identity: String,
    session: String,
    ticket: Option<String>,
    /// The round and, once it is drawn, the number.
    place: Option<(u64, Option<String>)>,
    token: String,
    tag: String,
    expires_at: String,
    /// Answers 201: how often they were let in.
    let_in: usize,
}

impl Person {
    fn new(minter: &Minter, n: u64) -> Self {
        let code = FiscalCode::made_up(n);
        let identity = minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        let (session, ticket, place) = (new_session(), None, None);
        let (token, tag, expires_at) = Default::default();
        Self { code, identity, session, ticket, place, token, tag, expires_at, let_in: 0 }
    }

    /// Waits, enters, looks, asks for a fresh token, applies and leaves.
    async fn live(mut self, town: &Town, leaves: bool) -> Self {
        self.enter(town).await;
        self.look(town).await;
        let think = || sleep(Duration::from_millis(THINKING_MS));
        think().await;
        self.renew(town).await;
        think().await;
        self.look(town).await;
        let body = application::example(&self.code, 2024);
        let path = format!("{}/applications", self.session);
        let applied = self.ask(town, ("POST", &path), &body).await;
        assert_eq!(applied.status, StatusCode::CREATED, "{applied:?}");
        town.has_given_up();
        town.served.fetch_add(1, Ordering::AcqRel);
        think().await;
        self.look(town).await;
        if leaves {
            self.leave(town).await;
        }
        self
    }

    async fn enter(&mut self, town: &Town) {
        let end = Instant::now() + 6 * PATIENCE;
        let mut lost_answer = false;
        while Instant::now() < end {
            // Every other person asks again with their identity, as from a program that keeps no ticket.
            let with_ticket =
                self.code.as_str().bytes().map(usize::from).sum::<usize>().is_multiple_of(2);
            let proof =
                self.ticket.as_ref().filter(|_| with_ticket).unwrap_or(&self.identity).clone();
            let request = ("PUT", self.session.as_str());
            let Some(answer) = town.try_once(request, &proof, "", "").await else {
                lost_answer = true;
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            if answer.status == StatusCode::ACCEPTED {
                self.waits(&answer.json());
                let poll = answer.json()["pollAfterSeconds"].as_u64().unwrap();
                sleep(Duration::from_millis(poll.min(3) * 500)).await;
                continue;
            }
            // Who got no answer to their entry is inside already.
            let again = lost_answer && answer.status == StatusCode::OK;
            assert!(again || answer.status == StatusCode::CREATED, "{answer:?}");
            self.let_in += 1;
            town.has_given_up();
            self.takes(&answer);
            self.expires_at = answer.json()["expiresAt"].to_string();
            return;
        }
        panic!("a person did not enter in time");
    }

    /// Compares the place with the one before.
    fn waits(&mut self, told: &Value) {
        let number = told["draw"]["number"].as_str().map(ToOwned::to_owned);
        let round = told["draw"]["round"].as_u64().unwrap();
        if let Some((before, known)) = &self.place {
            assert_eq!(round, *before, "the round is the same as before");
            assert!(known.is_none() || number == *known, "the number is the same as before");
        }
        self.place = Some((round, number));
        self.ticket = told["ticket"].as_str().map(ToOwned::to_owned);
    }

    fn takes(&mut self, answer: &Answer) {
        let json = answer.json();
        let text = |member: &str| json[member].as_str().unwrap().to_owned();
        (self.token, self.tag) = (text("token"), text("subjectTag"));
    }

    /// The session is the same as at the beginning.
    async fn look(&self, town: &Town) {
        let shown = self.ask(town, ("GET", &self.session), "").await;
        assert_eq!(shown.status, StatusCode::OK, "an acknowledged session is lost: {shown:?}");
        assert_eq!(shown.header("subject-tag"), self.tag);
        assert_eq!(shown.json()["expiresAt"].to_string(), self.expires_at);
    }

    async fn renew(&mut self, town: &Town) {
        let old = std::mem::take(&mut self.token);
        let request = ("PUT", self.session.clone());
        for _ in 0..TRIES_MAX {
            let answer = town.try_once((request.0, &request.1), &self.identity, "", "").await;
            if let Some(answer) = answer {
                if answer.status == StatusCode::CREATED {
                    // Not asked for with its token since a kill that came before the journal knew of it.
                    town.count("PUT a session: opened anew, its opening was not written yet");
                    self.expires_at = answer.json()["expiresAt"].to_string();
                } else {
                    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                }
                assert_eq!(answer.json()["expiresAt"].to_string(), self.expires_at);
                self.takes(&answer);
                let old = ask(town, ("GET", &self.session), &old, "").await;
                assert_eq!(old.status, StatusCode::UNAUTHORIZED, "a renewed token is over");
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("no fresh token");
    }

    async fn leave(&self, town: &Town) {
        let mut lost_answer = false;
        for _ in 0..TRIES_MAX {
            match town.try_once(("DELETE", &self.session), &self.token, "", "").await {
                Some(answer) => {
                    let gone = lost_answer && answer.status == StatusCode::UNAUTHORIZED;
                    assert!(gone || answer.status == StatusCode::NO_CONTENT, "{answer:?}");
                    return;
                }
                None => lost_answer = true,
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("no answer to leaving");
    }

    async fn ask(&self, town: &Town, request: (&str, &str), body: &str) -> Answer {
        ask(town, request, &self.token, body).await
    }
}

/// Repeats a request until it is answered.
async fn ask(town: &Town, request: (&str, &str), token: &str, body: &str) -> Answer {
    let key = if body.is_empty() { "" } else { "key" };
    for _ in 0..TRIES_MAX {
        if let Some(answer) = town.try_once(request, token, body, key).await {
            return answer;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("no answer to {request:?}");
}

/// Sessions, leases held, and people who wait.
async fn numbers_of(counter: &Counter) -> [u64; 3] {
    let page = counter.metrics().await;
    let sum = |name, labels: &[&str]| crate::harness::sum_in(&page, name, labels);
    [
        sum("sportello_sessions", &[]),
        sum("sportello_leases", &["held"]),
        sum("sportello_waiting", &[]),
    ]
}

/// Restarts the server. Quietly: no request is under way, and every number must be the same afterwards.
async fn restart(town: &Town, signal: &str, quietly: bool) {
    if !quietly {
        // A shared lock, so that requests are under way.
        town.counter.read().await.as_ref().unwrap().signal(signal);
        if signal == "KILL" {
            let since = Instant::now().checked_sub(JOURNAL_LAG).unwrap();
            // Answers that are on their way count, too.
            sleep(JOURNAL_LAG).await;
            let late = town.given_up.lock().unwrap().iter().filter(|at| **at >= since).count();
            town.lost_max.store(late.min(LOST_MAX), Ordering::Release);
        }
    }
    let mut place = town.counter.write().await;
    let mut counter = place.take().unwrap();
    let before = if quietly {
        // What was noted is written within some milliseconds.
        sleep(Duration::from_secs(1)).await;
        let before = numbers_of(&counter).await;
        counter.signal(signal);
        Some(before)
    } else {
        None
    };
    let after = tokio::task::block_in_place(|| {
        counter.wait();
        counter.reopen_with(EVENING, &settings())
    });
    if let Some(before) = before {
        let now = numbers_of(&after).await;
        println!("{signal}: sessions, leases and people waiting {before:?}, after it {now:?}");
        assert_eq!(now, before, "after {signal}");
    }
    *place = Some(after);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_a_surge_costs_nobody_their_session_or_place() {
    let counter = Counter::open_with(&settings());
    let minter = Arc::new(Minter::load(&counter.data()).unwrap());
    let town = Arc::new(Town {
        counter: RwLock::new(Some(counter)),
        served: AtomicUsize::new(0),
        failed: Mutex::default(),
        given_up: Mutex::default(),
        lost_max: AtomicUsize::new(0),
    });
    let people: Vec<_> = (0..PEOPLE)
        .map(|n| {
            let (town, person) = (Arc::clone(&town), Person::new(&minter, n));
            tokio::spawn(async move {
                sleep(Duration::from_millis(n * 5)).await;
                person.live(&town, n % 4 != 0).await
            })
        })
        .collect();
    for (served, signal, quietly) in
        [(30, "KILL", true), (60, "KILL", false), (90, "TERM", true), (120, "TERM", false)]
    {
        while town.served.load(Ordering::Acquire) < served {
            sleep(Duration::from_millis(20)).await;
            assert!(
                !people.iter().all(tokio::task::JoinHandle::is_finished),
                "too few were served"
            );
        }
        restart(&town, signal, quietly).await;
    }
    let mut lived = Vec::new();
    for person in people {
        lived.push(person.await.expect("no visit fails"));
    }
    let anew = town
        .failed
        .lock()
        .unwrap()
        .iter()
        .filter(|(what, _)| what.contains("anew"))
        .map(|(_, n)| n)
        .sum::<usize>();
    assert!(anew <= LOST_MAX, "the journal lags behind: {anew}");
    println!("without an answer at first, then repeated: {:#?}", town.failed.lock().unwrap());
    assert!(lived.iter().all(|person| person.let_in == 1), "nobody was let in twice");
    let waited = lived.iter().filter(|person| person.place.is_some()).count();
    assert!(waited > LEASES, "too few had to wait: {waited}");

    let counter = town.counter.read().await;
    let counter = counter.as_ref().unwrap();
    let stay = lived.len().div_ceil(4) as u64;
    let [sessions, leases, waiting] = numbers_of(counter).await;
    assert_eq!(sessions, stay);
    // Who applied has used their lease, and who entered has no seat, unless the kill came before the journal knew.
    let lost_max = town.lost_max.load(Ordering::Acquire) as u64;
    assert!(leases + waiting <= lost_max, "{leases} leases, {waiting} seats, {lost_max} at most");
    for (n, person) in lived.iter().enumerate() {
        let shown = counter.ask("GET", &person.session, &person.token, "").await;
        if n % 4 == 0 {
            assert_eq!(shown.status, StatusCode::OK);
            continue;
        }
        shown.assert_problem(401, "unauthenticated");
        let taken = counter.ask("PUT", &person.session, &person.identity, "").await;
        taken.assert_problem(409, "visit-taken");
    }
}
