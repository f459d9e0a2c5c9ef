//! Days, instants and durations as people write them, in Italian and English. Pure.

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::{Date, Weekday},
};

use super::{Language, local_time::rome};

const MONTHS: [(&str, &str); 12] = [
    ("gennaio", "January"),
    ("febbraio", "February"),
    ("marzo", "March"),
    ("aprile", "April"),
    ("maggio", "May"),
    ("giugno", "June"),
    ("luglio", "July"),
    ("agosto", "August"),
    ("settembre", "September"),
    ("ottobre", "October"),
    ("novembre", "November"),
    ("dicembre", "December"),
];

/// A day as people write it: `1° agosto 2024` or `1 August 2024`.
#[must_use]
pub fn day(date: Date, language: Language) -> String {
    let month = usize::from(date.month().unsigned_abs()) - 1;
    let (italian, english) = MONTHS.get(month).copied().unwrap_or_default();
    match (language, date.day()) {
        (Language::Italian, 1) => format!("1° {italian} {}", date.year()),
        (Language::Italian, day) => format!("{day} {italian} {}", date.year()),
        (Language::English, day) => format!("{day} {english} {}", date.year()),
    }
}

/// An instant in Rome to the minute: `lunedì 16 settembre 2024 alle 17:30` or `Monday 16 September 2024 at 17:30`.
#[must_use]
pub fn instant(instant: Timestamp, language: Language) -> String {
    let local = instant.to_zoned(rome().clone());
    let (on, at) = (day(local.date(), language), language.of("alle", "at"));
    format!("{} {on} {at} {}", weekday(&local, language), local.strftime("%H:%M"))
}

/// A duration in its two largest units, rounded down: `14 ore e 30 minuti` or `14 hours and 30 minutes`.
#[must_use]
pub fn duration(duration: SignedDuration, language: Language) -> String {
    let seconds = duration.as_secs().max(0);
    let units = [
        (seconds / 86_400, ("giorno", "giorni"), ("day", "days")),
        (seconds / 3_600 % 24, ("ora", "ore"), ("hour", "hours")),
        (seconds / 60 % 60, ("minuto", "minuti"), ("minute", "minutes")),
        (seconds % 60, ("secondo", "secondi"), ("second", "seconds")),
    ];
    let written = |(count, italian, english): (i64, (&str, &str), (&str, &str))| {
        let (one, many) = if language == Language::Italian { italian } else { english };
        format!("{count} {}", if count == 1 { one } else { many })
    };
    let seconds_at = units.len() - 1;
    let largest = units.iter().position(|unit| unit.0 > 0).unwrap_or(seconds_at);
    let mut text = written(units[largest]);
    // Seconds are only written alone: nobody counts them beside minutes.
    if let Some(next) = units[..seconds_at].get(largest + 1).filter(|unit| unit.0 > 0) {
        text.extend([language.of(" e ", " and "), &written(*next)]);
    }
    text
}

fn weekday(local: &Zoned, language: Language) -> &'static str {
    match local.weekday() {
        Weekday::Monday => language.of("lunedì", "Monday"),
        Weekday::Tuesday => language.of("martedì", "Tuesday"),
        Weekday::Wednesday => language.of("mercoledì", "Wednesday"),
        Weekday::Thursday => language.of("giovedì", "Thursday"),
        Weekday::Friday => language.of("venerdì", "Friday"),
        Weekday::Saturday => language.of("sabato", "Saturday"),
        Weekday::Sunday => language.of("domenica", "Sunday"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_written_out() {
        for (on, italian, english) in [
            (date(2024, 8, 1), "1° agosto 2024", "1 August 2024"),
            (date(2024, 1, 31), "31 gennaio 2024", "31 January 2024"),
            (date(2024, 12, 11), "11 dicembre 2024", "11 December 2024"),
        ] {
            assert_eq!(day(on, Language::Italian), italian);
            assert_eq!(day(on, Language::English), english);
        }
    }

    #[test]
    fn instants_are_written_out_in_the_time_of_rome() {
        for (utc, italian, english) in [
            (
                "2024-09-16T15:30:59Z",
                "lunedì 16 settembre 2024 alle 17:30",
                "Monday 16 September 2024 at 17:30",
            ),
            (
                "2024-12-31T23:00:00Z",
                "mercoledì 1° gennaio 2025 alle 00:00",
                "Wednesday 1 January 2025 at 00:00",
            ),
        ] {
            let at = utc.parse().unwrap();
            assert_eq!(instant(at, Language::Italian), italian);
            assert_eq!(instant(at, Language::English), english);
        }
    }

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, italian, english) in [
            (-5, "0 secondi", "0 seconds"),
            (0, "0 secondi", "0 seconds"),
            (1, "1 secondo", "1 second"),
            (59, "59 secondi", "59 seconds"),
            (60, "1 minuto", "1 minute"),
            (119, "1 minuto", "1 minute"),
            (3_600, "1 ora", "1 hour"),
            (3_660, "1 ora e 1 minuto", "1 hour and 1 minute"),
            (52_200, "14 ore e 30 minuti", "14 hours and 30 minutes"),
            (86_400, "1 giorno", "1 day"),
            (86_459, "1 giorno", "1 day"),
            (86_400 + 1_800, "1 giorno", "1 day"),
            (2 * 86_400 + 3 * 3_600 + 60, "2 giorni e 3 ore", "2 days and 3 hours"),
        ] {
            let lasts = SignedDuration::from_secs(seconds);
            assert_eq!(duration(lasts, Language::Italian), italian, "{seconds}");
            assert_eq!(duration(lasts, Language::English), english, "{seconds}");
        }
    }
}
