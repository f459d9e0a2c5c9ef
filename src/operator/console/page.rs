//! The page: the pieces as they stand, in a frame.

use askama::Template;

use super::{assets, live::Console, view::SECTIONS};

/// The page that never updates itself.
pub(super) const STILL_PATH: &str = "/still";
/// How often a browser without scripts loads the page again, seconds: a screen reader can get through the alarms.
const REFRESH_SECONDS: u32 = 10;

/// The console as a page.
#[derive(Template)]
#[template(path = "console/page.html")]
pub(super) struct Page<'c> {
    console: &'c Console,
    is_live: bool,
    refresh_seconds: u32,
    still_path: &'static str,
    style: &'static str,
    script: &'static str,
    icon: &'static str,
    version: &'static str,
    sections: &'static [(&'static str, &'static str, &'static [&'static str])],
}

impl<'c> Page<'c> {
    /// `is_live`: it updates itself.
    pub(super) fn new(console: &'c Console, is_live: bool) -> Self {
        Self {
            console,
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
        self.console.piece(id)
    }
}
