//! What every page has: the frame around its content, its words in both languages, and the files that it loads.
//!
//! Templates are compiled in, and escape everything that they insert. No page has a script, an inline style or anything
//! from another host; its `Content-Security-Policy` forbids them ([`guard`](super::guard)).

pub(super) mod assets;
mod words;

use std::{borrow::Cow, sync::OnceLock};

pub(super) use self::words::Words;
use crate::civic::Language;

/// Who runs the service, for the header and the footer of every page, problems included: name, contacts, and when they
/// last went over the pages.
static INSTITUTE: OnceLock<[String; 3]> = OnceLock::new();

/// Names who runs the service: their name, contacts, and when they last went over the pages. The first call counts.
pub fn name_institute(institute: [String; 3]) {
    let _first = INSTITUTE.set(institute);
}

fn institute() -> [&'static str; 3] {
    INSTITUTE.get().map_or([""; 3], |known| known.each_ref().map(String::as_str))
}

/// What `html/base.html` needs to know of a page.
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) words: &'static Words,
    pub(super) title: Cow<'static, str>,
    /// Who runs the service.
    pub(super) institute: &'static str,
    /// How people reach them, a line each.
    pub(super) contacts: &'static str,
    /// When they last went over the pages; may be empty.
    pub(super) updated_on: &'static str,
    /// The paths of the style sheet and of the icon.
    pub(super) style: &'static str,
    pub(super) icon: &'static str,
    /// The paths of the page in Italian and in English, if it has both.
    pub(super) translations: Option<[String; 2]>,
    /// Whether the page shows what is wrong with a form.
    pub(super) is_faulty: bool,
    /// After how many seconds the browser asks again by itself.
    pub(super) refresh_seconds: Option<u32>,
    /// Where the browser goes on to by itself, at once.
    pub(super) leads_to: Option<String>,
    /// The visit that the page belongs to.
    pub(super) visit: Option<Visit>,
}

/// What the frame of a page knows of its visit.
pub(super) struct Visit {
    /// The path below which the visit's pages are, in their language.
    pub(super) path: String,
    /// The token of the visit's forms.
    pub(super) form_token: String,
    /// Whether it is that of an office, whose pages are others than a citizen's.
    pub(super) is_office: bool,
}

impl Frame {
    pub(super) fn new(language: Language, title: impl Into<Cow<'static, str>>) -> Self {
        let [name, contacts, updated_on] = institute();
        let anybody = language.of("Pubblica amministrazione", "Public administration");
        Self {
            language,
            words: Words::of(language),
            title: title.into(),
            institute: if name.is_empty() { anybody } else { name },
            contacts,
            updated_on,
            style: assets::style(),
            icon: assets::icon(),
            translations: None,
            is_faulty: false,
            refresh_seconds: None,
            leads_to: None,
            visit: None,
        }
    }

    /// The frame of a page that needs no session, `rest` being its path without the language.
    pub(super) fn open(language: Language, title: &'static str, rest: &str) -> Self {
        let translations = Some([format!("/it{rest}"), format!("/en{rest}")]);
        Self { translations, ..Self::new(language, title) }
    }

    /// Whether it is a page of an office.
    pub(super) fn is_office(&self) -> bool {
        self.visit.as_ref().is_some_and(|visit| visit.is_office)
    }

    pub(super) fn is(&self, tag: &str) -> bool {
        self.language.tag() == tag
    }

    /// A text that stands in one template alone.
    pub(super) fn say(&self, italian: &'static str, english: &'static str) -> &'static str {
        self.language.of(italian, english)
    }
}
