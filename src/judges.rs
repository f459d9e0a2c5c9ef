//! Judges: threads that draw applications from the urn, decide them by the pure rules and hand the decisions to the
//! ledger.

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
    clock::Stopwatch,
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
/// Longest time that an idle judge waits for the urn before it checks for a newer edition of the registry.
const IDLE_WAIT: Duration = Duration::from_secs(5);

/// Progress of the walk over pending applications; one judge at a time advances it.
#[derive(Default)]
struct Walk {
    /// The registry's edition for which this walk decides again; `None` before the first walk.
    edition: Option<u64>,
    /// Ledgers not walked yet, the current one last.
    ledgers: Vec<Arc<dyn Ledger>>,
    /// The next position in the current ledger; `None` at its start.
    next: Option<Position>,
}

/// What judges work with.
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

/// The running judges. They run until [`stop`](Self::stop), also if this is dropped.
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

    /// Ends the judges; each hands over its current decisions first. Cases that remain in the urn stay undecided in the
    /// ledger and are drawn after the next start.
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
                self.urn.wait(IDLE_WAIT);
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
                recording: None,
            });
        }
        let receipt = ReceiptCode::of(&self.keys, campaign, position);
        tracing::error!(%receipt, "a stored application does not parse: it stays undecided");
        None
    }

    /// Decides the next pending applications again, each once per edition of the registry. Called only while there is
    /// no new case. False if none is left, or if another judge is doing this.
    fn revise(&self, walk: &Mutex<Walk>) -> bool {
        let Ok(mut walk) = walk.try_lock() else { return false };
        let edition = self.registry.edition();
        if walk.edition != Some(edition) {
            *walk = Walk { edition: Some(edition), ledgers: self.shelf.all(), next: None };
        }
        let Some(ledger) = walk.ledgers.last().map(Arc::clone) else { return false };
        let PendingCases { cases, next } = ledger.pending(walk.next, CASES_MAX);
        walk.next = next;
        if next.is_none() {
            walk.ledgers.pop();
        }
        let cases = cases.iter().filter_map(|stored| self.case(ledger.campaign(), stored));
        let rulings: Vec<_> = cases
            .filter_map(|case| self.ruling_unless_panic(&case, Turn::Again))
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
            if let Some(ruling) = self.ruling_unless_panic(&case, Turn::First) {
                rulings.entry(case.campaign).or_default().push(ruling);
            }
        }
        for (campaign, rulings) in rulings {
            if let Some(ledger) = self.shelf.get(campaign) {
                ledger.rule(rulings);
            }
        }
    }

    /// Decides a case; `None` if the rules panic, so that a bug leaves this one case undecided and no other.
    fn ruling_unless_panic(&self, case: &Case, turn: Turn) -> Option<Ruling> {
        let begun = case.recording.as_ref().map(|recording| (recording, Stopwatch::start()));
        let ruling = catch_unwind(AssertUnwindSafe(|| self.ruling(case, turn)));
        if let Some((recording, begun)) = begun {
            recording.decided(begun);
        }
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
