//! Days that settings name: single dates, ranges of dates, and a day that comes round every year. Pure.

use std::{fmt, str::FromStr};

use jiff::civil::Date;

use super::calendar::{Written, parse_date};

/// Dates and ranges in one list: a day a year for a year.
const RANGES_MAX: usize = 366;
/// A leap year: every day of a year has one.
const LEAP_YEAR: i16 = 2000;

/// A list of dates and of ranges of dates, such as `2024-12-24, 2024-12-30/2025-01-01`; both ends of a range are
/// included. At most 366 entries.
///
/// ```
/// use sportello::civic::days::Days;
///
/// let closed: Days = "2024-12-24, 2024-12-30/2025-01-01".parse().unwrap();
/// assert!(closed.contains(jiff::civil::date(2024, 12, 31)));
/// assert!(!closed.contains(jiff::civil::date(2025, 1, 2)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days(Vec<[i32; 2]>);

/// The text is no list of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDays;

impl Days {
    /// No day.
    pub const NONE: Self = Self(Vec::new());

    /// Whether a day is in the list.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        let day = number(day);
        self.0.iter().any(|[first, last]| (*first..=*last).contains(&day))
    }

    /// Whether no day is in both lists. Constant, so that defaults are compared while compiling.
    #[must_use]
    pub const fn is_disjoint(&self, other: &Self) -> bool {
        let mut ours = self.0.as_slice();
        while let [[first, last], rest @ ..] = ours {
            let mut theirs = other.0.as_slice();
            while let [[from, until], others @ ..] = theirs {
                if *first <= *until && *from <= *last {
                    return false;
                }
                theirs = others;
            }
            ours = rest;
        }
        true
    }
}

impl FromStr for Days {
    type Err = NotDays;

    fn from_str(text: &str) -> Result<Self, NotDays> {
        if text.trim().is_empty() {
            return Ok(Self::NONE);
        }
        let ranges: Option<Vec<_>> = text.split(',').map(|part| range(part.trim())).collect();
        ranges.filter(|ranges| ranges.len() <= RANGES_MAX).map(Self).ok_or(NotDays)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, [first, last]) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{}", Written(date(*first)))?;
            if first != last {
                write!(formatter, "/{}", Written(date(*last)))?;
            }
        }
        Ok(())
    }
}

fn range(text: &str) -> Option<[i32; 2]> {
    let (first, last) = text.split_once('/').unwrap_or((text, text));
    let range = [number(parse_date(first)?), number(parse_date(last)?)];
    (range[0] <= range[1]).then_some(range)
}

/// A date as the number `YYYYMMDD`, which can be compared while compiling.
fn number(day: Date) -> i32 {
    i32::from(day.year()) * 10_000 + i32::from(day.month()) * 100 + i32::from(day.day())
}

fn date(number: i32) -> Date {
    let part = |number: i32| i8::try_from(number % 100).unwrap_or_default();
    let year = i16::try_from(number / 10_000).unwrap_or_default();
    Date::new(year, part(number / 100), part(number)).unwrap_or_default()
}

/// A day that comes round every year, written `MM-DD`, or none: the patron saint's day of a municipality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatronDay(Option<(i8, i8)>);

/// The text is no day of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPatronDay;

impl PatronDay {
    /// No day.
    pub const NONE: Self = Self(None);

    /// Whether it falls on this date. 29 February falls only in leap years.
    #[must_use]
    pub fn is_on(self, day: Date) -> bool {
        self.0 == Some((day.month(), day.day()))
    }
}

impl FromStr for PatronDay {
    type Err = NotPatronDay;

    fn from_str(text: &str) -> Result<Self, NotPatronDay> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let day = parse_date(&format!("{LEAP_YEAR}-{text}")).ok_or(NotPatronDay)?;
        Ok(Self(Some((day.month(), day.day()))))
    }
}

impl fmt::Display for PatronDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(month, day)| write!(formatter, "{month:02}-{day:02}"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan as _, civil::date};

    use super::*;

    fn days(text: &str) -> Days {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_holds_its_dates_and_both_ends_of_its_ranges() {
        let text = "2024-12-24, 2024-12-30/2025-01-01";
        let list = days(text);
        assert_eq!(list.to_string(), text);
        let held = (0..12).map(|day| date(2024, 12, 23).saturating_add(day.days()));
        let held: Vec<_> = held.filter(|day| list.contains(*day)).map(Date::day).collect();
        assert_eq!(held, [24, 30, 31, 1]);
        assert_eq!((days("").to_string(), days(" ")), (String::new(), Days::NONE));
    }

    #[test]
    fn only_dates_in_order_make_a_list() {
        for wrong in [
            ",",
            "2024-12-24,",
            "2024-12-24 2024-12-25",
            "2025-01-01/2024-12-30",
            "2024-02-30",
            "24-12-24",
            "2024-12-24/",
            "2024-12-24/2024-12-25/2024-12-26",
        ] {
            assert_eq!(wrong.parse::<Days>(), Err(NotDays), "{wrong}");
        }
        let many = |count: usize| vec!["2024-12-24"; count].join(",").parse::<Days>();
        assert!(many(RANGES_MAX).is_ok() && many(RANGES_MAX + 1).is_err());
    }

    #[test]
    fn lists_are_disjoint_unless_they_share_a_day() {
        let list = days("2024-12-24, 2024-12-30/2025-01-01");
        for (other, disjoint) in [
            ("", true),
            ("2024-12-23, 2024-12-25/2024-12-29, 2025-01-02", true),
            ("2024-12-20/2024-12-24", false),
            ("2024-01-01/2025-12-31", false),
            ("2024-12-31", false),
        ] {
            assert_eq!(list.is_disjoint(&days(other)), disjoint, "{other}");
            assert_eq!(days(other).is_disjoint(&list), disjoint, "{other}");
        }
    }

    #[test]
    fn a_patron_day_comes_round_every_year_that_has_it() {
        let rome: PatronDay = "06-29".parse().unwrap();
        assert!(rome.is_on(date(2024, 6, 29)) && rome.is_on(date(2031, 6, 29)));
        assert!(!rome.is_on(date(2024, 6, 28)) && !PatronDay::NONE.is_on(date(2024, 6, 29)));
        let leap: PatronDay = "02-29".parse().unwrap();
        assert!(leap.is_on(date(2024, 2, 29)) && !leap.is_on(date(2025, 2, 28)));
        for text in ["", "06-29", "12-07"] {
            assert_eq!(text.parse::<PatronDay>().unwrap().to_string(), text);
        }
        for wrong in ["6-29", "29-06", "02-30", "06-29-", "2024-06-29", " 06-29"] {
            assert_eq!(wrong.parse::<PatronDay>(), Err(NotPatronDay), "{wrong}");
        }
    }
}
