//! A node of the ledger: the engine alone, as a server opens it.

use std::sync::Arc;

use jiff::civil::Date;
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    ledger::{
        Case, Ledger, OpenFault,
        book::{
            record::{Channel, Header},
            submission::{Disposition, Submission},
        },
        fault::CommitFault,
        group,
        proof::sha256,
        replicated::{Config, ReplicatedEngine},
        shelf::Engine as _,
    },
    schemes::{Campaign, Rules, Scheme},
    urn::Urn,
    vault::{HouseKeys, Subject},
};

use crate::cluster::Cluster;

pub(crate) const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
pub(crate) const DAY: Date = jiff::civil::date(2024, 9, 16);

/// An open ledger.
pub(crate) struct Node {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) urn: Arc<Urn<Case>>,
    pub(crate) runtime: tokio::runtime::Runtime,
    _engine: ReplicatedEngine,
}

/// The settings of a node of `cluster`, which waits so long for it.
pub(crate) fn config(cluster: &Cluster, wait_ms_max: u64) -> Config {
    Config {
        commit: group::Config {
            batch_records_max: 64,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 1,
            ruling_wait_ms: 1,
            queue_messages_max: 1000,
        },
        url: cluster.url(),
        ca: None,
        certificate: None,
        password_file: None,
        readers_max: 2,
        wait_ms_max,
        lease_seconds: 2,
        decides: true,
    }
}

pub(crate) fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

/// An engine, or why it cannot be opened.
pub(crate) fn engine(
    cluster: &Cluster,
    name: &str,
    urn: Arc<Urn<Case>>,
    wait_ms_max: u64,
) -> Result<ReplicatedEngine, OpenFault> {
    let clock = Clock::standing_at(DAY.at(12, 0, 0, 0).in_tz("Europe/Rome").unwrap().timestamp());
    let config = config(cluster, wait_ms_max);
    ReplicatedEngine::connect(&cluster.directory(name), keys(), urn, clock, config)
}

impl Node {
    /// Opens the ledger in `cluster`; answers are waited for so long.
    pub(crate) fn open(cluster: &Cluster, name: &str, wait_ms_max: u64) -> Self {
        // Shown if the test fails.
        let _told = tracing_subscriber::fmt().with_test_writer().try_init();
        let urn = Arc::new(Urn::new(64, 1));
        let engine = engine(cluster, name, Arc::clone(&urn), wait_ms_max).unwrap();
        let ledger = engine.open(CAMPAIGN).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { ledger, urn, runtime, _engine: engine }
    }

    pub(crate) fn submit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Disposition>, CommitFault> {
        self.runtime.block_on(self.ledger.submit(submissions))
    }

    /// Submits one application, and says what became of it.
    pub(crate) fn submit_one(&self, submission: Submission) -> Result<Disposition, CommitFault> {
        self.submit(vec![submission]).map(|mut dispositions| dispositions.remove(0))
    }
}

pub(crate) fn body(person: u64, version: u64) -> String {
    application::example(&FiscalCode::made_up(person), 2024)
        .replace("mario", &format!("mail{version}"))
}

pub(crate) fn subject(person: u64) -> Subject {
    keys().subject(&FiscalCode::made_up(person))
}

/// The application of a citizen.
pub(crate) fn submission(person: u64, key: u64, version: u64) -> Submission {
    let header = Header::of_citizen(subject(person), DAY);
    sealed(&header, person, key, version)
}

/// An application that an office hands in for a person.
pub(crate) fn filing(office: &str, person: u64, key: u64, version: u64) -> Submission {
    let office = keys().office(office);
    let subject = subject(person);
    let (received_on, actor) = (DAY, office);
    let channel = Channel::Intermediary;
    sealed(
        &Header { channel, received_on, subject, principal: office, actor },
        person,
        key,
        version,
    )
}

fn sealed(header: &Header, person: u64, key: u64, version: u64) -> Submission {
    let (keys, bytes) = (keys(), body(person, version));
    let key = keys.key_hash(header.principal, b"chosen", &key.to_be_bytes());
    let application = application::parse(bytes.as_bytes(), Rules::builtin()).unwrap();
    let digest = sha256(bytes.as_bytes());
    Submission::sealed(&keys, header, key, digest, bytes.as_bytes(), application)
}

/// What became of a submission, in a word.
pub(crate) fn word(answer: &Result<Disposition, CommitFault>) -> &'static str {
    match answer {
        Ok(Disposition::Accepted(..)) => "accepted",
        Ok(Disposition::Replayed(_)) => "replayed",
        Ok(Disposition::KeyReused) => "key reused",
        Ok(Disposition::AlreadyApplied(_)) => "already applied",
        Ok(Disposition::Exhausted) => "exhausted",
        Ok(Disposition::NotNew) => "not new",
        Err(CommitFault::Busy) => "busy",
        Err(CommitFault::Away) => "away",
        Err(CommitFault::Storage) => "storage",
        Err(CommitFault::NoRoom) => "no room",
    }
}
