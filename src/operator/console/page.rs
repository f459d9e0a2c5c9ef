//! The page: the pieces as they stand, in a frame.

use askama::Template;

use super::{
    assets,
    live::Console,
    view::{SECTIONS, Section},
};
use crate::civic::Language;

/// The page that never updates itself.
pub(super) const STILL_PATH: &str = "/still";
/// How often a browser without scripts loads the page again, seconds: a screen reader can get through the alarms.
const REFRESH_SECONDS: u32 = 10;

/// The console as a page.
#[derive(Template)]
#[template(path = "console/page.html")]
pub(super) struct Page<'c> {
    console: &'c Console,
    language: Language,
    other: Language,
    is_live: bool,
    refresh_seconds: u32,
    still_path: &'static str,
    style: &'static str,
    script: &'static str,
    icon: &'static str,
    version: &'static str,
    sections: &'static [Section],
}

impl<'c> Page<'c> {
    /// `is_live`: it updates itself.
    pub(super) fn new(console: &'c Console, language: Language, is_live: bool) -> Self {
        let other = match language {
            Language::Italian => Language::English,
            Language::English => Language::Italian,
        };
        Self {
            console,
            language,
            other,
            is_live,
            refresh_seconds: REFRESH_SECONDS,
            still_path: STILL_PATH,
            style: assets::style(),
            script: assets::script(),
            icon: assets::icon(),
            version: env!("CARGO_PKG_VERSION"),
            sections: &SECTIONS,
        }
    }

    fn piece(&self, id: &str) -> String {
        self.console.piece(id, self.language)
    }

    /// The path below the page in its language.
    fn to(&self, below: &str) -> String {
        format!("/{}{below}", self.language.tag())
    }

    /// The path of the same page in the other language.
    fn in_other_language(&self) -> String {
        format!("/{}{}", self.other.tag(), if self.is_live { "" } else { self.still_path })
    }
}
