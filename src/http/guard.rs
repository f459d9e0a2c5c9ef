//! The last gate, the third wall of promise 3: the only place where a response is made.
//!
//! An answer leaves only if the person it was rendered for is the person whose request it answers. Every answer that is
//! not public carries `no-store`, its `Request-Id`, under a session the session's `Subject-Tag`, and a `Referrer-Policy`:
//! no page that follows learns the path, which holds a visit. Every page carries a policy that forbids scripts, frames and everything
//! from other hosts.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{
    Either, Full,
    channel::{Channel, Sender},
};
use hyper::{
    Response, StatusCode,
    body::Body as _,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING,
        CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
        HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
        VARY, WWW_AUTHENTICATE,
    },
};

use super::problem::{Language, Problem};
use crate::{
    gate::waiting::Waiter,
    metrics as list,
    session::{Session, scope::Shown},
    trace,
    vault::Subject,
};

const SUBJECT_TAG: HeaderName = HeaderName::from_static("subject-tag");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// A cookie for this host alone, over HTTPS, that no script reads and no other site's request carries.
const COOKIE_BOUNDS: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

const HTML: &str = "text/html; charset=utf-8";
/// What a page may load, where its forms may go, and who may frame it. Icons in the style sheet are
/// `data:` URLs.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
/// A year of HTTPS only, for this host: its domain may have others.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
const KEEP_FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The body of a response: in one piece, or streamed.
pub type Body = Either<Full<Bytes>, Channel<Bytes>>;

/// An answer that has not passed the gate yet.
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Content,
    meant_for: MeantFor,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The requester, if they wait to be let in, and when they were asked to come back.
    waits: Option<(Waiter, Duration)>,
    /// Whether the requester has to prove elsewhere who they are.
    leads_elsewhere: bool,
}

enum Content {
    Whole(Bytes),
    /// Lines that have passed the gate one by one.
    Lines(Channel<Bytes>),
}

#[derive(Clone, Copy)]
enum MeantFor {
    /// The same for everybody; caches may keep it for this many seconds.
    Anyone { seconds: u32 },
    /// The same for everybody as long as its path exists.
    AnyoneForEver,
    /// Holds no personal data.
    Requester,
    /// Rendered for this person alone.
    Person(Subject),
}

impl Reply {
    /// An answer that is the same for everybody; caches may keep it for `seconds`.
    #[must_use]
    pub fn public(content_type: &'static str, body: impl Into<Bytes>, seconds: u32) -> Self {
        Self::new(
            StatusCode::OK,
            content_type,
            Content::Whole(body.into()),
            MeantFor::Anyone { seconds },
        )
    }

    /// A file whose path changes with its content: caches may keep it for ever.
    #[must_use]
    pub fn unchanging(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = Content::Whole(body.into());
        Self::new(StatusCode::OK, content_type, body, MeantFor::AnyoneForEver)
    }

    /// A page that is the same for everybody; caches may keep it for `seconds`.
    #[must_use]
    pub fn page(html: impl Into<Bytes>, language: Language, seconds: u32) -> Self {
        Self::public(HTML, html, seconds).with(CONTENT_LANGUAGE, language.tag())
    }

    /// A page that was rendered for one person.
    #[must_use]
    pub fn personal_page(status: StatusCode, html: Shown<Vec<u8>>, language: Language) -> Self {
        Self { content_type: HTML, ..Self::personal(status, html) }
            .with(CONTENT_LANGUAGE, language.tag())
    }

    /// A page for the requester that holds no personal data, such as that of a person who waits.
    #[must_use]
    pub fn page_of_requester(html: String, language: Language) -> Self {
        let body = Content::Whole(html.into());
        Self::new(StatusCode::OK, HTML, body, MeantFor::Requester)
            .with(CONTENT_LANGUAGE, language.tag())
    }

