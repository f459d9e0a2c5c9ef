//! Judges: threads between the urn and the ledger that run the pure rules and hand the decisions to the committer.

use std::{
    collections::HashMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    application,
    ledger::{
        Ledger,
        book::{change::Ruling, record::Turn},
        case::{Case, PendingCases, StoredCase},
        position::Position,
        shelf::Shelf,
    },
    registry::Registry,
    schemes::{Campaign, Outcome, Rules},
    urn::{self, Urn},
    vault::HouseKeys,
};

/// Cases that a judge takes at a time, and decisions that it hands over at a time.
const CASES_MAX: usize = urn::DRAW_MAX;
/// How long a judge without work sleeps before it looks into the ledger again.
const NAP: Duration = Duration::from_millis(100);

/// Where the walk over pending applications stands; one judge at a time goes on with it.
#[derive(Default)]
struct Walk {
    /// The edition of the registry that it asks, once it has begun.
    edition: Option<u64>,
    /// Ledgers still to be walked, the current one last.
    ledgers: Vec<Arc<dyn Ledger>>,
    /// Where it stands in the current one.
    place: Option<Position>,
}

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
        let walk = Arc::new(Mutex::new(Walk::default()));
        let threads = (0..count)
            .map(|_| {
                let (bench, stop, walk) = (bench.clone(), Arc::clone(&stop), Arc::clone(&walk));
                thread::Builder::new()
                    .name("judge".to_owned())
                    .spawn(move || bench.work_until(&stop, &walk))
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
    fn work_until(&self, stop: &AtomicBool, walk: &Mutex<Walk>) {
        while !stop.load(Ordering::Acquire) {
            let mut cases = self.urn.draw(CASES_MAX);
            if cases.is_empty() {
                cases = self.draw_from_ledgers();
            }
            if !cases.is_empty() {
                self.decide(cases);
            } else if !self.revise(walk) {
                self.urn.wait(NAP);
            }
        }
    }

    /// Cases that the urn had no room for, or that an earlier run left undecided.
    fn draw_from_ledgers(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for ledger in self.shelf.all() {
            cases.extend(
                ledger
                    .cases(CASES_MAX)
                    .into_iter()
                    .filter_map(|stored| self.case(ledger.campaign(), &stored)),
            );
        }
        cases
    }

    fn case(&self, campaign: Campaign, stored: &StoredCase) -> Option<Case> {
        let StoredCase { position, header, ref application } = *stored;
        if let Ok(application) = application::parse(application, self.rules) {
            return Some(Case {
                campaign,
                position,
                subject: header.subject,
                received_on: header.received_on,
                application: Box::new(application),
            });
        }
        let receipt = self.keys.receipt(campaign, position);
        tracing::error!(%receipt, "a durable application no longer parses: it stays as it is");
        None
    }

    /// Goes on with deciding pending applications again, once for every edition of the registry. Whether there was something
    /// to do; what is new always comes first.
    fn revise(&self, walk: &Mutex<Walk>) -> bool {
        let Ok(mut walk) = walk.try_lock() else { return false };
        let edition = self.registry.edition();
        if walk.edition != Some(edition) {
            *walk = Walk { edition: Some(edition), ledgers: self.shelf.all(), place: None };
        }
        let Some(ledger) = walk.ledgers.last().map(Arc::clone) else { return false };
        let PendingCases { cases, next } = ledger.pending(walk.place, CASES_MAX);
        walk.place = next;
        if next.is_none() {
            walk.ledgers.pop();
        }
        let cases = cases.iter().filter_map(|stored| self.case(ledger.campaign(), stored));
        let rulings: Vec<_> = cases
            .filter_map(|case| self.guarded(&case, Turn::Again))
            .filter(|ruling| ruling.outcome != Outcome::Pending)
            .collect();
        if !rulings.is_empty() {
            ledger.rule(rulings);
        }
        true
    }

    fn decide(&self, cases: Vec<Case>) {
        let mut rulings: HashMap<Campaign, Vec<Ruling>> = HashMap::new();
        for case in cases {
            if let Some(ruling) = self.guarded(&case, Turn::First) {
                rulings.entry(case.campaign).or_default().push(ruling);
            }
        }
        for (campaign, rulings) in rulings {
            if let Some(ledger) = self.shelf.get(campaign) {
                ledger.rule(rulings);
            }
        }
    }

    /// A panic of a rule is a bug of ours; it must cost this one case its decision and nobody else theirs.
    fn guarded(&self, case: &Case, turn: Turn) -> Option<Ruling> {
        let ruling = catch_unwind(AssertUnwindSafe(|| self.ruling(case, turn)));
        if ruling.is_err() {
            tracing::error!(campaign = %case.campaign, "a rule panicked: one application stays as it is until a restart");
        }
        ruling.ok()
    }

    fn ruling(&self, case: &Case, turn: Turn) -> Ruling {
        let answers = self.registry.answers(&case.application.applicant.fiscal_code);
        let decision = self.rules.decide_with(&case.application.facts, case.received_on, &answers);
        let sealed = self.keys.seal_decision(
            case.campaign,
            case.subject,
            (case.position, turn),
            &decision.to_json(),
        );
        Ruling { position: case.position, turn, outcome: decision.outcome, decision: sealed }
    }
}
