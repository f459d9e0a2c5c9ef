//! The file of an office: one application a row, in a CSV table with the columns of a form, or NDJSON.
//!
//! The columns are the fields of the form of a campaign ([`form`](super::form)), named by their paths, and `mandate`. Cells
//! are read as people type them: decimal comma, days before months, yes and no in words. A new scheme needs nothing here.
//!
//! From the bottom up: `line` writes lines that are safe to open in a spreadsheet, `columns` are those of a campaign,
//! `template` is the file to fill in, `fault` says why a file is refused as a whole, `row` is one application, `cells`
//! reads those of a table, `rows` those of any file.

mod cells;
mod columns;
mod fault;
mod line;
mod row;
mod rows;
mod template;
#[cfg(test)]
mod tests;

pub use self::{
    columns::{Column, Columns},
    fault::FileFault,
    line::line,
    row::{CellFault, Row},
    rows::Rows,
    template::template,
};

/// The longest file, bytes: 5,000 rows of a table have about 1.2 MB, 2,000 lines of NDJSON all of it.
pub const SHEET_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most rows of a file, so that its results stay a page. Short rows are faulty ones.
pub const SHEET_ROWS_MAX: usize = 5_000;
