//! A row of the trail, and the file of a month of them.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{
    super::{
        fault::OpenFault,
        local::{
            files::{self, FileFormat},
            sqlite_fault::store_error,
        },
        proof::{Digest, trail_root},
    },
    chain::{Chained, End},
    month::Month,
    stored::{self, Stored},
};
use crate::vault::HouseKeys;

/// The table of the chain that this machine writes.
macro_rules! own_chain {
    () => {
        "
    CREATE TABLE trail (number INTEGER PRIMARY KEY, written_at INTEGER NOT NULL, events BLOB NOT NULL,
                        actors BLOB NOT NULL, control TEXT NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL) STRICT"
    };
}

/// The files of a month; see [`Stored::FORMATS`].
pub(in crate::ledger) static FORMATS: [FileFormat; 2] = [
    FileFormat { application_id: 0x5370_7461, version: 1, schema: own_chain!() },
    FileFormat {
        application_id: 0x5370_7461,
        version: 2,
        schema: concat!(
            own_chain!(),
            ";
    CREATE TABLE node_rows (number INTEGER NOT NULL, written_at INTEGER NOT NULL, events BLOB NOT NULL,
                            actors BLOB NOT NULL, control TEXT NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL,
                            node INTEGER NOT NULL, UNIQUE (node, number)) STRICT;
    CREATE TABLE node_ends (node INTEGER PRIMARY KEY, number INTEGER NOT NULL, root BLOB NOT NULL) STRICT"
        ),
    },
];

/// One row: some events, or one control action.
pub(in crate::ledger) struct TrailRow {
    pub(in crate::ledger) number: i64,
    pub(in crate::ledger) written_at: i64,
    pub(in crate::ledger) events: Vec<u8>,
    pub(in crate::ledger) actors: Vec<u8>,
    pub(in crate::ledger) control: String,
    pub(in crate::ledger) root: Digest,
    pub(in crate::ledger) signature: String,
}

impl TrailRow {
    /// An empty row.
    pub(in crate::ledger) fn at(at: Timestamp) -> Self {
        Self {
            number: 0,
            written_at: at.as_second(),
            events: Vec::new(),
            actors: Vec::new(),
            control: String::new(),
            root: Digest::default(),
            signature: String::new(),
        }
    }

    /// This row as the next one of a chain, whose end it becomes.
    pub(in crate::ledger) fn chained(mut self, end: &mut End, keys: &HouseKeys) -> Self {
        end.number += 1;
        end.root = self.root_after(&end.root);
        (self.number, self.root, self.signature) = (end.number, end.root, keys.sign(&end.root));
        self
    }

    /// The row with which a month begins: it holds the root that the month continues from.
    pub(in crate::ledger) fn first(at: Timestamp, root: Digest, keys: &HouseKeys) -> Self {
        Self { root, signature: keys.sign(&root), ..Self::at(at) }
    }
}

impl Stored for TrailRow {
    const CALLED: &'static str = "audit trail";
    const KIND: &'static str = "trail";
    const PREFIX: &'static str = "audit-";
    const FORMATS: &'static [FileFormat; 2] = &FORMATS;
    const TABLE: &'static str = "trail";
    const ROWS_AT_A_TIME: i64 = 1024;

    fn first_of_month(at: Timestamp, root: Digest, keys: &HouseKeys) -> Self {
        Self::first(at, root, keys)
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            written_at: row.get(1)?,
            events: row.get(2)?,
            actors: row.get(3)?,
            control: row.get(4)?,
            root: row.get(5)?,
            signature: row.get(6)?,
        })
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { number, written_at, events, actors, control, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO trail VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![number, written_at, events, actors, control, root, signature])?;
        Ok(())
    }

    #[cfg(feature = "postgres")]
    fn insert_of_node(&self, connection: &Connection, node: i32) -> rusqlite::Result<()> {
        let Self { number, written_at, events, actors, control, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO node_rows VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![number, written_at, events, actors, control, root, signature, node])?;
        Ok(())
    }
}

impl Chained for TrailRow {
    fn number(&self) -> i64 {
        self.number
    }

    fn signed(&self) -> (&Digest, &str) {
        (&self.root, &self.signature)
    }

    fn root_after(&self, previous: &Digest) -> Digest {
        trail_root(
            previous,
            self.written_at,
            &[&self.events, &self.actors, self.control.as_bytes()],
        )
    }
}

/// Records what an operator's command did; a server may be running.
///
/// # Errors
/// [`OpenFault`].
pub fn note_command(
    directory: &Path,
    keys: &HouseKeys,
    now: Timestamp,
    what: &str,
) -> Result<(), OpenFault> {
    // Opening rewrites the log, so only one process at a time may open or append.
    let lock = files::lock_commands(directory);
    let _lock =
        lock.map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
    let commands = Month::of_commands();
    let begins = || Ok(Digest::default());
    let (connection, ..) = stored::open::<TrailRow>(directory, &commands, (keys, now), begins)?;
    let path = commands.file_of(directory, TrailRow::PREFIX);
    let store = |source| store_error(&path, source);
    let transaction = connection.unchecked_transaction().map_err(store)?;
    let mut end = stored::end::<TrailRow>(&transaction).map_err(store)?.unwrap_or_default();
    let row = TrailRow { control: what.to_owned(), ..TrailRow::at(now) };
    row.chained(&mut end, keys).insert(&transaction).map_err(store)?;
    transaction.commit().map_err(store)
}
