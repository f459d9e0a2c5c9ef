//! Writing the file of a month that is moved here from a database.

use std::{marker::PhantomData, path::Path};

use super::{chain::End, month::Month, stored::Stored};
use crate::ledger::{fault::OpenFault, local::sqlite::FileCopy};

/// The file of a month before it is finished: all of it is copied, or nothing.
pub(in crate::ledger) struct MonthCopy<R> {
    file: FileCopy,
    rows: PhantomData<R>,
}

impl<R: Stored> MonthCopy<R> {
    /// Begins a file next to where that of the month will be. What an earlier run left is removed.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn begin(directory: &Path, month: &Month) -> Result<Self, OpenFault> {
        // What commands did is one chain everywhere.
        let format = &R::FORMATS[usize::from(month.is_chained())];
        let target = month.file_of(directory, R::PREFIX);
        let file = FileCopy::begin(format, directory, target, R::ROWS_AT_A_TIME.cast_unsigned())?;
        Ok(Self { file, rows: PhantomData })
    }

    /// Adds the next row of a node's chain, or of what commands did, which has no node.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn row(&mut self, node: Option<i32>, row: &R) -> Result<(), OpenFault> {
        self.file.write(|connection| match node {
            Some(node) => row.insert_of_node(connection, node),
            None => row.insert(connection),
        })
    }

    /// Adds the end of a node's chain.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn end(&mut self, node: i32, end: End) -> Result<(), OpenFault> {
        let End { number, root } = end;
        self.file.write(|connection| {
            let mut insert =
                connection.prepare_cached("INSERT INTO node_ends VALUES (?1, ?2, ?3)")?;
            insert.execute(rusqlite::params![node, number, root]).map(drop)
        })
    }

    /// Syncs the file, and gives it its name.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn finish(self) -> Result<(), OpenFault> {
        self.file.finish()
    }
}
