//! Writing a ledger that is gathered from the nodes of a replicated one: all of it, or nothing.

use std::path::Path;

use rusqlite::params;

use super::{
    file_copy::FileCopy,
    format::{FORMATS, file_of},
    links::End,
    reader::decision_id,
};
use crate::{
    ledger::{book::record::Turn, fault::OpenFault, position::Position},
    schemes::Campaign,
};

/// Rows that are written in one transaction.
const ROWS_AT_A_TIME: u64 = 1 << 14;

/// A file that is not a ledger before it is finished.
pub(in crate::ledger) struct Gathering {
    file: FileCopy,
    /// The number of the last batch.
    batches: u32,
}

/// The row of a batch, encoded.
pub(in crate::ledger) struct BatchRow<'r> {
    /// Which batch of which chain it is.
    pub(in crate::ledger) link: (u32, u32),
    pub(in crate::ledger) first: Position,
    pub(in crate::ledger) written_at: i64,
    pub(in crate::ledger) entries: &'r [u8],
    pub(in crate::ledger) changes: &'r [u8],
    pub(in crate::ledger) root: &'r [u8],
    pub(in crate::ledger) signature: &'r str,
}

impl Gathering {
    /// Begins a file next to where the ledger of `campaign` will be. What an earlier run left is removed.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn begin(
        directory: &Path,
        campaign: Campaign,
    ) -> Result<Self, OpenFault> {
        let target = file_of(directory, campaign);
        let file = FileCopy::begin(&FORMATS[1], directory, target, ROWS_AT_A_TIME)?;
        Ok(Self { file, batches: 0 })
    }

    /// Adds the next batch, in the order of first positions.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn batch(&mut self, row: &BatchRow<'_>) -> Result<(), OpenFault> {
        self.batches += 1;
        let BatchRow {
            link: (chain, number),
            first,
            written_at,
            entries,
            changes,
            root,
            signature,
        } = *row;
        let number_here = self.batches;
        self.file.write(|connection| {
            connection
                .prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![
                number_here,
                first.0,
                written_at,
                entries,
                changes,
                root,
                signature
            ])?;
            let mut insert = connection.prepare_cached("INSERT INTO links VALUES (?1, ?2, ?3)")?;
            insert.execute([number_here, chain, number]).map(drop)
        })
    }

    /// Adds a record, in the order of positions.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn record(
        &mut self,
        position: Position,
        sealed: &[u8],
    ) -> Result<(), OpenFault> {
        self.file.write(|connection| {
            let mut insert = connection.prepare_cached("INSERT INTO records VALUES (?1, ?2)")?;
            insert.execute(params![position.0, sealed]).map(drop)
        })
    }

    /// Adds a sealed decision.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn decision(
        &mut self,
        position: Position,
        turn: Turn,
        sealed: &[u8],
    ) -> Result<(), OpenFault> {
        let id = decision_id(position, turn);
        self.file.write(|connection| {
            let mut insert = connection.prepare_cached("INSERT INTO decisions VALUES (?1, ?2)")?;
            insert.execute(params![id, sealed]).map(drop)
        })
    }

    /// Adds the end of a chain.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn end(&mut self, end: &End) -> Result<(), OpenFault> {
        let End { chain, batches, root } = end;
        self.file.write(|connection| {
            let mut insert = connection.prepare_cached("INSERT INTO chains VALUES (?1, ?2, ?3)")?;
            insert.execute(params![chain, batches, root]).map(drop)
        })
    }

    /// Syncs the file, and makes it the ledger.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn finish(self) -> Result<(), OpenFault> {
        self.file.finish()
    }
}
