//! The bounds of the trail.

/// The bounds of the trail.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Full months that are kept besides the current one.
    pub months_kept: u64,
    /// Events that may wait for the writer; the sender of a further one waits.
    pub queue_events_max: usize,
    /// How long an event that no client waits for, such as an entry, waits for others before it is written,
    /// milliseconds. A killed server may lose as much of them.
    pub own_wait_ms: u64,
    /// Free disk space, bytes, below which nothing is recorded, and so nothing that must be recorded is done; see
    /// [`Space`](crate::ledger::space::Space).
    pub disk_reserve_bytes: u64,
}