    /// 303: the form was taken, and the browser goes to another page.
    #[must_use]
    pub fn see_other(location: &str) -> Self {
        let body = Content::Whole(Bytes::new());
        Self::new(StatusCode::SEE_OTHER, "", body, MeantFor::Requester).at(location)
    }

    /// Sets the cookie of the browser's session. Only for answers to a POST: no cache keeps those, and from the answer to a
    /// GET it is [removed](without_cookies).
    #[must_use]
    pub fn with_session_cookie(self, token: &str) -> Self {
        self.with(SET_COOKIE, &format!("__Host-session={token}; {COOKIE_BOUNDS}"))
    }

    /// Sets the cookie of a browser whose person goes to their identity provider, for `seconds`. Only for answers to a POST.
    #[must_use]
    pub fn with_login_cookie(self, kept: &str, seconds: u32) -> Self {
        self.with(SET_COOKIE, &format!("__Host-login={kept}; Max-Age={seconds}; {COOKIE_BOUNDS}"))
    }

    /// Takes that cookie away.
    #[must_use]
    pub fn without_login_cookie(self) -> Self {
        self.with(SET_COOKIE, &format!("__Host-login=; Max-Age=0; {COOKIE_BOUNDS}"))
    }

    /// Says that the requester has to prove elsewhere who they are.
    #[must_use]
    pub fn leading_elsewhere(mut self) -> Self {
        self.leads_elsewhere = true;
        self
    }

    /// Whether it lets its requester in, if its route lets people in.
    #[must_use]
    pub fn lets_in(&self) -> bool {
        !self.leads_elsewhere
    }

    /// Takes the cookie away, and has the browser forget what it kept of this host.
    #[must_use]
    pub fn without_session_cookie(self) -> Self {
        self.with(SET_COOKIE, &format!("__Host-session=; Max-Age=0; {COOKIE_BOUNDS}"))
            .with(CLEAR_SITE_DATA, "\"cache\", \"storage\"")
    }

    /// A file for the requester that holds no personal data.
    #[must_use]
    pub fn file_of_requester(content_type: &'static str, body: String, name: &str) -> Self {
        let body = Content::Whole(body.into());
        Self::new(StatusCode::OK, content_type, body, MeantFor::Requester).as_file(name)
    }

