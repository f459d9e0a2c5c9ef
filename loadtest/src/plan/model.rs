//! The model: computes cores, machines, memory, disks and waits from rates and measured costs.

use serde::Serialize;

use super::{
    measurements::Measurements,
    observed::ObservedRun,
    queue::{CORES_MAX, Commits, group_commit, wait_mgc},
};

/// The demand.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Demand {
    /// Long-term average of applications a second.
    pub rate: f64,
    /// Applications a second in the busiest minutes.
    pub peak: f64,
    /// Applications on the busiest day.
    pub day: f64,
    /// Days for which records are kept.
    pub days_kept: f64,
    /// Reads for each application.
    pub reads: f64,
    /// New connections for each application.
    pub connections: f64,
    /// Seconds that a session stays open.
    pub session_s: f64,
    /// Seconds that a connection stays open.
    pub connection_s: f64,
}

/// A machine, and its highest utilisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct MachineKind {
    /// Cores.
    pub cores: u32,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Write bandwidth of its disk, MB a second.
    pub disk_mb_per_s: f64,
    /// Highest utilisation of each resource at the peak.
    pub utilisation_max: f64,
}

/// What one rate needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Need {
    /// Applications a second.
    pub per_s: f64,
    /// Cores kept busy on all machines.
    pub cores_busy: f64,
    /// Machines, each with a ledger of its own.
    pub machines: u64,
    /// The resource that determines their number.
    pub decided_by: &'static str,
    /// Utilisation of each machine's cores.
    pub cpu_utilisation: f64,
    /// Commits on each machine.
    pub commits: Commits,
    /// Megabytes a second written on each machine.
    pub disk_mb_per_s: f64,
    /// Open sessions on all machines.
    pub sessions: f64,
    /// Memory used on each machine, in GiB, index of all kept records included.
    pub memory_gib: f64,
    /// Mean wait for a core, milliseconds.
    pub core_wait_ms: f64,
    /// Mean time of a submission within the server, milliseconds.
    pub submit_ms: f64,
}

/// What one rate needs, in cells of replicated databases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct CellNeed {
    /// Applications a second.
    pub per_s: f64,
    /// Cells.
    pub cells: u64,
    /// Counters of each, one of them to spare.
    pub counters: u64,
    /// All machines, three database servers a cell included.
    pub machines: u64,
    /// Utilisation of the cores of each counter, none lost.
    pub counter_utilisation: f64,
    /// Utilisation of the cores of each primary.
    pub primary_utilisation: f64,
    /// Memory used by each counter, GiB.
    pub memory_gib: f64,
    /// What a cell is limited by.
    pub decided_by: &'static str,
}

/// A plan in figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Plan {
    /// The demand.
    pub demand: Demand,
    /// The machines.
    pub machine: MachineKind,
    /// The measured costs.
    pub measurements: Measurements,
    /// Needs at the average rate, the peak, ten times the peak, and internet scale: of machines with files.
    pub needs: Vec<Need>,
    /// The same of machines with replicated databases.
    pub cells: Vec<CellNeed>,
    /// Gigabytes on disk for the busiest day.
    pub day_gb: f64,
    /// Gigabytes on disk for all records kept.
    pub kept_gb: f64,
    /// Hours that the peak rate takes for the applications of the busiest day.
    pub day_at_peak_h: f64,
}

/// Most machines that a plan names: a rate that needs more is far beyond the model.
const MACHINES_MAX: u64 = 10_000_000;

/// What `per_s` applications a second need, with `records` kept in total.
#[must_use]
pub(super) fn need(
    per_s: f64,
    records: f64,
    demand: &Demand,
    kind: &MachineKind,
    costs: &Measurements,
) -> Need {
    let (full, cores) = (kind.utilisation_max, f64::from(kind.cores));
    let by_cpu = per_s / rate_within(cores * full, cores, demand, costs);
    let fullest_ms =
        costs.commit_fixed_ms / costs.commit_records_max + costs.commit_record_us / 1000.0;
    let by_commits = per_s * fullest_ms / 1000.0 / full;
    let by_disk = per_s * costs.written_bytes / 1e6 / kind.disk_mb_per_s / full;
    let sessions = per_s * demand.session_s;
    let open = per_s * demand.connections * demand.connection_s;
    let bytes = |machines: f64| {
        costs.base_bytes
            + (records * costs.index_bytes
                + sessions * costs.session_bytes
                + open * costs.connection_bytes)
                / machines
    };
    let room = (kind.memory_gib * f64::from(1 << 30) * full - costs.base_bytes).max(1.0);
    let by_memory = (bytes(1.0) - costs.base_bytes) / room;
    let bounds = [
        ("CPU", by_cpu),
        ("commits", by_commits),
        ("disk bandwidth", by_disk),
        ("memory", by_memory),
        ("leases", sessions / costs.leases_max),
    ];
    let (decided_by, most) =
        bounds.into_iter().fold(("CPU", 0.0), |most, one| if one.1 > most.1 { one } else { most });
    let machines = rounded_up(most);
    let each = crate::figures::real(machines);
    let load = cores_busy(per_s / each, cores, demand, costs);
    let service_ms = costs.cpu_submit_us / 1000.0;
    let core_wait_ms = wait_mgc(kind.cores.min(CORES_MAX), load, service_ms, costs.service_cv2);
    let commits = group_commit(per_s / each, &costs.commit_costs());
    Need {
        per_s,
        cores_busy: load * each,
        machines,
        decided_by,
        cpu_utilisation: load / cores,
        commits,
        disk_mb_per_s: per_s * costs.written_bytes / 1e6 / each,
        sessions,
        memory_gib: bytes(each) / f64::from(1 << 30),
        core_wait_ms,
        submit_ms: core_wait_ms + service_ms + commits.mean_ms,
    }
}

