//! The only module that reads the clock: everything else is passed instants.

use std::time::{Duration, Instant};

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

/// The instant of a [`stamp`], also of one in the future.
#[must_use]
pub fn instant_of(stamp_ms: i64) -> Instant {
    let ahead = stamp_ms.saturating_sub(stamp());
    let distance = Duration::from_millis(ahead.unsigned_abs());
    if ahead < 0 { now().checked_sub(distance).unwrap_or_else(now) } else { now() + distance }
}

/// The date and time in UTC, to the second, as RFC 3339 text for the head of a report.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn date_time() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
