//! Moving tables whose columns and bytes are the same in the files and in the database.

use rusqlite::{params_from_iter, types::Value};
use tokio_postgres::{Row, types::ToSql};

use super::{
    super::{
        fault::Setback,
        link::{Link, UNHURRIED},
        schema::{HOUSE, OF_HOUSE, migrate},
    },
    receipts::gone,
    rows::{Rows, snapshot},
    way::{Side, Sum, Thing, Way},
};
use crate::ledger::{
    fault::OpenFault,
    local::{drafts, files::FileFormat, revocations, sqlite_fault::store_error, telephone},
    migration::{Direction, MigrationFault},
    proof::{Digest, sha256},
};

use self::Kind::{Bytes, Number, Text};

/// Rows in memory at a time; a draft may have some tens of kilobytes.
const ROWS_MAX: u16 = 256;

/// A file, and the tables of the database that hold the same.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    what: &'static str,
    file: &'static str,
    format: &'static FileFormat,
    tables: &'static [Table],
}

/// A table, whose first column is its key.
struct Table {
    /// What its rows are.
    rows: &'static str,
    in_file: &'static str,
    in_database: &'static str,
    columns: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Text,
    Number,
}

/// What people have begun and not submitted.
pub(super) const DRAFTS: Plain = Plain {
    what: "drafts",
    file: drafts::FILE,
    format: &drafts::FORMAT,
    tables: &[Table {
        rows: "drafts",
        in_file: "drafts",
        in_database: "drafts",
        columns: &[("key", Bytes), ("person", Bytes), ("sealed", Bytes)],
    }],
};
/// Mandates that their grantors revoked.
pub(super) const REVOCATIONS: Plain = Plain {
    what: "revocations of mandates",
    file: revocations::FILE,
    format: &revocations::FORMAT,
    tables: &[Table {
        rows: "revocations",
        in_file: "revocations",
        in_database: "revocations",
        columns: &[("key", Bytes), ("person", Bytes), ("sealed", Bytes)],
    }],
};
/// Mandates that were given by telephone, with PINs and wrong tries.
pub(super) const TELEPHONE: Plain = Plain {
    what: "mandates given by telephone",
    file: telephone::FILE,
    format: &telephone::FORMAT,
    tables: &[
        Table {
            rows: "mandates",
            in_file: "mandates",
            in_database: "telephone_mandates",
            columns: &[
                ("reference", Text),
                ("person", Bytes),
                ("office", Bytes),
                ("day", Number),
                ("pin", Bytes),
                ("sealed", Bytes),
            ],
        },
        Table {
            rows: "PINs",
            in_file: "pins",
            in_database: "pins",
            columns: &[("person", Bytes), ("expires_at", Number), ("sealed", Bytes)],
        },
        Table {
            rows: "counts of wrong tries",
            in_file: "misses",
            in_database: "misses",
            columns: &[("clerk", Bytes), ("day", Number), ("count", Number)],
        },
    ],
};

/// The number of rows in each table, and a digest of all of them in their order.
#[derive(Default)]
struct Adding {
    counts: Vec<(u64, &'static str)>,
    digest: Digest,
}

impl Adding {
    fn begin(&mut self, table: &Table) {
        self.counts.push((0, table.rows));
        self.digest = sha256(&[&self.digest, table.in_file.as_bytes()].concat());
    }

    fn row(&mut self, values: &[Value]) {
        let mut encoded = self.digest.to_vec();
        for value in values {
            let number;
            let bytes = match value {
                Value::Blob(bytes) => bytes.as_slice(),
                Value::Text(text) => text.as_bytes(),
                Value::Integer(of) => {
                    number = of.to_be_bytes();
                    &number
                }
                // No column of these tables holds them.
                Value::Null | Value::Real(_) => &[],
            };
            encoded.extend((bytes.len() as u64).to_be_bytes());
            encoded.extend(bytes);
        }
        self.digest = sha256(&encoded);
        if let Some((count, _)) = self.counts.last_mut() {
            *count += 1;
        }
    }

