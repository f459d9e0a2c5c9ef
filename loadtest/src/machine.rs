//! The machine that a run was measured on, and its CPU time by user.

use std::{fs, thread::available_parallelism};

use serde::{Deserialize, Serialize};

use crate::{
    figures,
    process::{TICKS_PER_S, cpu_seconds},
};

/// Facts about the machine; empty where the system does not provide them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: usize,
    /// The processor's name.
    pub cpu: String,
    /// Kernel name and release.
    pub kernel: String,
}

impl Machine {
    /// Reads the facts from `/proc`.
    pub fn read() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/version").unwrap_or_default();
        let kernel: Vec<_> = kernel.split_whitespace().take(3).collect();
        Self {
            cores: available_parallelism().map_or(0, usize::from),
            cpu: model.unwrap_or_default(),
            kernel: kernel.join(" "),
        }
    }
}

/// CPU seconds used since the machine started, and by this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuClock {
    own: f64,
    busy: f64,
    steal: f64,
}

/// CPU seconds used during a run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CpuUse {
    /// By the generator itself.
    pub generator_s: f64,
    /// By everything else on the machine, the server included.
    pub others_s: f64,
    /// Taken by the hypervisor for other machines.
    pub steal_s: f64,
}

impl CpuClock {
    /// Reads the counters; zeros where the system has none.
    #[must_use]
    pub fn read() -> Self {
        let total = fs::read_to_string("/proc/stat").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self::parse(&total, &own)
    }

    fn parse(total: &str, own: &str) -> Self {
        let seconds = |text: &str| figures::real(text.parse().unwrap_or(0)) / TICKS_PER_S;
        // cpu user nice system idle iowait irq softirq steal
        let fields: Vec<f64> = total
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map(seconds)
            .collect();
        let sum = |places: &[usize]| places.iter().filter_map(|&place| fields.get(place)).sum();
        Self { own: cpu_seconds(own).iter().sum(), busy: sum(&[0, 1, 2, 5, 6]), steal: sum(&[7]) }
    }

    /// What was used since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> CpuUse {
        let generator_s = self.own - earlier.own;
        CpuUse {
            generator_s,
            others_s: (self.busy - earlier.busy - generator_s).max(0.0),
            steal_s: self.steal - earlier.steal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CpuClock;

    #[test]
    fn cpu_time_is_split_among_generator_others_and_steal() {
        let own = |ticks| format!("1 (su rge)) S 1 1 1 0 -1 0 0 0 0 0 {ticks} 50 0 0 20");
        let before = CpuClock::parse("cpu 100 0 100 900 9 0 0 0 0 0\n", &own(50));
        let after = CpuClock::parse("cpu 300 0 300 950 9 0 0 30 0 0\n", &own(150));
        let used = after.since(before);
        assert!((used.generator_s - 1.0).abs() < 1e-9);
        assert!((used.others_s - 3.0).abs() < 1e-9);
        assert!((used.steal_s - 0.3).abs() < 1e-9);
    }
}
