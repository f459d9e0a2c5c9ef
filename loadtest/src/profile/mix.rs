//! The mix of sessions: who comes, in shares of all sessions, and the pauses between two steps.

use std::{f64::consts::TAU, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::source::Source;
use crate::schedule::Chance;

/// Most lines of a batch; the reply stays below the largest body that surge reads.
pub const BATCH_LINES_MAX: u32 = 2000;
/// Longest pause, in means.
const THINK_MEANS_MAX: f64 = 10.0;
/// Sigma of lognormal pauses, in the middle of what is reported for web sessions: a few people think for very long.
const LOGNORMAL_SIGMA: f64 = 1.0;

/// The audience whose window must be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slice {
    /// Citizens.
    Citizens,
    /// Intermediaries.
    Intermediaries,
    /// Both, as on a weekend that is open to all.
    Both,
}

/// Distribution of the pauses between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// No pauses.
    None,
    /// Always the mean.
    Fixed,
    /// Exponential.
    Exponential,
    /// Lognormal with a sigma of 1.
    Lognormal,
}

/// Pauses between two steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Think {
    /// Their distribution.
    pub spread: Spread,
    /// Their mean.
    pub mean: Duration,
}

/// Kinds of sessions, as shares of all sessions; without `[mix]` all are plain citizens.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The audience whose window must be open.
    pub slice: Slice,
    /// Sessions of intermediaries, each with one batch.
    pub intermediaries_share: f64,
    /// Applications of a batch.
    pub batch_lines: u32,
    /// Citizens who save a draft before they submit.
    pub drafts_share: f64,
    /// Citizens who ask for an estimate before they submit.
    pub estimates_share: f64,
    /// Citizens who come by the pages, as a browser without scripts.
    pub pages_share: f64,
    /// Citizens who enter and never finish.
    pub abandoners_share: f64,
    /// Citizens who close their connection in the middle of the application once, then submit.
    pub broken_bodies_share: f64,
    /// Sessions that retry after `impatient_wait`, whatever `Retry-After` says.
    pub impatient_share: f64,
    /// Wait of those who ignore `Retry-After`.
    pub impatient_wait: Duration,
    /// Sessions over a new connection with a full handshake.
    pub new_connections_share: f64,
    /// Sessions over HTTP/2.
    pub http2_share: f64,
    /// Pauses between two steps.
    pub think: Think,
}

/// Kind of one session; the same for the same seed and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent draw of the mix")]
pub struct Role {
    /// Is an intermediary with a batch.
    pub intermediary: bool,
    /// Saves a draft.
    pub drafts: bool,
    /// Asks for an estimate.
    pub estimates: bool,
    /// Enters and never finishes.
    pub abandons: bool,
    /// Closes the connection in the middle of a body.
    pub breaks_body: bool,
    /// Ignores `Retry-After`.
    pub impatient: bool,
    /// Uses a new connection.
    pub own_connection: bool,
    /// Uses HTTP/2.
    pub http2: bool,
    /// Comes by the pages.
    pub pages: bool,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            slice: Slice::Citizens,
            intermediaries_share: 0.0,
            batch_lines: 100,
            drafts_share: 0.0,
            estimates_share: 0.0,
            pages_share: 0.0,
            abandoners_share: 0.0,
            broken_bodies_share: 0.0,
            impatient_share: 0.0,
            impatient_wait: Duration::from_millis(200),
            new_connections_share: 0.0,
            http2_share: 0.0,
            think: Think { spread: Spread::None, mean: Duration::ZERO },
        }
    }
}

