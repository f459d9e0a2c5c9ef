//! The calls of control: which there are, and how a request becomes one.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{ALLOW, HeaderName, HeaderValue, IF_MATCH},
};
use tokio::time::timeout;

use super::{
    super::answer::Answer,
    access::operator,
    documents::{Call, Document},
    done::Done,
    problem::Problem,
    steering::Steering,
};

/// Largest body: 366 dates in both lists of days, and a notice in both languages.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest time to receive it.
const BODY_MAX: Duration = Duration::from_secs(5);
/// Longest value of `If-Match`, bytes.
const IF_MATCH_BYTES_MAX: usize = 256;

/// What a request asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    State,
    Pause,
    Resume,
    Drain,
    Reload,
    Set(Document),
    Reset(Document),
    EndSessions(String),
}

/// A request that can be done: what it asks for, who asks how, and its body.
pub(super) struct Read {
    pub(super) asked: Asked,
    pub(super) call: Call,
    body: Bytes,
}

impl Asked {
    /// What a method and a path below `/control` ask for.
    pub(super) fn of(method: &Method, below: &str) -> Result<Self, Refused> {
        let segments: Vec<_> = below.split('/').collect();
        let (allowed, asked) = match segments[..] {
            [""] => ("GET", Some(Self::State)),
            ["pause"] => ("POST", Some(Self::Pause)),
            ["resume"] => ("POST", Some(Self::Resume)),
            ["drain"] => ("POST", Some(Self::Drain)),
            ["reload"] => ("POST", Some(Self::Reload)),
            ["sessions", name] if is_name(name) => {
                ("DELETE", Some(Self::EndSessions(name.to_owned())))
            }
            [name] if let Some(document) = Document::named(name) => {
                let asked =
                    if method == Method::PUT { Self::Set(document) } else { Self::Reset(document) };
                let is_allowed = method == Method::PUT || method == Method::DELETE;
                ("PUT, DELETE", is_allowed.then_some(asked))
            }
            _ => return Err(Refused::Path),
        };
        let is_only = allowed == method.as_str();
        asked.filter(|_| is_only || allowed.contains(", ")).ok_or(Refused::Method(allowed))
    }

    /// Its name in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Reload => "reload",
            Self::Set(document) | Self::Reset(document) => document.as_str(),
            Self::EndSessions(_) => "end-session",
        }
    }
}

/// Why a method and a path ask for nothing.
#[derive(Debug, PartialEq)]
pub(super) enum Refused {
    /// There is no such path.
    Path,
    /// There is, for these methods.
    Method(&'static str),
}

impl Refused {
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Path => Problem::not_found(
                "Control has: pause, resume, drain, reload, schedule, limits, notice, sessions/{tag}.",
            )
            .answer(),
            Self::Method(allowed) => {
                let title = "Method not allowed";
                let detail = format!("This path answers {allowed}.");
                let status = StatusCode::METHOD_NOT_ALLOWED;
                let problem = Problem::new(status, "method-not-allowed", title, detail);
                let mut answer = problem.answer();
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                answer
            }
        }
    }
}

impl Read {
    /// Reads the rest of a request: who asks, how, and the body.
    pub(super) async fn of(asked: Asked, request: Request<Incoming>) -> Result<Self, Problem> {
        let dry_run = dry_run(request.uri().query())?;
        let operator = operator(request.headers())?;
        let if_match = if_match(request.headers())?;
        let call = Call { operator, dry_run, if_match };
        let body = match asked {
            Asked::Set(_) => body(request).await?,
            _ => Bytes::new(),
        };
        Ok(Self { asked, call, body })
    }

