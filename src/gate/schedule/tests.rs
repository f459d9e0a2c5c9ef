//! The schedule alone, instant by instant.

use super::*;
use crate::schemes::Rules;

/// The default slices, and no special day.
pub(super) fn config() -> Config {
    Config {
        citizens: Slice::parse("16:00-08:00").unwrap(),
        intermediaries: Slice::parse("08:00-16:00").unwrap(),
        weekends_open: false,
        holidays_open: false,
        patron_day: PatronDay::NONE,
        open_on: Days::NONE,
        closed_on: Days::NONE,
        grace_seconds: 0,
        spread_seconds_max: 0,
    }
}

fn with_weekends() -> Config {
    Config { weekends_open: true, ..config() }
}

fn rome(text: &str) -> Timestamp {
    format!("{text}[Europe/Rome]").parse::<jiff::Zoned>().unwrap().timestamp()
}

fn open_until(config: &Config, audience: Audience, now: &str, until: &str) {
    assert_eq!(
        config.window(audience, rome(now)),
        Window::Open { until: Some(rome(until)) },
        "{audience:?} at {now}"
    );
}

fn opens_at(config: &Config, audience: Audience, now: &str, at: &str) {
    assert_eq!(
        config.window(audience, rome(now)),
        Window::Closed { opens_at: rome(at) },
        "{audience:?} at {now}"
    );
}

#[test]
fn a_slice_holds_its_first_instant_and_not_its_last() {
    use Audience::{Citizens, Intermediaries};
    open_until(&config(), Citizens, "2024-09-16T16:00:00", "2024-09-17T08:00:00");
    open_until(&config(), Citizens, "2024-09-17T07:59:59.999", "2024-09-17T08:00:00");
    opens_at(&config(), Citizens, "2024-09-17T08:00:00", "2024-09-17T16:00:00");
    open_until(&config(), Intermediaries, "2024-09-17T08:00:00", "2024-09-17T16:00:00");
    opens_at(&config(), Intermediaries, "2024-09-17T16:00:00", "2024-09-18T08:00:00");
}

#[test]
fn the_audiences_share_the_day_without_gap_or_overlap() {
    let start = rome("2026-03-28T00:00:00");
    for minute in 0..(3 * 24 * 60) {
        let now = start + minute.minutes();
        let open = Audience::ALL
            .map(|audience| matches!(config().window(audience, now), Window::Open { .. }));
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
        open_until(&config(), Audience::Citizens, evening, morning);
        let night = rome(morning).duration_since(rome(evening));
        assert_eq!(night.as_hours(), hours, "{evening}");
    }
}

#[test]
fn weekends_are_open_to_all_where_the_setting_says_so() {
    // 21 September 2024 is a Saturday.
    let weekends = &with_weekends();
    open_until(weekends, Audience::Intermediaries, "2024-09-21T20:00:00", "2024-09-23T00:00:00");
    open_until(weekends, Audience::Citizens, "2024-09-20T17:00:00", "2024-09-23T08:00:00");
    opens_at(weekends, Audience::Intermediaries, "2024-09-20T16:00:00", "2024-09-21T00:00:00");
    opens_at(&config(), Audience::Intermediaries, "2024-09-21T20:00:00", "2024-09-22T08:00:00");
}

#[test]
fn a_cached_answer_is_valid_until_the_slice_ends_and_not_before_it_was_computed() {
    let schedule = Schedule::new(with_weekends());
    let instants =
        (0..14 * 24 * 4).map(|quarter| rome("2024-09-16T00:10:00") + (quarter * 15).minutes());
    // Back and forth, because a clock may be set back.
    let zigzag = instants.clone().flat_map(|now| [now, now - 9.hours(), now + 30.hours()]);
    for now in instants.chain(zigzag) {
        for audience in Audience::ALL {
            assert_eq!(
                schedule.window(audience, now),
                with_weekends().window(audience, now),
                "{now}"
            );
        }
    }
}