impl Mix {
    /// Role of session `number` in a run with `seed`.
    #[must_use]
    pub fn role(&self, seed: u64, number: u64) -> Role {
        let mut chance = Chance::of_session(seed, number);
        // Makes every draw, so that changing one share does not change the draws of the others.
        let mut with = |share: f64| chance.uniform() <= share;
        let role = Role {
            intermediary: with(self.intermediaries_share),
            drafts: with(self.drafts_share),
            estimates: with(self.estimates_share),
            abandons: with(self.abandoners_share),
            breaks_body: with(self.broken_bodies_share),
            impatient: with(self.impatient_share),
            own_connection: with(self.new_connections_share),
            http2: with(self.http2_share),
            pages: with(self.pages_share),
        };
        let is_citizen = !role.intermediary;
        Role { abandons: role.abandons && is_citizen, pages: role.pages && is_citizen, ..role }
    }

    /// Number of receipts that a session of `role` wants.
    #[must_use]
    pub fn receipts_wanted(&self, role: Role) -> u64 {
        match role {
            Role { abandons: true, .. } => 0,
            Role { intermediary: true, .. } => u64::from(self.batch_lines),
            _ => 1,
        }
    }

    /// Divides `connections` between HTTP/1.1 and HTTP/2 by their shares; at least one for each share that is not 0.
    #[must_use]
    pub fn connections_split(&self, connections: usize) -> (usize, usize) {
        if self.http2_share <= 0.0 {
            return (connections, 0);
        }
        if self.http2_share >= 1.0 {
            return (0, connections);
        }
        let http2 = crate::figures::real_len(connections) * self.http2_share;
        let http2 = (crate::figures::whole(http2) as usize).clamp(1, connections.max(2) - 1);
        (connections.max(2) - http2, http2)
    }
}

impl Think {
    /// One pause.
    pub fn pause(&self, chance: &mut Chance) -> Duration {
        let means = match self.spread {
            Spread::None => return Duration::ZERO,
            Spread::Fixed => 1.0,
            Spread::Exponential => chance.exponential(),
            Spread::Lognormal => {
                // Box and Muller 1958. The mean of exp(sigma * normal) is exp(sigma^2 / 2).
                let normal = (-2.0 * chance.uniform().ln()).sqrt() * (TAU * chance.uniform()).cos();
                (LOGNORMAL_SIGMA * normal - LOGNORMAL_SIGMA * LOGNORMAL_SIGMA / 2.0).exp()
            }
        };
        self.mean.mul_f64(means.min(THINK_MEANS_MAX))
    }
}

/// `[mix]` as written in a file; every key is optional.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMix {
    slice: Option<Spanned<Slice>>,
    intermediaries_share: Option<Spanned<f64>>,
    batch_lines: Option<Spanned<f64>>,
    drafts_share: Option<Spanned<f64>>,
    estimates_share: Option<Spanned<f64>>,
    pages_share: Option<Spanned<f64>>,
    abandoners_share: Option<Spanned<f64>>,
    broken_bodies_share: Option<Spanned<f64>>,
    impatient_share: Option<Spanned<f64>>,
    impatient_wait_ms: Option<Spanned<f64>>,
    new_connections_share: Option<Spanned<f64>>,
    http2_share: Option<Spanned<f64>>,
    think: Option<Spread>,
    think_ms: Option<Spanned<f64>>,
}

impl RawMix {
    pub(super) fn checked(&self, source: &Source<'_>, faults: &mut Vec<String>) -> Mix {
        let default = Mix::default();
        let mut share = |value: &Option<Spanned<f64>>| {
            let value = value.as_ref();
            value.map_or(0.0, |value| source.share(value, faults))
        };
        let mix = Mix {
            intermediaries_share: share(&self.intermediaries_share),
            drafts_share: share(&self.drafts_share),
            estimates_share: share(&self.estimates_share),
            pages_share: share(&self.pages_share),
            abandoners_share: share(&self.abandoners_share),
            broken_bodies_share: share(&self.broken_bodies_share),
            impatient_share: share(&self.impatient_share),
            new_connections_share: share(&self.new_connections_share),
            http2_share: share(&self.http2_share),
            slice: self.slice.as_ref().map_or(default.slice, |slice| *slice.get_ref()),
            ..default
        };
        let batch_lines = self.batch_lines.as_ref().map_or(mix.batch_lines, |lines| {
            let allowed = 1.0..f64::from(BATCH_LINES_MAX) + 1.0;
            crate::figures::whole(source.within(lines, allowed, "lines", faults))
        });
        let mut wait = |value: &Option<Spanned<f64>>, default: Duration, allowed| {
            let Some(value) = value else { return default };
            let ms = source.within(value, allowed, "milliseconds", faults);
            Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
        };
        let impatient_wait = wait(&self.impatient_wait_ms, mix.impatient_wait, 1.0..60_001.0);
        let think = Think {
            spread: self.think.unwrap_or(Spread::None),
            mean: wait(&self.think_ms, Duration::ZERO, 1.0..600_001.0),
        };
        if think.spread != Spread::None && think.mean.is_zero() {
            faults.push(source.at_top("`think` needs its mean, `think_ms`"));
        }
        self.check_slice(&mix, source, faults);
        Mix { batch_lines, impatient_wait, think, ..mix }
    }

