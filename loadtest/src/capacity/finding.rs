//! The result of a search: the capacity, what limits it, and what it means for a day.

use serde::Serialize;

use super::step::{Broken, StepFigures};
use crate::figures::grouped;

/// Utilisation from which a resource counts as exhausted.
const BUSY_SHARE: f64 = 0.85;
/// Share of the cores from which other processes count as a disturbance.
const NEIGHBOURS_SHARE: f64 = 0.2;
/// Applications of the busiest day that the server must handle.
pub const DAY_APPLICATIONS: f64 = 2_400_000.0;
const DAY_S: f64 = 86_400.0;

/// What limits the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The generator: no capacity can be claimed.
    Generator,
    /// The connections that the generator may open.
    Connections,
    /// The ledger's commits: one is in progress almost all the time.
    Commits,
    /// The machine's cores, most of them used by the server.
    ServerCpu,
    /// The machine's cores, which generator, server and others share.
    SharedCpu,
    /// A limit that the server sets itself.
    Gate,
    /// None of the resources that are measured.
    Unknown,
    /// No rate broke within the allowed steps.
    NotReached,
}

/// Result of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Applications a second at the highest rate that held; `None` when none held or the generator is the limit.
    pub applications_per_s: Option<f64>,
    /// Highest rate that held, sessions a second, even when the generator is the limit.
    pub held_rate: Option<f64>,
    /// Lowest rate that broke, sessions a second.
    pub broke_rate: Option<f64>,
    /// What limits it.
    pub limit: Limit,
    /// The limit as a text with figures.
    pub because: String,
    /// The capacity compared to a day of 2.4 million applications; empty without a capacity.
    pub day: String,
    /// True when the search was stopped before its end.
    pub partial: bool,
}

impl Finding {
    /// Evaluates `steps` on a machine with `cores`.
    #[must_use]
    pub fn of(steps: &[StepFigures], cores: f64, partial: bool) -> Self {
        let by_rate = |a: &&StepFigures, b: &&StepFigures| a.rate.total_cmp(&b.rate);
        // A rate that broke below one that held was disturbed, not at its limit.
        let held = steps.iter().filter(|step| step.held()).max_by(by_rate);
        let above = |step: &&StepFigures| held.is_none_or(|held| step.rate > held.rate);
        let broke = steps.iter().filter(|step| !step.held()).filter(above).min_by(by_rate);
        let (limit, because) = match broke {
            None => (Limit::NotReached, "no rate broke within the allowed steps".to_owned()),
            Some(broke) => limit(broke, cores),
        };
        let claimed = match limit {
            Limit::Generator | Limit::NotReached => None,
            _ => held.map(|held| held.receipts_per_s),
        };
        Self {
            applications_per_s: claimed,
            held_rate: held.map(|step| step.rate),
            broke_rate: broke.map(|step| step.rate),
            limit,
            because,
            day: claimed.map_or_else(String::new, day),
            partial,
        }
    }
}

/// The resource that the step `broke` exhausted.
fn limit(broke: &StepFigures, cores: f64) -> (Limit, String) {
    let server = broke.server_cpu_s.map_or(0.0, |cpu_s| broke.cores(cpu_s));
    let generator = broke.cores(broke.generator_cpu_s);
    let all = broke.cores(broke.generator_cpu_s + broke.others_cpu_s + broke.steal_s);
    let commits = broke.commits.map_or(0.0, |commits| broke.cores(commits.seconds));
    if broke.broken.contains(&Broken::Generator) {
        let lag = broke.lag_p99_ms;
        let because = format!(
            "the generator itself lagged (p99 {lag:.0} ms) while it used {generator:.2} of {cores:.0} cores: \
             no capacity is claimed; give it its own cores or machine, or more --threads"
        );
        return (Limit::Generator, because);
    }
    let steal = broke.cores(broke.steal_s);
    let neighbours = (all - server - generator - steal).max(0.0);
    let cpu = format!(
        "{all:.2} of {cores:.0} cores were busy: server {server:.2}, generator {generator:.2}, \
         others {neighbours:.2}, steal {steal:.2}"
    );
    if all >= BUSY_SHARE * cores && broke.server_cpu_s.is_none() {
        let because = format!(
            "the generator's machine had no CPU left ({all:.2} of {cores:.0} cores busy), and the server runs on \
             another: no capacity is claimed; give the generator more cores"
        );
        return (Limit::Generator, because);
    }
    if all >= BUSY_SHARE * cores && server >= all / 2.0 {
        (Limit::ServerCpu, format!("CPU, mostly used by the server; {cpu}"))
    } else if all >= BUSY_SHARE * cores {
        let note = if neighbours > NEIGHBOURS_SHARE * cores {
            "other processes used much of it, so the real capacity is higher: search again when the machine is \
             idle, or with --tries"
        } else {
            "the capacity would be higher with the generator on another machine"
        };
        (Limit::SharedCpu, format!("CPU, shared with the server; {cpu}; {note}"))
    } else if commits >= BUSY_SHARE {
        let share = 100.0 * commits;
        (
            Limit::Commits,
            format!("the ledger's commits: one was in progress {share:.0} % of the time"),
        )
    } else if let (Some(shed), true) = (&broke.shed_most, broke.broken.contains(&Broken::Refusals))
    {
        (
            Limit::Gate,
            format!("a limit set in the server: most requests were shed for {shed}; {cpu}"),
        )
    } else if broke.connection_waits_share > 0.1 {
        let share = 100.0 * broke.connection_waits_share;
        let because = format!(
            "{share:.0} requests in 100 sessions waited for a connection: raise --connections; {cpu}"
        );
        (Limit::Connections, because)
    } else {
        let commits = 100.0 * commits;
        (Limit::Unknown, format!("unknown; {cpu}; commits in progress {commits:.0} % of the time"))
    }
}

