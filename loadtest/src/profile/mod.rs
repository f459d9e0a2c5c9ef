//! A profile: the load of a run, how its citizens behave, and the thresholds it must reach.

mod mix;
mod source;

use std::{ops::Range, time::Duration};

use serde::Deserialize;
use toml::Spanned;

pub use self::mix::{BATCH_LINES_MAX, Mix, Role, Slice, Spread, Think};
use self::{mix::RawMix, source::Source};
use crate::{
    figures::whole,
    schedule::{Curve, Phase, Spacing},
};

/// Most sessions of a run; the schedule takes 16 bytes for each.
pub const SESSIONS_MAX: u32 = 10_000_000;

/// The built-in profiles, as name and text.
pub const BUILT_IN: [(&str, &str); 9] = [
    ("steady", include_str!("../../profiles/steady.toml")),
    ("opening", include_str!("../../profiles/opening.toml")),
    ("inps-2020", include_str!("../../profiles/inps-2020.toml")),
    ("even-day", include_str!("../../profiles/even-day.toml")),
    ("saturate", include_str!("../../profiles/saturate.toml")),
    ("evening", include_str!("../../profiles/evening.toml")),
    ("drill", include_str!("../../profiles/drill.toml")),
    ("overload", include_str!("../../profiles/overload.toml")),
    ("morning", include_str!("../../profiles/morning.toml")),
];

/// A checked profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Built-in name, or path of the file.
    pub name: String,
    /// What it stands for, in one line.
    pub about: String,
    /// Seed of all random draws.
    pub seed: u64,
    /// The load.
    pub offer: Offer,
    /// Kinds of sessions.
    pub mix: Mix,
    /// How each citizen behaves.
    pub citizen: CitizenPlan,
    /// Time that open sessions have to finish after the last start.
    pub drain_max: Duration,
    /// Thresholds that the run must reach.
    pub thresholds: Thresholds,
}

/// The load of a run.
#[derive(Clone, Debug)]
pub enum Offer {
    /// Starts are fixed beforehand, whatever the server does.
    Open {
        /// Rates over time.
        curve: Curve,
        /// Distribution of the arrivals within a rate.
        spacing: Spacing,
    },
    /// Workers send as fast as the server answers: measures throughput, not latency.
    Closed {
        /// Sessions, all opened beforehand; each submits once.
        sessions: u32,
    },
}

/// The connection that a citizen uses; `new_connections_share` in `[mix]` mixes the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ConnectionUse {
    /// Any free connection of the pool: no handshake, least work for the generator.
    Shared,
    /// A new connection with a full handshake, as in reality.
    Own,
}

/// How a citizen behaves; bounds every wait and every repetition.
#[derive(Clone, Debug)]
pub struct CitizenPlan {
    /// Most reads until the application is decided; 0 does not read.
    pub polls_max: u32,
    /// Wait between two reads.
    pub poll_wait: Duration,
    /// True to delete the session at the end.
    pub leave: bool,
    /// Most retries of a step after a refusal or a broken connection.
    pub retries_max: u32,
    /// Longest `Retry-After` that is obeyed; a longer one ends the session as refused.
    pub retry_wait_max: Duration,
    /// True to enter again when the session is lost (401), as people do after a restart.
    pub enter_again: bool,
    /// Longest wait for a reply; then the request is cancelled and its connection closed.
    pub reply_wait_max: Duration,
    /// Longest wait for a connection and its handshake; then the citizen dials again. `None`: as long as the system waits.
    pub connect_wait_max: Option<Duration>,
}

/// Thresholds that a run must reach; `None` is not checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Longest 99th percentile of submissions, in milliseconds.
    pub p99_submit_ms_max: Option<f64>,
    /// Longest 99th percentile of whole sessions, in milliseconds.
    pub p99_session_ms_max: Option<f64>,
    /// Most failed sessions; a refusal with `Retry-After` is not a failure.
    pub failures_max: Option<u64>,
    /// Least share of the receipts wanted that must arrive within `timely_ms`.
    pub goodput_min: Option<f64>,
    /// Least receipts a second over the run.
    pub receipts_per_s_min: Option<f64>,
    /// Longest latency of a timely submission, in milliseconds.
    #[serde(default = "timely_ms_default")]
    pub timely_ms: u64,
}

fn timely_ms_default() -> u64 {
    1000
}

/// Faults of a profile, each with file, line, key and the allowed values.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ProfileFaults(Vec<String>);

impl Profile {
    /// Length of its schedule; 0 for a closed loop.
    #[must_use]
    pub fn length(&self) -> Duration {
        match &self.offer {
            Offer::Open { curve, .. } => Duration::from_secs_f64(curve.duration_s()),
            Offer::Closed { .. } => Duration::ZERO,
        }
    }

