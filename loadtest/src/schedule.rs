//! The intended start of each session, fixed before the run so that a slow server cannot reduce the load.

use std::time::Duration;

/// Distribution of the arrivals within a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// Independent people: exponential gaps, with bursts as in reality.
    Poisson,
    /// Equal gaps, for comparisons without randomness.
    Even,
}

/// A period with one rate of arrivals.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// What the phase stands for.
    pub label: String,
    /// Its length in seconds, above 0.
    pub duration_s: f64,
    /// Sessions a second, 0 or more.
    pub rate: f64,
}

/// Rate of arrivals over time: consecutive phases.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    phases: Vec<Phase>,
}

impl Curve {
    /// A curve of `phases` in their order; the caller has checked lengths and rates.
    #[must_use]
    pub fn new(phases: Vec<Phase>) -> Self {
        Self { phases }
    }

    /// The same sessions, `factor` times as fast.
    #[must_use]
    pub fn sped_up(self, factor: f64) -> Self {
        self.scaled(1.0 / factor, factor)
    }

    /// The same rates and proportions over `total`.
    #[must_use]
    pub fn lasting(self, total: Duration) -> Self {
        let stretch = total.as_secs_f64() / self.duration_s();
        self.scaled(stretch, 1.0)
    }

    /// The same proportions with `peak` sessions a second in the busiest phase.
    #[must_use]
    pub fn with_peak(self, peak: f64) -> Self {
        let scale = peak / self.peak();
        self.scaled(1.0, scale)
    }

    fn scaled(mut self, duration_by: f64, rate_by: f64) -> Self {
        for phase in &mut self.phases {
            phase.duration_s *= duration_by;
            phase.rate *= rate_by;
        }
        self
    }

    /// The phases in order.
    #[must_use]
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The rate of the busiest phase.
    pub fn peak(&self) -> f64 {
        self.phases.iter().map(|phase| phase.rate).fold(0.0, f64::max)
    }

    /// The total length in seconds.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        self.phases.iter().map(|phase| phase.duration_s).sum()
    }

    /// Expected number of sessions; exact with even spacing.
    #[must_use]
    pub fn sessions_expected(&self) -> f64 {
        self.phases.iter().map(|phase| phase.duration_s * phase.rate).sum()
    }

    /// The intended start of every session since the start of the run, in order.
    ///
    /// The same seed gives the same starts on every machine.
    #[must_use]
    pub fn starts(&self, spacing: Spacing, seed: u64) -> Vec<Duration> {
        let mut chance = Chance::new(seed);
        let mut starts = Vec::new();
        // Draws arrivals at unit rate over "sessions due so far" and maps them to seconds, so that a change of rate
        // within a gap is handled correctly.
        let mut due = 0.0;
        let mut due_before_phase = 0.0;
        let mut phase_start_s = 0.0;
        let mut next = spacing.first_gap(&mut chance);
        for phase in &self.phases {
            let due_after_phase = due_before_phase + phase.duration_s * phase.rate;
            while due + next < due_after_phase {
                due += next;
                let within_s = (due - due_before_phase) / phase.rate;
                starts.push(Duration::from_secs_f64(phase_start_s + within_s));
                next = spacing.gap(&mut chance);
            }
            due_before_phase = due_after_phase;
            phase_start_s += phase.duration_s;
        }
        starts
    }
}

impl Spacing {
    /// Half a gap for even spacing, so that a rate of N over a second gives N sessions, not N - 1.
    fn first_gap(self, chance: &mut Chance) -> f64 {
        match self {
            Self::Poisson => chance.exponential(),
            Self::Even => 0.5,
        }
    }

    fn gap(self, chance: &mut Chance) -> f64 {
        match self {
            Self::Poisson => chance.exponential(),
            Self::Even => 1.0,
        }
    }
}

/// A small seeded random number generator (`SplitMix64`; Steele, Lea and Flood 2014).
///
/// The same sequence for the same seed on every machine. For arrivals and jitter, not for secrets.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// A generator seeded with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator seeded with `seed` and the number of a session, for the draws of that session.
    #[must_use]
    pub fn of_session(seed: u64, number: u64) -> Self {
        let mut chance = Self::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        // Discards the first output, because neighbouring sessions have similar seeds.
        chance.uniform();
        chance
    }

    /// Uniform in (0, 1]; never 0, so that its logarithm is finite.
    pub fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let bits = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
        (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0)
    }

    /// Exponential with a mean of 1.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Curve, Phase, Spacing};
    use crate::figures::real_len;

    fn curve(phases: &[(f64, f64)]) -> Curve {
        let phase = |&(duration_s, rate)| Phase { label: String::new(), duration_s, rate };
        Curve::new(phases.iter().map(phase).collect())
    }

    #[test]
    fn even_spacing_has_equal_gaps() {
        let starts = curve(&[(1.0, 4.0)]).starts(Spacing::Even, 1);
        let ms: Vec<_> = starts.iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [125, 375, 625, 875]);
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        let day = curve(&[(10.0, 50.0)]);
        assert_eq!(day.starts(Spacing::Poisson, 7), day.starts(Spacing::Poisson, 7));
        assert_ne!(day.starts(Spacing::Poisson, 7), day.starts(Spacing::Poisson, 8));
    }

    #[test]
    fn poisson_arrivals_keep_each_phase_s_rate_and_its_spread() {
        let starts =
            curve(&[(100.0, 10.0), (50.0, 0.0), (10.0, 500.0)]).starts(Spacing::Poisson, 3);
        assert!(starts.is_sorted());
        let within = |from: u64, to: u64| {
            let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
            starts.iter().filter(|&&at| at >= from && at < to).count()
        };
        // Five standard deviations of a Poisson count.
        assert!((within(0, 100)).abs_diff(1000) < 160);
        assert_eq!(within(100, 150), 0);
        assert!((within(150, 160)).abs_diff(5000) < 354);

        // The variance of exponential gaps is the square of their mean; that of equal gaps is 0.
        let gaps: Vec<f64> =
            starts[..900].windows(2).map(|w| w[1].as_secs_f64() - w[0].as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / real_len(gaps.len());
        let variance =
            gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / real_len(gaps.len());
        assert!((0.8..1.25).contains(&(variance / mean.powi(2))));
    }

    #[test]
    fn speeding_up_keeps_the_sessions_and_scaling_the_peak_keeps_the_shape() {
        let day = curve(&[(100.0, 10.0), (10.0, 40.0)]);
        let fast = day.clone().sped_up(10.0);
        assert!((fast.duration_s() - 11.0).abs() < 1e-9);
        assert!((fast.sessions_expected() - day.sessions_expected()).abs() < 1e-6);
        let small = day.clone().with_peak(4.0);
        assert!((small.phases()[0].rate - 1.0).abs() < 1e-9);
        let long = day.lasting(Duration::from_secs(220));
        assert!((long.phases()[1].duration_s - 20.0).abs() < 1e-9);
        assert!((long.peak() - 40.0).abs() < 1e-9);
    }
}
