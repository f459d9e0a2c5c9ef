//! The rows of the trail and of the messages of identity providers, which are the same in files and in the database.

use tokio_postgres::{Row, types::ToSql};

use super::super::{
    fault::Setback,
    messages,
    months::Monthly,
    trail::{self, FoundBy},
};
use crate::ledger::audit::{MessageRow, TrailRow, stored::Stored};

/// Lists of the columns of some rows.
pub(super) type Lists<'r> = Vec<Box<dyn ToSql + Sync + 'r>>;

/// A row that has a table in the database, too.
pub(super) trait Tabled: Stored {
    /// What it is, for operators.
    const WHAT: &'static str;
    const MONTHLY: Monthly;
    /// The columns of [`read`](Self::read), in their order.
    const COLUMNS: &'static str;
    /// Adds rows; parameters: month, node, and [`lists`](Self::lists).
    const ADD: &'static str;

    /// The parameters of [`ADD`](Self::ADD).
    ///
    /// # Errors
    /// The number of a row that is damaged.
    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64>;

    /// Reads a row of the database.
    ///
    /// # Errors
    /// [`Setback`].
    fn read(row: &Row) -> Result<Self, Setback>;
}

impl Tabled for TrailRow {
    const WHAT: &'static str = "audit trail";
    const MONTHLY: Monthly = trail::MONTHLY;
    const COLUMNS: &'static str = "number, written_at, events, actors, control, root, signature";
    // The lists of a row by which it is found are of different lengths, so each is a text here.
    const ADD: &'static str = "INSERT INTO trail \
        (month, node, number, written_at, events, actors, control, root, signature, people, named) \
        SELECT $1, $2, number, written_at, events, actors, control, root, signature, people::bigint[], named::bigint[] \
        FROM unnest($3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::bytea[], $9::text[], \
        $10::text[], $11::text[]) \
        AS t(number, written_at, events, actors, control, root, signature, people, named)";

    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64> {
        let found_by = |row| FoundBy::of(row).ok_or(row.number);
        let found_by = rows.iter().map(found_by).collect::<Result<Vec<_>, _>>()?;
        Ok(vec![
            list(rows, |row| row.number),
            list(rows, |row| row.written_at),
            list(rows, |row| row.events.as_slice()),
            list(rows, |row| row.actors.as_slice()),
            list(rows, |row| row.control.as_str()),
            list(rows, |row| row.root.as_slice()),
            list(rows, |row| row.signature.as_str()),
            Box::new(found_by.iter().map(|by| as_text(&by.people)).collect::<Vec<_>>()),
            Box::new(found_by.iter().map(|by| as_text(&by.named)).collect::<Vec<_>>()),
        ])
    }

    fn read(row: &Row) -> Result<Self, Setback> {
        trail::read_row(row)
    }
}

impl Tabled for MessageRow {
    const WHAT: &'static str = "messages of identity providers";
    const MONTHLY: Monthly = messages::MONTHLY;
    const COLUMNS: &'static str = "number, written_at, handle, owner, sealed, root, signature";
    const ADD: &'static str = "INSERT INTO messages \
        (month, node, number, written_at, handle, owner, sealed, root, signature) \
        SELECT $1, $2, number, written_at, handle, owner, sealed, root, signature \
        FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[], $8::bytea[], $9::text[]) \
        AS t(number, written_at, handle, owner, sealed, root, signature)";

    fn lists(rows: &[Self]) -> Result<Lists<'_>, i64> {
        Ok(vec![
            list(rows, |row| row.number),
            list(rows, |row| row.written_at),
            list(rows, |row| row.handle.as_str()),
            list(rows, |row| row.owner.0.as_slice()),
            list(rows, |row| row.sealed.as_slice()),
            list(rows, |row| row.root.as_slice()),
            list(rows, |row| row.signature.as_str()),
        ])
    }

    fn read(row: &Row) -> Result<Self, Setback> {
        messages::read(row)
    }
}

fn list<'r, R, T: ToSql + Sync + 'r>(
    rows: &'r [R],
    of: impl Fn(&'r R) -> T,
) -> Box<dyn ToSql + Sync + 'r> {
    Box::new(rows.iter().map(of).collect::<Vec<_>>())
}

fn as_text(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