    fn sum(self) -> Option<Sum> {
        let any = self.counts.iter().any(|(count, _)| *count > 0);
        any.then_some(Sum::Rows(self.counts, self.digest))
    }
}

impl Thing for Plain {
    fn name(&self) -> String {
        self.what.to_owned()
    }

    fn sum(&self, way: &Way<'_>, side: Side) -> Result<Option<Sum>, MigrationFault> {
        match side {
            Side::Files => self.sum_of_file(way),
            Side::Database => Ok(way.runtime.block_on(self.sum_of_database(way)).map_err(gone)?),
        }
    }

    fn copy(
        &self,
        way: &Way<'_>,
        direction: Direction,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        match direction {
            Direction::IntoDatabase => way.runtime.block_on(self.copy_to_database(way, progress)),
            Direction::IntoFiles => way.runtime.block_on(self.copy_to_file(way, progress)),
        }
    }
}

impl Plain {
    fn sum_of_file(&self, way: &Way<'_>) -> Result<Option<Sum>, MigrationFault> {
        let path = way.directory.join(self.file);
        let Some(connection) = self.format.look(&path)? else { return Ok(None) };
        let mut adding = Adding::default();
        for table in self.tables {
            adding.begin(table);
            let select = format!("{} ORDER BY 1", table.select_of_file());
            let read = connection.prepare(&select).and_then(|mut select| {
                let mut rows = select.query([])?;
                while let Some(row) = rows.next()? {
                    adding.row(&table.values_of_file(row)?);
                }
                Ok(())
            });
            read.map_err(|source| store_error(&path, source))?;
        }
        Ok(adding.sum())
    }

    async fn sum_of_database(&self, way: &Way<'_>) -> Result<Option<Sum>, Setback> {
        let mut link = Link::open_to_read(way.address, Some(HOUSE)).await?;
        let snapshot = snapshot(&mut link).await?;
        let mut adding = Adding::default();
        for table in self.tables {
            adding.begin(table);
            let there = "SELECT to_regclass($1) IS NOT NULL";
            let name = format!("{HOUSE}.{}", table.in_database);
            if snapshot.query_one(there, &[&name]).await?.try_get(0)? {
                let select = format!("{} ORDER BY 1", table.select_of_database());
                let mut rows = Rows::of(&snapshot, &select, ROWS_MAX.into()).await?;
                while let Some(row) = rows.next(&snapshot).await? {
                    adding.row(&table.values_of_database(&row)?);
                }
            }
        }
        Ok(adding.sum())
    }

    /// In one transaction.
    async fn copy_to_database(
        &self,
        way: &Way<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        let path = way.directory.join(self.file);
        let store = |source| store_error(&path, source);
        let Some(connection) = self.format.look(&path)? else { return Ok(()) };
        migrate(way.address, HOUSE, OF_HOUSE).await.map_err(gone)?;
        let link = Link::open(way.address, Some(HOUSE)).await.map_err(gone)?;
        link.batch_execute(UNHURRIED).await.map_err(lost)?;
        link.batch_execute("BEGIN").await.map_err(lost)?;
        let mut copied = 0;
        for table in self.tables {
            let mut select = connection.prepare(&table.select_of_file()).map_err(store)?;
            let mut rows = select.query([]).map_err(store)?;
            loop {
                let mut columns = Columns::of(table);
                while columns.rows < usize::from(ROWS_MAX)
                    && let Some(row) = rows.next().map_err(store)?
                {
                    columns.add(row).map_err(store)?;
                }
                if columns.rows == 0 {
                    break;
                }
                let insert = table.insert_into_database();
                link.execute(&insert, &columns.parameters()).await.map_err(lost)?;
                copied += columns.rows as u64;
                progress(copied);
            }
        }
        Ok(link.commit().await.map_err(gone)?)
    }

