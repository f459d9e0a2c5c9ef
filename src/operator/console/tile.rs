//! A tile: one number that is read from a distance, what explains it, and what is wrong with it.

use askama::Template;

use super::board::Piece;
use crate::civic::Language;

/// How soon somebody has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Today.
    Warning,
    /// Now.
    Critical,
}

impl Level {
    /// The level in words: a colour alone tells nothing to some.
    pub(super) fn words(self, language: Language) -> &'static str {
        match self {
            Self::Warning => language.of("Da fare oggi", "Act today"),
            Self::Critical => language.of("Da fare adesso", "Act now"),
        }
    }

    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alarm {
    pub(super) level: Level,
    /// What is wrong, and what to do.
    pub(super) text: String,
}

impl Alarm {
    pub(super) fn critical(text: impl Into<String>) -> Self {
        Self { level: Level::Critical, text: text.into() }
    }

    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }
}

/// One tile of the page.
pub(super) struct Tile {
    id: &'static str,
    title: &'static str,
    value: String,
    unit: String,
    notes: Vec<String>,
    pub(super) alarms: Vec<Alarm>,
}

impl Tile {
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        value: impl Into<String>,
        unit: impl Into<String>,
    ) -> Self {
        let (value, unit) = (value.into(), unit.into());
        Self { id, title, value, unit, notes: Vec::new(), alarms: Vec::new() }
    }

    /// With one more line that explains it.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With something that needs a person, if there is anything.
    pub(super) fn alarm(mut self, alarm: Option<Alarm>) -> Self {
        self.alarms.extend(alarm);
        self
    }

    /// The most urgent level of its alarms.
    fn class(&self) -> &'static str {
        self.alarms.iter().map(|alarm| alarm.level).max().map_or("calm", Level::class)
    }

    pub(super) fn piece(&self, language: Language) -> Piece {
        Piece { id: self.id, html: Written { tile: self, language }.to_string() }
    }
}

#[derive(Template)]
#[template(path = "console/tile.html")]
struct Written<'t> {
    tile: &'t Tile,
    language: Language,
}
