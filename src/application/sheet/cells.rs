//! A CSV table with the columns of a form: its first row, and what the cells of the others say.

use std::borrow::Cow;

use super::super::{
    fields::is_mandate_reference,
    form::{Complaint, Entries, Field, Form, Kind},
    parse_bounded,
    rows::split,
};
use super::{
    columns::{Columns, MANDATE, UNKNOWN, written},
    fault::FileFault,
    line::meant,
    row::{CellFault, Row},
};
use crate::application::ParseError;
use crate::civic::Language;
use crate::schemes::Rules;

/// Names of columns in a fault, and the characters of each: they are a stranger's.
const NAMES_MAX: usize = 8;
const NAME_CHARACTERS_MAX: usize = 40;

/// A table whose first row was read.
pub(super) struct Table {
    columns: Columns,
    separator: u8,
    /// What each column of the file is; `None` for one without a name, whose cells are empty.
    places: Vec<Option<Place>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Mandate,
    /// A field of the columns.
    Field(usize),
}

impl Table {
    /// Reads the first row.
    ///
    /// # Errors
    /// [`FileFault::NotTemplate`].
    pub(super) fn open(columns: Columns, first: &[u8]) -> Result<Self, FileFault> {
        let first = String::from_utf8_lossy(first);
        let separator = if first.contains(';') { b';' } else { b',' };
        let mut names = Vec::new();
        if split(&first, separator, &mut names).is_err() {
            names.clear();
        }
        let (mut places, mut others) = (Vec::new(), Vec::new());
        for name in names.iter().map(|name| name.trim()) {
            let place = columns.place(name).filter(|place| !places.contains(&Some(*place)));
            if place.is_none() && !name.is_empty() {
                others.push(name.chars().take(NAME_CHARACTERS_MAX).collect());
            }
            places.push(place);
        }
        others.truncate(NAMES_MAX);
        let is_missing = |name: &&str| !places.contains(&columns.place(name));
        let missing: Vec<_> = columns.names().filter(is_missing).map(str::to_owned).collect();
        if !missing.is_empty() || !others.is_empty() {
            return Err(FileFault::NotTemplate { missing, others });
        }
        Ok(Self { columns, separator, places })
    }

    /// Whether a row has no filled cell: spreadsheets leave such rows at the end.
    pub(super) fn is_blank(&self, row: &[u8]) -> bool {
        row.iter().all(|byte| *byte == self.separator || byte.is_ascii_whitespace())
    }

    /// A row of the table.
    pub(super) fn row(&self, number: usize, row: &[u8], rules: &Rules) -> Row {
        let text = String::from_utf8_lossy(row);
        let mut cells = Vec::with_capacity(self.places.len());
        if let Err(fault) = split(&text, self.separator, &mut cells) {
            let say = ("Una virgoletta è fuori posto.", "A quotation mark is misplaced.");
            return Row::unreadable(number, self.name_at(fault.cell - 1), self.say(say));
        }
        if cells.len() != self.places.len() {
            let text = format!("{} {} / {}.", self.say(CELLS), cells.len(), self.places.len());
            return Row::unreadable(number, String::new(), &text);
        }
        self.read(number, &cells, rules)
    }

