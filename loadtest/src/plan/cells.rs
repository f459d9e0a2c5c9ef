//! The model of many machines on replicated databases.
//!
//! A cell is one database of three servers with its counters, and serves the people whose fiscal codes its hash chooses; a
//! claim, a session and a seat belong to one person, so cells share nothing. Within a cell each counter serves its part of
//! the people and learns of all others, and each holds all sessions. A cell grows until its primary, or the memory or the
//! leases of its counters are used up; then there are more cells.

use super::{
    measurements::{CellCosts, Measurements},
    model::{CellNeed, Demand, MachineKind, cores_busy, rounded_up},
};
use crate::figures::real;

/// Servers of a database.
const SERVERS: u64 = 3;
/// Most counters of a cell that are looked at.
const COUNTERS_MAX: u64 = 1000;
/// Applications a second that no cell can take.
const RATE_MAX: f64 = 1e7;

/// The load on one cell.
struct Load {
    counter_cores: f64,
    primary_cores: f64,
    /// Of a counter: of the sessions of all, and in all.
    sessions_bytes: f64,
    memory_bytes: f64,
    /// Sessions that are used at a counter.
    leases: f64,
}

/// What `per_s` applications a second need.
#[must_use]
pub(super) fn need(
    per_s: f64,
    demand: &Demand,
    kind: &MachineKind,
    costs: &Measurements,
) -> CellNeed {
    // By bisection: a cell that can take a rate can take every lower one.
    let (mut most, mut too_much) = (0.001, RATE_MAX);
    let mut decided_by = "CPU of counters";
    for _ in 0..64 {
        let middle = f64::midpoint(most, too_much);
        match counters_for(middle, demand, kind, costs) {
            Ok(_) => most = middle,
            Err(limit) => (too_much, decided_by) = (middle, limit),
        }
    }
    let cells = rounded_up(per_s / most);
    let each = per_s / real(cells);
    let counters = counters_for(each, demand, kind, costs).unwrap_or(COUNTERS_MAX);
    let load = load(each, counters, demand, kind, costs);
    CellNeed {
        per_s,
        cells,
        counters: counters + 1,
        machines: cells * (counters + 1 + SERVERS),
        counter_utilisation: load.counter_cores / f64::from(kind.cores),
        primary_utilisation: load.primary_cores / f64::from(kind.cores),
        memory_gib: load.memory_bytes / f64::from(1 << 30),
        decided_by,
    }
}

/// The fewest counters with which one cell can take a rate, or what prevents it.
fn counters_for(
    rate: f64,
    demand: &Demand,
    kind: &MachineKind,
    costs: &Measurements,
) -> Result<u64, &'static str> {
    let usable = f64::from(kind.cores) * kind.utilisation_max;
    let room = kind.memory_gib * f64::from(1 << 30) * kind.utilisation_max;
    let mut prevents = "CPU of counters";
    for counters in 1..=COUNTERS_MAX {
        let load = load(rate, counters, demand, kind, costs);
        // More counters keep the primary busier, and hold as many sessions each.
        if load.primary_cores > usable {
            return Err("CPU of the primary");
        }
        if load.sessions_bytes > room {
            return Err("memory of counters");
        }
        if load.leases > costs.leases_max {
            prevents = "leases";
        } else if load.counter_cores <= usable && load.memory_bytes <= room {
            return Ok(counters);
        } else {
            prevents = "CPU of counters";
        }
    }
    Err(prevents)
}

fn load(
    rate: f64,
    counters: u64,
    demand: &Demand,
    kind: &MachineKind,
    costs: &Measurements,
) -> Load {
    let (cell, own) = (&costs.cell, rate / real(counters));
    let more_us = own * cell.counter_us + (rate - own) * cell.learn_us;
    let sessions = rate * demand.session_s * costs.session_bytes;
    let connections = own * demand.connections * demand.connection_s * costs.connection_bytes;
    Load {
        counter_cores: cores_busy(own, f64::from(kind.cores), demand, costs) + more_us / 1e6,
        primary_cores: primary_cores(rate, counters, cell),
        sessions_bytes: sessions,
        memory_bytes: costs.base_bytes + sessions + connections,
        leases: own * demand.session_s,
    }
}