    /// Does it. Waits for the disk.
    pub(super) fn run(&self, steering: &Steering) -> Result<Done, Problem> {
        let Self { asked, call, body } = self;
        match asked {
            Asked::State => Ok(Done::default()),
            Asked::Pause => steering.pause(call, true),
            Asked::Resume => steering.pause(call, false),
            Asked::Drain => Ok(steering.drain(call)),
            Asked::Reload => steering.reload(call),
            Asked::Set(document) => steering.set(call, *document, Some(body)),
            Asked::Reset(document) => steering.set(call, *document, None),
            Asked::EndSessions(name) => steering.end_sessions(call, name),
        }
    }
}

/// Whether a segment may be a subject tag or a handle.
fn is_name(segment: &str) -> bool {
    (1..=64).contains(&segment.len())
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn dry_run(query: Option<&str>) -> Result<bool, Problem> {
    match query {
        None | Some("" | "dryRun=false") => Ok(false),
        Some("dryRun=true") => Ok(true),
        // A misspelt one must not do what its sender only wanted to look at.
        Some(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "query-unknown",
            "Unknown query",
            "The only query is dryRun=true. Nothing was changed.",
        )),
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let values: Vec<_> = headers.get_all(IF_MATCH).iter().map(HeaderValue::to_str).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let joined = values.into_iter().collect::<Result<Vec<_>, _>>().map(|values| values.join(","));
    let usable = joined.ok().filter(|joined| joined.len() <= IF_MATCH_BYTES_MAX);
    usable.map(Some).ok_or_else(|| unreadable(&IF_MATCH))
}

fn unreadable(field: &HeaderName) -> Problem {
    let detail = format!("The field {field} cannot be read.");
    Problem::new(StatusCode::BAD_REQUEST, "malformed", "Unreadable field", detail)
}

async fn body(request: Request<Incoming>) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let problem = |status, slug, title, detail| Err(Problem::new(status, slug, title, detail));
    match timeout(BODY_MAX, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "Body too large",
            format!("A body has at most {BODY_BYTES_MAX} bytes."),
        ),
        Ok(Err(fault)) => problem(
            StatusCode::BAD_REQUEST,
            "malformed",
            "Unreadable body",
            format!("The body broke off: {fault}"),
        ),
        Err(_) => problem(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "Body too slow",
            format!("The body did not arrive within {} s.", BODY_MAX.as_secs()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_method_and_nothing_else_is_one() {
        let of = |method: &str, below: &str| Asked::of(&method.parse().unwrap(), below);
        for (method, below, name) in [
            ("GET", "", "state"),
            ("POST", "pause", "pause"),
            ("POST", "resume", "resume"),
            ("POST", "drain", "drain"),
            ("POST", "reload", "reload"),
            ("PUT", "schedule", "schedule"),
            ("DELETE", "limits", "limits"),
            ("PUT", "notice", "notice"),
            ("DELETE", "sessions/5Tg0vW1xqQ2c3dEf", "end-session"),
        ] {
            assert_eq!(of(method, below).unwrap().name(), name);
        }
        for (method, below, allowed) in [
            ("POST", "", "GET"),
            ("HEAD", "", "GET"),
            ("GET", "pause", "POST"),
            ("DELETE", "drain", "POST"),
            ("POST", "schedule", "PUT, DELETE"),
            ("GET", "notice", "PUT, DELETE"),
            ("GET", "sessions/5Tg0vW1xqQ2c3dEf", "DELETE"),
        ] {
            assert_eq!(of(method, below), Err(Refused::Method(allowed)), "{method} {below}");
        }
        for below in
            ["x", "pause/", "sessions", "sessions/", "sessions/a/b", "sessions/%2e", "intake"]
        {
            assert_eq!(of("POST", below), Err(Refused::Path), "{below}");
        }
    }

    #[test]
    fn a_misspelt_dry_run_is_no_run() {
        assert!(dry_run(Some("dryRun=true")).unwrap());
        for no in [None, Some(""), Some("dryRun=false")] {
            assert!(!dry_run(no).unwrap());
        }
        for wrong in
            ["dryrun=true", "dryRun=1", "dryRun", "dryRun=true&x=1", "dryRun=true&dryRun=false"]
        {
            assert!(dry_run(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