    /// A file that browsers offer to save under this name.
    #[must_use]
    pub fn as_file(self, name: &str) -> Self {
        self.with(CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""))
    }

    /// An answer that was rendered for one person.
    #[must_use]
    pub fn personal(status: StatusCode, json: Shown<Vec<u8>>) -> Self {
        let (body, subject) = json.into_parts();
        Self::new(
            status,
            "application/json",
            Content::Whole(body.into()),
            MeantFor::Person(subject),
        )
    }

    /// One line of a streamed answer, rendered for one person.
    #[must_use]
    pub fn line(json: Shown<Vec<u8>>) -> Self {
        Self::personal(StatusCode::OK, json)
    }

    /// An answer streamed in lines, `ahead_max` of which may wait to be sent. Each must have passed [`release_line`].
    #[must_use]
    pub fn lines(ahead_max: usize) -> (Sender<Bytes>, Self) {
        let (sender, lines) = Channel::new(ahead_max);
        let content = Content::Lines(lines);
        (sender, Self::new(StatusCode::OK, "application/x-ndjson", content, MeantFor::Requester))
    }

    /// A page streamed in pieces, `ahead_max` of which may wait to be sent. Each must have passed [`release_piece`].
    #[must_use]
    pub fn page_in_pieces(ahead_max: usize, language: Language) -> (Sender<Bytes>, Self) {
        let (sender, reply) = Self::lines(ahead_max);
        let reply = Self { content_type: HTML, ..reply };
        (sender, reply.with(CONTENT_LANGUAGE, language.tag()))
    }

    /// The answer with a session's fresh token, to the person who has just proved their identity. It carries the
    /// session's tag, as all answers under the session do.
    #[must_use]
    pub fn entered(status: StatusCode, session: &Session, json: String) -> Self {
        Self::new(status, "application/json", Content::Whole(json.into()), MeantFor::Requester)
            .with(SUBJECT_TAG, &session.tag)
    }

    /// The answer to a person who has to wait, and ask again after `seconds`.
    #[must_use]
    pub fn waiting(waiter: Waiter, json: String, seconds: u32) -> Self {
        let (status, body) = (StatusCode::ACCEPTED, Content::Whole(json.into()));
        let mut reply = Self::new(status, "application/json", body, MeantFor::Requester);
        reply.headers.push((RETRY_AFTER, seconds.into()));
        reply.to_one_who_waits(waiter, seconds)
    }

    /// Says that the requester waits to be let in, and was asked to come back after `seconds`.
    #[must_use]
    pub fn to_one_who_waits(mut self, waiter: Waiter, seconds: u32) -> Self {
        self.waits = Some((waiter, Duration::from_secs(seconds.into())));
        self
    }

    /// The requester, if they wait to be let in, and when they were asked to come back; `None` for every other answer.
    #[must_use]
    pub fn waits(&self) -> Option<(Waiter, Duration)> {
        self.waits
    }

    /// 204: done, without content.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(StatusCode::NO_CONTENT, "", Content::Whole(Bytes::new()), MeantFor::Requester)
    }

    /// A problem, in the requester's language.
    #[must_use]
    pub fn problem(problem: &Problem, language: Language) -> Self {
        let json = problem.to_json(language).into();
        let reply = Self::of_problem(problem, "application/problem+json", json, language);
        if problem.status() == StatusCode::UNAUTHORIZED {
            return reply.with(WWW_AUTHENTICATE, "Bearer");
        }
        reply
    }

    /// The same as a page.
    #[must_use]
    pub fn problem_page(problem: &Problem, language: Language) -> Self {
        Self::of_problem(problem, HTML, problem.to_page(language).into(), language)
    }

    fn of_problem(
        problem: &Problem,
        content_type: &'static str,
        body: Bytes,
        language: Language,
    ) -> Self {
        let meant_for = problem.shown_to().map_or(MeantFor::Requester, MeantFor::Person);
        let mut reply = Self::new(problem.status(), content_type, Content::Whole(body), meant_for)
            .with(CONTENT_LANGUAGE, language.tag());
        if let Some(seconds) = problem.retry_after_seconds() {
            reply.headers.push((RETRY_AFTER, seconds.into()));
        }
        if let Some(limit) = problem.rate_limit() {
            reply = reply.with(RATE_LIMIT, limit);
        }
        if let Some(methods) = problem.allowed_methods() {
            reply = reply.with(ALLOW, methods);
        }
        reply
    }

    /// Says that the answer depends on a header of its request.
    #[must_use]
    pub fn depending_on(self, header: &HeaderName) -> Self {
        self.with(VARY, header.as_str())
    }

    /// Names the coding of the content, if there is one, and that it depends on what the requester accepts.
    #[must_use]
    pub fn encoded(self, coding: Option<&'static str>) -> Self {
        let reply = self.depending_on(&ACCEPT_ENCODING);
        match coding {
            Some(coding) => reply.with(CONTENT_ENCODING, coding),
            None => reply,
        }
    }

    /// Adds the version of what it shows or has saved, as an `ETag`.
    #[must_use]
    pub fn in_version(self, version: &str) -> Self {
        self.with(ETAG, &format!("\"{version}\""))
    }

    /// Adds a `Location`.
    #[must_use]
    pub fn at(self, location: &str) -> Self {
        self.with(LOCATION, location)
    }

    fn new(
        status: StatusCode,
        content_type: &'static str,
        body: Content,
        meant_for: MeantFor,
    ) -> Self {
        Self {
            status,
            content_type,
            body,
            meant_for,
            headers: Vec::new(),
            waits: None,
            leads_elsewhere: false,
        }
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// Makes the response, if the answer is meant for the requester, whose `session` this is.
///
/// An answer for somebody else is dropped, replaced by a 500 without details, and counted in
/// [`list::CROSSOVER_BLOCKED`].
#[must_use]
pub fn release(reply: Reply, session: Option<&Session>) -> Response<Body> {
    let reply = checked(reply, session);
    let cache = match reply.meant_for {
        MeantFor::Anyone { seconds } => {
            HeaderValue::from_str(&format!("public, max-age={seconds}"))
                .unwrap_or(HeaderValue::from_static("no-store"))
        }
        MeantFor::AnyoneForEver => KEEP_FOR_EVER,
        MeantFor::Requester | MeantFor::Person(_) => HeaderValue::from_static("no-store"),
    };
    let mut response = Response::new(match reply.body {
        Content::Whole(body) => Either::Left(Full::new(body)),
        Content::Lines(lines) => Either::Right(lines),
    });
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, cache);
    if !reply.content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    let is_page = reply.content_type == HTML;
    if is_page {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    let is_for_one = matches!(reply.meant_for, MeantFor::Requester | MeantFor::Person(_));
    if is_page || is_for_one {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    // What caches keep answers many requests.
    if is_for_one && let Some(id) = request_id() {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(tag) = session.and_then(|session| HeaderValue::from_str(&session.tag).ok()) {
        headers.insert(SUBJECT_TAG, tag);
    }
    for (name, value) in reply.headers {
        // Each cookie has a field of its own.
        if name == SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
    response
}

/// The id of the request under way. HTTP/2 would keep it in its table of fields for later answers, which have others.
fn request_id() -> Option<HeaderValue> {
    let digits = trace::current()?.id.digits();
    let mut id = HeaderValue::from_bytes(&digits).ok()?;
    id.set_sensitive(true);
    Some(id)
}

/// The same response, after which its HTTP/1.1 connection is closed.
#[must_use]
pub fn last(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The same response to a `GET` or `HEAD`, without any cookie: a cache that ignores every header keeps such an answer, and
/// would hand the cookie to the next one who asks.
#[must_use]
pub fn without_cookies(mut response: Response<Body>) -> Response<Body> {
    if response.headers_mut().remove(SET_COOKIE).is_some() {
        tracing::error!("the last gate removed a cookie from the answer to a GET");
    }
    response
}

/// The same response to a `HEAD`: with its length, without its content.
#[must_use]
pub fn without_content(response: Response<Body>) -> Response<Body> {
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Either::Left(Full::default()));
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// One line of a streamed answer, under the same condition as [`release`].
#[must_use]
pub fn release_line(reply: Reply, session: &Session) -> Bytes {
    match checked(reply, Some(session)).body {
        Content::Whole(line) => {
            let mut ended = Vec::with_capacity(line.len() + 1);
            ended.extend_from_slice(&line);
            ended.push(b'\n');
            ended.into()
        }
        Content::Lines(_) => Bytes::new(),
    }
}

/// One piece of a streamed page, under the same condition as [`release`]; nothing if it is meant for somebody else.
#[must_use]
pub fn release_piece(html: Shown<Vec<u8>>, session: &Session) -> Bytes {
    let reply = checked(Reply::personal(StatusCode::OK, html), Some(session));
    match reply.body {
        Content::Whole(piece) if reply.status == StatusCode::OK => piece,
        _ => Bytes::new(),
    }
}

/// The reply if it is meant for the requester, else a 500 without details: the comparison that every answer passes.
fn checked(reply: Reply, session: Option<&Session>) -> Reply {
    match reply.meant_for {
        MeantFor::Person(subject) if session.map(|session| session.subject) != Some(subject) => {
            list::CROSSOVER_BLOCKED.counter(&[]).increment(1);
            tracing::error!(
                ?session,
                "the last gate blocked an answer that was rendered for another person"
            );
            Reply::problem(&Problem::internal(), Language::default())
        }
        _ => reply,
    }
}
