//! Judges: threads that draw applications from the urn, run the pure rules and hand the decisions to the committer.

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
        receipt::ReceiptCode,
        shelf::Shelf,
    },
    registry::Registry,
    schemes::{Campaign, Outcome, Rules},
    urn::{self, Urn},
    vault::HouseKeys,
};

/// Cases that a judge draws together, and decisions that it hands over together.
const CASES_MAX: usize = urn::DRAW_MAX;
/// How long an idle judge waits for the urn before it looks for a newer edition of the registry.
const NAP: Duration = Duration::from_secs(2);

/// Progress of the walk over pending applications; one judge at a time advances it.
#[derive(Default)]
struct Walk {
    /// The edition of the registry that this walk uses; `None` before the first walk.
    edition: Option<u64>,
    /// Ledgers not walked yet, the current one last.
    ledgers: Vec<Arc<dyn Ledger>>,
    /// The next position in the current ledger; `None` at its start.
    place: Option<Position>,
}

/// What a judge needs.
#[derive(Clone)]
pub struct Bench {
    /// Where cases come from.
    pub urn: Arc<Urn<Case>>,
    /// Holds the cases for which the urn has no room, and takes the decisions.
    pub shelf: Arc<Shelf>,
    /// Seals the decisions.
    pub keys: Arc<HouseKeys>,
    /// The rules.
    pub rules: &'static Rules,
    /// What the institute knows itself.
    pub registry: Arc<dyn Registry>,
}

/// The judges' threads, until [`stop`](Self::stop).
pub struct Judges {
    threads: Vec<thread::JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    urn: Arc<Urn<Case>>,
}

impl Judges {
    /// Starts `count` judges.
    ///
    /// # Errors
    /// The system gave no thread.
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
        Ok(Self { threads, stop, urn: Arc::clone(&bench.urn) })
    }

    /// Waits until each judge has handed over its cases. What is left in the urn stays undecided in the ledger, and is
    /// drawn after the next start.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.urn.ring(self.threads.len() * urn::DRAW_MAX);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a judge panicked and has ended");
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

    /// Cases for which the urn had no room, or that an earlier process left undecided.
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
        let receipt = ReceiptCode::of(&self.keys, campaign, position);
        tracing::error!(%receipt, "a stored application does not parse: it stays undecided");
        None
    }

    /// Decides the next pending applications again, each once for every edition of the registry. Called only while no
    /// case is new; `false` if nothing is left to walk or another judge is walking.
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

    /// Catches a panic of the rules: a bug of ours leaves this one case undecided and no other.
    fn guarded(&self, case: &Case, turn: Turn) -> Option<Ruling> {
        let ruling = catch_unwind(AssertUnwindSafe(|| self.ruling(case, turn)));
        if ruling.is_err() {
            let campaign = case.campaign;
            tracing::error!(%campaign, "a rule panicked: one application stays undecided until a restart");
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
