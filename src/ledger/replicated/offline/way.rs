//! What a move needs to know: its two sides, and how what they hold is compared.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use tokio::runtime::Runtime;

use super::super::address::Address;
use crate::{
    ledger::{
        audit::End,
        book::change::Tally,
        migration::{Direction, MigrationFault},
        proof::Digest,
    },
    vault::HouseKeys,
};

/// The two sides of a move.
pub(super) struct Way<'w> {
    pub(super) runtime: &'w Runtime,
    pub(super) address: &'w Address,
    pub(super) keys: &'w Arc<HouseKeys>,
    pub(super) directory: &'w Path,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Files,
    Database,
}

/// Something that is moved as a whole or not at all.
pub(super) trait Thing {
    /// What it is, for operators.
    fn name(&self) -> String;

    /// What there is of it on one side; `None` if there is nothing.
    ///
    /// # Errors
    /// [`MigrationFault`].
    fn sum(&self, way: &Way<'_>, side: Side) -> Result<Option<Sum>, MigrationFault>;

    /// Copies it to a side that has nothing of it. Calls `progress` with the number of rows.
    ///
    /// # Errors
    /// [`MigrationFault`]; whether it was copied may be unknown, but it was as a whole or not at all.
    fn copy(
        &self,
        way: &Way<'_>,
        direction: Direction,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault>;
}

/// What there is of something on one side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sum {
    /// A ledger: its counts, and the ends of its chains without their names.
    Ledger(Tally, Vec<(u32, Digest)>),
    /// Rows of some tables: the number in each and the name of such rows, and a digest of all of them.
    Rows(Vec<(u64, &'static str)>, Digest),
    /// Chains of signed rows: each chain in each month with its number of rows and its end, and the rows of what commands did.
    Chains(Vec<(String, u64, End)>, Vec<End>),
}

impl Sum {
    /// Whether `copy` is this, or what became of a copy of this by commands alone.
    pub(super) fn is_copied_to(&self, copy: &Self) -> bool {
        match (self, copy) {
            (Self::Chains(months, commands), Self::Chains(copied, later)) => {
                months == copied && later.starts_with(commands)
            }
            _ => self == copy,
        }
    }

    /// Whether `copy` has some months of this as a whole and nothing else: what an interrupted copy into files leaves.
    pub(super) fn is_begun_in(&self, copy: &Self) -> bool {
        let (Self::Chains(months, _), Self::Chains(copied, later)) = (self, copy) else {
            return false;
        };
        let names: BTreeSet<_> = copied.iter().map(|(month, ..)| month).collect();
        later.is_empty() && months.iter().filter(|(month, ..)| names.contains(month)).eq(copied)
    }

    /// Whether it is no more than what commands record of themselves.
    pub(super) fn is_of_commands(&self) -> bool {
        matches!(self, Self::Chains(months, _) if months.is_empty())
    }

    /// How much it is, in words.
    pub(super) fn how_much(&self) -> String {
        match self {
            Self::Ledger(tally, roots) => {
                let accepted: u64 = tally.accepted.iter().sum();
                let batches: u64 = roots.iter().map(|(batches, _)| u64::from(*batches)).sum();
                format!("{accepted} applications in {batches} batches of {} chains", roots.len())
            }
            Self::Rows(counts, _) => {
                let counts = counts.iter().map(|(count, rows)| format!("{count} {rows}"));
                counts.collect::<Vec<_>>().join(", ")
            }
            Self::Chains(months, commands) => {
                let rows: u64 = months.iter().map(|(_, rows, _)| rows).sum();
                let rows = rows + commands.len() as u64;
                let months: BTreeSet<_> = months.iter().map(|(month, ..)| month).collect();
                format!("{rows} rows, {} months", months.len())
            }
        }
    }
}
