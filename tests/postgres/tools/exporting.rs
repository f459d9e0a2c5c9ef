//! `export` from the database.

use std::sync::Arc;

use sportello::{
    clock::Clock,
    ledger::{
        group,
        local::{Config, LocalEngine, sqlite},
        shelf::Engine,
    },
    urn::Urn,
};

use super::{Desk, Hand, done};
use crate::{
    cluster::Cluster,
    node::{CAMPAIGN, Node, keys},
};

/// Ledgers in the files of a data directory.
pub(super) fn files(data: &std::path::Path) -> LocalEngine {
    let commit = group::Config {
        batch_records_max: 64,
        batch_bytes_max: 1 << 20,
        batch_wait_ms: 1,
        ruling_wait_ms: 1,
        queue_messages_max: 1000,
    };
    let files = sqlite::Bounds { wal_bytes_max: 1 << 20, readers_max: 2 };
    let config = Config { commit, files, checkpoint_ms: 100 };
    let (urn, clock) = (Arc::new(Urn::new(64, 1)), Clock::standing_at(jiff::Timestamp::MIN));
    LocalEngine::take(&data.join("ledger"), keys(), urn, clock, config).unwrap()
}

#[test]
fn an_export_is_that_of_the_same_applications_in_files() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let node = Node::open(&cluster, "one", 20_000);
    Hand { ledger: &*node.ledger, runtime: &node.runtime }.fill(100);
    let data = desk.path("files");
    {
        let engine = files(&data);
        let ledger = engine.open(CAMPAIGN).unwrap();
        Hand { ledger: &*ledger, runtime: &node.runtime }.fill(100);
        ledger.close();
    }
    for format in ["ndjson", "csv"] {
        let export = ["export", "--format", format];
        let from_files = done(desk.on_files(&data, &export));
        // While the node runs.
        let from_database = done(desk.on_database(&export));
        assert_eq!(from_database, from_files);
        assert_eq!(from_database.lines().count(), if format == "csv" { 9 } else { 8 });
    }
    let commands = done(desk.on_database(&["audit", "--controls"]));
    assert_eq!(commands.matches(": export").count(), 2, "each export is recorded: {commands}");
}