/// Compares `per_s` to a day of 2.4 million applications.
fn day(per_s: f64) -> String {
    let hours = DAY_APPLICATIONS / per_s / 3600.0;
    let times = per_s * DAY_S / DAY_APPLICATIONS;
    format!(
        "{} applications a day are {:.1} a second on average: this rate is {times:.1} times that \
         and handles them in {}",
        grouped(crate::figures::whole(DAY_APPLICATIONS).into()),
        DAY_APPLICATIONS / DAY_S,
        if hours >= 1.0 {
            format!("{hours:.1} hours")
        } else {
            format!("{:.0} minutes", 60.0 * hours)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{Finding, Limit, StepFigures};
    use crate::{capacity::step::Broken, operator::CommitFigures};

    fn step(rate: f64, broken: &[Broken]) -> StepFigures {
        StepFigures {
            rate,
            elapsed_s: 10.0,
            offered: 1000,
            receipts: 1000,
            reads: 1000,
            receipts_per_s: rate,
            p50_submit_ms: 2.0,
            p99_submit_ms: 9.0,
            goodput: 1.0,
            refusals_share: 0.0,
            failures: 0,
            lag_p99_ms: 1.0,
            connection_waits_share: 0.0,
            server_cpu_s: Some(4.0),
            generator_cpu_s: 2.0,
            others_cpu_s: 4.5,
            steal_s: 0.0,
            commits: None,
            written_bytes: None,
            shed_most: None,
            broken: broken.to_vec(),
        }
    }

    #[test]
    fn the_step_that_broke_names_the_resource() {
        let held = step(100.0, &[]);
        let broke = StepFigures {
            others_cpu_s: 16.0,
            server_cpu_s: Some(15.0),
            ..step(200.0, &[Broken::Latency])
        };
        let finding = Finding::of(&[held.clone(), broke.clone()], 2.0, false);
        assert_eq!((finding.limit, finding.held_rate), (Limit::ServerCpu, Some(100.0)));
        assert!(finding.day.contains("27.8 a second") && finding.day.contains("3.6 times"));

        let shared = StepFigures { server_cpu_s: Some(7.0), generator_cpu_s: 9.0, ..broke.clone() };
        assert_eq!(Finding::of(&[held.clone(), shared], 2.0, false).limit, Limit::SharedCpu);
        let commits = Some(CommitFigures { count: 10.0, seconds: 9.5, records: 100.0 });
        let disk = StepFigures { commits, ..step(200.0, &[Broken::Latency]) };
        assert_eq!(Finding::of(&[held, disk], 2.0, false).limit, Limit::Commits);
    }

    #[test]
    fn a_generator_at_its_end_claims_nothing() {
        let lagged =
            StepFigures { lag_p99_ms: 80.0, ..step(200.0, &[Broken::Latency, Broken::Generator]) };
        let finding = Finding::of(&[step(100.0, &[]), lagged], 2.0, false);
        assert_eq!((finding.limit, finding.applications_per_s), (Limit::Generator, None));
        assert!(finding.because.contains("no capacity is claimed"), "{}", finding.because);
        // When the server runs elsewhere, a busy machine is busy with the generator.
        let elsewhere = StepFigures {
            others_cpu_s: 16.0,
            generator_cpu_s: 4.0,
            server_cpu_s: None,
            ..step(200.0, &[Broken::Latency])
        };
        let finding = Finding::of(&[step(100.0, &[]), elsewhere], 2.0, false);
        assert_eq!((finding.limit, finding.applications_per_s), (Limit::Generator, None));
        let finding = Finding::of(&[step(100.0, &[])], 2.0, false);
        assert_eq!((finding.limit, finding.applications_per_s), (Limit::NotReached, None));
    }
}
