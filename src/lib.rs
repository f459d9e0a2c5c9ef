//! Sportello: a server that takes applications for public benefits while a whole country applies at once.
//!
//! # The life of an application
//!
//! ```text
//! connection -> TLS -> HTTP  -> gate -> session -> parse -> commit ==> receipt (201)
//! http::listener       http::   gate    session    appli-   ledger::     |
//!             http::tls router          ::scope    cation   local        v
//!                                                             urn -> judges -> decision -> status
//! ```
//!
//! 1. A connection is accepted within its bounds ([`http::listener`]). From its TLS handshake on, order gains nothing;
//!    who is inside and must reconnect has a listener of their own. A request is looked up in the one table of
//!    routes ([`http::router`]), which also says which requests are refused first under load.
//! 2. Entering ([`intake::Intake::enter`]) checks identity, time slice and rate, and takes a lease, which reserves the
//!    capacity to finish. While no lease is free, people wait, and a draw decides who is next ([`gate::waiting`]).
//! 3. In a session every personal value is branded with that session ([`session::scope`]) and leaves only through the
//!    last gate ([`http::guard`]).
//! 4. Bytes become a valid [`application::Application`] or a problem that names every fault. It is sealed for its
//!    person ([`vault`], [`ledger::book`]).
//! 5. Each runtime batches its submissions ([`ledger::handover`]). The committer decides uniqueness, signs the batch,
//!    writes it, syncs once and answers ([`ledger::local`]). A receipt exists only after that.
//! 6. The application falls into the [`urn`]. A judge draws it, adds what the institute knows itself ([`judges`],
//!    [`registry`]) and decides by the rules ([`schemes::Rules::decide_with`]); the decision is written with a later
//!    commit.
//!
//! # The floors
//!
//! A module imports from its own floor and those below; `tests/tidy.rs` checks this.
//!
//! | floor | what | modules |
//! |---|---|---|
//! | 5 | commands, settings, wiring, recurring chores | [`cli`], [`config`], [`server`], [`upkeep`] |
//! | 4 | the public listener; metrics, health, control, the console and the canary | [`http`], [`operator`] |
//! | 3 | the use cases, a file each; the threads that decide | [`intake`], [`judges`] |
//! | 2 | who may enter, whose data it is, who somebody is | [`gate`], [`session`], [`identity`] |
//! | 1 | storage, secrets, registry data, time, metrics, log, traces | [`ledger`], [`vault`], [`private_files`], [`trusted_roots`], [`registry`], [`urn`], [`clock`], [`live`], [`metrics`], [`log`], [`trace`] |
//! | 0 | identifiers, the law, valid applications: pure functions | [`civic`], [`schemes`], [`application`] |
//!
//! # What never happens
//!
//! - The ground floor never reads a clock, a file or a random number, and is never async.
//! - Only [`clock`] reads the time, and only [`config`] reads settings.
//! - Only [`http::guard`] makes responses of the public side.
//! - No position of the ledger leaves [`ledger`]: the public name of a record is its receipt code.
//! - No guard of a shared map lives across an await, and no queue is unbounded.

// `println!` and `eprintln!` panic if the write fails: results go through `cli::messages`, everything else through
// `log`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

// Floor 0: pure functions; callers pass the time and everything else.
pub mod application;
pub mod civic;
#[cfg(test)]
mod properties;
pub mod schemes;

// Floor 1: storage.
pub mod clock;
pub mod ledger;
pub mod live;
pub mod log;
pub mod metrics;
pub mod private_files;
pub mod registry;
pub mod trace;
pub mod trusted_roots;
pub mod urn;
pub mod vault;

// Floor 2: who may enter.
pub mod gate;
pub mod identity;
pub mod session;

// Floor 3: the use cases.
pub mod intake;
pub mod judges;

// Floor 4: listeners.
pub mod http;
pub mod operator;

// Floor 5: commands and wiring.
pub mod cli;
pub mod config;
pub mod server;
pub mod upkeep;