    fn read(&self, number: usize, cells: &[Cow<'_, str>], rules: &Rules) -> Row {
        let Columns { campaign, language, fields } = &self.columns;
        let (mut entries, mut faults, mut mandate) = (Entries::default(), Vec::new(), "");
        for (place, cell) in self.places.iter().zip(cells) {
            let cell = meant(cell);
            match place {
                Some(Place::Mandate) => mandate = cell,
                Some(Place::Field(at)) => {
                    let field = &fields[*at];
                    entries.enter(field, &said(field.kind, cell, *language), *language);
                }
                None if cell.is_empty() => {}
                None => faults.push(CellFault::new("", self.say(NAMELESS))),
            }
        }
        if !is_mandate_reference(mandate) {
            let text = if mandate.is_empty() { NO_MANDATE } else { NOT_A_MANDATE };
            faults.push(CellFault::new(MANDATE, self.say(text)));
        }
        let form = Form::for_client(*campaign, rules, &entries, *language);
        // The campaign has columns, so it has a form.
        let Some(form) = form else { return Row::unreadable(number, String::new(), "") };
        let written = form.write(None, &entries, Some(mandate));
        if let Err(ParseError::Invalid(found)) = parse_bounded(&written.json, rules) {
            let found: Vec<_> = found.into_iter().filter(|one| one.pointer != "/mandate").collect();
            let complaints = form.complaints(&written, &found, &entries);
            faults.extend(complaints.iter().map(|complaint| fault_of(complaint, *language)));
        }
        let is_asked = |field: &Field| form.fields().any(|asked| asked.name == field.name);
        for field in fields.iter().filter(|field| !is_asked(field)) {
            if !entries.of(&field.name).is_empty() {
                faults.push(CellFault::new(&field.name, self.say(NOT_ASKED)));
            }
        }
        let mandate = Some(mandate).filter(|mandate| is_mandate_reference(mandate));
        let mandate = mandate.unwrap_or_default().to_owned();
        Row { number, mandate, json: written.json, entries, faults }
    }

    fn name_at(&self, at: usize) -> String {
        match self.places.get(at) {
            Some(Some(Place::Mandate)) => MANDATE.to_owned(),
            Some(Some(Place::Field(field))) => {
                self.columns.fields[*field].name.clone().into_owned()
            }
            _ => String::new(),
        }
    }

    fn say(&self, (italian, english): (&'static str, &'static str)) -> &'static str {
        self.columns.language.of(italian, english)
    }
}

impl Columns {
    fn place(&self, name: &str) -> Option<Place> {
        if name.eq_ignore_ascii_case(MANDATE) {
            return Some(Place::Mandate);
        }
        let at = self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name));
        at.map(Place::Field)
    }
}

const CELLS: (&str, &str) = (
    "La riga non ha tante celle quante la prima riga:",
    "The row has not as many cells as the first row:",
);
const NAMELESS: (&str, &str) =
    ("Una cella è sotto una colonna senza nome.", "A cell is below a column without a name.");
const NO_MANDATE: (&str, &str) =
    ("Scrivi il riferimento della delega.", "Enter the reference of the mandate.");
const NOT_A_MANDATE: (&str, &str) = (
    "Non è il riferimento di una delega: non ha spazi né lettere accentate.",
    "This is not the reference of a mandate: it has no spaces or accented letters.",
);
const NOT_ASKED: (&str, &str) = (
    "Con le altre risposte di questa riga non serve: lascia vuota la cella.",
    "With the other answers of this row it is not asked for: leave the cell empty.",
);

/// What a cell says, as a page's control would.
fn said(kind: Kind, cell: &str, language: Language) -> Cow<'_, str> {
    let is = |words: &[&str]| words.iter().any(|word| cell.to_lowercase() == *word);
    let (yes, no) =
        (is(&["sì", "si", "yes", "true", "vero", "x", "1"]), is(&["no", "false", "falso", "0"]));
    match kind {
        Kind::Flag | Kind::Statement if yes => "true".into(),
        Kind::Flag | Kind::Statement if no => "false".into(),
        Kind::Year(year) if yes || cell == year.to_string() => year.to_string().into(),
        Kind::Year(_) if no => "".into(),
        Kind::Choice(choices) => {
            let chosen = choices.iter().find(|choice| match choice.value {
                "true" => yes,
                "false" => no,
                "null" => cell == UNKNOWN,
                value => value.eq_ignore_ascii_case(cell),
            });
            let labelled = || choices.iter().find(|choice| choice.label(language) == cell);
            chosen.or_else(labelled).map_or(cell.into(), |choice| choice.value.into())
        }
        _ => cell.into(),
    }
}

/// A complaint in words for somebody who writes into a cell and chooses nothing.
fn fault_of(complaint: &Complaint<'_>, language: Language) -> CellFault {
    let Some(field) = complaint.field else { return CellFault::new("", &complaint.text) };
    let text = match field.kind {
        Kind::Flag => language.of("Scrivi sì o no.", "Enter yes or no.").to_owned(),
        Kind::Year(year) => {
            format!("{} {year}.", language.of("Scrivi sì oppure", "Enter yes or"))
        }
        Kind::Choice(choices) => {
            let values = choices.iter().map(|choice| written(choice.value, language));
            let values = values.collect::<Vec<_>>().join(", ");
            format!("{}: {values}.", language.of("Scrivi uno di questi", "Enter one of these"))
        }
        _ => complaint.text.clone(),
    };
    CellFault::new(&field.name, &text)
}
