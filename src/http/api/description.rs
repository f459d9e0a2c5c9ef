//! `GET /openapi.json`: the description of this API, the same for everybody.

use super::super::guard::Reply;

/// How long a cache may keep the description, seconds.
const CACHE_SECONDS: u32 = 3600;

const OPENAPI: &str = include_str!("openapi.json");

pub(super) fn show() -> Reply {
    Reply::public("application/json", OPENAPI, CACHE_SECONDS)
}
