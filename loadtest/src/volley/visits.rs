//! Whole visits, each over a connection of its own: handshake, enter, perhaps a draft, submit, reads, leave.
//!
//! The same requests go to a server that knows nothing of sessions: what a reply does not name, such as the session's
//! token, is replaced by something of the same length.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use serde_json::Value;

use super::people::{FIRST_KEY, IDEMPOTENCY_KEY, JSON, PERSON, Person, persons, template};
use crate::{
    clock, identity,
    wire::{
        client::{ExchangeFault, Reply},
        connection::Dialer,
        line::Line,
    },
};

/// A session token of the usual length, for a server that issues none.
const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// A receipt code of the usual length, for a server that issues none.
const RECEIPT: &str = "ISCRO-24-0000-0000-0000";

/// People who visit, and what each of them does.
pub(super) struct Visits {
    pub(super) people: Vec<Person>,
    pub(super) application: String,
    pub(super) course: Course,
}

/// What a person does between entering and leaving.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// Whether they save a draft before they submit.
    pub(super) saves_draft: bool,
    /// Reads of the application after the receipt.
    pub(super) reads: u32,
    /// Pause before each read.
    pub(super) read_wait: Duration,
}

/// The steps of a visit whose replies are counted by their own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Enter,
    Draft,
    Submit,
    Read,
    Leave,
}

/// A visit that went well.
#[derive(Debug, Default)]
pub(super) struct Visited {
    /// From sending the submission to its whole reply.
    pub(super) submission: Duration,
    /// Whether the last read showed a decision.
    pub(super) decided: bool,
    /// Bytes of replies, and their number, by [`Kind`].
    pub(super) replies: [(usize, u64); Kind::ALL.len()],
}

/// Why a visit did not go well.
pub(super) enum Failed {
    Exchange(ExchangeFault),
    Refused(Kind, Reply),
}

impl From<ExchangeFault> for Failed {
    fn from(fault: ExchangeFault) -> Self {
        Self::Exchange(fault)
    }
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Enter, Self::Draft, Self::Submit, Self::Read, Self::Leave];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Draft => "draft",
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Leave => "leave",
        }
    }
}

impl Visits {
    /// A visit of each of the people in a file with lines of `code<TAB>identity token<TAB>visit`.
    pub(super) fn of(people: &Path, application: &Path, course: Course) -> Result<Self, String> {
        Ok(Self { people: persons(people)?, application: template(application)?, course })
    }

    /// Carries out the visit with `number`, counted from 0; `None` if there is none.
    pub(super) async fn play(
        &self,
        number: usize,
        dialer: &Dialer,
        reply_wait_max: Duration,
    ) -> Option<Result<Visited, Failed>> {
        let person = self.people.get(number)?;
        Some(self.visit(person, dialer, reply_wait_max).await)
    }

    async fn visit(
        &self,
        person: &Person,
        dialer: &Dialer,
        reply_wait_max: Duration,
    ) -> Result<Visited, Failed> {
        let line = Line::over_http1(dialer).await.map_err(ExchangeFault::Dial)?;
        let host = dialer.target().host.clone();
        let mut asking = Asking { line, host, reply_wait_max, visited: Visited::default() };
        let root = format!("/v1/sessions/{}", person.visit);
        let body = self.application.replace(PERSON, &person.identity.code);

        let bearer = &person.identity.bearer;
        let entered = asking.ask(Kind::Enter, bearer, Method::PUT, &root, "").await?;
        let session = text_of(&entered, "token").unwrap_or_else(|| TOKEN.to_owned());
        let bearer = &identity::bearer(&session).ok_or(ExchangeFault::Broken)?;
        if self.course.saves_draft {
            let draft = format!("{root}/drafts/{}", scheme_of(&body));
            asking.ask(Kind::Draft, bearer, Method::PUT, &draft, &body).await?;
        }
        let applications = format!("{root}/applications");
        let sent = clock::now();
        let receipt = asking.ask(Kind::Submit, bearer, Method::POST, &applications, &body).await?;
        asking.visited.submission = clock::now().saturating_duration_since(sent);
        let receipt = text_of(&receipt, "receipt").unwrap_or_else(|| RECEIPT.to_owned());
        let application = format!("{applications}/{receipt}");
        for _ in 0..self.course.reads {
            tokio::time::sleep(self.course.read_wait).await;
            let read = asking.ask(Kind::Read, bearer, Method::GET, &application, "").await?;
            asking.visited.decided = text_of(&read, "state").as_deref() == Some("decided");
        }
        asking.ask(Kind::Leave, bearer, Method::DELETE, &root, "").await?;
        Ok(asking.visited)
    }
}

/// One person's connection, and what came over it.
struct Asking {
    line: Line,
    host: HeaderValue,
    reply_wait_max: Duration,
    visited: Visited,
}

impl Asking {
    async fn ask(
        &mut self,
        kind: Kind,
        bearer: &HeaderValue,
        method: Method,
        path: &str,
        body: &str,
    ) -> Result<Reply, Failed> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse::<Uri>().map_err(|_| ExchangeFault::Broken)?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(AUTHORIZATION, bearer.clone());
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        if matches!(kind, Kind::Submit) {
            headers.insert(IDEMPOTENCY_KEY, FIRST_KEY);
        }
        let reply = self.line.exchange(request, self.reply_wait_max).await?;
        // Told to wait (202), nobody is inside.
        if !reply.status.is_success() || reply.status == hyper::StatusCode::ACCEPTED {
            return Err(Failed::Refused(kind, reply));
        }
        let (bytes, count) = &mut self.visited.replies[kind as usize];
        *bytes += reply.head_bytes + reply.body.len();
        *count += 1;
        Ok(reply)
    }
}

/// A text in a reply; `None` if it has none of that name, or is no JSON.
fn text_of(reply: &Reply, name: &str) -> Option<String> {
    let reply: Value = serde_json::from_slice(&reply.body).ok()?;
    reply.get(name)?.as_str().map(str::to_owned)
}

/// The scheme that an application names.
fn scheme_of(application: &str) -> String {
    let application: Option<Value> = serde_json::from_str(application).ok();
    let scheme = application.as_ref().and_then(|application| application.get("scheme"));
    scheme.and_then(Value::as_str).unwrap_or("iscro").to_owned()
}
