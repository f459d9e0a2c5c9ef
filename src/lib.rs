//! Sportello: the counter at which a whole country may knock at once.
//!
//! # The life of an application
//!
//! ```text
//! connection -> TLS -> HTTP -> gate -> session -> parse -> commit ==> receipt (201)
//! http::listener       http::  gate    session    appli-   ledger::     |
//!             http::tls router         ::scope    cation   committer    v
//!                                                            urn -> judges -> decision -> status
//! ```
//!
//! 1. A connection is accepted within its bounds ([`http::listener`]); a request finds its line in the one table of routes
//!    ([`http::router`]), which also says what it is worth under pressure.
//! 2. Entering ([`intake::Intake::enter`]) checks identity, time slice, rate and takes a lease, which reserves the finish.
//! 3. Under a session every personal value is branded with it ([`session::scope`]) and leaves only through the last gate
//!    ([`http::guard`]).
//! 4. Bytes become a valid [`application::Application`] or a problem that names every fault.
//! 5. The runtime hands over what became ready in one turn as one batch ([`ledger::handover`]); the committer decides
//!    uniqueness, writes, syncs once and answers all ([`ledger::committer`]). Only then there is a receipt.
//! 6. The application falls into the [`urn`], a judge draws it and asks what the institute knows itself ([`judges`],
//!    [`registry`]), the rules decide ([`schemes::Rules::decide_with`]), and the decision rides along with the next commit.
//!
//! # What the house is not
//!
//! The ground floor never reads a clock, a file or a random number. Nothing but [`clock`] reads the time. Nothing but
//! [`http::guard`] makes a response of the public side. No position of the ledger leaves [`ledger`]. No guard of a shared map lives across
//! an await. No queue is unbounded. Nothing reads settings but [`config`]. No import points upwards: `tests/tidy.rs` sees to it.

// `println!` and `eprintln!` panic when nobody reads: results go through `cli::messages`, everything else through `log`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

// Floor 0: pure. No clock, no file, no randomness, no async; callers pass what the rules need.
pub mod application;
pub mod civic;
#[cfg(test)]
mod properties;
pub mod schemes;

// Floor 1: what keeps.
pub mod clock;
pub mod ledger;
pub mod log;
pub mod metrics;
pub mod private_files;
pub mod registry;
pub mod urn;
pub mod vault;

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
pub mod upkeep;
