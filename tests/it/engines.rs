//! The contracts of a ledger, of drafts and of mandates, on the engine of one machine.

use std::sync::Arc;

use sportello::{
    clock::Clock,
    ledger::{
        group,
        local::{Config, LocalEngine, drafts::LocalDrafts, mandates::LocalMandates, sqlite},
    },
    urn::Urn,
    vault::HouseKeys,
};

use crate::{contract, contract_of_drafts, contract_of_mandates};

#[test]
fn files_keep_the_contract_of_a_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let commit = group::Config {
        batch_records_max: 64,
        batch_bytes_max: 1 << 20,
        batch_wait_ms: 1,
        ruling_wait_ms: 1,
        queue_messages_max: 1000,
    };
    let files = sqlite::Bounds { wal_bytes_max: 1 << 20, readers_max: 2 };
    contract::holds(&|_| {
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        let (urn, clock) = (Arc::new(Urn::new(64, 1)), Clock::standing_at(jiff::Timestamp::MIN));
        let config = Config { commit, files, checkpoint_ms: 100 };
        Box::new(LocalEngine::take(directory.path(), keys, urn, clock, config).unwrap())
    });
}

#[test]
fn files_keep_the_contract_of_drafts() {
    let directory = tempfile::tempdir().unwrap();
    contract_of_drafts::holds(&|_| {
        let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
        Box::new(LocalDrafts::open(directory.path(), keys).unwrap())
    });
}

#[test]
fn files_keep_the_contract_of_mandates() {
    let directory = tempfile::tempdir().unwrap();
    contract_of_mandates::holds(&|| {
        let registry = contract_of_mandates::registry(directory.path());
        let (keys, centers) = (contract_of_mandates::keys(), contract_of_mandates::centers());
        let own = (keys, centers.as_slice());
        Box::new(LocalMandates::open(directory.path(), own, Some(registry)).unwrap())
    });
}
