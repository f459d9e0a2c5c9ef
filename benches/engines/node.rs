//! A node of a ledger, as a server opens it, and the crowd in front of it.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use jiff::{Timestamp, civil::date};
use sportello::{
    application::{self, Application},
    civic::FiscalCode,
    clock::Clock,
    judges::{Bench, Judges},
    ledger::{
        Ledger,
        book::{
            record::Header,
            submission::{Disposition, Submission},
        },
        proof::sha256,
        shelf::Shelf,
    },
    registry::Silence,
    schemes::{Campaign, Rules, Scheme},
    urn::Urn,
    vault::HouseKeys,
};

use crate::{
    Outcome,
    ground::{Engine, Ground},
};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// Batches that are under way at a node: one is written while the next one waits.
const DEPTH: usize = 2;
/// Cases that wait for judges in memory.
const URN: usize = 8192;

/// An open ledger, with a judge if it decides.
pub(crate) struct Node {
    shelf: Arc<Shelf>,
    judges: Option<Judges>,
}

impl Node {
    /// The nodes of an engine.
    pub(crate) fn open_all(
        ground: &Ground,
        engine: Engine,
        batch: usize,
        decides: bool,
    ) -> Outcome<Vec<Self>> {
        (0..engine.nodes()).map(|_| Self::open(ground, engine, batch, decides)).collect()
    }

    fn open(ground: &Ground, engine: Engine, batch: usize, decides: bool) -> Outcome<Self> {
        let (keys, urn) = (Arc::new(keys()), Arc::new(Urn::new(URN, 1)));
        let clock = Clock::standing_at(Timestamp::UNIX_EPOCH);
        let config = ground.config(engine, batch, decides);
        let directory = ground.directory(engine);
        let stores = config.open(&directory, Arc::clone(&keys), Arc::clone(&urn), clock)?;
        let shelf = Arc::new(Shelf::over(stores));
        shelf.open(CAMPAIGN)?;
        let (rules, registry) = (Rules::builtin(), Arc::new(Silence));
        let bench = Bench { urn, shelf: Arc::clone(&shelf), keys, rules, registry };
        let judges = decides.then(|| Judges::start(1, &bench)).transpose()?;
        Ok(Self { shelf, judges })
    }

    fn ledger(&self) -> Arc<dyn Ledger> {
        self.shelf.get(CAMPAIGN).expect("it was opened")
    }

    /// Accepted and decided applications of all nodes; those of others are learned every two seconds.
    pub(crate) fn counts(&self) -> [u64; 2] {
        let tally = self.ledger().tally();
        [tally.accepted.iter().sum(), tally.decided.iter().sum()]
    }

    pub(crate) fn close(self) {
        if let Some(judges) = self.judges {
            judges.stop();
        }
        self.shelf.close();
    }
}

/// The applications that a node takes, in batches.
pub(crate) type Batches = Vec<Vec<Submission>>;

/// Applications of new people, made before the clock runs.
pub(crate) struct People {
    keys: HouseKeys,
    text: String,
    application: Application,
    next: u64,
}

impl People {
    pub(crate) fn new() -> Self {
        let text = application::example(&FiscalCode::made_up(0), 2024);
        let application = application::parse(text.as_bytes(), Rules::builtin()).ok();
        Self { keys: keys(), text, application: application.expect("an example"), next: 0 }
    }

    /// The batches of each of so many nodes.
    pub(crate) fn come(&mut self, nodes: usize, batches: usize, batch: usize) -> Vec<Batches> {
        let mut one = || (0..batch).map(|_| self.apply()).collect();
        (0..nodes).map(|_| (0..batches).map(|_| one()).collect()).collect()
    }

    fn apply(&mut self) -> Submission {
        let (keys, bytes) = (&self.keys, self.text.as_bytes());
        let subject = keys.subject(&FiscalCode::made_up(self.next));
        self.next += 1;
        let header = Header::of_citizen(subject, date(2024, 9, 16));
        let key = keys.key_hash(subject, b"chosen", b"key");
        Submission::sealed(keys, &header, key, sha256(bytes), bytes, self.application.clone())
    }
}

/// Lets every node take its batches, and returns how long all took together, and how long each batch waited.
pub(crate) fn submit(nodes: &[Node], batches: Vec<Batches>) -> (Duration, Vec<Duration>) {
    let started = Instant::now();
    let waits = thread::scope(|scope| {
        let submitting = nodes.iter().zip(batches);
        let submitting: Vec<_> = submitting
            .map(|(node, batches)| scope.spawn(move || submit_to(&*node.ledger(), batches)))
            .collect();
        submitting.into_iter().flat_map(|node| node.join().expect("no panic")).collect()
    });
    (started.elapsed(), waits)
}

fn submit_to(ledger: &dyn Ledger, batches: Batches) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let under_way = stream::iter(batches).map(|batch| async move {
        let started = Instant::now();
        let dispositions = ledger.submit(batch).await.expect("the ledger is well");
        let are_new = dispositions.iter().all(|one| matches!(one, Disposition::Accepted(..)));
        assert!(are_new, "everybody applies once");
        started.elapsed()
    });
    runtime.expect("a runtime").block_on(under_way.buffer_unordered(DEPTH).collect())
}

fn keys() -> HouseKeys {
    HouseKeys::from_master(&[7; 32])
}
