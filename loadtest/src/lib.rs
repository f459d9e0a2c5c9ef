//! `surge`, the load tester of Sportello: an open-loop generator that plays citizens and checks that nobody is shown
//! another person's data.
//!
//! ```text
//! profile -> schedule -> open_loop   --\
//!   (who,      (when)    closed_loop --- citizen -> wire   -> server
//!    how)                              /      |
//! identity, mandates (whose name) ----/  owner, receipts, tally -> summary, verdict -> report
//! ```
//!
//! [`run`] is one run. [`capacity`] makes many runs at rising rates; [`drill`] makes one run while it breaks a server
//! that it started; [`overload`] offers one more than it can take, by several processes; [`compare`] and [`plan`] read
//! the reports of earlier runs; [`volley`] sends requests to any server and times them. [`command`] chooses between
//! them. Imports between files form no circle.
//!
//! Three things never happen here. The server's code is not linked, so that the owner check cannot share its mistakes.
//! A start never waits for a reply. A connection never carries another exchange after one that was cut short.

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
pub mod mandates;
pub mod open_loop;
pub mod operator;
pub mod orders;
pub mod overload;
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
pub mod server;
pub mod summary;
pub mod tally;
pub mod verdict;
pub mod volley;
pub mod wire;
