//! Converts the rows of a CSV table into the JSON documents that the parser of applications reads.
//!
//! The first row names the columns by the path to a field, the names joined by points: `applicant.fiscalCode`,
//! `standing.directPension`, `submittedOn`. A number in a path makes a list: `incomes.2023.amount` is the income of
//! 2023, with the `year` taken from the path; `earlierBenefits.1.begunIn` is the first of the earlier benefits. An
//! empty cell omits its field, and a list element without any filled cell is omitted. `true`, `false` and `null` are
//! JSON literals; in the columns of [`INTEGERS`] digits are a number; everything else is a string. The separator is a
//! comma, or a semicolon if the first row contains one.
//!
//! A cell may be quoted, with quotation marks doubled inside (RFC 4180), but may not contain a line break, as no
//! field may: so a missing quotation mark affects one line and not the rest of the file.

use std::borrow::Cow;

use thiserror::Error;

/// The fields that are integers, by the last name of their path.
const INTEGERS: [&str; 4] = ["year", "begunIn", "workDays", "dailyContributions"];
/// The list whose elements are identified by their year.
const BY_YEAR: &str = "incomes";
/// The most columns, four times what any scheme has.
const COLUMNS_MAX: usize = 128;
/// The most names in a path; the deepest field has three.
const DEPTH_MAX: usize = 4;
/// The most digits of a number in a path.
const NUMBER_DIGITS_MAX: usize = 4;

/// Why a first row does not name columns. Columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderFault {
    /// It is empty.
    #[error("the first row of a CSV file names its columns; this one is empty")]
    Empty,
    /// It has a misplaced quotation mark, or is not UTF-8.
    #[error("the first row is not CSV in UTF-8")]
    Unreadable,
    /// The name of this column is not a path to a field.
    #[error(
        "column {0}: a name consists of letters, digits and points, such as applicant.fiscalCode or incomes.2023.amount"
    )]
    Name(usize),
    /// This column's field, or a part of it, already has a column.
    #[error("column {0}: its field, or a part of it, already has a column")]
    Twice(usize),
    /// It has too many columns.
    #[error("more than {COLUMNS_MAX} columns")]
    TooMany,
}

/// The fault of a row that cannot be split into its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The first wrong cell, from 1.
    pub cell: usize,
}

/// The columns of a table, as its first row names them.
///
/// ```
/// use sportello::application::Columns;
///
/// let columns = Columns::parse(b"scheme,incomes.2023.line,incomes.2023.amount").unwrap();
/// let mut json = Vec::new();
/// columns.to_json(b"iscro,LM,3000.00", &mut json).unwrap();
/// assert_eq!(json, br#"{"scheme":"iscro","incomes":[{"year":2023,"line":"LM","amount":"3000.00"}]}"#);
/// ```
///
/// Source: RFC 4180.
pub struct Columns {
    separator: u8,
    count: usize,
    root: Vec<Field>,
}

/// A field of an object, or an element of a list.
struct Field {
    name: String,
    shape: Shape,
}

enum Shape {
    Cell {
        column: usize,
        is_integer: bool,
    },
    Object(Vec<Field>),
    /// Elements, each named by its number or year.
    List {
        elements: Vec<Field>,
        by_year: bool,
    },
}

