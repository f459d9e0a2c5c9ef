//! The comparison of two runs, and its thresholds.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    fault::Fault,
    figures::real,
    report::read::{LatencyFile, RunFile},
};

/// A threshold: the allowed ratio of the second figure to the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    name: String,
    ratio: f64,
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=');
        let parsed = parts.and_then(|(name, ratio)| Some((name, ratio.parse::<f64>().ok()?)));
        match parsed {
            Some((name, ratio)) if ratio.is_finite() && ratio > 0.0 => {
                Ok(Self { name: name.to_owned(), ratio })
            }
            _ => {
                Err("allowed is NAME=RATIO with a ratio above 0, such as submit-p99=1.2".to_owned())
            }
        }
    }
}

/// Whether more or less of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
    /// Neither: it describes the load.
    Neither,
}

/// One figure of both runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name, also for thresholds.
    pub name: String,
    /// Value in the first run.
    pub first: f64,
    /// Value in the second run.
    pub second: f64,
    /// Whether more or less is better.
    pub better: Better,
    /// Allowed ratio of the second to the first, if a threshold was given.
    pub allowed: Option<f64>,
}

impl Row {
    /// Ratio of the second to the first; `None` when the first is 0.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.first.abs() > f64::EPSILON).then(|| self.second / self.first)
    }

    /// True when its threshold holds, or when it has none.
    #[must_use]
    pub fn holds(&self) -> bool {
        let Some(allowed) = self.allowed else { return true };
        match self.better {
            Better::Less => self.second <= self.first * allowed,
            Better::More => self.second >= self.first * allowed,
            Better::Neither => true,
        }
    }
}

/// Two runs side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The first run.
    pub first: RunFile,
    /// The second run.
    pub second: RunFile,
    /// Their figures.
    pub rows: Vec<Row>,
    /// Why the two may not be comparable; empty if nothing speaks against it.
    pub warnings: Vec<String>,
    /// Whether every threshold holds.
    pub passed: bool,
}

impl Comparison {
    /// Compares `first` and `second` under the thresholds of `allow`.
    ///
    /// # Errors
    ///
    /// A threshold for a figure that the runs do not have.
    pub fn of(first: RunFile, second: RunFile, allow: &[Allowance]) -> Result<Self, Fault> {
        let mut rows = rows(&first, &second);
        for allowance in allow {
            let row = rows
                .iter_mut()
                .find(|row| row.name == allowance.name && row.better != Better::Neither);
            let Some(row) = row else {
                let known = rows.iter().filter(|row| row.better != Better::Neither);
                let known: Vec<_> = known.map(|row| row.name.as_str()).collect();
                return Err(Fault::Usage(format!(
                    "--allow {}: the runs have no such figure; allowed are {}",
                    allowance.name,
                    known.join(", ")
                )));
            };
            row.allowed = Some(allowance.ratio);
        }
        let warnings = warnings(&first, &second);
        let valid = first.verdict.invalid.is_empty() && second.verdict.invalid.is_empty();
        // An invalid run cannot pass a threshold, but it may be compared.
        let passed = rows.iter().all(Row::holds) && (valid || allow.is_empty());
        Ok(Self { first, second, rows, warnings, passed })
    }
}

/// One figure of a distribution.
type Figure = fn(&LatencyFile) -> f64;

fn rows(first: &RunFile, second: &RunFile) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name: &str, better, value: &dyn Fn(&RunFile) -> Option<f64>| {
        // A figure that one of the runs does not have cannot be compared.
        if let (Some(first), Some(second)) = (value(first), value(second)) {
            rows.push(Row { name: name.to_owned(), first, second, better, allowed: None });
        }
    };
    let sum = |by_reason: &BTreeMap<String, u64>| real(by_reason.values().sum());
    row("offered", Better::Neither, &|run| Some(real(run.sessions.offered)));
    row("offered-per-s", Better::Neither, &|run| {
        Some(real(run.sessions.offered) / run.about.elapsed_s.max(f64::EPSILON))
    });
    row("served", Better::Neither, &|run| Some(real(run.sessions.served)));
    row("receipts-per-s", Better::More, &|run| Some(run.receipts.per_s));
    row("goodput", Better::More, &|run| Some(run.receipts.goodput));
    row("refused", Better::Less, &|run| Some(sum(&run.sessions.refused)));
    row("failed", Better::Less, &|run| {
        Some(sum(&run.sessions.failed) + real(run.sessions.unfinished))
    });
    row("retried", Better::Less, &|run| Some(sum(&run.retried)));
    for one in &first.latencies {
        let what = one.what.as_str();
        let slug = what.replace(' ', "-");
        let figures: [(&str, Figure); 5] = [
            ("p50", |row| row.p50_ms),
            ("p90", |row| row.p90_ms),
            ("p99", |row| row.p99_ms),
            ("p99.9", |row| row.p99_9_ms),
            ("max", |row| row.max_ms),
        ];
        for (name, figure) in figures {
            row(&format!("{slug}-{name}"), Better::Less, &|run| run.latency(what).map(figure));
        }
    }
    row("server-cpu-us-per-receipt", Better::Less, &|run| {
        let receipts = real(run.receipts.count.max(1));
        run.server_process.map(|server| 1e6 * server.cpu_s / receipts)
    });
    row("commit-mean-ms", Better::Less, &|run| {
        run.server.as_ref().map(|server| server.commits.mean_ms())
    });
    rows
}

