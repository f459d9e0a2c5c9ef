//! Sportello: the counter at which a whole country may knock at once.

// Floor 0: pure. No clock, no file, no randomness, no async; callers pass what the rules need.
pub mod application;
pub mod civic;
pub mod schemes;

// Floor 1: what keeps.
pub mod clock;
pub mod ledger;
pub mod metrics;
pub mod urn;

// Floor 2: who may come in.
pub mod gate;
pub mod identity;
pub mod session;

// Floor 3: the use cases.
pub mod intake;
pub mod judges;

// Floor 4: the outside.
pub mod http;
pub mod operator;

// Floor 5: commands and wiring.
pub mod cli;
pub mod config;
pub mod server;
