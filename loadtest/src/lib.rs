//! `surge`, the load tester of Sportello: an open-loop generator that plays citizens and checks
//! that nobody is shown what is another's.
//!
//! ```text
//! profile -> schedule -> open_loop   --\
//!   (who,      (when)    closed_loop --- citizen -> wire   -> server
//!    how)                              /      |
//! identity (whose name) --------------/  owner, receipts, tally -> summary, verdict -> report
//! ```
//!
//! [`run`] is one run. [`capacity`] makes many, at rising rates; [`drill`] makes one while it breaks a server of
//! its own; [`compare`] and [`plan`] read the reports of earlier ones;
//! [`volley`] sends requests to any server and only times them. [`command`] says which.
//!
//! What never happens here: the server's code is not linked, so that the owner check cannot share
//! its mistakes; a start never waits for a reply; a connection never carries a second exchange
//! after one that was cut short.

pub mod application;
pub mod args;
pub mod capacity;
pub mod citizen;
pub mod clock;
pub mod closed_loop;
pub mod command;
pub mod compare;
pub mod drill;
pub mod fault;
pub mod figures;
mod generators;
pub mod identity;
pub mod interrupt;
pub mod live;
pub mod machine;
pub mod open_loop;
pub mod operator;
pub mod orders;
pub mod owner;
pub mod plan;
pub mod preflight;
pub mod process;
pub mod profile;
pub mod receipts;
pub mod report;
pub mod run;
mod runtime;
pub mod schedule;
pub mod summary;
pub mod tally;
pub mod verdict;
pub mod volley;
pub mod wire;