    /// In one transaction.
    async fn copy_to_file(
        &self,
        way: &Way<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        let path = way.directory.join(self.file);
        let store = |source| store_error(&path, source);
        let connection = self.format.open(way.directory, &path)?;
        // Else all that is written stays in memory until the commit.
        connection.pragma_update(None, "cache_spill", "ON").map_err(store)?;
        let writing = connection.unchecked_transaction().map_err(store)?;
        let mut link = Link::open_to_read(way.address, Some(HOUSE)).await.map_err(gone)?;
        let snapshot = snapshot(&mut link).await.map_err(gone)?;
        let mut copied = 0;
        for table in self.tables {
            let mut insert = writing.prepare(&table.insert_into_file()).map_err(store)?;
            let rows = Rows::of(&snapshot, &table.select_of_database(), ROWS_MAX.into()).await;
            let mut rows = rows.map_err(gone)?;
            while let Some(row) = rows.next(&snapshot).await.map_err(gone)? {
                let values = table.values_of_database(&row).map_err(gone)?;
                insert.execute(params_from_iter(values)).map_err(store)?;
                copied += 1;
                progress(copied);
            }
        }
        Ok(writing.commit().map_err(store)?)
    }
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn select_of_file(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.in_file)
    }

    fn insert_into_file(&self) -> String {
        let marks = vec!["?"; self.columns.len()].join(", ");
        format!("INSERT INTO {} ({}) VALUES ({marks})", self.in_file, self.names())
    }

    fn select_of_database(&self) -> String {
        let columns = self.columns.iter().map(|(name, kind)| match kind {
            Number => format!("{name}::bigint"),
            Bytes | Text => (*name).to_owned(),
        });
        let columns: Vec<_> = columns.collect();
        format!("SELECT {} FROM {HOUSE}.{}", columns.join(", "), self.in_database)
    }

    fn insert_into_database(&self) -> String {
        let lists = (1..).zip(self.columns).map(|(number, (_, kind))| {
            let kind = match kind {
                Bytes => "bytea",
                Text => "text",
                Number => "bigint",
            };
            format!("${number}::{kind}[]")
        });
        let lists: Vec<_> = lists.collect();
        let (table, names) = (self.in_database, self.names());
        format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({})", lists.join(", "))
    }

    fn values_of_file(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<Value>> {
        (0..self.columns.len()).map(|at| row.get(at)).collect()
    }

    fn values_of_database(&self, row: &Row) -> Result<Vec<Value>, Setback> {
        let values = self.columns.iter().enumerate().map(|(at, (_, kind))| {
            Ok(match kind {
                Bytes => Value::Blob(row.try_get(at)?),
                Text => Value::Text(row.try_get(at)?),
                Number => Value::Integer(row.try_get(at)?),
            })
        });
        values.collect()
    }
}

/// Rows that are inserted together, a list a column.
struct Columns {
    rows: usize,
    lists: Vec<List>,
}

enum List {
    Bytes(Vec<Vec<u8>>),
    Text(Vec<String>),
    Number(Vec<i64>),
}

impl Columns {
    fn of(table: &Table) -> Self {
        let lists = table.columns.iter().map(|(_, kind)| match kind {
            Bytes => List::Bytes(Vec::new()),
            Text => List::Text(Vec::new()),
            Number => List::Number(Vec::new()),
        });
        Self { rows: 0, lists: lists.collect() }
    }

    fn add(&mut self, row: &rusqlite::Row<'_>) -> rusqlite::Result<()> {
        for (at, list) in self.lists.iter_mut().enumerate() {
            match list {
                List::Bytes(list) => list.push(row.get(at)?),
                List::Text(list) => list.push(row.get(at)?),
                List::Number(list) => list.push(row.get(at)?),
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        let lists = self.lists.iter().map(|list| match list {
            List::Bytes(list) => list as &(dyn ToSql + Sync),
            List::Text(list) => list,
            List::Number(list) => list,
        });
        lists.collect()
    }
}

fn lost(fault: tokio_postgres::Error) -> OpenFault {
    gone(fault.into())
}
