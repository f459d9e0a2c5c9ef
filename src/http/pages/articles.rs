//! Pages that every service of the administration has: help, privacy, accessibility, legal notes. Templates for the
//! institute, which names itself in the settings.

use askama::Template;

use super::super::{
    guard::Reply,
    html::Frame,
    problem::{Kind, Problem},
    request::Head,
};
use crate::civic::Language;

/// How long a cache may keep them, seconds.
const CACHE_SECONDS: u32 = 3600;

#[derive(Template)]
#[template(path = "pages/help.html")]
struct Help {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "pages/privacy.html")]
struct Privacy {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "pages/accessibility.html")]
struct Accessibility {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "pages/legal.html")]
struct Legal {
    frame: Frame,
}

pub(super) fn show(language: Language, head: &Head<'_>) -> Result<Reply, Problem> {
    let frame = |italian, english, rest| Frame::open(language, language.of(italian, english), rest);
    let html = match head.segments.named("article").unwrap_or_default() {
        "help" => Help { frame: frame("Aiuto", "Help", "/help") }.to_string(),
        "privacy" => {
            let frame = frame("Informativa sulla privacy", "Privacy notice", "/privacy");
            Privacy { frame }.to_string()
        }
        "accessibility" => {
            let frame = frame(
                "Dichiarazione di accessibilità",
                "Accessibility statement",
                "/accessibility",
            );
            Accessibility { frame }.to_string()
        }
        "legal" => Legal { frame: frame("Note legali", "Legal notes", "/legal") }.to_string(),
        _ => return Err(Kind::NotFound.into()),
    };
    Ok(Reply::page(html, language, CACHE_SECONDS))
}
