//! Italian local time, from the time-zone data built into the program.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of all dates and windows.
const ROME: &str = "Europe/Rome";

/// Europe/Rome from the bundled data; the data of the machine are never used.
///
/// # Panics
///
/// If the program was built without time-zone data, which a test prevents.
#[must_use]
pub fn rome() -> &'static TimeZone {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
        TimeZoneDatabase::bundled().get(ROME).expect("time-zone data is built in, with Europe/Rome")
    });
    &ZONE
}

/// The date in Rome at an instant.
///
/// ```
/// use sportello::civic::local_time::date_at;
///
/// let late = "2024-09-16T22:30:00Z".parse().unwrap();
/// assert_eq!(date_at(late), jiff::civil::date(2024, 9, 17));
/// ```
#[must_use]
pub fn date_at(instant: Timestamp) -> Date {
    rome().to_datetime(instant).date()
}

/// The first instant of a date in Rome.
///
/// ```
/// use sportello::civic::local_time::start_of;
///
/// let midnight = start_of(jiff::civil::date(2024, 9, 17));
/// assert_eq!(midnight, "2024-09-16T22:00:00Z".parse().unwrap());
/// ```
#[must_use]
pub fn start_of(date: Date) -> Timestamp {
    rome().to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible().unwrap_or(Timestamp::MAX)
}

/// An instant in RFC 3339, with the offset of Rome, to the second: the form in all answers.
///
/// ```
/// use sportello::civic::local_time::rfc3339;
///
/// assert_eq!(rfc3339("2024-09-16T15:30:00.9Z".parse().unwrap()), "2024-09-16T17:30:00+02:00");
/// assert_eq!(rfc3339("2024-12-16T15:30:00Z".parse().unwrap()), "2024-12-16T16:30:00+01:00");
/// ```
#[must_use]
pub fn rfc3339(instant: Timestamp) -> String {
    let local = instant.to_zoned(rome().clone());
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_rome_in_summer_and_winter() {
        for (instant, day) in [
            ("2024-07-31T21:59:59Z", date(2024, 7, 31)),
            ("2024-07-31T22:00:00Z", date(2024, 8, 1)),
            ("2024-12-31T22:59:59Z", date(2024, 12, 31)),
            ("2024-12-31T23:00:00Z", date(2025, 1, 1)),
        ] {
            assert_eq!(date_at(instant.parse().unwrap()), day, "{instant}");
        }
    }

    #[test]
    fn the_nights_of_the_clock_change_have_15_and_17_hours() {
        for (evening, hours) in [(date(2026, 3, 28), 15), (date(2026, 10, 24), 17)] {
            let opens = evening.at(16, 0, 0, 0).to_zoned(rome().clone()).unwrap();
            let closes =
                evening.tomorrow().unwrap().at(8, 0, 0, 0).to_zoned(rome().clone()).unwrap();
            assert_eq!(opens.duration_until(&closes).as_hours(), hours);
        }
    }
}
