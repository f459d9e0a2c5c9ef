//! The console: one page on which operators see how the server does, live, and without a script too.
//!
//! It shows what the metrics page shows, read from that page ([`reading`]), with rates of the last seconds ([`recent`])
//! and plots of the last hour ([`history`]). Browsers follow it by a stream of events ([`live`]), each with the pieces
//! that changed ([`board`]). It shows no personal data. It is in Italian and English.

mod assets;
mod board;
mod history;
mod live;
mod machine;
mod numbers;
mod page;
mod people;
mod places;
mod reading;
mod recent;
mod samples;
#[cfg(test)]
mod tests;
mod tile;
mod view;
mod work;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, RETRY_AFTER},
};
use tokio_util::sync::CancellationToken;

use self::page::Page;
pub(super) use self::{
    live::Console,
    places::STREAMS_MAX,
    view::{Action, Seen},
};
use super::answer::{Answer, answer, text};
use crate::civic::Language;

/// A page may load files of this listener and follow its events, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// When a browser that found every place taken may ask again, seconds.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");
/// A file whose name changes with its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// What is at a path of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The page.
    Page {
        /// The language that the path names.
        language: Option<Language>,
        /// Whether it updates itself.
        is_live: bool,
    },
    /// The stream of events.
    Events {
        /// The language that the path names.
        language: Option<Language>,
    },
    /// A file that the page loads.
    Asset,
}

impl Place {
    /// The place at a path; `None` if it is not the console's. `/it` and `/en` before it name a language.
    pub(super) fn at(path: &str) -> Option<Self> {
        let named = path.get(1..3).filter(|_| matches!(path.as_bytes().get(3), None | Some(b'/')));
        let language = named.and_then(Language::from_tag);
        match if language.is_some() { &path[3..] } else { path } {
            "" | "/" => Some(Self::Page { language, is_live: true }),
            page::STILL_PATH => Some(Self::Page { language, is_live: false }),
            "/events" => Some(Self::Events { language }),
            _ => assets::is_path(path).then_some(Self::Asset),
        }
    }
}

/// The page, as it stands.
pub(super) fn page(console: &Console, language: Language, is_live: bool) -> Answer {
    let mut page =
        of("text/html; charset=utf-8", Page::new(console, language, is_live).to_string());
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    page
}

/// A stream of events; `hang_up` closes its connection if nobody reads it. When all places are taken, 503.
pub(super) fn events(
    console: &Arc<Console>,
    language: Language,
    hang_up: CancellationToken,
) -> Answer {
    if let Some(events) = console.stream(language, hang_up) {
        return of("text/event-stream", Bytes::new()).map(|_| events.boxed_unsync());
    }
    let why = "as many consoles as there may be are live: load the page again later\n";
    let mut full = text(StatusCode::SERVICE_UNAVAILABLE, why);
    full.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    full
}

/// A file that the page loads, or 404 if this is not its present name.
pub(super) fn asset(path: &str) -> Answer {
    let Some(asset) = assets::at(path) else {
        return text(StatusCode::NOT_FOUND, "no such file\n");
    };
    let mut file = of(asset.content_type, asset.content);
    file.headers_mut().insert(CACHE_CONTROL, FOR_EVER);
    file
}

fn of(content_type: &'static str, content: impl Into<Bytes>) -> Answer {
    let mut response = answer(StatusCode::OK, content_type, content);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}
