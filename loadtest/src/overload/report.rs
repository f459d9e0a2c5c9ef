//! The runs of an overload as a report: JSON, and what the page shows.

use serde::Serialize;

use super::{figures::SurgeFigures, goals::Reached, moments::Moment};
use crate::machine::Machine;

/// All runs, with what they were measured on.
#[derive(Debug, Serialize)]
pub(super) struct Overload {
    /// Start, RFC 3339 in UTC.
    pub(super) started_at: String,
    pub(super) command: String,
    pub(super) build: String,
    pub(super) machine: Machine,
    /// What the profile stands for.
    pub(super) about: String,
    /// CPU quota of the server in percent of a core; `None` for a given server.
    pub(super) cpu_percent: Option<u32>,
    /// The goals, by the medians of all runs.
    pub(super) reached: Reached,
    pub(super) runs: Vec<RunReport>,
}

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct RunReport {
    pub(super) figures: SurgeFigures,
    /// Second by second.
    pub(super) seconds: Vec<Moment>,
}
