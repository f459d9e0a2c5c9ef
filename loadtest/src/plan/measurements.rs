//! The measured costs that a plan is computed from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    observed::{Observed, ObservedRun},
    queue::CommitCosts,
};
use crate::fault::Fault;

/// Measured costs of one deployment.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measurements {
    /// How they were measured, for the reader.
    pub source: String,
    /// CPU of opening a session over an open connection, microseconds.
    pub cpu_login_us: f64,
    /// CPU of a new connection with a full TLS handshake, microseconds.
    pub cpu_handshake_us: f64,
    /// CPU of a submission (checked, sealed, committed, decided), microseconds.
    pub cpu_submit_us: f64,
    /// Share of the cores spent on waking threads and on small commits, at a high rate.
    ///
    /// At low rates each request pays for several wake-ups; at high rates requests share them. On c cores this costs
    /// c s (1 − exp(−λ / (c r))) cores, with this share s and `waking_requests_per_s` r a core.
    pub cpu_waking_share: f64,
    /// Requests a second and core at which `cpu_waking_share` reaches 63 % of its value.
    pub waking_requests_per_s: f64,
    /// CPU of a read, an estimate or a leave, microseconds.
    pub cpu_read_us: f64,
    /// CPU of an idle server, in cores.
    pub cpu_idle_cores: f64,
    /// Squared coefficient of variation of a request's service time.
    pub service_cv2: f64,
    /// Fixed time of a commit, mainly the sync, milliseconds.
    pub commit_fixed_ms: f64,
    /// Additional time of a commit for each record, microseconds.
    pub commit_record_us: f64,
    /// How long a batch waits for more applications under load, milliseconds (`ledger.batch_wait_ms`).
    pub commit_wait_ms: f64,
    /// How long decisions wait to share a commit with applications, milliseconds (`ledger.ruling_wait_ms`).
    pub ruling_wait_ms: f64,
    /// Most records of a commit (`ledger.batch_records_max`).
    pub commit_records_max: f64,
    /// Bytes on disk for each application.
    pub record_bytes: f64,
    /// Bytes written to disk for each application, write-ahead log and checkpoints included.
    pub written_bytes: f64,
    /// Memory of an index entry, bytes.
    pub index_bytes: f64,
    /// Memory of an open session, bytes.
    pub session_bytes: f64,
    /// Memory of an open connection, bytes.
    pub connection_bytes: f64,
    /// Memory of an empty server, bytes.
    pub base_bytes: f64,
    /// Most people inside one server (`gate.leases_max`).
    pub leases_max: f64,
    /// Costs of a replicated database; the built-in ones where a file has none.
    #[serde(default = "built_in_cell")]
    pub cell: CellCosts,
}

/// Measured costs of the replicated database, in addition to those of one server.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CellCosts {
    /// CPU that an application takes of its counter beyond that of a server with files, microseconds.
    pub counter_us: f64,
    /// CPU that it takes of each other counter, which learns of its session, microseconds.
    pub learn_us: f64,
    /// CPU that it takes of the primary where transactions hold many, microseconds.
    pub primary_us: f64,
    /// Cores of the primary that the small transactions of one counter keep busy besides.
    ///
    /// At low rates each application has transactions of its own, at high rates applications share them: at r
    /// applications a second of the counter this is c (1 − exp(−r / s)) cores.
    pub small_commits_cores: f64,
    /// Applications a second of a counter at which that is 63 % of its value.
    pub small_commits_per_s: f64,
}

fn built_in_cell() -> CellCosts {
    Measurements::built_in().cell
}

const BUILT_IN: &str = include_str!("measurements.toml");

impl Measurements {
    /// The built-in costs; their `source` says how they were measured.
    ///
    /// # Panics
    ///
    /// Never: a test parses them.
    #[must_use]
    pub(super) fn built_in() -> Self {
        toml::from_str(BUILT_IN).expect("the built-in measurements are valid")
    }

