//! The engine of the ledgers.

use super::Settings;
#[cfg(feature = "postgres")]
use super::{
    list::{self, Postgres},
    path,
    setting::Value as _,
};
#[cfg(feature = "postgres")]
use crate::ledger::replicated;
use crate::ledger::{
    engines, group,
    local::{self, sqlite},
};

impl Settings {
    /// The engine of the ledgers, and its bounds.
    #[must_use]
    pub fn engine(&self) -> engines::Config {
        #[cfg(feature = "postgres")]
        if &*self.0.ledger.engine == list::POSTGRES {
            let Postgres { url, ca, certificate, key, password_file, .. } = &self.0.postgres;
            let &Postgres { readers_max, wait_ms_max, lease_seconds, .. } = &self.0.postgres;
            return engines::Config::Replicated(Box::new(replicated::Config {
                commit: self.ledger().commit,
                url: url.write(),
                ca: path(ca),
                certificate: path(certificate).zip(path(key)),
                password_file: path(password_file),
                readers_max,
                wait_ms_max,
                lease_seconds,
                decides: self.decides(),
            }));
        }
        engines::Config::Local(self.ledger())
    }

    /// Bounds of a ledger in files.
    #[must_use]
    pub fn ledger(&self) -> local::Config {
        let ledger = &self.0.ledger;
        local::Config {
            commit: group::Config {
                batch_records_max: ledger.batch_records_max,
                batch_bytes_max: ledger.batch_bytes_max,
                batch_wait_ms: ledger.batch_wait_ms,
                ruling_wait_ms: ledger.ruling_wait_ms,
                queue_messages_max: ledger.queue_messages_max,
            },
            files: sqlite::Bounds {
                wal_bytes_max: ledger.wal_bytes_max,
                readers_max: ledger.readers_max,
            },
            checkpoint_ms: ledger.checkpoint_ms,
        }
    }
}
