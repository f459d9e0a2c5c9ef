//! The file of a campaign: its name and its tables.

use std::path::{Path, PathBuf};

use super::super::files::FileFormat;
use crate::schemes::Campaign;

/// The tables of a ledger that was written here.
macro_rules! tables {
    () => {
        "
    CREATE TABLE IF NOT EXISTS records   (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS decisions (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS batches   (number INTEGER PRIMARY KEY, first INTEGER NOT NULL, written_at INTEGER NOT NULL,
                                          entries BLOB NOT NULL, changes BLOB NOT NULL,
                                          root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
"
    };
}

/// A ledger that was written here, and one that was gathered from several nodes of a replicated ledger.
///
/// In the latter, the first batches are those of the nodes, sorted by their first positions, and the last of them have
/// changes only. Each has a row in `links`: which batch of which chain it is. `chains` has the end of each. Positions that no
/// batch has were reserved and never written. Batches that are written here afterwards are a chain of their own.
pub(in crate::ledger) static FORMATS: [FileFormat; 2] = [
    FileFormat { application_id: 0x5370_746c, version: 2, schema: tables!() },
    FileFormat {
        application_id: 0x5370_746c,
        version: 3,
        schema: concat!(
            tables!(),
            "
    CREATE TABLE links  (batch INTEGER PRIMARY KEY, chain INTEGER NOT NULL, number INTEGER NOT NULL,
                         UNIQUE (chain, number)) STRICT;
    CREATE TABLE chains (chain INTEGER PRIMARY KEY, batches INTEGER NOT NULL, root BLOB NOT NULL) STRICT;
"
        ),
    },
];
/// The file of a campaign below the ledgers' directory.
#[must_use]
pub fn file_of(directory: &Path, campaign: Campaign) -> PathBuf {
    directory.join(format!("{campaign}.sqlite"))
}
