//! Waiting in front of cores and of the ledger: the two queues of the model.

/// What the Erlang formula is summed up to; no machine has more cores.
pub const CORES_MAX: u32 = 4096;

/// The chance that somebody who comes must wait in M/M/c with `load` erlangs offered to `cores`; 1 when they cannot keep up.
///
/// Erlang 1917 (formula C), by the recurrence of formula B, which does not overflow.
#[must_use]
pub fn erlang_c(cores: u32, load: f64) -> f64 {
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
/// The approximation of Allen and Cunneen for Poisson arrivals (A. O. Allen, *Probability, Statistics and
/// Queueing Theory*, 2nd ed. 1990, section 5.3): the wait of M/M/c by (1 + cv²)/2, where `cv2` is the squared
/// coefficient of variation of the service times: 0 gives M/D/c, 1 gives M/M/c. Exact for one core (Pollaczek and
/// Khinchine).
#[must_use]
pub fn wait_mgc(cores: u32, load: f64, service: f64, cv2: f64) -> f64 {
    let spare = f64::from(cores) - load;
    if spare <= 0.0 {
        return f64::INFINITY;
    }
    erlang_c(cores, load) * service / spare * (1.0 + cv2) / 2.0
}

/// The ledger's commits at one rate of records.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Commits {
    /// Share of the time in which one is under way; above 1 it cannot keep up.
    pub busy: f64,
    /// Records of one on average.
    pub records: f64,
    /// From handing a record in to its being durable, on average, milliseconds.
    pub mean_ms: f64,
}

/// Group commit: while one commit is under way the next batch gathers.
///
/// With `fixed_ms` a commit, `record_ms` a record and `per_s` records a second, a batch holds whoever came
/// during the last commit, one at least: n = max(1, λ(F + r n)), so n = λF / (1 − λr) once that is above 1. Whoever
/// comes while a commit is under way (with chance `busy`) waits for half of it, then for its own.
#[must_use]
pub fn group_commit(per_s: f64, fixed_ms: f64, record_ms: f64, records_max: f64) -> Commits {
    let per_ms = per_s / 1000.0;
    let full = fixed_ms / records_max + record_ms;
    if per_ms * full >= 1.0 {
        return Commits { busy: per_ms * full, records: records_max, mean_ms: f64::INFINITY };
    }
    let gathered = per_ms * fixed_ms / (1.0 - per_ms * record_ms);
    let records = gathered.clamp(1.0, records_max);
    let one_ms = fixed_ms + record_ms * records;
    let busy = (per_ms * one_ms / records).min(1.0);
    Commits { busy, records, mean_ms: one_ms * (1.0 + busy / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::{erlang_c, group_commit, wait_mgc};

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

    #[test]
    fn a_batch_grows_with_the_rate_until_it_is_full() {
        let idle = group_commit(10.0, 2.0, 0.01, 512.0);
        near(idle.records, 1.0);
        near(idle.busy, 10.0 * 2.01 / 1000.0);
        // 10,000 a second with 2 ms and 10 us: n = 20 / 0.9, and one commit follows the other.
        let busy = group_commit(10_000.0, 2.0, 0.01, 512.0);
        near(busy.records, 20.0 / 0.9);
        near(busy.busy, 1.0);
        near(busy.mean_ms, (2.0 + 0.01 * 20.0 / 0.9) * 1.5);
        assert!(group_commit(100_000.0, 2.0, 0.01, 512.0).mean_ms.is_infinite());
    }
}
