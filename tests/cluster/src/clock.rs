//! The only module that reads the clock.

use std::time::Instant;

/// Now, on the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
