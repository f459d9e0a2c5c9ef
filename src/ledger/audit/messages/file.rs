//! The file of one month of messages.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::super::{
    super::{
        fault::OpenFault,
        local::{
            files::{self, FileFormat, reading},
            sqlite_fault::store_error,
        },
        proof::{Digest, trail_root},
    },
    chain::{Chain, Chained, End},
    month::Month,
};
use crate::vault::{HouseKeys, Subject};

pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_6d73,
    version: 1,
    schema: "
    CREATE TABLE message (number INTEGER PRIMARY KEY, written_at INTEGER NOT NULL, handle TEXT NOT NULL,
                          owner BLOB NOT NULL, sealed BLOB NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
    CREATE INDEX message_by_handle ON message (handle);
    CREATE INDEX message_by_owner ON message (owner)",
};
/// Full months for which messages are kept besides the current one. SPID and CIE ask for 24 months and allow no longer
/// use, so it is no setting.
pub(in crate::ledger) const MONTHS_KEPT: u64 = 24;
/// Rows take several kilobytes each, so few are copied at a time.
const CHAIN: Chain = Chain { table: "message", copied_at_a_time: 512 };
const PREFIX: &str = "messages-";

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

    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { number, written_at, handle, owner, sealed, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![number, written_at, handle, owner.0, sealed, root, signature])?;
        Ok(())
    }

    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
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

/// The months that have a file, oldest first.
pub(in crate::ledger) fn months(directory: &Path) -> Result<Vec<Month>, OpenFault> {
    Month::all_of(directory, PREFIX)
}

/// Opens the file of a month for its only writer: number and root of its last row. A new file begins with a row that holds
/// the root it continues from.
pub(super) fn open(
    directory: &Path,
    month: &Month,
    keys: &HouseKeys,
    now: Timestamp,
) -> Result<(Connection, End), OpenFault> {
    let path = month.file_of(directory, PREFIX);
    let connection = FORMAT.open(directory, &path)?;
    let store = |source| store_error(&path, source);
    if CHAIN.last(&connection).map_err(store)?.is_none() {
        let earlier = months(directory)?.into_iter().rev().find(|earlier| earlier < month);
        let root = match &earlier {
            Some(earlier) => {
                let source = earlier.file_of(directory, PREFIX);
                let last = reading(&source).and_then(|earlier| CHAIN.last(&earlier));
                let last = last.map_err(|fault| store_error(&source, fault))?;
                last.map_or_else(Digest::default, |(_, root, _)| root)
            }
            None => Digest::default(),
        };
        MessageRow::first(now, root, keys).insert(&connection).map_err(store)?;
    }
    let (number, root, signature) = CHAIN.last(&connection).map_err(store)?.unwrap_or_default();
    if !keys.has_signed(&root, &signature) {
        return Err(OpenFault::OtherKey { path });
    }
    Ok((connection, End { number, root }))
}

/// Opens the file of a month for reading; a server may be writing it.
pub(super) fn read(directory: &Path, month: &Month) -> rusqlite::Result<Connection> {
    reading(&month.file_of(directory, PREFIX))
}

/// Removes the months that are older than the retention.
pub(super) fn retire(directory: &Path, now: Timestamp) -> Result<(), OpenFault> {
    let oldest = Month::before(now, MONTHS_KEPT);
    for month in months(directory)?.into_iter().filter(|month| *month < oldest) {
        let path = month.file_of(directory, PREFIX);
        files::remove(&path).map_err(|source| OpenFault::Directory { path, source })?;
        tracing::info!(%month, "messages of identity providers are older than the retention: removed");
    }
    Ok(())
}

/// Copies the rows that `main` lacks of the attached schema `source`; see [`backup`](crate::ledger::backup).
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    CHAIN.copy(connection, progress)
}
