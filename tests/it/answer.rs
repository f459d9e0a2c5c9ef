//! A response of the server, and what tests expect of it.

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

/// A response of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    /// The last part of a problem's type. Asserts that the response is a well-formed problem that names its request.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        let id = problem["requestId"].as_str().unwrap_or_default();
        let is_id =
            id.len() == 32 && id.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        // Those of the operator listener have none.
        assert!(is_id || id.is_empty(), "{self:?}");
        assert_eq!(self.header("request-id"), id, "{self:?}");
        let kind = problem["type"].as_str().unwrap().strip_prefix("urn:sportello:problem:");
        kind.unwrap().to_owned()
    }

    /// The body without the id of its request.
    pub(crate) fn without_id(&self) -> String {
        let id = self.header("request-id");
        assert_eq!(id.len(), 32, "{self:?}");
        let spoken = format!("{} {} {}", &id[20..24], &id[24..28], &id[28..]);
        let text = String::from_utf8(self.body.to_vec()).unwrap();
        text.replace(&id, "ID").replace(&spoken, "REFERENCE")
    }

    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, problem: &str) {
        assert_eq!((self.status.as_u16(), &*self.problem()), (status, problem), "{self:?}");
    }

    /// Asserts that nothing can be stored now, and that the client is asked to come back in 60 to 120 seconds.
    #[track_caller]
    pub(crate) fn assert_storage_unavailable(&self) {
        self.assert_problem(503, "storage-unavailable");
        let seconds: u32 = self.header("retry-after").parse().unwrap();
        assert!((60..=120).contains(&seconds), "{seconds}");
    }
}