#[test]
fn a_slice_of_the_whole_day_never_ends() {
    let always = Config { citizens: Slice::parse("00:00-00:00").unwrap(), ..config() };
    let now = rome("2026-03-29T02:30:00");
    assert_eq!(always.window(Audience::Citizens, now), Window::Open { until: None });
}

#[test]
fn a_slice_in_the_hour_that_is_skipped_is_not_there_that_day() {
    let night = Config { citizens: Slice::parse("02:30-03:15").unwrap(), ..config() };
    opens_at(&night, Audience::Citizens, "2026-03-28T23:00:00", "2026-03-30T02:30:00");
}

#[test]
fn another_schedule_is_in_force_at_once_and_no_cached_answer_outlives_the_old_one() {
    let schedule = Schedule::new(config());
    let now = rome("2024-09-16T17:30:00");
    let until = Some(rome("2024-09-17T08:00:00"));
    assert_eq!(schedule.window(Audience::Citizens, now), Window::Open { until });
    let later = Slice::parse("18:00-08:00").unwrap();
    schedule.replace(Config { citizens: later, grace_seconds: 60, ..config() });
    let opens_at = rome("2024-09-16T18:00:00");
    assert_eq!(schedule.window(Audience::Citizens, now), Window::Closed { opens_at });
    assert_eq!(schedule.past(opens_at), opens_at + 60.seconds());
    schedule.replace(config());
    assert_eq!(schedule.window(Audience::Citizens, now), Window::Open { until });
}

#[test]
fn holidays_are_open_to_all_where_the_setting_says_so() {
    use Audience::{Citizens, Intermediaries};
    let holidays =
        &Config { holidays_open: true, patron_day: "06-29".parse().unwrap(), ..config() };
    // Easter Monday of 2026 is 6 April. The citizens' slices of both nights and the holiday are one.
    open_until(holidays, Citizens, "2026-04-05T17:00:00", "2026-04-07T08:00:00");
    opens_at(holidays, Intermediaries, "2026-04-05T23:59:59.999", "2026-04-06T00:00:00");
    open_until(holidays, Intermediaries, "2026-04-06T00:00:00", "2026-04-07T00:00:00");
    opens_at(holidays, Intermediaries, "2026-04-07T00:00:00", "2026-04-07T08:00:00");
    // A Sunday is no such day, weekends have a setting of their own: Easter, and 4 October until 2025.
    opens_at(holidays, Citizens, "2026-04-05T10:00:00", "2026-04-05T16:00:00");
    opens_at(holidays, Citizens, "2024-10-04T10:00:00", "2024-10-04T16:00:00");
    open_until(holidays, Citizens, "2027-10-04T10:00:00", "2027-10-05T08:00:00");
    // The patron day, 29 June.
    open_until(holidays, Intermediaries, "2026-06-29T20:00:00", "2026-06-30T00:00:00");
    let national = &Config { patron_day: PatronDay::NONE, ..holidays.clone() };
    opens_at(national, Intermediaries, "2026-06-29T20:00:00", "2026-06-30T08:00:00");
    let none = &Config { holidays_open: false, ..holidays.clone() };
    for day in ["2026-04-06", "2026-06-29", "2026-12-25"] {
        opens_at(none, Citizens, &format!("{day}T10:00:00"), &format!("{day}T16:00:00"));
    }
    // From Christmas to the day after it, which meets a weekend: 26 December 2025 is a Friday.
    let both = &Config { weekends_open: true, ..holidays.clone() };
    open_until(both, Intermediaries, "2025-12-25T00:00:00", "2025-12-29T00:00:00");
}

