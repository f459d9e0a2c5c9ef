//! Time slices: which audience may enter when, in Europe/Rome.
//!
//! A slice includes its first instant and excludes its last. It is built from wall-clock times, so the slice from 16:00
//! to 08:00 lasts 15 or 17 hours when the clocks change.

use std::sync::{Mutex, PoisonError};

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

use crate::{civic::local_time, identity::Audience};

/// Days before and after now that are searched for slices: more than a week, since weekends may differ from other days.
const LOOK_BACK_DAYS: i32 = 4;
const LOOK_AHEAD_DAYS: i32 = 9;

/// How long an answer is cached if its slice has no end.
const CACHE_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A daily slice of wall-clock time. If `until` is before `from`, it runs through midnight; if they are equal, it is
/// the whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its first instant.
    pub from: Time,
    /// The first instant after it.
    pub until: Time,
}

impl Slice {
    /// Reads `HH:MM-HH:MM`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let time = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let is_two =
                |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            let two = |text: &str| is_two(text).then(|| text.parse::<i8>().ok())?;
            Time::new(two(hour)?, two(minute)?, 0, 0).ok()
        };
        Some(Self { from: time(from)?, until: time(until)? })
    }
}

/// When each audience may enter.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The citizens' slice.
    pub citizens: Slice,
    /// The intermediaries' slice.
    pub intermediaries: Slice,
    /// Whether Saturdays and Sundays are open to all.
    pub weekends_open: bool,
    /// How long a session may last past the end of its slice, seconds.
    pub grace_seconds: u32,
}

/// Whether an audience may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It may.
    Open {
        /// The first instant at which it may not; `None` if no end is in sight.
        until: Option<Timestamp>,
    },
    /// It may not.
    Closed {
        /// The next instant at which it may; [`Timestamp::MAX`] if never.
        opens_at: Timestamp,
    },
}

impl Config {
    /// Whether `audience` may enter at `now`.
    #[must_use]
    pub fn window(&self, audience: Audience, now: Timestamp) -> Window {
        let slice = match audience {
            Audience::Citizens => self.citizens,
            Audience::Intermediaries => self.intermediaries,
        };
        let today = local_time::date_at(now);
        let mut spans: Vec<(Timestamp, Timestamp)> = (-LOOK_BACK_DAYS..=LOOK_AHEAD_DAYS)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|day| [slice.on(day), self.weekend_on(day)])
            .flatten()
            .collect();
        spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(spans.len());
        for (from, until) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => merged.push((from, until)),
            }
        }
        let horizon = merged.last().map(|last| last.1);
        match merged.into_iter().find(|span| now < span.1) {
            Some((from, until)) if from <= now => {
                Window::Open { until: Some(until).filter(|_| horizon != Some(until)) }
            }
            Some((from, _)) => Window::Closed { opens_at: from },
            None => Window::Closed { opens_at: Timestamp::MAX },
        }
    }

    fn weekend_on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        (self.weekends_open && weekend).then(|| span(day, Time::midnight(), Time::midnight()))?
    }
}

/// The schedule with a cache of its last answers: computing one takes two weeks of wall-clock times.
#[derive(Debug)]
pub struct Schedule {
    config: Config,
    cached: Mutex<[Option<Cached>; Audience::ALL.len()]>,
}

#[derive(Clone, Copy, Debug)]
struct Cached {
    from: Timestamp,
    until: Timestamp,
    window: Window,
}

impl Schedule {
    /// A schedule of these slices.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, cached: Mutex::default() }
    }

    /// The end of all sessions that were opened in a slice that ends at `until`.
    #[must_use]
    pub fn past(&self, until: Timestamp) -> Timestamp {
        let grace = SignedDuration::from_secs(self.config.grace_seconds.into());
        until.saturating_add(grace).unwrap_or(Timestamp::MAX)
    }

    /// Whether `audience` may enter at `now`.
    #[must_use]
    pub fn window(&self, audience: Audience, now: Timestamp) -> Window {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = &mut cached[audience as usize];
        if let Some(cached) = cached.filter(|cached| (cached.from..cached.until).contains(&now)) {
            return cached.window;
        }
        let window = self.config.window(audience, now);
        let until = match window {
            Window::Open { until } => until.unwrap_or(now + CACHE_FOR),
            Window::Closed { opens_at } => opens_at,
        };
        *cached = Some(Cached { from: now, until, window });
        window
    }
}

impl Slice {
    fn on(self, day: Date) -> Option<(Timestamp, Timestamp)> {
        span(day, self.from, self.until)
    }
}

/// The instants from the wall-clock time `from` on `day` to the next occurrence of `until`.
fn span(day: Date, from: Time, until: Time) -> Option<(Timestamp, Timestamp)> {
    let last_day = if until > from { day } else { day.checked_add(1.day()).ok()? };
    let (from, until) = (instant(day, from)?, instant(last_day, until)?);
    // A slice within the hour that the clocks skip does not exist that day.
    (from < until).then_some((from, until))
}

