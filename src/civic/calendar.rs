//! Public holidays, deadlines and periods as Italian law counts them.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use serde::{Serialize, Serializer};

/// The first year in which 4 October, Saint Francis, is a public holiday again.
const SAINT_FRANCIS_SINCE: i16 = 2026;

/// Holidays that fall on the same (month, day) every year.
const FIXED_HOLIDAYS: [(i8, i8); 10] =
    [(1, 1), (1, 6), (4, 25), (5, 1), (6, 2), (8, 15), (11, 1), (12, 8), (12, 25), (12, 26)];

/// Parses a date written `YYYY-MM-DD`; any other spelling is `None`.
///
/// ```
/// use sportello::civic::calendar::parse_date;
///
/// assert_eq!(parse_date("2024-09-16"), Some(jiff::civil::date(2024, 9, 16)));
/// assert_eq!(parse_date("2024-02-30"), None);
/// ```
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] =
        *<&[u8; 10]>::try_from(text.as_bytes()).ok()?
    else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i16::from(byte - b'0'));
    let year = digit(y1)? * 1000 + digit(y2)? * 100 + digit(y3)? * 10 + digit(y4)?;
    let month = digit(m1)? * 10 + digit(m2)?;
    let day = digit(d1)? * 10 + digit(d2)?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Prints a date as [`parse_date`] reads it, for years of four digits.
#[derive(Clone, Copy)]
pub struct Written(pub Date);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let two = |number: u16| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
        let year = self.0.year().unsigned_abs();
        let ([y1, y2], [y3, y4]) = (two(year / 100), two(year));
        let [m1, m2] = two(u16::from(self.0.month().unsigned_abs()));
        let [d1, d2] = two(u16::from(self.0.day().unsigned_abs()));
        let text = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2];
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether the day is a national public holiday: every Sunday is, a Saturday is not.
///
/// The patron saint's day of a municipality does not count.
///
/// Source: L. 260/1949 and its amendments; L. 151/2025 for 4 October.
#[must_use]
pub fn is_holiday(day: Date) -> bool {
    day.weekday() == Weekday::Sunday || is_named_holiday(day)
}

/// Whether the day is a national public holiday whatever its day of the week, such as 25 April or Easter Monday. Easter
/// Sunday is none: the law counts it as a Sunday.
///
/// ```
/// use jiff::civil::date;
/// use sportello::civic::calendar::is_named_holiday;
///
/// assert!(is_named_holiday(date(2026, 4, 6)), "Easter Monday");
/// assert!(!is_named_holiday(date(2026, 4, 5)), "Easter Sunday");
/// ```
///
/// Source: as for [`is_holiday`].
#[must_use]
pub fn is_named_holiday(day: Date) -> bool {
    let easter_monday = || easter_sunday(day.year()).tomorrow().is_ok_and(|monday| monday == day);
    FIXED_HOLIDAYS.contains(&(day.month(), day.day()))
        || (day.year() >= SAINT_FRANCIS_SINCE && (day.month(), day.day()) == (10, 4))
        || easter_monday()
}

/// The day to which a deadline moves: itself, or the first later day that is not a holiday.
///
/// ```
/// use jiff::civil::date;
/// use sportello::civic::calendar::roll_over;
///
/// // 31 October 2027 is a Sunday and 1 November All Saints'.
/// assert_eq!(roll_over(date(2027, 10, 31)), date(2027, 11, 2));
/// ```
///
/// Source: c.c. art. 2963.
#[must_use]
pub fn roll_over(deadline: Date) -> Date {
    let mut day = deadline;
    while is_holiday(day) {
        day = day.tomorrow().unwrap_or(Date::MAX);
        if day == Date::MAX {
            break;
        }
    }
    day
}

/// The last day of a period of whole months that begins on `starts_on`.
///
/// This is the day before the same day of the month, `months` later; if that month has no such day, it is
/// the month's last day. Saturates at the end of the year 9999.
///
/// ```
/// use jiff::civil::date;
/// use sportello::civic::calendar::period_end;
///
/// assert_eq!(period_end(date(2024, 11, 1), 6), date(2025, 4, 30));
/// assert_eq!(period_end(date(2024, 8, 31), 6), date(2025, 2, 28));
/// ```
///
/// Source: c.c. art. 2963.
#[must_use]
pub fn period_end(starts_on: Date, months: u8) -> Date {
    let counterpart = add_months(starts_on, months);
    if counterpart.day() < starts_on.day() {
        return counterpart;
    }
    counterpart.yesterday().unwrap_or(counterpart)
}