impl Columns {
    /// Parses the first row of a table.
    ///
    /// # Errors
    ///
    /// The first [`HeaderFault`]; the rows below cannot be read.
    pub fn parse(row: &[u8]) -> Result<Self, HeaderFault> {
        let row = row.strip_prefix(b"\xef\xbb\xbf").unwrap_or(row);
        let separator = if row.contains(&b';') { b';' } else { b',' };
        let row = std::str::from_utf8(row).map_err(|_| HeaderFault::Unreadable)?;
        if row.trim().is_empty() {
            return Err(HeaderFault::Empty);
        }
        let mut names = Vec::new();
        split(row, separator, &mut names).map_err(|_| HeaderFault::Unreadable)?;
        if names.len() > COLUMNS_MAX {
            return Err(HeaderFault::TooMany);
        }
        let mut root = Vec::new();
        for (column, name) in names.iter().enumerate() {
            let path: Vec<&str> = name.split('.').collect();
            let is_name =
                |(place, name): (usize, &&str)| is_word(name) || (place > 0 && is_number(name));
            let ends_in_word = path.last().is_some_and(|name| is_word(name));
            if path.len() > DEPTH_MAX || !ends_in_word || !path.iter().enumerate().all(is_name) {
                return Err(HeaderFault::Name(column + 1));
            }
            add_column(&mut root, &path, column).ok_or(HeaderFault::Twice(column + 1))?;
        }
        Ok(Self { separator, count: names.len(), root })
    }

