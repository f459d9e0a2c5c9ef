//! Judges: threads between the urn and the ledger that run the pure rules and hand the decisions to the committer.

use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    application,
    ledger::{Case, engine::Ruling, keys::HouseKeys, shelf::Shelf},
    registry::Registry,
    schemes::{Campaign, Rules},
    urn::Urn,
};

/// Cases that a judge takes at a time, and decisions that it hands over at a time.
const CASES_MAX: usize = 64;
/// How long a judge without work sleeps before it looks into the ledger again.
const NAP: Duration = Duration::from_millis(100);

/// What a judge works with.
#[derive(Clone)]
pub struct Bench {
    /// Where cases come from.
    pub urn: Arc<Urn<Case>>,
    /// Where they wait when the urn is full, and where decisions go.
    pub shelf: Arc<Shelf>,
    /// Seals the decisions.
    pub keys: Arc<HouseKeys>,
    /// The rules.
    pub rules: &'static Rules,
    /// What the institute knows itself.
    pub registry: Arc<dyn Registry>,
}

/// The judges at work; [`stop`](Self::stop) sends them home.
pub struct Judges {
    threads: Vec<thread::JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Judges {
    /// Starts as many judges.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn start(count: usize, bench: &Bench) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let (bench, stop) = (bench.clone(), Arc::clone(&stop));
                thread::Builder::new()
                    .name("judge".to_owned())
                    .spawn(move || bench.work_until(&stop))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { threads, stop })
    }

    /// Lets each judge finish what is in hand. What stays in the urn is in the ledger, undecided, for the next start.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a judge had panicked");
            }
        }
    }
}

impl Bench {
    fn work_until(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            let mut cases = self.urn.draw(CASES_MAX);
            if cases.is_empty() {
                cases = self.draw_from_ledgers();
            }
            if cases.is_empty() {
                self.urn.wait(NAP);
                continue;
            }
            self.decide(cases);
        }
    }

    /// Cases that the urn had no room for, or that an earlier run left undecided.
    fn draw_from_ledgers(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for ledger in self.shelf.all() {
            for (position, header, bytes) in ledger.draw_waiting(CASES_MAX) {
                match application::parse(&bytes, self.rules) {
                    Ok(application) => cases.push(Case {
                        campaign: ledger.campaign(),
                        position,
                        subject: header.subject,
                        received_on: header.received_on,
                        application: Box::new(application),
                    }),
                    Err(_) => {
                        tracing::error!(receipt = %ledger.code(position), "a durable application no longer parses: it stays undecided");
                    }
                }
            }
        }
        cases
    }

    fn decide(&self, cases: Vec<Case>) {
        let mut rulings: HashMap<Campaign, Vec<Ruling>> = HashMap::new();
        for case in cases {
            // A panic of a rule is a bug of ours; it must cost this one case its decision and nobody else theirs.
            match catch_unwind(AssertUnwindSafe(|| self.ruling(&case))) {
                Ok(ruling) => rulings.entry(case.campaign).or_default().push(ruling),
                Err(_) => {
                    tracing::error!(campaign = %case.campaign, "a rule panicked: one application stays undecided until a restart");
                }
            }
        }
        for (campaign, rulings) in rulings {
            if let Some(ledger) = self.shelf.get(campaign) {
                ledger.rule(rulings);
            }
        }
    }

    fn ruling(&self, case: &Case) -> Ruling {
        let answers = self.registry.answers(&case.application.applicant.fiscal_code);
        let decision = self.rules.decide_with(&case.application, case.received_on, &answers);
        let sealed = self.keys.seal_decision(
            case.campaign,
            case.subject,
            case.position,
            &decision.to_json(),
        );
        Ruling { position: case.position, outcome: decision.outcome, decision: sealed }
    }
}
