//! The server is killed under load (SIGKILL): every receipt is kept exactly once, and none is decided twice.
//!
//! 300 people at a time enter, apply, repeat submissions, read and withdraw while the server is killed at random moments
//! and restarted on the same data. `SPORTELLO_TEST_KILLS=50 cargo test --test it crash` runs longer; `SPORTELLO_TEST_SEED`
//! repeats a run's random choices.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
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
use tokio::{sync::RwLock, time::sleep};

use crate::harness::{Answer, Counter, EVENING, finished, location, new_session, program};

/// People at a time; the next one comes when one has applied as often as is allowed.
const PEOPLE: u64 = 300;
/// Applications of a person in a campaign at most, withdrawn ones included.
const APPLICATIONS_MAX: usize = 5;
const KILLS_DEFAULT: u64 = 4;
/// Tries of a request after which the server is taken for dead.
const TRIES_MAX: usize = 2000;

/// The receipts that a person was given, unchanged, by idempotency key.
type Held = BTreeMap<String, Value>;

struct Person {
    code: FiscalCode,
    identity: String,
    session: String,
    token: String,
    held: Held,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_receipt_is_lost_doubled_or_decided_twice_however_often_the_server_is_killed() {
    let kills = setting("SPORTELLO_TEST_KILLS").unwrap_or(KILLS_DEFAULT);
    let mut dice = Dice(setting("SPORTELLO_TEST_SEED").unwrap_or_else(fresh_seed));
    println!("SPORTELLO_TEST_SEED={} SPORTELLO_TEST_KILLS={kills}", dice.0);

    let counter = Counter::open();
    let minter = Arc::new(Minter::load(&counter.data()).unwrap());
    let people_so_far = Arc::new(AtomicU64::new(0));
    let counter = Arc::new(RwLock::new(Some(counter)));
    let (over, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let people: Vec<_> = (0..PEOPLE)
        .map(|_| {
            let (counter, over, finished) =
                (Arc::clone(&counter), Arc::clone(&over), Arc::clone(&finished));
            let (minter, people_so_far) = (Arc::clone(&minter), Arc::clone(&people_so_far));
            let mut dice = Dice(dice.roll());
            tokio::spawn(async move {
                let mut lived = Vec::new();
                while lived.is_empty() || !over.load(Ordering::Acquire) {
                    let person = Person::new(&minter, people_so_far.fetch_add(1, Ordering::AcqRel));
                    lived.push(person.live(&counter, &over, &finished, &mut dice).await);
                }
                lived
            })
        })
        .collect();

    for _ in 0..kills {
        // The server must be under load: at least 50 submissions finish between two kills.
        let before = finished.load(Ordering::Acquire);
        while finished.load(Ordering::Acquire) < before + 50 {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(dice.roll() % 200)).await;
        // A shared lock, so that requests are in progress when the server is killed.
        counter.read().await.as_ref().unwrap().signal("KILL");
        sleep(Duration::from_millis(dice.roll() % 50)).await;
        let mut place = counter.write().await;
        let killed = place.take().unwrap();
        *place = Some(tokio::task::block_in_place(|| killed.reopen(EVENING)));
    }
    over.store(true, Ordering::Release);
    let mut held = Vec::new();
    for person in people {
        held.extend(person.await.expect("no person fails an assertion"));
    }
    let counter = Arc::into_inner(counter).unwrap().into_inner().unwrap();
    check(counter, held).await;
}

/// Checks what must hold after the last kill, with the running server and then with `sportello verify`.
async fn check(mut counter: Counter, people: Vec<Person>) {
    counter.all_decided().await;
    let receipts: Vec<&Value> = people.iter().flat_map(|person| person.held.values()).collect();
    let codes: HashSet<_> =
        receipts.iter().map(|receipt| receipt["receipt"].as_str().unwrap()).collect();
    assert_eq!(codes.len(), receipts.len(), "a receipt was given twice");
    let (accepted, settled) = counter.balance().await;
    assert_eq!(accepted, settled, "accepted = decided + undecided + withdrawn before a decision");
    assert_eq!(
        accepted,
        codes.len() as u64,
        "the ledger accepted as many applications as people hold receipts"
    );

    for person in &people {
        let visitor = counter.enter(person.code, &person.identity).await;
        let mut valid = 0;
        for (key, receipt) in &person.held {
            let again = visitor.submit(key, &body(&person.code, key)).await;
            assert_eq!((again.status, &again.json()), (StatusCode::CREATED, receipt));
            let json = visitor.get(&location(receipt)).await.json();
            match json["state"].as_str().unwrap() {
                "decided" => valid += 1,
                "withdrawn" => {}
                other => panic!("the state is {other} after everything was decided"),
            }
        }
        assert_eq!(valid, 1, "each person has one application that is not withdrawn");
    }

    let list = counter.data().join("receipts.ndjson");
    let lines: Vec<_> = receipts.iter().map(ToString::to_string).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    counter.kill();
    let mut verify = program();
    verify.arg("verify").arg("--data").arg(counter.data()).arg("--receipts").arg(&list);
    let (code, counts, complaint) = finished(&mut verify);
    assert_eq!(code, Some(0), "{counts}{complaint}");
    assert!(counts.contains(&format!("accepted {accepted} = ")), "{counts}");
    println!("{counts}");
}

impl Person {
    fn new(minter: &Minter, n: u64) -> Self {
        let code = FiscalCode::made_up(n);
        let identity = minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        let (session, token, held) = (new_session(), String::new(), Held::new());
        Self { code, identity, session, token, held }
    }

    /// Applies, sometimes submits again, sometimes withdraws and applies again, until `over` or as often as is allowed;
    /// then has one application that is not withdrawn.
    async fn live(
        mut self,
        counter: &RwLock<Option<Counter>>,
        over: &AtomicBool,
        finished: &AtomicUsize,
        dice: &mut Dice,
    ) -> Self {
        for round in 0_u32.. {
            let key = format!("round-{round}");
            let receipt = self.submit(counter, &key).await;
            finished.fetch_add(1, Ordering::AcqRel);
            if dice.roll().is_multiple_of(4) {
                assert_eq!(
                    self.submit(counter, &key).await,
                    receipt,
                    "the same key got another receipt"
                );
            }
            let location = location(&receipt);
            self.held.insert(key, receipt);
            // Some withdraw at once, most of them before the decision.
            let last = self.held.len() == APPLICATIONS_MAX;
            if dice.roll().is_multiple_of(4) && !last && !over.load(Ordering::Acquire) {
                self.withdraw(counter, &location).await;
                continue;
            }
            let answer = self.ask(counter, "GET", &location, "", "").await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_eq!(answer.json()["application"]["applicant"]["fiscalCode"], self.code.as_str());
            sleep(Duration::from_millis(dice.roll() % 300)).await;
            if last || over.load(Ordering::Acquire) {
                break;
            }
            self.withdraw(counter, &location).await;
        }
        self
    }

    async fn withdraw(&mut self, counter: &RwLock<Option<Counter>>, location: &str) {
        let gone = self.ask(counter, "DELETE", location, "", "").await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    }

    async fn submit(&mut self, counter: &RwLock<Option<Counter>>, key: &str) -> Value {
        let body = body(&self.code, key);
        let answer = self.ask(counter, "POST", "/applications", &body, key).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()
    }

    /// Repeats a request until it is answered: the server may be down. Who is not inside enters first.
    async fn ask(
        &mut self,
        counter: &RwLock<Option<Counter>>,
        method: &str,
        path: &str,
        body: &str,
        key: &str,
    ) -> Answer {
        for _ in 0..TRIES_MAX {
            let answer = match counter.read().await.as_ref() {
                Some(counter) => {
                    let path = format!("{}{path}", self.session);
                    counter.try_ask(method, &path, &self.token, body, key).await
                }
                None => Err("closed".to_owned()),
            };
            match answer {
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    self.enter(counter).await;
                }
                Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => {}
                Ok(answer) => return answer,
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("no answer to {method} {path}");
    }

    async fn enter(&mut self, counter: &RwLock<Option<Counter>>) {
        self.session = new_session();
        if let Some(counter) = counter.read().await.as_ref()
            && let Ok(answer) = counter.try_ask("PUT", &self.session, &self.identity, "", "").await
            && answer.status == StatusCode::CREATED
        {
            answer.json()["token"].as_str().unwrap().clone_into(&mut self.token);
        }
    }
}

/// A body for each person and key, so that exchanged ones would be noticed.
fn body(code: &FiscalCode, key: &str) -> String {
    application::example(code, 2024).replace("mario@example.it", &format!("{key}@example.it"))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn fresh_seed() -> u64 {
    let mut seed = [0; 8];
    sportello::vault::fill_random(&mut seed);
    u64::from_le_bytes(seed)
}

/// A random generator with a seed (xorshift64*), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
