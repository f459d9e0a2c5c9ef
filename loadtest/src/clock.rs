//! The only reader of time in surge: everything else is handed instants.

use std::time::Instant;

/// This instant on the monotonic clock that every latency is measured with.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A number that no earlier run on this machine had: milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn stamp() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The date and time in UTC, to the second, as RFC 3339 text for the head of a report.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn date_time() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