/// The same day of the month, `months` later, or that month's last day if it has no such day.
///
/// Saturates at the end of the year 9999.
#[must_use]
pub fn add_months(day: Date, months: u8) -> Date {
    day.saturating_add(i32::from(months).months())
}

/// The latest day whose `years`-th anniversary is not after `today`.
///
/// The anniversary of 29 February is the 28th in common years.
///
/// ```
/// use jiff::civil::date;
/// use sportello::civic::calendar::latest_with_anniversary;
///
/// assert_eq!(latest_with_anniversary(date(2024, 10, 1), 3), date(2021, 10, 1));
/// assert_eq!(latest_with_anniversary(date(2023, 2, 28), 3), date(2020, 2, 29));
/// ```
///
/// Source: c.c. art. 2963.
#[must_use]
pub fn latest_with_anniversary(today: Date, years: u8) -> Date {
    let earlier = today.saturating_sub(i32::from(years).years());
    let is_last_of_february = today.month() == 2 && today.day() == today.days_in_month();
    if is_last_of_february { earlier.last_of_month() } else { earlier }
}

/// Easter Sunday of a year of the Gregorian calendar.
///
/// Source: the anonymous algorithm of *Nature*, 20 April 1876.
#[must_use]
pub fn easter_sunday(year: i16) -> Date {
    let y = i32::from(year);
    let (golden, century, of_century) = (y % 19, y / 100, y % 100);
    let moon_correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - moon_correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let days_after_22_march = epact + weekday - 7 * late;
    date(year, 3, 22).saturating_add(days_after_22_march.days())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn easter_falls_where_the_church_puts_it() {
        for easter in [
            date(1818, 3, 22),
            date(1943, 4, 25),
            date(1954, 4, 18),
            date(1981, 4, 19),
            date(2000, 4, 23),
            date(2021, 4, 4),
            date(2024, 3, 31),
            date(2025, 4, 20),
            date(2026, 4, 5),
            date(2027, 3, 28),
            date(2038, 4, 25),
        ] {
            assert_eq!(easter_sunday(easter.year()), easter);
        }
    }

    /// Easter by another way: Clavius's steps as Knuth gives them, *The Art of Computer Programming* 1.3.2, exercise
    /// 14.
    fn easter_by_clavius(year: i16) -> Date {
        let y = i32::from(year);
        let (golden, century) = (y % 19 + 1, y / 100 + 1);
        let leap_years_left_out = 3 * century / 4 - 12;
        let moon = (8 * century + 5) / 25 - 5;
        let sunday = 5 * y / 4 - leap_years_left_out - 10;
        let epact = (11 * golden + 20 + moon - leap_years_left_out).rem_euclid(30);
        let is_moved = epact == 24 || (epact == 25 && golden > 11);
        let full_moon = 44 - epact - i32::from(is_moved);
        let full_moon = if full_moon < 21 { full_moon + 30 } else { full_moon };
        let day_of_march = full_moon + 7 - (sunday + full_moon) % 7;
        date(year, 3, 1).saturating_add((day_of_march - 1).days())
    }

    #[test]
    fn two_ways_to_easter_meet_in_every_year_of_the_calendar() {
        for year in 1583..=9999 {
            assert_eq!(easter_sunday(year), easter_by_clavius(year));
        }
    }

    #[test]
    fn holidays_are_those_of_the_law() {
        for day in [
            date(2024, 1, 1),
            date(2024, 1, 6),
            date(2024, 4, 1),
            date(2024, 4, 25),
            date(2024, 5, 1),
            date(2024, 6, 2),
            date(2024, 8, 15),
            date(2024, 11, 1),
            date(2025, 12, 8),
            date(2024, 12, 25),
            date(2024, 12, 26),
            date(2024, 10, 6),
            date(2027, 10, 4),
        ] {
            assert!(is_holiday(day), "{day}");
        }
        for day in [date(2024, 10, 4), date(2024, 10, 5), date(2024, 3, 29), date(2024, 4, 2)] {
            assert!(!is_holiday(day), "{day}");
        }
    }

    #[test]
    fn a_sunday_alone_is_no_named_holiday() {
        for (day, named) in [
            (date(2024, 10, 6), false),
            (date(2026, 4, 5), false),
            (date(2026, 4, 6), true),
            (date(2024, 6, 2), true),
            (date(2025, 10, 4), false),
            (date(2026, 10, 4), true),
        ] {
            assert_eq!(is_named_holiday(day), named, "{day}");
        }
    }

    #[test]
    fn a_deadline_rolls_over_holidays_but_not_over_a_saturday() {
        for (deadline, rolled) in [
            (date(2021, 10, 31), date(2021, 11, 2)),
            (date(2024, 10, 31), date(2024, 10, 31)),
            (date(2026, 10, 31), date(2026, 10, 31)),
            (date(2027, 10, 31), date(2027, 11, 2)),
            (date(2032, 10, 31), date(2032, 11, 2)),
            (date(2024, 12, 25), date(2024, 12, 27)),
        ] {
            assert_eq!(roll_over(deadline), rolled);
        }
        assert_eq!(roll_over(Date::MAX), Date::MAX);
    }

    #[test]
    fn the_end_of_february_has_the_anniversary_of_the_29th() {
        for (today, latest) in [
            (date(2023, 2, 28), date(2020, 2, 29)),
            (date(2023, 2, 27), date(2020, 2, 27)),
            (date(2023, 3, 28), date(2020, 3, 28)),
            (date(2027, 2, 28), date(2024, 2, 29)),
            (date(2024, 2, 29), date(2021, 2, 28)),
            (date(2024, 2, 28), date(2021, 2, 28)),
        ] {
            assert_eq!(latest_with_anniversary(today, 3), latest, "{today}");
        }
    }

    #[test]
    fn six_months_end_before_they_begin_again() {
        for (starts_on, ends_on) in [
            (date(2024, 9, 17), date(2025, 3, 16)),
            (date(2024, 11, 1), date(2025, 4, 30)),
            (date(2025, 7, 1), date(2025, 12, 31)),
            (date(2024, 8, 29), date(2025, 2, 28)),
            (date(2024, 8, 30), date(2025, 2, 28)),
            (date(2024, 9, 1), date(2025, 2, 28)),
            (date(2023, 8, 31), date(2024, 2, 29)),
            (date(2023, 8, 29), date(2024, 2, 28)),
        ] {
            assert_eq!(period_end(starts_on, 6), ends_on, "{starts_on}");
        }
    }

    #[test]
    fn only_one_spelling_of_a_date_is_read() {
        for text in [
            "",
            "2024-9-16",
            "2024-09-16T00:00",
            "20240916",
            "2024/09/16",
            "16-09-2024",
            "2024-13-01",
            "2024-00-10",
            "2023-02-29",
            "+024-09-16",
            "2024-09-1 ",
            "２024-09-1",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        assert_eq!(parse_date("2024-02-29"), Some(date(2024, 2, 29)));
        assert_eq!(parse_date("0000-01-01"), Some(date(0, 1, 1)));
    }

    fn any_day() -> impl Strategy<Value = Date> {
        (0..60_000_i32).prop_map(|days| date(1950, 1, 1).saturating_add(days.days()))
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn dates_print_as_they_parse(day in any_day()) {
            prop_assert_eq!(parse_date(&Written(day).to_string()), Some(day));
            prop_assert_eq!(Written(day).to_string(), day.to_string());
        }

        #[test]
        fn a_deadline_never_comes_sooner_nor_on_a_holiday(day in any_day()) {
            let rolled = roll_over(day);
            prop_assert!(rolled >= day && !is_holiday(rolled));
            prop_assert!(rolled <= day.saturating_add(4.days()));
        }

        #[test]
        fn the_latest_anniversary_is_the_latest(today in any_day(), years in 1..=20_u8) {
            let anniversary = |day: Date| add_months(day, years * 12);
            let latest = latest_with_anniversary(today, years);
            prop_assert!(anniversary(latest) <= today);
            prop_assert!(anniversary(latest.tomorrow().unwrap()) > today);
        }

        #[test]
        fn the_month_after_a_period_follows_without_a_gap(day in any_day(), months in 1..=12_u8) {
            prop_assume!(day.day() <= 28);
            prop_assert_eq!(period_end(day, months).tomorrow().unwrap(), add_months(day, months));
        }
    }
}