    /// Replaces the contents of `json` by the document of a row.
    ///
    /// Whether that document is an application is checked by [`parse`](super::parse).
    ///
    /// # Errors
    ///
    /// [`RowFault`] if the row has not as many cells as there are columns, a misplaced quotation mark, or is not UTF-8.
    pub fn to_json(&self, row: &[u8], json: &mut Vec<u8>) -> Result<(), RowFault> {
        let row = std::str::from_utf8(row).map_err(|fault| RowFault {
            cell: 1 + memchr::memchr_iter(self.separator, &row[..fault.valid_up_to()]).count(),
        })?;
        let mut cells = Vec::with_capacity(self.count);
        split(row, self.separator, &mut cells)?;
        if cells.len() != self.count {
            return Err(RowFault { cell: cells.len().min(self.count) + 1 });
        }
        json.clear();
        write_object(&self.root, None, &cells, json);
        Ok(())
    }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_number(name: &str) -> bool {
    (1..=NUMBER_DIGITS_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Adds a column to the tree of fields, at the end of its path; `None` if the path contradicts an earlier column.
fn add_column(fields: &mut Vec<Field>, path: &[&str], column: usize) -> Option<()> {
    let (name, deeper) = path.split_first()?;
    let place = fields.iter().position(|field| field.name == *name);
    let Some(next) = deeper.first() else {
        let is_integer = INTEGERS.contains(name);
        let shape = Shape::Cell { column, is_integer };
        fields.push(Field { name: (*name).to_owned(), shape });
        return place.is_none().then_some(());
    };
    let place = place.unwrap_or_else(|| {
        let by_year = *name == BY_YEAR;
        let shape = if is_number(next) {
            Shape::List { elements: Vec::new(), by_year }
        } else {
            Shape::Object(Vec::new())
        };
        fields.push(Field { name: (*name).to_owned(), shape });
        fields.len() - 1
    });
    match &mut fields[place].shape {
        Shape::Object(fields) if !is_number(next) => add_column(fields, deeper, column),
        Shape::List { elements, .. } if is_number(next) => add_column(elements, deeper, column),
        _ => None,
    }
}

/// Splits a row into its cells.
pub(super) fn split<'r>(
    row: &'r str,
    separator: u8,
    cells: &mut Vec<Cow<'r, str>>,
) -> Result<(), RowFault> {
    let separator = char::from(separator);
    let mut rest = row;
    loop {
        let fault = RowFault { cell: cells.len() + 1 };
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = end_of_quoted(quoted).ok_or(fault)?;
            let (inside, after) = (&quoted[..end], &quoted[end + 1..]);
            cells.push(if inside.contains('"') {
                Cow::Owned(inside.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(inside)
            });
            match after.strip_prefix(separator) {
                Some(after) => rest = after,
                None if after.is_empty() => return Ok(()),
                None => return Err(fault),
            }
        } else {
            let (cell, after) = rest
                .split_once(separator)
                .map_or((rest, None), |(cell, after)| (cell, Some(after)));
            if cell.contains('"') {
                return Err(fault);
            }
            cells.push(Cow::Borrowed(cell));
            match after {
                Some(after) => rest = after,
                None => return Ok(()),
            }
        }
    }
}

/// The position of the quotation mark that ends a quoted cell: the first that is not doubled.
fn end_of_quoted(quoted: &str) -> Option<usize> {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &bytes[at..])?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

fn write_object(fields: &[Field], year: Option<&str>, cells: &[Cow<'_, str>], json: &mut Vec<u8>) {
    // Written before the next member; still `{` at the end if the object is empty.
    let mut before = b'{';
    if let Some(year) = year {
        json.extend_from_slice(b"{\"year\":");
        json.extend_from_slice(without_zeros(year).as_bytes());
        before = b',';
    }
    for field in fields {
        if let Shape::Cell { column, .. } = field.shape
            && cells[column].is_empty()
        {
            continue;
        }
        json.push(before);
        before = b',';
        // Names consist of letters and digits: nothing to escape.
        json.push(b'"');
        json.extend_from_slice(field.name.as_bytes());
        json.extend_from_slice(b"\":");
        write_shape(&field.shape, cells, json);
    }
    if before == b'{' {
        json.push(b'{');
    }
    json.push(b'}');
}

fn write_shape(shape: &Shape, cells: &[Cow<'_, str>], json: &mut Vec<u8>) {
    match shape {
        Shape::Cell { column, is_integer } => write_cell(&cells[*column], *is_integer, json),
        Shape::Object(fields) => write_object(fields, None, cells, json),
        Shape::List { elements, by_year } => {
            let start = json.len();
            for element in elements.iter().filter(|element| is_filled(&element.shape, cells)) {
                json.push(if json.len() == start { b'[' } else { b',' });
                match &element.shape {
                    Shape::Object(fields) => {
                        write_object(fields, by_year.then_some(&element.name), cells, json);
                    }
                    other => write_shape(other, cells, json),
                }
            }
            if json.len() == start {
                json.push(b'[');
            }
            json.push(b']');
        }
    }
}

fn is_filled(shape: &Shape, cells: &[Cow<'_, str>]) -> bool {
    match shape {
        Shape::Cell { column, .. } => !cells[*column].is_empty(),
        Shape::Object(fields) | Shape::List { elements: fields, .. } => {
            fields.iter().any(|field| is_filled(&field.shape, cells))
        }
    }
}

fn write_cell(cell: &str, is_integer: bool, json: &mut Vec<u8>) {
    let is_plain_number =
        || cell.len() <= NUMBER_DIGITS_MAX && is_number(cell) && without_zeros(cell) == cell;
    if matches!(cell, "true" | "false" | "null") || (is_integer && is_plain_number()) {
        json.extend_from_slice(cell.as_bytes());
    } else {
        // Writing into memory does not fail.
        let _written = serde_json::to_writer(json, cell);
    }
}

fn without_zeros(number: &str) -> &str {
    let significant = number.trim_start_matches('0');
    if significant.is_empty() { "0" } else { significant }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(header: &str, row: &str) -> String {
        let mut json = Vec::new();
        let columns = Columns::parse(header.as_bytes()).map_err(|fault| fault.to_string()).unwrap();
        match columns.to_json(row.as_bytes(), &mut json) {
            Ok(()) => String::from_utf8(json).unwrap(),
            Err(fault) => format!("cell {}", fault.cell),
        }
    }

    #[test]
    fn a_row_becomes_the_document_that_it_stands_for() {
        for (header, cells, json) in [
            ("a,b", "x,y", r#"{"a":"x","b":"y"}"#),
            ("a,b", ",y", r#"{"b":"y"}"#),
            ("a,b", ",", "{}"),
            ("a;b", "x,y;z", r#"{"a":"x,y","b":"z"}"#),
            ("\u{feff}a", "x", r#"{"a":"x"}"#),
            ("a.b,a.c,d", "1,true,null", r#"{"a":{"b":"1","c":true},"d":null}"#),
            ("a.b,d", ",x", r#"{"a":{},"d":"x"}"#),
            ("year,vatNumber", "2024,00743110157", r#"{"year":2024,"vatNumber":"00743110157"}"#),
            ("year", "02024", r#"{"year":"02024"}"#),
            ("facts.workDays", "50", r#"{"facts":{"workDays":50}}"#),
            (
                "incomes.2023.line,incomes.2022.line,incomes.2023.amount",
                "RE,,3.00",
                r#"{"incomes":[{"year":2023,"line":"RE","amount":"3.00"}]}"#,
            ),
            ("incomes.2023.line", "", r#"{"incomes":[]}"#),
            (
                "earlierBenefits.1.begunIn,earlierBenefits.2.begunIn",
                "2021,2024",
                r#"{"earlierBenefits":[{"begunIn":2021},{"begunIn":2024}]}"#,
            ),
            ("a,b", r#""x,""y""",z"#, r#"{"a":"x,\"y\"","b":"z"}"#),
            ("\"a\",b", "\"x\",", r#"{"a":"x"}"#),
        ] {
            assert_eq!(row(header, cells), json, "{header} {cells}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_split_names_its_cell() {
        for (cells, told) in [
            ("x", "cell 2"),
            ("", "cell 2"),
            ("x,y,z", "cell 3"),
            ("x,\"y", "cell 2"),
            ("\"x\"y,z", "cell 1"),
            ("x\"y,z", "cell 1"),
        ] {
            assert_eq!(row("a,b", cells), told, "{cells}");
        }
        let columns = Columns::parse(b"a,b").unwrap();
        assert_eq!(columns.to_json(b"x,\xff", &mut Vec::new()), Err(RowFault { cell: 2 }));
    }

    #[test]
    fn a_first_row_that_names_no_columns_is_refused() {
        for (header, fault) in [
            ("", HeaderFault::Empty),
            ("\u{feff} ", HeaderFault::Empty),
            ("a,\"b", HeaderFault::Unreadable),
            ("a,", HeaderFault::Name(2)),
            ("a b", HeaderFault::Name(1)),
            ("a.,b", HeaderFault::Name(1)),
            ("2023.a", HeaderFault::Name(1)),
            ("incomes.2023", HeaderFault::Name(1)),
            ("incomes.20233.amount", HeaderFault::Name(1)),
            ("a.b.c.d.e", HeaderFault::Name(1)),
            ("{\"a\":1}", HeaderFault::Unreadable),
            ("a,b,a", HeaderFault::Twice(3)),
            ("a,a.b", HeaderFault::Twice(2)),
            ("a.b,a", HeaderFault::Twice(2)),
            ("a.b,a.1.c", HeaderFault::Twice(2)),
            (&"a,".repeat(COLUMNS_MAX), HeaderFault::TooMany),
        ] {
            assert_eq!(Columns::parse(header.as_bytes()).err(), Some(fault), "{header}");
        }
        assert_eq!(Columns::parse(b"\xff").err(), Some(HeaderFault::Unreadable));
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_cells_come_out_as_they_went_in(cells in proptest::collection::vec("[^\n\r]{0,12}", 1..8)) {
            let header = (0..cells.len()).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
            let quoted = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")));
            let told = row(&header, &quoted.collect::<Vec<_>>().join(","));
            let document: serde_json::Value = serde_json::from_str(&told).unwrap();
            for (column, cell) in cells.iter().enumerate() {
                let found = document.get(format!("c{column}"));
                if cell.is_empty() {
                    prop_assert!(found.is_none());
                } else if !matches!(cell.as_str(), "true" | "false" | "null") {
                    prop_assert_eq!(found.and_then(serde_json::Value::as_str), Some(cell.as_str()));
                }
            }
        }

        #[test]
        fn any_bytes_are_a_document_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut json = Vec::new();
            if Columns::parse(b"a,b.c,incomes.2023.amount").unwrap().to_json(&bytes, &mut json).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
            }
        }
    }
}