    /// The built-in profile named `name`.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Result<Self, ProfileFaults>> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, text))
    }

    /// Parses a profile; `name` is the file's name in every fault.
    ///
    /// # Errors
    ///
    /// All values out of range together; or the first unknown key or wrong type.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileFaults> {
        let source = Source { name, text };
        let raw: RawProfile = toml::from_str(text).map_err(|error| {
            ProfileFaults(vec![source.fault(error.span().unwrap_or(0..0), error.message())])
        })?;
        let mut faults = Vec::new();
        let offer = raw.offer(&source, &mut faults);
        let mix = raw.mix(&source, &mut faults);
        let citizen = raw.citizen.checked(&source, &mut faults);
        let drain_s = source.within(&raw.drain_s_max, 0.0..86_401.0, "seconds", &mut faults);
        match offer {
            Some(offer) if faults.is_empty() => Ok(Self {
                name: name.to_owned(),
                about: raw.about,
                seed: raw.seed,
                offer,
                mix,
                citizen,
                drain_max: Duration::try_from_secs_f64(drain_s).unwrap_or_default(),
                thresholds: raw.thresholds,
            }),
            _ => Err(ProfileFaults(faults)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Loop {
    Open,
    Closed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    about: String,
    r#loop: Spanned<Loop>,
    seed: u64,
    spacing: Option<Spacing>,
    sessions: Option<Spanned<f64>>,
    drain_s_max: Spanned<f64>,
    #[serde(default)]
    phase: Vec<Spanned<RawPhase>>,
    #[serde(default)]
    mix: RawMix,
    citizen: RawCitizen,
    thresholds: Thresholds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhase {
    label: String,
    duration_s: Spanned<f64>,
    rate: Option<Spanned<f64>>,
    sessions: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCitizen {
    connection: Spanned<ConnectionUse>,
    #[serde(default)]
    enter_again: bool,
    polls_max: u32,
    poll_wait_ms: Spanned<f64>,
    leave: bool,
    retries_max: u32,
    retry_wait_s_max: Spanned<f64>,
    reply_wait_s_max: Spanned<f64>,
    connect_wait_s_max: Option<Spanned<f64>>,
}

impl RawProfile {
    /// The mix; `connection = "own"` means a `new_connections_share` of 1.
    fn mix(&self, source: &Source<'_>, faults: &mut Vec<String>) -> Mix {
        let mut mix = self.mix.checked(source, faults);
        if matches!(self.r#loop.get_ref(), Loop::Closed) && mix != Mix::default() {
            faults
                .push(source.at_top("a closed loop only times submissions: [mix] is not allowed"));
        }
        if *self.citizen.connection.get_ref() == ConnectionUse::Own {
            if mix.new_connections_share > 0.0 {
                let what = "allowed is either \"own\" or a `new_connections_share`, not both";
                faults.push(source.fault(self.citizen.connection.span(), what));
            }
            mix.new_connections_share = 1.0;
        }
        mix
    }

    fn offer(&self, source: &Source<'_>, faults: &mut Vec<String>) -> Option<Offer> {
        let at = self.r#loop.span();
        match (self.r#loop.get_ref(), &self.sessions) {
            (Loop::Closed, Some(sessions)) if self.phase.is_empty() => {
                let connection = &self.citizen.connection;
                if *connection.get_ref() == ConnectionUse::Own {
                    let what = "allowed is \"shared\": a closed loop keeps its connections open";
                    faults.push(source.fault(connection.span(), what));
                }
                let allowed = 1.0..f64::from(SESSIONS_MAX) + 1.0;
                let given = source.within(sessions, allowed, "sessions", faults);
                Some(Offer::Closed { sessions: whole(given) })
            }
            (Loop::Open, None) if !self.phase.is_empty() => {
                let phases = self
                    .phase
                    .iter()
                    .filter_map(|raw| raw.get_ref().checked(source, raw.span(), faults));
                let curve = Curve::new(phases.collect());
                if curve.sessions_expected() > f64::from(SESSIONS_MAX) {
                    let what = format!("the phases have more than {SESSIONS_MAX} sessions");
                    faults.push(source.fault(at, &what));
                } else if faults.is_empty() && curve.peak() <= 0.0 {
                    faults.push(source.fault(at, "all phases have a rate of 0"));
                }
                Some(Offer::Open { curve, spacing: self.spacing.unwrap_or(Spacing::Poisson) })
            }
            (Loop::Closed, _) => {
                faults.push(source.fault(at, "a closed loop needs `sessions` and no [[phase]]"));
                None
            }
            (Loop::Open, _) => {
                faults.push(source.fault(
                    at,
                    "an open loop needs at least one [[phase]] and no top-level `sessions`",
                ));
                None
            }
        }
    }
}

impl RawPhase {
    fn checked(
        &self,
        source: &Source<'_>,
        at: Range<usize>,
        faults: &mut Vec<String>,
    ) -> Option<Phase> {
        let duration_s = source.within(&self.duration_s, 0.001..1e7, "seconds", faults);
        let rate = match (&self.rate, &self.sessions) {
            (Some(rate), None) => source.within(rate, 0.0..1e6, "sessions a second", faults),
            (None, Some(sessions)) => {
                let allowed = 0.0..f64::from(SESSIONS_MAX) + 1.0;
                source.within(sessions, allowed, "sessions", faults) / duration_s
            }
            _ => {
                faults.push(source.fault(at, "a phase needs either `rate` or `sessions`"));
                return None;
            }
        };
        Some(Phase { label: self.label.clone(), duration_s, rate })
    }
}

impl RawCitizen {
    fn checked(&self, source: &Source<'_>, faults: &mut Vec<String>) -> CitizenPlan {
        let mut wait = |value: &Spanned<f64>, scale: f64, allowed, unit| {
            let given = source.within(value, allowed, unit, faults);
            Duration::try_from_secs_f64(given * scale).unwrap_or_default()
        };
        CitizenPlan {
            polls_max: self.polls_max,
            poll_wait: wait(&self.poll_wait_ms, 0.001, 1.0..60_001.0, "milliseconds"),
            leave: self.leave,
            enter_again: self.enter_again,
            retries_max: self.retries_max,
            retry_wait_max: wait(&self.retry_wait_s_max, 1.0, 0.0..86_401.0, "seconds"),
            reply_wait_max: wait(&self.reply_wait_s_max, 1.0, 0.001..3601.0, "seconds"),
            connect_wait_max: self
                .connect_wait_s_max
                .as_ref()
                .map(|value| wait(value, 1.0, 0.001..3601.0, "seconds")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILT_IN, Offer, Profile};

    const STEADY: &str = BUILT_IN[0].1;

    fn fault_of(text: &str) -> String {
        Profile::parse("own.toml", text).expect_err("the profile has a fault").to_string()
    }

    #[test]
    fn every_built_in_profile_is_right() {
        for (name, _) in BUILT_IN {
            Profile::built_in(name).expect("it is built in").expect("it has no fault");
        }
        assert!(Profile::built_in("unknown").is_none());
    }

    #[test]
    fn the_days_of_2020_hold_what_was_published() {
        let profile = Profile::built_in("inps-2020").expect("built in").expect("right");
        let Offer::Open { curve, .. } = profile.offer else { panic!("an open loop") };
        assert!((curve.sessions_expected() - 2_456_101.0).abs() < 1.0);
        assert!((curve.duration_s() - 55.0 * 3600.0).abs() < 1.0);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_what_is_allowed() {
        let fault = fault_of(&STEADY.replace("polls_max", "polls_maximum"));
        assert!(fault.starts_with("own.toml, line 16, `polls_maximum`: unknown field"), "{fault}");
        assert!(fault.contains("polls_max"), "{fault}");
    }

    #[test]
    fn values_out_of_range_are_all_named_at_once() {
        let text = STEADY
            .replace("rate = 100", "rate = -1")
            .replace("poll_wait_ms = 250", "poll_wait_ms = 0");
        let fault = fault_of(&text);
        assert!(
            fault.contains("own.toml, line 12, `rate`: -1 is not allowed; allowed is 0 to"),
            "{fault}"
        );
        assert!(
            fault.contains("line 17, `poll_wait_ms`: 0 is not allowed; allowed is 1 to"),
            "{fault}"
        );
    }

    #[test]
    fn a_word_for_a_number_is_a_fault_with_its_key() {
        let fault = fault_of(&STEADY.replace("rate = 100", "rate = \"many\""));
        assert!(fault.starts_with("own.toml, line 12, `rate`: invalid type"), "{fault}");
    }

    #[test]
    fn a_mix_says_for_whom_the_window_must_be_open_and_shares_are_shares() {
        let mixed = |mix: &str| STEADY.replace("[citizen]", &format!("[mix]\n{mix}\n[citizen]"));
        let right = mixed("drafts_share = 0.2\nthink = \"lognormal\"\nthink_ms = 500");
        let profile = Profile::parse("own.toml", &right).expect("right");
        assert!((profile.mix.drafts_share - 0.2).abs() < f64::EPSILON);
        let fault = fault_of(&mixed("drafts_share = 1.2"));
        assert!(
            fault.contains("`drafts_share`: 1.2 is not allowed; allowed is a share from 0"),
            "{fault}"
        );
        let fault = fault_of(&mixed("intermediaries_share = 0.5"));
        assert!(fault.contains("needs the slice \"both\""), "{fault}");
        let fault = fault_of(&mixed("think = \"fixed\""));
        assert!(fault.contains("needs its mean"), "{fault}");
        let fault = fault_of(&mixed("drafts = 0.1"));
        assert!(fault.contains("unknown field"), "{fault}");
    }

    #[test]
    fn a_phase_is_given_by_rate_or_by_sessions() {
        let fault = fault_of(&STEADY.replace("rate = 100", "rate = 100\nsessions = 5"));
        assert!(fault.contains("either `rate` or `sessions`"), "{fault}");
        let fault = fault_of(&STEADY.replace("loop = \"open\"", "loop = \"closed\""));
        assert!(fault.contains("a closed loop needs `sessions`"), "{fault}");
    }
}