/// Reasons why the two runs may not be comparable.
fn warnings(first: &RunFile, second: &RunFile) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, run) in [("first", first), ("second", second)] {
        for ground in &run.verdict.invalid {
            warnings.push(format!("the {name} run is invalid: {ground}"));
        }
        if run.about.build.contains("debug") {
            warnings.push(format!("the {name} run is of a debug build"));
        }
    }
    let (a, b) = (&first.about, &second.about);
    let facts = [
        ("profiles", &a.profile, &b.profile),
        ("protocols", &a.protocol, &b.protocol),
        ("processors", &a.machine.cpu, &b.machine.cpu),
    ];
    for (what, first, second) in facts.into_iter().filter(|(_, first, second)| first != second) {
        warnings.push(format!("different {what}: {first} and {second}"));
    }
    if a.connections != b.connections {
        warnings.push(format!("different connections: {} and {}", a.connections, b.connections));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Comparison, RunFile};

    fn run(p99: f64, per_s: f64) -> RunFile {
        let text = format!(
            r#"{{"about": {{"started_at": "2024-09-16T15:30:00Z", "build": "surge release",
                 "machine": {{"cores": 2, "cpu": "a", "kernel": "b"}}, "profile": "steady",
                 "protocol": "HTTP/1.1", "connections": 256, "elapsed_s": 10.0}},
                "verdict": {{"passed": true, "invalid": [], "checks": []}},
                "sessions": {{"offered": 100, "served": 100, "refused": {{}}, "failed": {{}}, "unfinished": 0}},
                "receipts": {{"count": 100, "per_s": {per_s}, "goodput": 1.0}},
                "latencies": [{{"what": "whole session", "count": 100, "p50_ms": 1.0, "p90_ms": 2.0,
                    "p99_ms": {p99}, "p99_9_ms": 9.0, "max_ms": 9.0}}],
                "cpu": {{"generator_s": 1.0, "others_s": 2.0, "steal_s": 0.0}}}}"#
        );
        serde_json::from_str(&text).expect("a run's report")
    }

    fn allow(text: &str) -> Allowance {
        text.parse().expect("an allowance")
    }

    #[test]
    fn a_threshold_bounds_from_the_side_that_is_worse() {
        let compared = |allowed: &str| {
            Comparison::of(run(10.0, 50.0), run(13.0, 48.0), &[allow(allowed)])
                .expect("known")
                .passed
        };
        assert!(compared("whole-session-p99=1.3") && !compared("whole-session-p99=1.2"));
        assert!(compared("receipts-per-s=0.95") && !compared("receipts-per-s=0.97"));
    }

    #[test]
    fn an_unknown_figure_is_named_with_those_there_are() {
        let fault = Comparison::of(run(1.0, 1.0), run(1.0, 1.0), &[allow("submit-p99=1.2")]);
        let fault = fault.expect_err("no submissions in these").to_string();
        assert!(fault.contains("whole-session-p99") && fault.contains("goodput"), "{fault}");
        assert!("submit-p99".parse::<Allowance>().is_err() && "a=-1".parse::<Allowance>().is_err());
    }

    #[test]
    fn an_invalid_run_holds_no_threshold_and_differences_are_told() {
        let mut second = run(10.0, 50.0);
        second.verdict.invalid.push("the generator itself lagged".to_owned());
        second.about.protocol = "HTTP/2".to_owned();
        let compared = Comparison::of(run(10.0, 50.0), second, &[allow("goodput=0.5")]);
        let compared = compared.expect("known");
        assert!(!compared.passed);
        assert_eq!(compared.warnings.len(), 2, "{:?}", compared.warnings);
    }
}
