//! Where ledgers are kept: a directory, and a cluster of PostgreSQL.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use cluster::{Cluster, Setup, cpu_with_children};
use sportello::{
    ledger::{
        engines, group,
        local::{self, sqlite},
        replicated,
    },
    private_files::write_private,
};
use tempfile::TempDir;

use crate::Outcome;

/// Servers of the database.
pub(crate) const SERVERS: [&str; 3] = ["a", "b", "c"];

/// An engine, with a number of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Files,
    Database { nodes: usize },
}

impl Engine {
    pub(crate) fn nodes(self) -> usize {
        match self {
            Self::Files => 1,
            Self::Database { nodes } => nodes,
        }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Files => "files".to_owned(),
            Self::Database { nodes: 1 } => "database, 1 node".to_owned(),
            Self::Database { nodes } => format!("database, {nodes} nodes"),
        }
    }
}

/// The cluster, and a directory; both are removed when it is dropped.
pub(crate) struct Ground {
    cluster: Cluster,
    place: TempDir,
    /// Of the directory of the next node.
    number: AtomicU64,
}

impl Ground {
    pub(crate) fn open() -> Outcome<Self> {
        let cluster = Cluster::open(Setup { is_large: true, ..Setup::default() })?;
        let place = tempfile::tempdir()?;
        let access = cluster.access();
        write_private(&place.path().join("password"), access.password.as_bytes())?;
        fs::write(place.path().join("authority.crt"), &access.authority)?;
        Ok(Self { cluster, place, number: AtomicU64::new(0) })
    }

    /// The directory of the ledgers in files, or one for a new node of the database.
    pub(crate) fn directory(&self, engine: Engine) -> PathBuf {
        match engine {
            Engine::Files => self.place.path().join("files"),
            Engine::Database { .. } => {
                let number = self.number.fetch_add(1, Ordering::Relaxed);
                self.place.path().join(format!("node-{number}"))
            }
        }
    }

    /// The settings of a node that commits batches of so many records; all others are as they are by default.
    pub(crate) fn config(
        &self,
        engine: Engine,
        batch_records_max: usize,
        decides: bool,
    ) -> engines::Config {
        let commit = group::Config {
            batch_records_max,
            batch_bytes_max: 1 << 20,
            batch_wait_ms: 1,
            ruling_wait_ms: 20,
            queue_messages_max: 4096,
        };
        match engine {
            Engine::Files => engines::Config::Local(local::Config {
                commit,
                files: sqlite::Bounds { wal_bytes_max: 32 << 20, readers_max: 2 },
                checkpoint_ms: 500,
            }),
            Engine::Database { .. } => {
                let (place, access) = (self.place.path(), self.cluster.access());
                let servers =
                    access.addresses.iter().map(|address| format!("{address}:{}", access.port));
                let servers = servers.collect::<Vec<_>>().join(",");
                engines::Config::Replicated(Box::new(replicated::Config {
                    commit,
                    url: format!("postgres://{}@{servers}/{}", access.user, access.database),
                    ca: Some(place.join("authority.crt")),
                    certificate: None,
                    password_file: Some(place.join("password")),
                    readers_max: 4,
                    wait_ms_max: 20_000,
                    lease_seconds: 60,
                    decides,
                }))
            }
        }
    }

    /// CPU time until now of this process, of the primary, and of the standbys.
    pub(crate) fn cpu(&self) -> Outcome<[Duration; 3]> {
        let [primary, one, other] = SERVERS.map(|name| self.cluster.node(name).cpu());
        Ok([cpu_with_children(std::process::id()), primary?, one? + other?])
    }

    /// Rows of a statement at the primary.
    pub(crate) fn sql(&self, statement: &str) -> Outcome<String> {
        Ok(self.cluster.node(SERVERS[0]).sql_in(&self.cluster.access().database, statement)?)
    }
}