/// Cores of the primary that are kept busy.
fn primary_cores(rate: f64, counters: u64, costs: &CellCosts) -> f64 {
    let counters = real(counters);
    let risen = 1.0 - (-rate / counters / costs.small_commits_per_s).exp();
    rate * costs.primary_us / 1e6 + counters * costs.small_commits_cores * risen
}

#[cfg(test)]
mod tests {
    use super::{need, primary_cores};
    use crate::plan::{
        measurements::{CellCosts, Measurements},
        model::{Demand, MachineKind},
    };

    const CELL: CellCosts = CellCosts {
        counter_us: 100.0,
        learn_us: 10.0,
        primary_us: 100.0,
        small_commits_cores: 0.1,
        small_commits_per_s: 20.0,
    };
    const DEMAND: Demand = Demand {
        rate: 100.0,
        peak: 300.0,
        day: 2_400_000.0,
        days_kept: 30.0,
        reads: 0.0,
        connections: 0.0,
        session_s: 100.0,
        connection_s: 30.0,
    };
    const KIND: MachineKind =
        MachineKind { cores: 10, memory_gib: 40.0, disk_mb_per_s: 100.0, utilisation_max: 0.5 };

    /// A login and a submission are 500 us of CPU; a session is 1,000 bytes.
    fn costs() -> Measurements {
        Measurements {
            cpu_login_us: 400.0,
            cpu_submit_us: 100.0,
            cpu_waking_share: 0.0,
            cpu_idle_cores: 0.0,
            session_bytes: 1000.0,
            base_bytes: 0.0,
            leases_max: 1e9,
            cell: CELL,
            ..Measurements::built_in()
        }
    }

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} instead of {expected}");
    }

    /// Applications a second, counters, and the CPU of the primary for each, microseconds: the table in README.md.
    const MEASURED: [(f64, u64, f64); 12] = [
        (94.0, 1, 1501.0),
        (93.0, 2, 2348.0),
        (90.0, 3, 2950.0),
        (245.0, 1, 574.0),
        (242.0, 2, 972.0),
        (237.0, 3, 1285.0),
        (499.0, 1, 409.0),
        (475.0, 2, 618.0),
        (449.0, 3, 811.0),
        (745.0, 1, 338.0),
        (705.0, 2, 499.0),
        (638.0, 3, 635.0),
    ];

    #[test]
    fn the_primary_was_measured_as_the_model_says() {
        let costs = Measurements::built_in().cell;
        for (rate, counters, measured_us) in MEASURED {
            let predicted_us = primary_cores(rate, counters, &costs) * 1e6 / rate;
            let ratio = predicted_us / measured_us;
            assert!((0.8..1.25).contains(&ratio), "{ratio} at {rate}, {counters} counters");
        }
    }

    #[test]
    fn a_cell_by_hand_and_several_when_its_primary_is_full() {
        // 600 us each: half of ten cores take 8,333 a second. One counter is enough, and one is to spare.
        let small = need(1000.0, &DEMAND, &KIND, &costs());
        assert_eq!((small.cells, small.counters, small.machines), (1, 2, 5));
        near(small.counter_utilisation, 0.06);
        near(small.primary_utilisation, (0.1 + 0.1) / 10.0);
        near(small.memory_gib, 1e8 / f64::from(1 << 30));

        // Five cores of a primary take 100 us each and a tenth of a core for each of eight counters: 42,000 a second.
        let large = need(150_000.0, &DEMAND, &KIND, &costs());
        assert_eq!((large.cells, large.decided_by), (4, "CPU of the primary"));
        assert_eq!(large.machines, large.cells * (large.counters + 3));
        assert!(large.primary_utilisation < 0.5 && large.counter_utilisation < 0.5, "{large:?}");
    }

    #[test]
    fn sessions_of_a_cell_fill_the_memory_of_each_of_its_counters() {
        let kind = MachineKind { memory_gib: 2.0, ..KIND };
        // Half of 2 GiB holds 1.07 million sessions, those of 10,737 people a second.
        let need = need(20_000.0, &DEMAND, &kind, &costs());
        assert_eq!((need.cells, need.decided_by), (2, "memory of counters"));
        near(need.memory_gib, 1e9 / f64::from(1 << 30));
    }
}