/// Cores kept busy on one machine with `cores` at `per_s` applications a second.
#[must_use]
pub(super) fn cores_busy(per_s: f64, cores: f64, demand: &Demand, costs: &Measurements) -> f64 {
    let requests_per_s = per_s * (2.0 + demand.reads);
    per_s * application_cpu_us(demand, costs) / 1e6
        + costs.waking_cores(requests_per_s, cores)
        + costs.cpu_idle_cores
}

/// The rate that keeps `busy` of the `cores` of one machine busy, by bisection: the load never falls with the rate.
fn rate_within(busy: f64, cores: f64, demand: &Demand, costs: &Measurements) -> f64 {
    let (mut low, mut high) = (0.001, busy.max(0.001) * 1e6 / application_cpu_us(demand, costs));
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if cores_busy(middle, cores, demand, costs) <= busy { low = middle } else { high = middle }
    }
    low
}

/// CPU of one application with its login, reads and handshakes, without wake-ups, in microseconds.
#[must_use]
pub(super) fn application_cpu_us(demand: &Demand, costs: &Measurements) -> f64 {
    costs.cpu_login_us
        + costs.cpu_submit_us
        + demand.reads * costs.cpu_read_us
        + demand.connections * costs.cpu_handshake_us
}

/// Rounds up to whole machines, at least one.
pub(super) fn rounded_up(machines: f64) -> u64 {
    (1..=64)
        .map(|bits| 1_u64 << bits.min(62))
        .find(|&most| crate::figures::real(most) >= machines)
        .map_or(MACHINES_MAX, |most| {
            // Bisects below the power of two.
            let (mut low, mut high) = (0, most);
            while high - low > 1 {
                let middle = u64::midpoint(low, high);
                if crate::figures::real(middle) >= machines { high = middle } else { low = middle }
            }
            high.min(MACHINES_MAX)
        })
}

/// Predictions of the model for a measured run, with the measurements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Checked {
    /// The run.
    pub name: String,
    /// Applications a second.
    pub per_s: f64,
    /// Cores that the server kept busy: predicted and measured.
    pub server_cores: (f64, Option<f64>),
    /// Share of the time with a commit in progress: predicted and measured.
    pub commits_busy: (f64, Option<f64>),
    /// Mean duration of a commit in milliseconds: predicted and measured.
    pub commit_ms: (f64, Option<f64>),
    /// Cores kept busy by other processes.
    pub neighbours_cores: f64,
    /// Milliseconds of a submission: predicted mean within the server, measured median at the generator.
    pub submit_ms: (f64, f64),
}

