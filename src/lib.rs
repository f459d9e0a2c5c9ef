//! Sportello: the counter at which a whole country may knock at once.

// Floor 0: pure. No clock, no file, no randomness, no async; callers pass what the rules need.
pub mod application;
pub mod civic;
pub mod schemes;
