//! The requests of a volley, read and checked beforehand, so that sending one costs only a few copies.

use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap},
};

use super::{
    people::{FIRST_KEY, IDEMPOTENCY_KEY, JSON, PERSON, persons},
    visits::Visits,
};
use crate::{identity::Identity, wire::target::Target};

/// Requests in the order in which they are sent.
pub(super) struct Requests {
    headers: HeaderMap,
    kind: Kind,
}

enum Kind {
    Submissions { sessions: Vec<Session>, template: String },
    Reads { uri: Uri, count: usize },
    Handshakes(usize),
    Visits(Visits),
}

/// An open session.
struct Session {
    person: Identity,
    /// Where its applications go.
    uri: Uri,
}

impl Requests {
    /// An application from each of the `sessions`, made from `template`.
    pub(super) fn submissions(
        target: &Target,
        http2: bool,
        sessions: &Path,
        template: &Path,
    ) -> Result<Self, String> {
        let opened = persons(sessions)?.into_iter().map(|person| {
            let path = format!("/v1/sessions/{}/applications", person.visit);
            let uri = uri(target, http2, &path);
            let uri = uri.ok_or_else(|| format!("`{}` is no name of a visit", person.visit))?;
            Ok(Session { person: person.identity, uri })
        });
        let sessions = opened.collect::<Result<Vec<_>, String>>()?;
        let (headers, template) = (headers(target, http2), super::people::template(template)?);
        Ok(Self { headers, kind: Kind::Submissions { sessions, template } })
    }

    /// `count` reads of `path`.
    pub(super) fn reads(
        target: &Target,
        http2: bool,
        path: &str,
        count: usize,
    ) -> Result<Self, String> {
        let uri = uri(target, http2, path);
        let uri = uri.ok_or_else(|| format!("`{path}` is not a path; allowed is /PATH"))?;
        Ok(Self { headers: headers(target, http2), kind: Kind::Reads { uri, count } })
    }

    /// `count` handshakes without a request.
    pub(super) fn handshakes(count: usize) -> Self {
        Self { headers: HeaderMap::new(), kind: Kind::Handshakes(count) }
    }

    /// Whole visits.
    pub(super) fn of_visits(visits: Visits) -> Self {
        Self { headers: HeaderMap::new(), kind: Kind::Visits(visits) }
    }

    /// Number of requests, of handshakes, or of visits.
    pub(super) fn count(&self) -> usize {
        match &self.kind {
            Kind::Visits(visits) => visits.people.len(),
            Kind::Submissions { sessions, .. } => sessions.len(),
            Kind::Reads { count, .. } | Kind::Handshakes(count) => *count,
        }
    }

    /// True for handshakes and visits, each of which opens a connection of its own.
    pub(super) fn open_connections(&self) -> bool {
        matches!(self.kind, Kind::Handshakes(_) | Kind::Visits(_))
    }

    /// The visits, if it is them that are played.
    pub(super) fn visits(&self) -> Option<&Visits> {
        if let Kind::Visits(visits) = &self.kind { Some(visits) } else { None }
    }

    /// The request with `number`, counted from 0; `None` for a handshake or a visit.
    pub(super) fn get(&self, number: usize) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::default());
        match &self.kind {
            Kind::Submissions { sessions, template } => {
                let Session { person, uri } = sessions.get(number)?;
                *request.method_mut() = Method::POST;
                *request.uri_mut() = uri.clone();
                *request.body_mut() = Full::from(template.replace(PERSON, &person.code));
                *request.headers_mut() = self.headers.clone();
                let headers = request.headers_mut();
                headers.insert(AUTHORIZATION, person.bearer.clone());
                headers.insert(CONTENT_TYPE, JSON);
                headers.insert(IDEMPOTENCY_KEY, FIRST_KEY);
            }
            Kind::Reads { uri, .. } => {
                *request.uri_mut() = uri.clone();
                *request.headers_mut() = self.headers.clone();
            }
            Kind::Handshakes(_) | Kind::Visits(_) => return None,
        }
        Some(request)
    }
}

fn headers(target: &Target, http2: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !http2 {
        headers.insert(HOST, target.host.clone());
    }
    headers
}

/// The URI of `path` as the version of HTTP needs it; `None` if it is not a path.
fn uri(target: &Target, http2: bool, path: &str) -> Option<Uri> {
    let uri = target.uri(path)?;
    if http2 { Some(uri) } else { uri.path_and_query().cloned().map(Uri::from) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http_body_util::BodyExt;

    use super::Requests;
    use crate::wire::target::Target;

    #[tokio::test]
    async fn a_submission_is_its_person_s_own() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (sessions, template) = (directory.path().join("s"), directory.path().join("t"));
        fs::write(&sessions, "RSSMRA80A01H501U\taaa\tA\nRSSMRA80A41H501Y\tbbb\tB\n").expect("text");
        fs::write(&template, r#"{"of":"PERSON"}"#).expect("text");
        let target = Target::parse("https://127.0.0.1:8443").expect("an origin");
        let made = |http2| Requests::submissions(&target, http2, &sessions, &template);
        let requests = made(false).expect("they are right");
        assert_eq!(requests.count(), 2);
        let second = requests.get(1).expect("there are two");
        assert_eq!(
            (second.uri().to_string().as_str(), &second.headers()["host"]),
            ("/v1/sessions/B/applications", &target.host)
        );
        assert_eq!(second.headers()["authorization"], "Bearer bbb");
        let body = second.into_body().collect().await.expect("it is whole").to_bytes();
        assert_eq!(body.as_ref(), br#"{"of":"RSSMRA80A41H501Y"}"#);
        assert!(requests.get(2).is_none());

        let first = made(true).expect("they are right").get(0).expect("there are two");
        assert_eq!(first.uri().to_string(), "https://127.0.0.1:8443/v1/sessions/A/applications");
        assert!(!first.headers().contains_key("host"));

        fs::write(&template, "{}").expect("text");
        assert!(made(false).is_err_and(|fault| fault.contains("holds no PERSON")));
        fs::write(&template, "PERSON").expect("text");
        fs::write(&sessions, "RSSMRA80A01H501U\taaa\n").expect("text");
        assert!(made(false).is_err_and(|fault| fault.contains("line 1: allowed is")));
    }
}
