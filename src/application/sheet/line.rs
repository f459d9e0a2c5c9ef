//! Lines of CSV files that people open in a spreadsheet.

use crate::civic::Language;

/// What a spreadsheet takes for the beginning of a formula.
pub(super) const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// What spreadsheets need at the beginning of a file in UTF-8.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The separator that spreadsheets expect: in Italian a comma begins the decimals.
#[must_use]
pub(super) fn separator(language: Language) -> char {
    if language == Language::Italian { ';' } else { ',' }
}

/// One line of a CSV file. A cell that a spreadsheet would take for a formula is preceded by an apostrophe.
///
/// ```
/// use sportello::{application::sheet::line, civic::Language};
///
/// let cells = ["=1+1", "a;b", "\"", "x"];
/// assert_eq!(line(cells, Language::Italian), "'=1+1;\"a;b\";\"\"\"\";x\r\n");
/// assert_eq!(line(cells, Language::English), "'=1+1,a;b,\"\"\"\",x\r\n");
/// ```
#[must_use]
pub fn line<'c>(cells: impl IntoIterator<Item = &'c str>, language: Language) -> String {
    let separator = separator(language);
    let mut line = String::new();
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            line.push(separator);
        }
        let apostrophe = if cell.starts_with(FORMULA) { "'" } else { "" };
        if cell.contains([separator, '"', '\n', '\r']) {
            line.extend(["\"", apostrophe, &cell.replace('"', "\"\""), "\""]);
        } else {
            line.extend([apostrophe, cell]);
        }
    }
    line + "\r\n"
}

/// What was meant by a cell: without spaces around it, and without an apostrophe before a formula.
pub(super) fn meant(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_is_read_as_it_was() {
        for cell in ["=1+1", "+390612345678", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let written = line([cell], Language::Italian);
            let first = written.trim_start_matches('"');
            assert!(first.starts_with('\''), "{written}");
            let unquoted = written.trim_end_matches("\r\n").trim_matches('"');
            assert_eq!(meant(unquoted), cell);
        }
        assert_eq!(meant(" 'x "), "'x");
    }
}
