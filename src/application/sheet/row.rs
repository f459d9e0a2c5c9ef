//! One row of a file, and what is wrong with its cells.

use super::super::form::Entries;

/// One application of a file.
pub struct Row {
    /// The number of its line, from 1.
    pub number: usize,
    /// The mandate that it names; empty if it names none.
    pub mandate: String,
    /// The application, as it would be submitted.
    pub json: Vec<u8>,
    /// What it says.
    pub entries: Entries,
    /// What is wrong with it; with any it is no application.
    pub faults: Vec<CellFault>,
}

/// What is wrong with a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellFault {
    /// Its column; empty if the fault is of the row.
    pub column: String,
    /// What to do. Never quotes the cell.
    pub text: String,
}

impl CellFault {
    /// A fault in a column.
    #[must_use]
    pub fn new(column: &str, text: &str) -> Self {
        Self { column: column.to_owned(), text: text.to_owned() }
    }
}

impl Row {
    /// A row that cannot be split into its cells.
    pub(super) fn unreadable(number: usize, column: String, text: &str) -> Self {
        let faults = vec![CellFault { column, text: text.to_owned() }];
        let (mandate, entries) = (String::new(), Entries::default());
        Self { number, mandate, json: Vec::new(), entries, faults }
    }
}
