//! Reads JSON reports of runs and of capacity searches, for comparisons and plans.
//!
//! Unknown members are ignored, so that reports of other versions can be read too.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;

use crate::{
    fault::Fault,
    machine::{CpuUse, Machine},
    operator::CommitFigures,
    process::ProcessUse,
};

/// A run, from its JSON report.
#[derive(Clone, Debug, Deserialize)]
pub struct RunFile {
    /// Time, command, build and machine of the run.
    pub about: AboutFile,
    /// Verdict of the run.
    pub verdict: VerdictFile,
    /// Sessions by how they ended.
    pub sessions: SessionsFile,
    /// Receipts.
    pub receipts: ReceiptsFile,
    /// Latencies by step.
    pub latencies: Vec<LatencyFile>,
    /// Requests tried again, by reason.
    #[serde(default)]
    pub retried: BTreeMap<String, u64>,
    /// CPU time during the run.
    pub cpu: CpuUse,
    /// What the server's process used.
    #[serde(default)]
    pub server_process: Option<ProcessUse>,
    /// Metrics of the server.
    #[serde(default)]
    pub server: Option<ServerFile>,
}

/// Time, command, build and machine of a run.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `summary::About`")]
pub struct AboutFile {
    pub started_at: String,
    pub build: String,
    pub machine: Machine,
    pub profile: String,
    pub protocol: String,
    pub connections: u64,
    pub elapsed_s: f64,
    #[serde(default)]
    pub partial: bool,
}

/// A verdict.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `verdict::Verdict`")]
pub struct VerdictFile {
    pub passed: bool,
    pub invalid: Vec<String>,
}

/// Sessions by how they ended.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `summary::Sessions`")]
pub struct SessionsFile {
    pub offered: u64,
    pub served: u64,
    pub refused: BTreeMap<String, u64>,
    pub failed: BTreeMap<String, u64>,
    pub unfinished: u64,
}

/// Receipts and their timeliness.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `summary::ReceiptFigures`")]
pub struct ReceiptsFile {
    pub count: u64,
    pub per_s: f64,
    pub goodput: f64,
}

/// A distribution of latencies.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `summary::LatencyRow`")]
pub struct LatencyFile {
    pub what: String,
    pub count: u64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p99_9_ms: f64,
    pub max_ms: f64,
    #[serde(default)]
    pub curve: Vec<(f64, f64)>,
}

/// Metrics of the server.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `summary::ServerFigures`")]
pub struct ServerFile {
    #[serde(default)]
    pub commits: CommitFigures,
}

/// A capacity search, from its JSON report.
#[derive(Clone, Debug, Deserialize)]
pub struct CapacityFile {
    /// The machine.
    pub machine: Machine,
    /// The steps in their order.
    pub steps: Vec<StepFile>,
}

/// One step of a capacity search.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the members are those of `capacity::step::StepFigures`")]
pub struct StepFile {
    pub rate: f64,
    pub elapsed_s: f64,
    pub offered: u64,
    pub receipts: u64,
    pub reads: u64,
    pub p50_submit_ms: f64,
    pub server_cpu_s: Option<f64>,
    pub generator_cpu_s: f64,
    pub others_cpu_s: f64,
    pub commits: Option<CommitFigures>,
    pub written_bytes: Option<u64>,
    pub broken: Vec<String>,
}

impl RunFile {
    /// Reads the report at `path`.
    ///
    /// # Errors
    ///
    /// When the file is not a report; the text says how to make one.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        let unusable = |what: &dyn std::fmt::Display| {
            Fault::Usage(format!(
                "{}: {what}; needed is the JSON report of a run, as `surge --json FILE` writes it",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        serde_json::from_str(&text).map_err(|error| unusable(&error))
    }

    /// The latencies of `what`.
    #[must_use]
    pub fn latency(&self, what: &str) -> Option<&LatencyFile> {
        self.latencies.iter().find(|row| row.what == what)
    }

    /// Number of latencies of `what`.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.latency(what).map_or(0, |row| row.count)
    }
}