/// The instant at which a clock in Rome shows that time; a skipped time is moved by the length of the gap.
fn instant(day: Date, time: Time) -> Option<Timestamp> {
    let rome: TimeZone = local_time::rome().clone();
    rome.to_ambiguous_timestamp(day.to_datetime(time)).compatible().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(weekends_open: bool) -> Config {
        Config {
            citizens: Slice::parse("16:00-08:00").unwrap(),
            intermediaries: Slice::parse("08:00-16:00").unwrap(),
            weekends_open,
            grace_seconds: 0,
        }
    }

    fn rome(text: &str) -> Timestamp {
        format!("{text}[Europe/Rome]").parse::<jiff::Zoned>().unwrap().timestamp()
    }

    fn open_until(config: Config, audience: Audience, now: &str, until: &str) {
        assert_eq!(
            config.window(audience, rome(now)),
            Window::Open { until: Some(rome(until)) },
            "{audience:?} at {now}"
        );
    }

    fn opens_at(config: Config, audience: Audience, now: &str, at: &str) {
        assert_eq!(
            config.window(audience, rome(now)),
            Window::Closed { opens_at: rome(at) },
            "{audience:?} at {now}"
        );
    }

    #[test]
    fn a_slice_holds_its_first_instant_and_not_its_last() {
        use Audience::{Citizens, Intermediaries};
        open_until(config(false), Citizens, "2024-09-16T16:00:00", "2024-09-17T08:00:00");
        open_until(config(false), Citizens, "2024-09-17T07:59:59.999", "2024-09-17T08:00:00");
        opens_at(config(false), Citizens, "2024-09-17T08:00:00", "2024-09-17T16:00:00");
        open_until(config(false), Intermediaries, "2024-09-17T08:00:00", "2024-09-17T16:00:00");
        opens_at(config(false), Intermediaries, "2024-09-17T16:00:00", "2024-09-18T08:00:00");
    }

    #[test]
    fn the_audiences_share_the_day_without_gap_or_overlap() {
        let start = rome("2026-03-28T00:00:00");
        for minute in 0..(3 * 24 * 60) {
            let now = start + minute.minutes();
            let open = Audience::ALL
                .map(|audience| matches!(config(false).window(audience, now), Window::Open { .. }));
            assert_eq!(open.iter().filter(|open| **open).count(), 1, "{now}");
        }
    }

    #[test]
    fn nights_are_as_long_as_the_clocks_make_them() {
        for (evening, morning, hours) in [
            ("2026-03-28T16:00:00", "2026-03-29T08:00:00", 15),
            ("2026-10-24T16:00:00", "2026-10-25T08:00:00", 17),
            ("2026-11-24T16:00:00", "2026-11-25T08:00:00", 16),
        ] {
            open_until(config(false), Audience::Citizens, evening, morning);
            let night = rome(morning).duration_since(rome(evening));
            assert_eq!(night.as_hours(), hours, "{evening}");
        }
    }

    #[test]
    fn weekends_are_open_to_all_where_the_setting_says_so() {
        // 21 September 2024 is a Saturday.
        let weekends = config(true);
        open_until(
            weekends,
            Audience::Intermediaries,
            "2024-09-21T20:00:00",
            "2024-09-23T00:00:00",
        );
        open_until(weekends, Audience::Citizens, "2024-09-20T17:00:00", "2024-09-23T08:00:00");
        opens_at(weekends, Audience::Intermediaries, "2024-09-20T16:00:00", "2024-09-21T00:00:00");
        opens_at(
            config(false),
            Audience::Intermediaries,
            "2024-09-21T20:00:00",
            "2024-09-22T08:00:00",
        );
    }

    #[test]
    fn a_cached_answer_is_valid_until_the_slice_ends_and_not_before_it_was_computed() {
        let schedule = Schedule::new(config(true));
        let instants =
            (0..14 * 24 * 4).map(|quarter| rome("2024-09-16T00:10:00") + (quarter * 15).minutes());
        // Back and forth, because a clock may be set back.
        let zigzag = instants.clone().flat_map(|now| [now, now - 9.hours(), now + 30.hours()]);
        for now in instants.chain(zigzag) {
            for audience in Audience::ALL {
                assert_eq!(
                    schedule.window(audience, now),
                    schedule.config.window(audience, now),
                    "{now}"
                );
            }
        }
    }

    #[test]
    fn a_slice_of_the_whole_day_never_ends() {
        let always = Config { citizens: Slice::parse("00:00-00:00").unwrap(), ..config(false) };
        let now = rome("2026-03-29T02:30:00");
        assert_eq!(always.window(Audience::Citizens, now), Window::Open { until: None });
    }

    #[test]
    fn a_slice_in_the_hour_that_is_skipped_is_not_there_that_day() {
        let night = Config { citizens: Slice::parse("02:30-03:15").unwrap(), ..config(false) };
        opens_at(night, Audience::Citizens, "2026-03-28T23:00:00", "2026-03-30T02:30:00");
    }

    #[test]
    fn only_times_of_day_make_a_slice() {
        for wrong in [
            "",
            "08:00",
            "8:00-16:00",
            "08:00-24:00",
            "08:60-16:00",
            "-",
            "08:00-16:00-",
            "16:+8-16:15",
            "22:00--0:00",
        ] {
            assert_eq!(Slice::parse(wrong), None, "{wrong}");
        }
    }
}
