//! People who apply without end, repeat what was refused with the same key, and keep their receipts.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;
use serde_json::Value;
use sportello::{
    application,
    civic::FiscalCode,
    clock::{Clock, Stopwatch},
    identity::{Assurance, demo::Minter},
};
use tokio::time::sleep;

use crate::harness::{Counter, new_session};

/// Pause of a person after a receipt, and after a refusal.
const PAUSE: Duration = Duration::from_millis(100);
/// Tries after which the server is taken for dead: more than any failover lasts.
const TRIES_MAX: usize = 2000;

/// A receipt, and when it came.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) at: Duration,
    person: u64,
    receipt: Value,
}

/// What all of them know.
pub(crate) struct Crowd {
    counter: Arc<Counter>,
    minter: Minter,
    watch: Stopwatch,
    next: AtomicU64,
    is_over: AtomicBool,
    refused: AtomicU64,
    held: Mutex<Vec<Held>>,
}

impl Crowd {
    pub(crate) fn before(counter: Arc<Counter>) -> Self {
        Self {
            minter: Minter::load(&counter.data()).unwrap(),
            counter,
            watch: Stopwatch::start(),
            next: AtomicU64::new(1),
            is_over: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            held: Mutex::default(),
        }
    }

    /// Time since it began.
    pub(crate) fn now(&self) -> Duration {
        self.watch.elapsed()
    }

    /// Applies for one person after the other until it is over; each gets a receipt.
    pub(crate) async fn apply(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            let person = self.next.fetch_add(1, Ordering::AcqRel);
            let receipt = self.receipt_of(person).await;
            self.held.lock().unwrap().push(Held { at: self.now(), person, receipt });
            sleep(PAUSE).await;
        }
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Answers with 503, which were tried again.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Acquire)
    }

    pub(crate) fn held(&self) -> Vec<Held> {
        self.held.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Waits for a receipt of a submission that begins from now on, as far as that can be seen: as many as people apply.
    pub(crate) async fn next_receipts(&self, number: usize) {
        let before = self.count();
        for _ in 0..TRIES_MAX {
            if self.count() >= before + number {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("no receipts any more: {}", self.counter.log());
    }

    /// The longest time without a receipt, from a moment on.
    pub(crate) fn longest_gap(&self, from: Duration) -> Duration {
        let mut times: Vec<_> = self.held().iter().map(|held| held.at).collect();
        times.retain(|at| *at > from);
        times.push(from);
        times.sort_unstable();
        times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default()
    }

    /// Asserts that these people get the same receipts again.
    pub(crate) async fn ask_again(&self, held: &[Held]) {
        for Held { person, receipt, .. } in held {
            assert_eq!(&self.receipt_of(*person).await, receipt, "person {person} got another one");
        }
    }

    /// Enters and submits with the person's key until there is a receipt.
    async fn receipt_of(&self, person: u64) -> Value {
        let code = FiscalCode::made_up(person);
        let identity = self.minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        let body = application::example(&code, 2024);
        let mut inside: Option<(String, String)> = None;
        for _ in 0..TRIES_MAX {
            let answer = if let Some((session, token)) = &inside {
                let path = format!("{session}/applications");
                self.counter.try_ask("POST", &path, token, &body, "k").await
            } else {
                let session = new_session();
                let answer = self.counter.try_ask("PUT", &session, &identity, "", "").await;
                if let Ok(entered) = &answer
                    && entered.status == StatusCode::CREATED
                {
                    let token = entered.json()["token"].as_str().unwrap().to_owned();
                    inside = Some((session, token));
                    continue;
                }
                answer
            };
            match answer {
                Ok(answer) if answer.status == StatusCode::CREATED => return answer.json(),
                Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE => {
                    self.refused.fetch_add(1, Ordering::AcqRel);
                }
                // Who tries again and again while there is no primary.
                Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {}
                Ok(answer) => panic!("person {person}: {answer:?}"),
                // No answer in time: unknown, so the same key again.
                Err(_) => {}
            }
            sleep(PAUSE).await;
        }
        panic!("no receipt for person {person}: {}", self.counter.log());
    }
}
