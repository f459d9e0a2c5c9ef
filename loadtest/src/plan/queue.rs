//! The two queues of the model: in front of the cores, and in front of the ledger.

/// Most cores for which the Erlang formula is computed; no machine has more.
pub(super) const CORES_MAX: u32 = 4096;

/// The probability that an arrival waits in M/M/c with `load` erlangs on `cores`; 1 when they cannot keep up.
///
/// Erlang's formula C (1917), by the recurrence of formula B, which does not overflow.
#[must_use]
pub(super) fn erlang_c(cores: u32, load: f64) -> f64 {
    let servers = f64::from(cores);
    if load >= servers {
        return 1.0;
    }
    let mut blocked = 1.0;
    for server in 1..=cores.min(CORES_MAX) {
        blocked = load * blocked / (f64::from(server) + load * blocked);
    }
    let utilisation = load / servers;
    blocked / (1.0 - utilisation * (1.0 - blocked))
}

/// The mean wait in M/G/c, in the unit of `service`; infinite when the cores cannot keep up.
///
/// Multiplies the wait of M/M/c by (1 + cv²)/2, where `cv2` is the squared coefficient of variation of the service
/// times: 0 gives M/D/c, 1 gives M/M/c. Exact for one core (Pollaczek and Khinchine). This is the approximation of
/// Allen and Cunneen for Poisson arrivals (A. O. Allen, *Probability, Statistics and Queueing Theory*, 2nd ed. 1990,
/// section 5.3).
#[must_use]
pub(super) fn wait_mgc(cores: u32, load: f64, service: f64, cv2: f64) -> f64 {
    let spare = f64::from(cores) - load;
    if spare <= 0.0 {
        return f64::INFINITY;
    }
    erlang_c(cores, load) * service / spare * (1.0 + cv2) / 2.0
}

/// Costs of commits, and how long the ledger waits to fill a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CommitCosts {
    /// Fixed time of a commit, milliseconds.
    pub fixed_ms: f64,
    /// Time for each application in a commit, milliseconds.
    pub record_ms: f64,
    /// How long a batch waits for more applications under load, milliseconds.
    pub wait_ms: f64,
    /// How long decisions wait to share a commit with applications, milliseconds.
    pub ruling_wait_ms: f64,
    /// Most applications of a commit.
    pub records_max: f64,
}

/// The ledger's commits at one rate.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Commits {
    /// Commits a second, those of decisions alone included.
    pub per_s: f64,
    /// Share of the time with a commit in progress; 1 or more when the ledger cannot keep up.
    pub busy: f64,
    /// Mean applications of a commit that contains any.
    pub records: f64,
    /// Mean time from submitting an application until it is durable, milliseconds.
    pub mean_ms: f64,
}

/// Group commit at `per_s` applications a second.
///
/// While a commit is in progress the next batch collects, and under load it waits a little longer. A batch holds the
/// arrivals of that time, at least one: n = max(1, λ(F + w) / (1 − λr)). An application that arrives during a commit
/// (probability `busy`) waits for half of it, then for the batch to fill, then for its own commit. Decisions share the
/// commit of the next applications; when none arrives within their wait (probability exp(−λw') for Poisson arrivals),
/// they take a commit of their own.
#[must_use]
pub(super) fn group_commit(per_s: f64, costs: &CommitCosts) -> Commits {
    let CommitCosts { fixed_ms, record_ms, wait_ms, ruling_wait_ms, records_max: most } = *costs;
    let arrivals = per_s / 1000.0;
    let full = arrivals * (fixed_ms / most + record_ms);
    if full >= 1.0 {
        let commits_per_s = per_s / most;
        let mean_ms = f64::INFINITY;
        return Commits { per_s: commits_per_s, busy: full, records: most, mean_ms };
    }
    let gathered = arrivals * (fixed_ms + wait_ms) / (1.0 - arrivals * record_ms);
    let records = gathered.clamp(1.0, most);
    let one_ms = fixed_ms + record_ms * records;
    let of_decisions = arrivals * (-arrivals * ruling_wait_ms).exp();
    let busy = (arrivals / records * one_ms + of_decisions * fixed_ms).min(1.0);
    let company_ms = if gathered > 1.0 { wait_ms } else { 0.0 };
    Commits {
        per_s: 1000.0 * (arrivals / records + of_decisions),
        busy,
        records,
        mean_ms: one_ms * (1.0 + busy / 2.0) + company_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::{CommitCosts, erlang_c, group_commit, wait_mgc};

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} instead of {expected}");
    }

    #[test]
    fn erlang_s_formula_gives_the_published_values() {
        // Two servers: C = 2 rho^2 / (1 + rho); one: C = rho. Ten servers and eight erlangs: 0.4092 in the tables.
        near(erlang_c(1, 0.7), 0.7);
        near(erlang_c(2, 1.0), 1.0 / 3.0);
        near(erlang_c(10, 8.0), 0.409_18);
        assert!((erlang_c(2, 2.0) - 1.0).abs() < f64::EPSILON);
        assert!(erlang_c(4096, 3900.0) < 1.0);
    }

    #[test]
    fn one_core_waits_as_pollaczek_and_khinchine_say() {
        // M/M/1 at 0.8: rho / (1 - rho) services; M/D/1 half of that.
        near(wait_mgc(1, 0.8, 2.0, 1.0), 8.0);
        near(wait_mgc(1, 0.8, 2.0, 0.0), 4.0);
        assert!(wait_mgc(2, 2.0, 1.0, 1.0).is_infinite());
    }

    const COSTS: CommitCosts = CommitCosts {
        fixed_ms: 2.0,
        record_ms: 0.01,
        wait_ms: 1.0,
        ruling_wait_ms: 5.0,
        records_max: 512.0,
    };

    #[test]
    fn a_batch_grows_with_the_rate_until_it_is_full() {
        let idle = group_commit(10.0, &COSTS);
        near(idle.records, 1.0);
        // 10 commits of applications, and of the decisions those that no application joins within 5 ms.
        near(idle.per_s, 10.0 + 10.0 * (-0.05_f64).exp());
        near(idle.busy, 0.01 * 2.01 + 0.01 * (-0.05_f64).exp() * 2.0);
        // 10,000 a second: n = 30 / 0.9, and 300 commits a second of 2.33 ms each.
        let busy = group_commit(10_000.0, &COSTS);
        near(busy.records, 30.0 / 0.9);
        near(busy.per_s, 300.0);
        near(busy.busy, 0.3 * (2.0 + 0.01 * 30.0 / 0.9));
        assert!(group_commit(100_000.0, &COSTS).mean_ms.is_infinite());
    }
}