    /// Reads the file at `path`: measured costs in TOML or JSON, or the JSON report of a run or of a capacity search.
    ///
    /// A report scales the built-in CPU costs to its measured CPU time, and replaces the costs of a commit.
    ///
    /// # Errors
    ///
    /// When the file is neither; the text says what is allowed.
    pub(super) fn read(path: &Path) -> Result<Self, Fault> {
        let unusable = |what: &dyn std::fmt::Display| {
            Fault::Usage(format!(
                "{}: {what}; needed are measured costs as `surge plan --print-measurements` prints them, or the \
                 JSON report of a run or of `surge capacity`",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        let measurements = if text.trim_start().starts_with('{') {
            match serde_json::from_str::<Self>(&text) {
                Ok(measurements) => measurements,
                Err(own) => match Observed::parse(&text) {
                    Some(observed) => Self::built_in().replaced_by(&observed, &path.display()),
                    None => return Err(unusable(&own)),
                },
            }
        } else {
            toml::from_str(&text).map_err(|error| unusable(&error.to_string().trim()))?
        };
        measurements.checked().map_err(|what| unusable(&what))
    }

    fn checked(self) -> Result<Self, String> {
        let above_0 = [
            ("cpu_login_us", self.cpu_login_us),
            ("cpu_submit_us", self.cpu_submit_us),
            ("cpu_read_us", self.cpu_read_us),
            ("commit_fixed_ms", self.commit_fixed_ms),
            ("commit_records_max", self.commit_records_max),
            ("waking_requests_per_s", self.waking_requests_per_s),
            ("leases_max", self.leases_max),
            ("record_bytes", self.record_bytes),
            ("written_bytes", self.written_bytes),
        ];
        let at_least_0 = [
            ("cpu_handshake_us", self.cpu_handshake_us),
            ("cpu_idle_cores", self.cpu_idle_cores),
            ("service_cv2", self.service_cv2),
            ("commit_record_us", self.commit_record_us),
            ("cpu_waking_share", self.cpu_waking_share),
            ("commit_wait_ms", self.commit_wait_ms),
            ("ruling_wait_ms", self.ruling_wait_ms),
            ("index_bytes", self.index_bytes),
            ("session_bytes", self.session_bytes),
            ("connection_bytes", self.connection_bytes),
            ("base_bytes", self.base_bytes),
        ];
        let above_0 = above_0.into_iter().chain(self.cell.members());
        let wrong = above_0.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0));
        let wrong = wrong.map(|one| (one, "above 0"));
        let below = at_least_0.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        match wrong.or(below.map(|one| (one, "of 0 or more"))) {
            Some(((name, value), allowed)) => {
                Err(format!("`{name}` is {value}, allowed is a number {allowed}"))
            }
            None => Ok(self),
        }
    }

    /// These costs, replaced by what `observed` measured.
    #[must_use]
    pub(super) fn replaced_by(self, observed: &Observed, from: &dyn std::fmt::Display) -> Self {
        let mut changes = Vec::new();
        let mut new = self;
        let (measured, predicted) = observed.runs.iter().fold((0.0, 0.0), |sum, run| {
            let Some(cpu_s) = run.server_cpu_s else { return sum };
            (sum.0 + cpu_s, sum.1 + new.cpu_s_of(run))
        });
        if measured > 0.0 && predicted > 0.0 {
            let factor = measured / predicted;
            new.cpu_login_us *= factor;
            new.cpu_handshake_us *= factor;
            new.cpu_submit_us *= factor;
            new.cpu_waking_share = (new.cpu_waking_share * factor).min(0.9);
            new.cpu_read_us *= factor;
            changes.push(format!("CPU costs scaled by {factor:.2}"));
        }
        if let Some((fixed_ms, record_us)) = observed.commit_line() {
            (new.commit_fixed_ms, new.commit_record_us) = (fixed_ms, record_us);
            changes.push("commit costs by least squares over its steps".to_owned());
        } else if let Some(mean_ms) = observed.commit_mean_ms(new.commit_record_us) {
            new.commit_fixed_ms = mean_ms;
            changes.push("fixed cost of a commit from its mean".to_owned());
        }
        if let Some(bytes) = observed.written_bytes() {
            new.written_bytes = bytes;
            changes.push("bytes written".to_owned());
        }
        if !changes.is_empty() {
            new.source = format!("{} from {from}; all others: {}", changes.join(", "), new.source);
        }
        new
    }

    /// Predicted CPU seconds of the server for `run`.
    #[must_use]
    pub(super) fn cpu_s_of(&self, run: &ObservedRun) -> f64 {
        let requests = run.logins * self.cpu_login_us
            + run.submissions * self.cpu_submit_us
            + run.reads * self.cpu_read_us
            + run.handshakes * self.cpu_handshake_us;
        let per_s = (run.logins + run.submissions + run.reads) / run.elapsed_s;
        requests / 1e6 + (self.cpu_idle_cores + self.waking_cores(per_s, run.cores)) * run.elapsed_s
    }

    /// Cores kept busy by wake-ups at `requests_per_s` on a machine with `cores`.
    #[must_use]
    pub(super) fn waking_cores(&self, requests_per_s: f64, cores: f64) -> f64 {
        let risen = 1.0 - (-requests_per_s / (cores * self.waking_requests_per_s)).exp();
        cores * self.cpu_waking_share * risen
    }

    /// The costs of commits.
    #[must_use]
    pub(super) fn commit_costs(&self) -> CommitCosts {
        CommitCosts {
            fixed_ms: self.commit_fixed_ms,
            record_ms: self.commit_record_us / 1000.0,
            wait_ms: self.commit_wait_ms,
            ruling_wait_ms: self.ruling_wait_ms,
            records_max: self.commit_records_max,
        }
    }
}

impl CellCosts {
    /// Its members with their names, all of which must be above 0.
    fn members(&self) -> [(&'static str, f64); 5] {
        [
            ("cell.counter_us", self.counter_us),
            ("cell.learn_us", self.learn_us),
            ("cell.primary_us", self.primary_us),
            ("cell.small_commits_cores", self.small_commits_cores),
            ("cell.small_commits_per_s", self.small_commits_per_s),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::Measurements;

    #[test]
    fn the_built_in_costs_are_valid_and_say_how_they_were_measured() {
        let measurements = Measurements::built_in().checked().expect("valid");
        assert!(measurements.source.contains("cores"), "{}", measurements.source);
    }

    #[test]
    fn a_wrong_measurement_is_named_with_what_is_allowed() {
        let wrong = Measurements { cpu_read_us: -1.0, ..Measurements::built_in() };
        let fault = wrong.checked().expect_err("below 0");
        assert!(fault.contains("`cpu_read_us` is -1, allowed is a number above 0"), "{fault}");
    }
}
