//! The bounds of the trail.

/// The bounds of the trail.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Full months that are kept besides the current one.
    pub months_kept: u64,
    /// Events that may wait for the writer; the sender of a further one waits.
    pub queue_events_max: usize,
    /// How long the event that a person was let in waits for others before it is written, milliseconds; no client waits
    /// for it.
    pub entered_wait_ms: u64,
}
