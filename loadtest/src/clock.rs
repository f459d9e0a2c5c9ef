//! The only module that reads the clock: everything else is passed instants.

use std::time::Instant;

/// Now, on the monotonic clock with which every latency is measured.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A number unique to a run on this machine: milliseconds since 1970.
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
