//! The file of one month of messages.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{
    super::{
        fault::OpenFault,
        local::files::FileFormat,
        proof::{Digest, trail_root},
    },
    chain::{Chained, End},
    month::Month,
    stored::{self, Stored},
};
use crate::vault::{HouseKeys, Subject};

/// The table of the chain that this machine writes.
macro_rules! own_chain {
    () => {
        "
    CREATE TABLE message (number INTEGER PRIMARY KEY, written_at INTEGER NOT NULL, handle TEXT NOT NULL,
                          owner BLOB NOT NULL, sealed BLOB NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
    CREATE INDEX message_by_handle ON message (handle);
    CREATE INDEX message_by_owner ON message (owner)"
    };
}

/// The files of a month; see [`Stored::FORMATS`].
pub(in crate::ledger) static FORMATS: [FileFormat; 2] = [
    FileFormat { application_id: 0x5370_6d73, version: 1, schema: own_chain!() },
    FileFormat {
        application_id: 0x5370_6d73,
        version: 2,
        schema: concat!(
            own_chain!(),
            ";
    CREATE TABLE node_rows (number INTEGER NOT NULL, written_at INTEGER NOT NULL, handle TEXT NOT NULL,
                            owner BLOB NOT NULL, sealed BLOB NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL,
                            node INTEGER NOT NULL, UNIQUE (node, number)) STRICT;
    CREATE INDEX node_rows_by_handle ON node_rows (handle);
    CREATE INDEX node_rows_by_owner ON node_rows (owner);
    CREATE TABLE node_ends (node INTEGER PRIMARY KEY, number INTEGER NOT NULL, root BLOB NOT NULL) STRICT"
        ),
    },
];
/// Full months for which messages are kept besides the current one. SPID and CIE ask for 24 months and allow no longer
/// use, so it is no setting.
pub(in crate::ledger) const MONTHS_KEPT: u64 = 24;

/// One attempt to sign in, as it is stored.
pub(in crate::ledger) struct MessageRow {
    pub(in crate::ledger) number: i64,
    pub(in crate::ledger) written_at: i64,
    pub(in crate::ledger) handle: String,
    /// For whom it is sealed.
    pub(in crate::ledger) owner: Subject,
    pub(in crate::ledger) sealed: Vec<u8>,
    pub(in crate::ledger) root: Digest,
    pub(in crate::ledger) signature: String,
}

impl MessageRow {
    /// The row with which a month begins: it holds the root that the month continues from.
    pub(in crate::ledger) fn first(at: Timestamp, root: Digest, keys: &HouseKeys) -> Self {
        Self {
            number: 0,
            written_at: at.as_second(),
            handle: String::new(),
            owner: Subject([0; 16]),
            sealed: Vec::new(),
            root,
            signature: keys.sign(&root),
        }
    }

    /// This row as the next one of a chain, whose end it becomes.
    pub(in crate::ledger) fn chained(mut self, end: &mut End, keys: &HouseKeys) -> Self {
        end.number += 1;
        end.root = self.root_after(&end.root);
        (self.number, self.root, self.signature) = (end.number, end.root, keys.sign(&end.root));
        self
    }
}

impl Stored for MessageRow {
    const CALLED: &'static str = "messages";
    const KIND: &'static str = "messages";
    const PREFIX: &'static str = "messages-";
    const FORMATS: &'static [FileFormat; 2] = &FORMATS;
    const TABLE: &'static str = "message";
    // Rows take several kilobytes each.
    const ROWS_AT_A_TIME: i64 = 512;

    fn first_of_month(at: Timestamp, root: Digest, keys: &HouseKeys) -> Self {
        Self::first(at, root, keys)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            written_at: row.get(1)?,
            handle: row.get(2)?,
            owner: Subject(row.get(3)?),
            sealed: row.get(4)?,
            root: row.get(5)?,
            signature: row.get(6)?,
        })
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { number, written_at, handle, owner, sealed, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![number, written_at, handle, owner.0, sealed, root, signature])?;
        Ok(())
    }

    #[cfg(feature = "postgres")]
    fn insert_of_node(&self, connection: &Connection, node: i32) -> rusqlite::Result<()> {
        let Self { number, written_at, handle, owner, sealed, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO node_rows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![number, written_at, handle, owner.0, sealed, root, signature, node])?;
        Ok(())
    }
}

impl Chained for MessageRow {
    fn number(&self) -> i64 {
        self.number
    }

    fn signed(&self) -> (&Digest, &str) {
        (&self.root, &self.signature)
    }

    fn root_after(&self, previous: &Digest) -> Digest {
        let parts = [self.handle.as_bytes(), &self.owner.0, &self.sealed];
        trail_root(previous, self.written_at, &parts)
    }
}

/// Opens the file of a month for its only writer: number and root of its last row. A new chain begins with a row that holds
/// the root it continues from.
pub(super) fn open(
    directory: &Path,
    month: &Month,
    keys: &HouseKeys,
    now: Timestamp,
) -> Result<(Connection, End), OpenFault> {
    let previous = || stored::last_root::<MessageRow>(directory, month);
    stored::open::<MessageRow>(directory, month, (keys, now), previous)
}

/// Removes the months that are older than the retention.
pub(super) fn retire(directory: &Path, now: Timestamp) -> Result<(), OpenFault> {
    let oldest = Month::before(now, MONTHS_KEPT);
    let months = stored::months::<MessageRow>(directory)?;
    for month in months.into_iter().filter(|month| *month < oldest) {
        month.remove(directory, MessageRow::PREFIX)?;
        tracing::info!(%month, "messages of identity providers are older than the retention: removed");
    }
    Ok(())
}
