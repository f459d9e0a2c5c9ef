//! What a handler gets: the public side of its runtime, the head of its request, and the session.

use std::{cell::RefCell, net::IpAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap};
use rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::{body, meters::Meters, problem::Language, router::Segments};
use crate::{
    gate::{admission::LoopDelay, pressure::Pressure},
    identity::demo::Minter,
    intake::{Counter, Proof},
    session::Session,
};

/// The public side of one runtime.
pub struct Public {
    /// The use cases.
    pub counter: Rc<Counter>,
    /// Requests under way on all runtimes.
    pub pressure: Pressure,
    /// Event-loop delay of this runtime.
    pub delay: LoopDelay,
    /// Bounds of bodies.
    pub body: body::Config,
    /// Where people inside may reconnect, such as `https://inside.example.it:8444`.
    pub inside: Option<String>,
    /// Cancelled when the server stops.
    pub draining: CancellationToken,
    /// Meters of this runtime.
    pub meters: Meters,
    /// The latest answer of this runtime to `GET /v1/status`.
    pub status: LastAnswer,
    /// The latest answer of this runtime to `GET /v1/draws`.
    pub draws: LastAnswer,
    /// The latest home page of this runtime, Italian and English.
    pub home: [LastAnswer; 2],
    /// Proves demo identities to the sign-in page; only in a demo.
    pub demo: Option<Arc<Minter>>,
}

/// The field in which an office's system names its clerk by their fiscal code.
const CLERK: &str = "clerk";

/// The cookie of a browser's session. The prefix makes browsers keep it to this host, to HTTPS and to all paths.
const SESSION_COOKIE: &[u8] = b"__Host-session";
/// The cookie of a browser whose person is at their identity provider.
const LOGIN_COOKIE: &[u8] = b"__Host-login";

/// The latest answer to a public read, and its second: within a second it is the same for everybody.
#[derive(Debug, Default)]
pub struct LastAnswer(RefCell<(i64, Bytes)>);

impl LastAnswer {
    /// The answer of this second, rendered if it is not the latest.
    pub(super) fn of(&self, second: i64, render: impl FnOnce() -> String) -> Bytes {
        let mut last = self.0.borrow_mut();
        if last.1.is_empty() || last.0 != second {
            *last = (second, render().into());
        }
        last.1.clone()
    }
}

/// The head of a request, for its handler.
pub struct Head<'r> {
    /// Its header fields.
    pub headers: &'r HeaderMap,
    /// The query of its URL; empty if there is none.
    pub query: &'r str,
    /// The named segments of its path.
    pub segments: Segments<'r>,
    /// The address that it came from; `None` if many people share it.
    pub from: Option<IpAddr>,
    /// The certificate that its client proved to hold, and those of its issuers; empty where none is asked for.
    pub certificates: &'r [CertificateDer<'static>],
    /// The host and port that it was sent to, as it names them itself.
    pub authority: &'r str,
    /// The language of its answer.
    pub language: Language,
}

impl<'r> Head<'r> {
    /// The visit in its path; empty if its route has none.
    #[must_use]
    pub fn visit(&self) -> &'r str {
        self.segments.named("visit").unwrap_or_default()
    }

    /// The certificate of its client as a proof; `None` without one.
    pub(super) fn certificate(&self) -> Option<Proof<'r>> {
        let clerk = one(self.headers, CLERK);
        (!self.certificates.is_empty())
            .then_some(Proof::Certificate { chain: self.certificates, clerk })
    }
}

/// The session of a request, and the token that opened it.
pub struct Authenticated<'r> {
    /// The token as it was sent.
    pub token: &'r str,
    /// The session.
    pub session: &'r Arc<Session>,
}

/// The value of a header field that must occur once: a proxy may read another one of two than we do.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// The token of an `Authorization: Bearer` field (RFC 6750).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = one(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of the session's cookie.
pub(super) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

/// The value of the cookie of an attempt to sign in.
pub(super) fn login_cookie(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, LOGIN_COOKIE)
}

/// The value of a cookie of ours (RFC 6265); `None` if it is sent twice, because another host of the domain may have set one
/// of the two. Other cookies are not looked at: they are the domain's.
fn cookie<'h>(headers: &'h HeaderMap, wanted: &[u8]) -> Option<&'h str> {
    // HTTP/2 may split the field (RFC 9113, 8.2.3).
    let fields = headers.get_all(COOKIE).iter();
    let cookies = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let mut values = cookies.filter_map(|cookie| {
        let cookie = cookie.trim_ascii();
        let (name, value) = cookie.split_at(cookie.iter().position(|byte| *byte == b'=')?);
        (name == wanted).then_some(&value[1..])
    });
    let value = values.next()?;
    if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_sessions_cookie_is_taken_if_it_is_the_only_one() {
        for (fields, expected) in [
            (&["__Host-session=abc"][..], Some("abc")),
            (&["a=b; __Host-session=a-_=; c=d"], Some("a-_=")),
            (&["a=b", "__Host-session=abc"], Some("abc")),
            (&["name=caf\u{e9};__Host-session=abc"], Some("abc")),
            (&["__Host-session"], None),
            (&["__Host-session=abc; __Host-session=abc"], None),
            (&["__Host-session=abc", "__Host-session=def"], None),
            (&["__host-session=abc", "session=abc", "x__Host-session=abc"], None),
            (&["a=\"__Host-session=abc\""], None),
            (&["a=__Host-session=abc"], None),
            (&[], None),
        ] {
            let field = |text: &&str| (COOKIE, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            let headers = fields.iter().map(field).collect();
            assert_eq!(session_cookie(&headers), expected, "{fields:?}");
        }
    }
}