/// Compares the model with a measured run.
#[must_use]
pub(super) fn check(run: &ObservedRun, costs: &Measurements) -> Checked {
    let per_s = run.submissions / run.elapsed_s;
    let predicted_cores = costs.cpu_s_of(run) / run.elapsed_s;
    let commits = group_commit(per_s, &costs.commit_costs());
    let service_ms = costs.cpu_submit_us / 1000.0;
    // The generator competes for the same cores. Other processes do too, but a fair scheduler limits them in a way that
    // this queue does not model: they are printed, not included.
    let load = predicted_cores + run.generator_cpu_s / run.elapsed_s;
    let cores = crate::figures::whole(run.cores);
    let wait_ms = wait_mgc(cores, load, service_ms, costs.service_cv2);
    let one_ms = costs.commit_fixed_ms + costs.commit_record_us / 1000.0 * commits.records;
    Checked {
        name: run.name.clone(),
        per_s,
        server_cores: (predicted_cores, run.server_cpu_s.map(|cpu_s| cpu_s / run.elapsed_s)),
        commits_busy: (commits.busy, run.commits.map(|one| one.seconds / run.elapsed_s)),
        commit_ms: (one_ms, run.commits.map(|one| one.mean_ms())),
        neighbours_cores: run.neighbours_cpu_s / run.elapsed_s,
        submit_ms: (wait_ms + service_ms + commits.mean_ms, run.submit_p50_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::{Demand, MachineKind, check, need, rounded_up};
    use crate::{
        operator::CommitFigures,
        plan::{measurements::Measurements, observed::tests::run},
    };

    fn costs() -> Measurements {
        Measurements {
            source: "round figures".to_owned(),
            cpu_login_us: 100.0,
            cpu_handshake_us: 400.0,
            cpu_submit_us: 200.0,
            cpu_waking_share: 0.0,
            waking_requests_per_s: 1000.0,
            cpu_read_us: 50.0,
            cpu_idle_cores: 0.0,
            service_cv2: 1.0,
            commit_fixed_ms: 2.0,
            commit_record_us: 10.0,
            commit_records_max: 512.0,
            commit_wait_ms: 1.0,
            ruling_wait_ms: 5.0,
            record_bytes: 1000.0,
            written_bytes: 3000.0,
            index_bytes: 64.0,
            session_bytes: 1000.0,
            connection_bytes: 20_000.0,
            base_bytes: 5e7,
            leases_max: 1e9,
            cell: Measurements::built_in().cell,
        }
    }

    const DEMAND: Demand = Demand {
        rate: 100.0,
        peak: 300.0,
        day: 2_400_000.0,
        days_kept: 30.0,
        reads: 4.0,
        connections: 1.0,
        session_s: 300.0,
        connection_s: 300.0,
    };
    const KIND: MachineKind =
        MachineKind { cores: 8, memory_gib: 16.0, disk_mb_per_s: 100.0, utilisation_max: 0.7 };

    fn near(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} instead of {expected}");
    }

    #[test]
    fn three_rates_by_hand() {
        // 100 + 200 + 4 x 50 + 400 = 900 us of CPU each; 5.6 cores of a machine may be used: 6,222 a second.
        let small = need(300.0, 0.0, &DEMAND, &KIND, &costs());
        near(small.cores_busy, 0.27);
        // A twentieth of the cores, but a sixth of the memory.
        assert_eq!((small.machines, small.decided_by), (1, "memory"));
        near(small.sessions, 90_000.0);
        near(small.disk_mb_per_s, 0.9);
        // 90,000 sessions of 21,000 bytes and the base.
        near(small.memory_gib, (5e7 + 90_000.0 * 21_000.0) / f64::from(1 << 30));

        let middle = need(10_000.0, 0.0, &DEMAND, &KIND, &costs());
        near(middle.cores_busy, 9.0);
        // 10,000 x 300 s x 21,000 bytes are 63 GB, of which a machine takes 11.2 GiB but for its base.
        assert_eq!((middle.machines, middle.decided_by), (6, "memory"));

        let internet = need(
            100_000.0,
            0.0,
            &Demand { session_s: 60.0, connection_s: 60.0, ..DEMAND },
            &KIND,
            &costs(),
        );
        near(internet.cores_busy, 90.0);
        assert_eq!((internet.machines, internet.decided_by), (17, "CPU"));
        near(internet.cpu_utilisation, 90.0 / 17.0 / 8.0);
        assert!(internet.submit_ms < 10.0, "{}", internet.submit_ms);
    }

    #[test]
    fn a_check_puts_the_prediction_beside_the_measurement() {
        let commits = CommitFigures { count: 200.0, seconds: 0.5, records: 200.0 };
        for per_s in [10.0, 100.0, 1000.0] {
            let found = check(&run(per_s, commits), &costs());
            near(found.per_s, per_s);
            near(found.server_cores.0, per_s * 350.0 / 1e6);
            near(found.server_cores.1.expect("measured"), 0.1);
            near(found.commit_ms.1.expect("measured"), 2.5);
        }
        let alone = (-0.05_f64).exp();
        let found = check(&run(10.0, commits), &costs());
        near(found.commits_busy.0, 0.01 * 2.01 + 0.01 * alone * 2.0);
        // Of two cores a fifth goes into wake-ups, 1 - 1/e of it at 1,000 requests a second and core.
        let waking = Measurements { cpu_waking_share: 0.2, ..costs() };
        let found = check(&run(2000.0 / 3.0, commits), &waking);
        let risen = 1.0 - (-1.0_f64).exp();
        near(found.server_cores.0, 2000.0 / 3.0 * 350.0 / 1e6 + 0.4 * risen);
    }

    #[test]
    fn machines_are_whole_and_one_at_least() {
        assert_eq!([0.0, 0.3, 1.0, 1.1, 16.07, 1000.0].map(rounded_up), [1, 1, 1, 2, 17, 1000]);
    }
}
