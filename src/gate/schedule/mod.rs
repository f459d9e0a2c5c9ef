//! Time slices: which audience may enter when, in Europe/Rome.
//!
//! A slice includes its first instant and excludes its last. It is built from wall-clock times, so the slice from 16:00
//! to 08:00 lasts 15 or 17 hours when the clocks change. Days on which everybody or nobody may enter begin and end at
//! midnight, also within a slice.

mod checks;
mod slice;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

pub use self::slice::Slice;
use crate::{
    civic::{
        calendar::is_named_holiday,
        days::{Days, PatronDay},
        local_time,
    },
    identity::Audience,
    live::Live,
};

/// Days ahead in which the end of a slice is looked for: more than a week, since weekends may differ from other days.
const END_DAYS_MAX: i32 = 9;
/// Days ahead in which the next opening is looked for; a longer closure counts as one for good.
const OPENING_DAYS_MAX: i32 = 2 * 366;

/// How long an answer is cached if its slice has no end, or never opens.
const CACHE_FOR: SignedDuration = SignedDuration::from_hours(1);

/// When each audience may enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The citizens' slice.
    pub citizens: Slice,
    /// The intermediaries' slice.
    pub intermediaries: Slice,
    /// Whether Saturdays and Sundays are open to all.
    pub weekends_open: bool,
    /// Whether national public holidays and the patron day are open to all.
    pub holidays_open: bool,
    /// The patron saint's day, a holiday like the national ones.
    pub patron_day: PatronDay,
    /// Further days that are open to all.
    pub open_on: Days,
    /// Days on which nobody may enter.
    pub closed_on: Days,
    /// How long a session may last past the end of its slice, seconds.
    pub grace_seconds: u32,
    /// Longest time past an opening until which those who were refused before it are asked to come back, seconds.
    pub spread_seconds_max: u32,
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
        let days = (0..OPENING_DAYS_MAX).map_while(|days| today.checked_add(days.days()).ok());
        let spans = days.flat_map(|day| self.spans_on(slice, day)).flatten();
        let mut coming = spans.filter(|(_, until)| now < *until);
        let Some((from, mut until)) = coming.next() else {
            return Window::Closed { opens_at: Timestamp::MAX };
        };
        if now < from {
            return Window::Closed { opens_at: from };
        }
        let horizon = today.saturating_add(END_DAYS_MAX.days());
        for (next_from, next_until) in coming {
            if next_from > until {
                return Window::Open { until: Some(until) };
            }
            until = next_until;
            if local_time::date_at(until) > horizon {
                break;
            }
        }
        Window::Open { until: None }
    }

    /// When an audience with this slice may enter on a day, in order.
    fn spans_on(&self, slice: Slice, day: Date) -> [Option<(Timestamp, Timestamp)>; 2] {
        let parts = if self.closed_on.contains(day) {
            [None; 2]
        } else if self.is_open_to_all(day) {
            Slice::WHOLE_DAY.parts()
        } else {
            slice.parts()
        };
        parts.map(|part| part.and_then(|Slice { from, until }| span(day, from, until)))
    }

    fn is_open_to_all(&self, day: Date) -> bool {
        let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let is_holiday = || is_named_holiday(day) || self.patron_day.is_on(day);
        (self.weekends_open && is_weekend)
            || (self.holidays_open && is_holiday())
            || self.open_on.contains(day)
    }
}

/// The schedule in force, with a cache of its last answers: computing one takes many wall-clock times.
#[derive(Debug)]
pub struct Schedule(Live<Plan>);

/// A schedule, and the answers that follow from it: both are replaced together.
#[derive(Debug)]
struct Plan {
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
        Self(Live::new(Plan::of(config)))
    }

    /// Puts other slices in force, from now on. What was promised to sessions that are open stays.
    pub fn replace(&self, config: Config) {
        let _before = self.0.replace(Plan::of(config));
    }

    /// The end of all sessions that were opened in a slice that ends at `until`.
    #[must_use]
    pub fn past(&self, until: Timestamp) -> Timestamp {
        let grace = SignedDuration::from_secs(self.0.load().config.grace_seconds.into());
        until.saturating_add(grace).unwrap_or(Timestamp::MAX)
    }

    /// Longest time past an opening until which those who were refused before it are asked to come back.
    #[must_use]
    pub fn spread_max(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.load().config.spread_seconds_max.into())
    }

    /// Whether `audience` may enter at `now`.
    #[must_use]
    pub fn window(&self, audience: Audience, now: Timestamp) -> Window {
        self.0.load().window(audience, now)
    }
}

impl Plan {
    fn of(config: Config) -> Self {
        Self { config, cached: Mutex::default() }
    }

    fn window(&self, audience: Audience, now: Timestamp) -> Window {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = &mut cached[audience as usize];
        if let Some(cached) = cached.filter(|cached| (cached.from..cached.until).contains(&now)) {
            return cached.window;
        }
        let window = self.config.window(audience, now);
        let until = match window {
            Window::Open { until } => until,
            Window::Closed { opens_at } => Some(opens_at).filter(|at| *at != Timestamp::MAX),
        };
        let until = until.unwrap_or(now + CACHE_FOR);
        *cached = Some(Cached { from: now, until, window });
        window
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
