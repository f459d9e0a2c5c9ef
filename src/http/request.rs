//! What a use case is given: its runtime's public side, its request, and its session.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use hyper::header::{AUTHORIZATION, HeaderMap};
use tokio_util::sync::CancellationToken;

use super::{api::status::LastStatus, body, meters::Meters, problem::Language};
use crate::{
    gate::pressure::{Pressure, Pulse},
    intake::Counter,
    session::Session,
};

/// One runtime's public side.
pub struct Public {
    /// The use cases.
    pub desk: Rc<Counter>,
    /// How much is under way on all runtimes.
    pub pressure: Pressure,
    /// How far this runtime is behind.
    pub pulse: Pulse,
    /// Bounds of bodies.
    pub body: body::Config,
    /// Cancelled when the server is to stop.
    pub draining: CancellationToken,
    /// This runtime's meters.
    pub meters: Meters,
    /// What this runtime told last at `/v1/status`.
    pub status: LastStatus,
}

/// What a use case is given of its request.
pub struct Asked<'r> {
    /// Its header fields.
    pub headers: &'r HeaderMap,
    /// The segment of the path that varies.
    pub segment: &'r str,
    /// From where it comes.
    pub from: IpAddr,
    /// In which language to answer.
    pub language: Language,
}

/// The session that a request came under.
pub struct Login<'r> {
    /// Its token, as it was sent.
    pub token: &'r str,
    /// The session itself.
    pub session: &'r Arc<Session>,
}

/// The value of a header field that must be there once: two would be read differently by whoever stands in between.
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
