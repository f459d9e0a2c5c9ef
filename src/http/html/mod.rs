//! What every page has: the frame around its content, its words in both languages, and the style sheet.
//!
//! Templates are compiled in, and escape everything that they insert. No page has a script, an inline style or anything
//! from another host; its `Content-Security-Policy` forbids them ([`guard`](super::guard)).

pub(super) mod style;
mod words;

pub(super) use self::words::Words;
use crate::civic::Language;

/// What `html/base.html` needs to know of a page.
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) words: &'static Words,
    pub(super) title: &'static str,
    /// The path of the style sheet.
    pub(super) style: &'static str,
    /// Whether the page exists in the other language too, at `/it` and `/en`.
    pub(super) has_both: bool,
}

impl Frame {
    pub(super) fn new(language: Language, title: &'static str) -> Self {
        Self { language, words: Words::of(language), title, style: style::path(), has_both: false }
    }

    pub(super) fn is(&self, tag: &str) -> bool {
        self.language.tag() == tag
    }
}
