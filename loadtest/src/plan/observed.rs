//! Measured runs, from the JSON reports of runs and of capacity searches.

use crate::{
    figures::{real, real_len},
    operator::CommitFigures,
    report::read::{CapacityFile, RunFile, StepFile},
};

/// One measured run, in the terms of the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ObservedRun {
    /// Description.
    pub name: String,
    /// Duration in seconds.
    pub elapsed_s: f64,
    /// Sessions opened.
    pub logins: f64,
    /// Applications submitted, and drafts.
    pub submissions: f64,
    /// Reads, estimates and leaves.
    pub reads: f64,
    /// New connections, where the report counts them.
    pub handshakes: f64,
    /// CPU seconds of the server.
    pub server_cpu_s: Option<f64>,
    /// CPU seconds of the generator.
    pub generator_cpu_s: f64,
    /// CPU seconds of all other processes.
    pub neighbours_cpu_s: f64,
    /// Cores of the machine.
    pub cores: f64,
    /// The ledger's commits.
    pub commits: Option<CommitFigures>,
    /// Bytes that the server wrote.
    pub written_bytes: Option<f64>,
    /// Median of submissions.
    pub submit_p50_ms: f64,
}

/// Measured runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    /// The runs in order.
    pub runs: Vec<ObservedRun>,
}

impl Observed {
    /// Parses the JSON report of a run or of a search; `None` if it is neither.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(run) = serde_json::from_str::<RunFile>(text) {
            return Some(Self { runs: vec![of_run(&run)] });
        }
        let search: CapacityFile = serde_json::from_str(text).ok()?;
        let cores = real_len(search.machine.cores);
        // Leaves out steps that broke: they measured queues, not costs.
        let held = search.steps.iter().filter(|step| step.broken.is_empty());
        Some(Self { runs: held.map(|step| of_step(step, cores)).collect() })
    }

    /// The cost of a commit by least squares: fixed milliseconds, and microseconds for each record.
    ///
    /// `None` with fewer than three runs, or when their batch sizes differ by less than half.
    #[must_use]
    pub(super) fn commit_line(&self) -> Option<(f64, f64)> {
        let points: Vec<(f64, f64)> = self
            .runs
            .iter()
            .filter_map(|run| run.commits)
            .filter(|commits| commits.count > 0.5)
            .map(|commits| (commits.mean_records(), commits.mean_ms()))
            .collect();
        let least = points.iter().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let most = points.iter().map(|point| point.0).fold(0.0, f64::max);
        if points.len() < 3 || most < 1.5 * least {
            return None;
        }
        let count = real_len(points.len());
        let mean =
            |value: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(&|point| point.0), mean(&|point| point.1));
        let covariance = mean(&|point| (point.0 - mean_x) * (point.1 - mean_y));
        let variance = mean(&|point| (point.0 - mean_x).powi(2));
        let slope_ms = (covariance / variance).max(0.0);
        let fixed_ms = mean_y - slope_ms * mean_x;
        (fixed_ms > 0.0).then_some((fixed_ms, 1000.0 * slope_ms))
    }

    /// Mean fixed milliseconds of a commit, if a record costs `record_us`.
    #[must_use]
    pub(super) fn commit_mean_ms(&self, record_us: f64) -> Option<f64> {
        let all = self.runs.iter().filter_map(|run| run.commits);
        let sum = all.fold(CommitFigures::default(), |sum, one| CommitFigures {
            count: sum.count + one.count,
            seconds: sum.seconds + one.seconds,
            records: sum.records + one.records,
        });
        let fixed_ms = sum.mean_ms() - sum.mean_records() * record_us / 1000.0;
        (sum.count > 0.5 && fixed_ms > 0.0).then_some(fixed_ms)
    }

    /// Mean bytes written for a submission.
    #[must_use]
    pub(super) fn written_bytes(&self) -> Option<f64> {
        let known = self.runs.iter().filter_map(|run| Some((run.written_bytes?, run.submissions)));
        let (bytes, submissions) =
            known.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (bytes > 0.0 && submissions > 0.0).then(|| bytes / submissions)
    }
}

fn of_run(run: &RunFile) -> ObservedRun {
    let count = |names: &[&str]| real(names.iter().map(|name| run.count(name)).sum());
    let server = run.server_process;
    ObservedRun {
        name: format!("{} {}", run.about.profile, run.about.started_at),
        elapsed_s: run.about.elapsed_s,
        logins: count(&["enter"]),
        submissions: real(run.receipts.count) + count(&["draft"]),
        reads: count(&["read", "estimate", "leave"]),
        // A report does not count new connections; those of a pool are few.
        handshakes: 0.0,
        server_cpu_s: server.map(|server| server.cpu_s),
        generator_cpu_s: run.cpu.generator_s,
        neighbours_cpu_s: (run.cpu.others_s - server.map_or(0.0, |server| server.cpu_s)).max(0.0),
        cores: real_len(run.about.machine.cores),
        commits: run.server.as_ref().map(|server| server.commits),
        written_bytes: server.map(|server| real(server.written_bytes)),
        submit_p50_ms: run.latency("submit").map_or(0.0, |row| row.p50_ms),
    }
}

fn of_step(step: &StepFile, cores: f64) -> ObservedRun {
    ObservedRun {
        name: format!("capacity step at {:.1} a second", step.rate),
        elapsed_s: step.elapsed_s,
        logins: real(step.offered),
        submissions: real(step.receipts),
        reads: real(step.reads),
        handshakes: 0.0,
        server_cpu_s: step.server_cpu_s,
        generator_cpu_s: step.generator_cpu_s,
        neighbours_cpu_s: (step.others_cpu_s - step.server_cpu_s.unwrap_or(0.0)).max(0.0),
        cores,
        commits: step.commits,
        written_bytes: step.written_bytes.map(real),
        submit_p50_ms: step.p50_submit_ms,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Observed, ObservedRun};
    use crate::operator::CommitFigures;

    pub(crate) fn run(per_s: f64, commits: CommitFigures) -> ObservedRun {
        ObservedRun {
            name: format!("{per_s}"),
            elapsed_s: 10.0,
            logins: 10.0 * per_s,
            submissions: 10.0 * per_s,
            reads: 10.0 * per_s,
            handshakes: 0.0,
            server_cpu_s: Some(1.0),
            generator_cpu_s: 1.0,
            neighbours_cpu_s: 1.0,
            cores: 2.0,
            commits: Some(commits),
            written_bytes: Some(30_000.0 * per_s),
            submit_p50_ms: 3.0,
        }
    }

    #[test]
    fn commit_costs_are_the_line_through_the_runs() {
        // 2 ms fixed and 20 us a record.
        let commits = |records: f64| CommitFigures {
            count: 100.0,
            seconds: 0.1 * (2.0 + 0.02 * records),
            records: 100.0 * records,
        };
        let runs = [1.0, 4.0, 20.0].map(|records| run(100.0, commits(records)));
        let observed = Observed { runs: runs.to_vec() };
        let (fixed_ms, record_us) = observed.commit_line().expect("three that differ");
        assert!((fixed_ms - 2.0).abs() < 1e-9 && (record_us - 20.0).abs() < 1e-6);
        assert!((observed.written_bytes().expect("known") - 3000.0).abs() < 1e-6);
        let one = Observed { runs: vec![run(100.0, commits(4.0))] };
        assert_eq!(one.commit_line(), None);
        assert!((one.commit_mean_ms(20.0).expect("known") - 2.0).abs() < 1e-9);
    }
}
