//! PostgreSQL clusters that fail on command, and a checker of what clients were told.
//!
//! - [`Cluster`] runs three real servers, each in a network namespace with an address of its own, and breaks them:
//!   kill, pause, partition, power cut, full disk, wrong clock. It promotes and rebuilds them as an operator does by
//!   hand.
//! - [`history`] records what clients asked and were answered, and finds what contradicts the promises: a lost write,
//!   two winners of one claim, a case decided twice.
//!
//! Every wait has a bound and a name. Everything that a cluster makes on the machine (namespaces, a bridge, mounts,
//! processes, files) is removed when it is dropped, also by a panic.

mod authority;
pub mod clock;
mod cluster;
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the tests of the one-machine ledger, which stop where they cannot continue"
)]
#[path = "../../outside/disk.rs"]
mod disk;
mod fault;
pub mod history;
mod network;
mod node;
mod process;
mod promotion;

pub use self::{
    cluster::{Access, Cluster, Setup},
    fault::Fault,
    network::{Host, Network},
    node::{Node, Position},
    process::{cpu_with_children, until},
};