    /// Checks that the slice fits the share of intermediaries.
    fn check_slice(&self, mix: &Mix, source: &Source<'_>, faults: &mut Vec<String>) {
        let wanted = match mix.intermediaries_share {
            share if share <= 0.0 => Slice::Citizens,
            share if share >= 1.0 => Slice::Intermediaries,
            _ => Slice::Both,
        };
        if wanted != mix.slice {
            let what = format!(
                "an `intermediaries_share` of {} needs the slice \"{}\"",
                mix.intermediaries_share,
                wanted.name()
            );
            let named = self.slice.as_ref().map(Spanned::span);
            faults.push(named.map_or_else(|| source.at_top(&what), |at| source.fault(at, &what)));
        }
    }
}

impl Slice {
    /// Name in a profile.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Citizens => "citizens",
            Self::Intermediaries => "intermediaries",
            Self::Both => "both",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Mix, Spread, Think};
    use crate::{figures::real, schedule::Chance};

    #[test]
    fn shares_are_kept_and_the_same_number_is_always_the_same_person() {
        let mix = Mix { drafts_share: 0.3, abandoners_share: 0.05, ..Mix::default() };
        let count = |is: &dyn Fn(super::Role) -> bool| {
            real((0..20_000).filter(|&number| is(mix.role(7, number))).count() as u64) / 20_000.0
        };
        assert!((count(&|role| role.drafts) - 0.3).abs() < 0.02);
        assert!((count(&|role| role.abandons) - 0.05).abs() < 0.01);
        // Independent draws: the share of both is the product.
        assert!((count(&|role| role.abandons && role.drafts) - 0.015).abs() < 0.005);
        assert!(count(&|role| role.intermediary || role.http2) < f64::EPSILON);
        assert_eq!(mix.role(7, 11), mix.role(7, 11));
    }

    #[test]
    fn pauses_have_their_mean_and_their_bound() {
        let mean = Duration::from_millis(100);
        for spread in [Spread::Fixed, Spread::Exponential, Spread::Lognormal] {
            let think = Think { spread, mean };
            let mut chance = Chance::new(1);
            let pauses: Vec<_> = (0..20_000).map(|_| think.pause(&mut chance)).collect();
            let found = pauses.iter().sum::<Duration>() / 20_000;
            assert!((90..110).contains(&found.as_millis()), "{spread:?}: {found:?}");
            assert!(pauses.iter().all(|pause| *pause <= mean * 10));
        }
        let think = Think { spread: Spread::None, mean };
        assert!(think.pause(&mut Chance::new(1)).is_zero());
    }

    #[test]
    fn connections_are_split_by_share() {
        let split =
            |share, all| Mix { http2_share: share, ..Mix::default() }.connections_split(all);
        assert_eq!(split(0.0, 256), (256, 0));
        assert_eq!(split(1.0, 256), (0, 256));
        assert_eq!(split(0.25, 256), (192, 64));
        assert_eq!(split(0.01, 4), (3, 1));
    }
}
