//! The signed chain that a table of a month's file is: its last row, and a copy of it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::proof::Digest;

/// Number, root and signature of a row.
pub(super) type Link = (i64, Digest, String);

/// A table whose rows are a chain.
pub(super) struct Chain {
    pub(super) table: &'static str,
    /// Rows copied in one transaction.
    pub(super) copied_at_a_time: i64,
}

impl Chain {
    /// The last row.
    pub(super) fn last(&self, connection: &Connection) -> rusqlite::Result<Option<Link>> {
        let table = self.table;
        let last = format!(
            "SELECT number, root, signature FROM main.{table} ORDER BY number DESC LIMIT 1"
        );
        connection
            .query_row(&last, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()
    }

    /// Copies the rows that `main` lacks of the attached schema `source`; see [`backup`](crate::ledger::backup).
    pub(super) fn copy(
        &self,
        connection: &Connection,
        progress: &mut dyn FnMut(u64),
    ) -> rusqlite::Result<Option<u64>> {
        let table = self.table;
        let mut have = match self.last(connection)? {
            None => -1,
            Some((number, root, _)) => {
                let same = format!("SELECT root FROM source.{table} WHERE number = ?1");
                let theirs: Option<Digest> =
                    connection.query_row(&same, [number], |row| row.get(0)).optional()?;
                if theirs != Some(root) {
                    return Ok(None);
                }
                number
            }
        };
        let more = format!(
            "INSERT INTO main.{table} SELECT * FROM source.{table} WHERE number > ?1 ORDER BY number LIMIT ?2"
        );
        let mut rows = 0;
        loop {
            let copied = connection.execute(&more, params![have, self.copied_at_a_time])?;
            if copied == 0 {
                return Ok(Some(rows));
            }
            rows += copied as u64;
            progress(rows);
            have = self.last(connection)?.map_or(have, |(number, ..)| number);
        }
    }
}