#[test]
fn on_closed_days_nobody_enters_and_the_answer_names_the_next_opening() {
    use Audience::{Citizens, Intermediaries};
    let closed = &Config {
        closed_on: "2024-12-24, 2024-12-28/2025-01-01".parse().unwrap(),
        weekends_open: true,
        holidays_open: true,
        ..config()
    };
    // The slice of the night before ends at midnight, that of the night after begins with the next day, a holiday.
    open_until(closed, Citizens, "2024-12-23T16:00:00", "2024-12-24T00:00:00");
    for audience in Audience::ALL {
        opens_at(closed, audience, "2024-12-24T00:00:00", "2024-12-25T00:00:00");
        opens_at(closed, audience, "2024-12-24T23:59:59.999", "2024-12-25T00:00:00");
    }
    // Longer than any other closure, over a weekend and a holiday.
    opens_at(closed, Citizens, "2024-12-28T00:00:00", "2025-01-02T00:00:00");
    opens_at(closed, Intermediaries, "2024-12-28T00:00:00", "2025-01-02T08:00:00");
    open_until(closed, Citizens, "2025-01-02T00:00:00", "2025-01-02T08:00:00");
    let years = &Config { closed_on: "2024-09-17/2026-09-10".parse().unwrap(), ..config() };
    opens_at(years, Citizens, "2024-09-17T09:00:00", "2026-09-11T00:00:00");
    let good = Config { closed_on: "2024-09-17/2999-12-31".parse().unwrap(), ..config() };
    assert_eq!(
        good.window(Audience::Citizens, rome("2024-09-17T09:00:00")),
        Window::Closed { opens_at: Timestamp::MAX }
    );
}

#[test]
fn an_open_day_is_open_to_all_from_midnight_to_midnight() {
    let open = &Config { open_on: "2024-10-30/2024-10-31".parse().unwrap(), ..config() };
    open_until(open, Audience::Citizens, "2024-10-29T16:00:00", "2024-11-01T08:00:00");
    open_until(open, Audience::Intermediaries, "2024-10-30T00:00:00", "2024-11-01T00:00:00");
    opens_at(open, Audience::Intermediaries, "2024-10-29T16:00:00", "2024-10-30T00:00:00");
    let always = &Config {
        citizens: Slice::WHOLE_DAY,
        closed_on: "2024-09-20".parse().unwrap(),
        ..config()
    };
    open_until(always, Audience::Citizens, "2024-09-16T17:30:00", "2024-09-20T00:00:00");
    opens_at(always, Audience::Citizens, "2024-09-20T00:00:00", "2024-09-21T00:00:00");
}

#[test]
fn holidays_and_closed_days_are_as_long_as_the_clocks_make_them() {
    // Both Sundays on which the clocks change, as days of their own: 23 and 25 hours.
    for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25)] {
        let next = day.parse::<Date>().unwrap().tomorrow().unwrap();
        let (from, until) = (format!("{day}T00:00:00"), format!("{next}T00:00:00"));
        let open = &Config { open_on: day.parse().unwrap(), ..config() };
        open_until(open, Audience::Intermediaries, &from, &until);
        let closed = &Config { closed_on: day.parse().unwrap(), ..config() };
        opens_at(closed, Audience::Citizens, &from, &until);
        assert_eq!(rome(&until).duration_since(rome(&from)).as_hours(), hours, "{day}");
    }
}

/// A campaign ends at midnight in the middle of a citizens' slice, on the day to which a holiday moves it.
#[test]
fn a_campaign_ends_at_midnight_within_a_slice_and_after_the_roll_over() {
    let rules = Rules::builtin();
    let year = |year| rules.campaigns().find(|it| it.campaign.year == year).unwrap();
    for (closes, last, first_after) in [
        (year(2024), "2024-10-31T23:59:59.999", "2024-11-01T00:00:00"),
        // 31 October 2021 was a Sunday, and 1 November is a holiday.
        (year(2021), "2021-11-02T23:59:59.999", "2021-11-03T00:00:00"),
    ] {
        let is_open = |text| closes.contains(local_time::date_at(rome(text)));
        assert!(is_open(last) && !is_open(first_after), "{closes:?}");
        let holidays = &Config { holidays_open: true, ..config() };
        let day = local_time::date_at(rome(first_after));
        // The slice goes on: who is inside is told that the campaign is closed, and may read.
        open_until(
            holidays,
            Audience::Citizens,
            last,
            &if is_named_holiday(day) {
                format!("{}T08:00:00", day.tomorrow().unwrap())
            } else {
                format!("{day}T08:00:00")
            },
        );
    }
}
