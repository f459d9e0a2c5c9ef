//! The file of one month of the trail.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{
    super::{
        fault::OpenFault,
        local::{
            files::{self, FileFormat, reading},
            sqlite_fault::store_error,
        },
        proof::{Digest, trail_root},
    },
    chain::{Chain, Chained, End},
};
use crate::{civic::local_time, vault::HouseKeys};

pub(in crate::ledger) const FORMAT: FileFormat = FileFormat {
    application_id: 0x5370_7461,
    version: 1,
    schema: "
    CREATE TABLE trail (number INTEGER PRIMARY KEY, written_at INTEGER NOT NULL, events BLOB NOT NULL,
                        actors BLOB NOT NULL, control TEXT NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL) STRICT",
};
const CHAIN: Chain = Chain { table: "trail", copied_at_a_time: 4096 };
/// The chain of what commands did. Commands write while a server runs, so they have a file of their own.
const COMMANDS: &str = "commands";
const PREFIX: &str = "audit-";
const SUFFIX: &str = ".sqlite";

/// A month of the trail, by its name `YYYY-MM`, which sorts by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct Month(String);

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

impl Month {
    pub(in crate::ledger) fn of(at: Timestamp) -> Self {
        Self(local_time::date_at(at).strftime("%Y-%m").to_string())
    }

    /// What commands did, which is no month.
    pub(in crate::ledger) fn of_commands() -> Self {
        Self(COMMANDS.to_owned())
    }

    /// The month with this name.
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name.
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn as_str(&self) -> &str {
        &self.0
    }

    /// The month that is `months` before the one of `at`.
    pub(in crate::ledger) fn before(at: Timestamp, months: u64) -> Self {
        let first = local_time::date_at(at).first_of_month();
        let earlier =
            first.saturating_sub(jiff::Span::new().months(months.min(MONTHS_MAX).cast_signed()));
        Self(earlier.strftime("%Y-%m").to_string())
    }

    /// Whether it continues the chain of the month before, as all but the chain of commands do.
    pub(in crate::ledger) fn is_chained(&self) -> bool {
        self.0 != COMMANDS
    }

    fn file(&self, directory: &Path) -> PathBuf {
        self.file_of(directory, PREFIX)
    }

    /// The file of this month whose name begins with `prefix`.
    pub(super) fn file_of(&self, directory: &Path, prefix: &str) -> PathBuf {
        directory.join(format!("{prefix}{}{SUFFIX}", self.0))
    }

    /// The months in the directory, oldest first.
    pub(super) fn all(directory: &Path) -> Result<Vec<Self>, OpenFault> {
        Self::all_of(directory, PREFIX)
    }

    /// The months that have a file whose name begins with `prefix`, oldest first.
    pub(super) fn all_of(directory: &Path, prefix: &str) -> Result<Vec<Self>, OpenFault> {
        let fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let mut months = Vec::new();
        for file in fs::read_dir(directory).map_err(fault)? {
            let name = file.map_err(fault)?.file_name().into_string().unwrap_or_default();
            if let Some(month) =
                name.strip_prefix(prefix).and_then(|name| name.strip_suffix(SUFFIX))
            {
                months.push(Self(month.to_owned()));
            }
        }
        months.sort();
        Ok(months)
    }

    /// Opens the month for its only writer. A new file begins with a row that holds the root it continues from.
    pub(super) fn open(
        &self,
        directory: &Path,
        keys: &HouseKeys,
        previous_root: Digest,
        now: Timestamp,
    ) -> Result<(Connection, End), OpenFault> {
        let path = self.file(directory);
        let connection = FORMAT.open(directory, &path)?;
        let store = |source| store_error(&path, source);
        if CHAIN.last(&connection).map_err(store)?.is_none() {
            TrailRow::first(now, previous_root, keys).insert(&connection).map_err(store)?;
        }
        let (number, root, signature) = CHAIN.last(&connection).map_err(store)?.unwrap_or_default();
        if !keys.has_signed(&root, &signature) {
            return Err(OpenFault::OtherKey { path });
        }
        Ok((connection, End { number, root }))
    }

    /// The last root of the month, from which the next one continues.
    pub(super) fn last_root(&self, directory: &Path) -> Result<Digest, OpenFault> {
        let path = self.file(directory);
        let last = self.read(directory).and_then(|connection| CHAIN.last(&connection));
        Ok(last
            .map_err(|source| store_error(&path, source))?
            .map(|(_, root, _)| root)
            .unwrap_or_default())
    }

    /// Opens the month for reading; a server may be writing it.
    pub(super) fn read(&self, directory: &Path) -> rusqlite::Result<Connection> {
        reading(&self.file(directory))
    }

    pub(super) fn remove(&self, directory: &Path) -> Result<(), OpenFault> {
        let path = self.file(directory);
        files::remove(&path).map_err(|source| OpenFault::Directory { path, source })
    }
}

/// Upper bound of the retention, months, so that dates stay within the calendar.
const MONTHS_MAX: u64 = 1200;

impl std::fmt::Display for Month {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
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

    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { number, written_at, events, actors, control, root, signature } = self;
        connection
            .prepare_cached("INSERT INTO trail VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![number, written_at, events, actors, control, root, signature])?;
        Ok(())
    }

    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
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
    let (connection, ..) = commands.open(directory, keys, Digest::default(), now)?;
    let store = |source| store_error(&commands.file(directory), source);
    let transaction = connection.unchecked_transaction().map_err(store)?;
    let (number, previous, _) = CHAIN.last(&transaction).map_err(store)?.unwrap_or_default();
    let row = TrailRow { control: what.to_owned(), ..TrailRow::at(now) };
    let mut end = End { number, root: previous };
    row.chained(&mut end, keys).insert(&transaction).map_err(store)?;
    transaction.commit().map_err(store)
}

/// Copies the rows that `main` lacks of the attached schema `source`; see [`backup`](crate::ledger::backup).
pub(in crate::ledger) fn copy(
    connection: &Connection,
    progress: &mut dyn FnMut(u64),
) -> rusqlite::Result<Option<u64>> {
    CHAIN.copy(connection, progress)
}
