//! What an operator should know of a schedule before people find out: hours at which nobody or everybody may enter.

use jiff::civil::Time;

use super::{Config, Slice};

/// Settings give times to the minute.
const MINUTES_OF_DAY: usize = 24 * 60;

impl Config {
    /// Warnings about the time slices of ordinary days: the hours in neither slice, and those in both. Days that are open
    /// to both audiences or closed are meant to differ.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let held = |time| [self.citizens, self.intermediaries].map(|slice| slice.holds(time));
        let hours = |wanted: [bool; 2]| written(|time| held(time) == wanted);
        let Self { citizens, intermediaries, .. } = self;
        let warning = |hours: String, who, which| {
            format!(
                "{who} may enter {hours}, Europe/Rome: {which} schedule.citizens ({citizens}) and schedule.intermediaries ({intermediaries})"
            )
        };
        let gaps = hours([false; 2]).map(|hours| warning(hours, "nobody", "a gap between"));
        let overlaps =
            hours([true; 2]).map(|hours| warning(hours, "both audiences", "an overlap of"));
        gaps.into_iter().chain(overlaps).collect()
    }
}

/// The hours that are `wanted`, such as `from 16:00 to 17:00`; `None` if none is.
fn written(wanted: impl Fn(Time) -> bool) -> Option<String> {
    let wanted: Vec<bool> = (0..MINUTES_OF_DAY).map(|minute| wanted(time(minute))).collect();
    // From a minute that is not wanted, so that hours through midnight are one range.
    let Some(start) = wanted.iter().position(|wanted| !wanted) else {
        return Some("all day".to_owned());
    };
    let minutes = (start..start + MINUTES_OF_DAY).filter(|at| wanted[at % MINUTES_OF_DAY]);
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for minute in minutes {
        match ranges.last_mut() {
            Some(last) if last.1 == minute => last.1 += 1,
            _ => ranges.push((minute, minute + 1)),
        }
    }
    let ranges = ranges.into_iter().map(|(from, until)| {
        let Slice { from, until } = Slice { from: time(from), until: time(until) };
        format!("from {} to {}", from.strftime("%H:%M"), until.strftime("%H:%M"))
    });
    let ranges: Vec<_> = ranges.collect();
    (!ranges.is_empty()).then(|| ranges.join(" and "))
}

/// The time of day after this many minutes, counted through midnight.
fn time(minute: usize) -> Time {
    let part = |number: usize| i8::try_from(number).unwrap_or_default();
    let minute = minute % MINUTES_OF_DAY;
    Time::new(part(minute / 60), part(minute % 60), 0, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::config, *};

    fn warnings(citizens: &str, intermediaries: &str) -> Vec<String> {
        let [citizens, intermediaries] =
            [citizens, intermediaries].map(|text| Slice::parse(text).unwrap());
        Config { citizens, intermediaries, ..config() }.warnings()
    }

    #[test]
    fn gaps_and_overlaps_are_named_with_their_hours() {
        for (citizens, intermediaries, expected) in [
            ("16:00-08:00", "08:00-16:00", vec![]),
            ("00:00-12:00", "12:00-00:00", vec![]),
            (
                "18:00-07:30",
                "08:00-16:00",
                vec!["nobody may enter from 07:30 to 08:00 and from 16:00 to 18:00"],
            ),
            (
                "23:00-22:00",
                "08:00-16:00",
                vec![
                    "nobody may enter from 22:00 to 23:00",
                    "both audiences may enter from 08:00 to 16:00",
                ],
            ),
            (
                "15:00-08:01",
                "08:00-16:00",
                vec!["both audiences may enter from 08:00 to 08:01 and from 15:00 to 16:00"],
            ),
            (
                "09:00-10:00",
                "09:00-10:00",
                vec![
                    "nobody may enter from 10:00 to 09:00",
                    "both audiences may enter from 09:00 to 10:00",
                ],
            ),
            ("00:00-00:00", "00:00-00:00", vec!["both audiences may enter all day"]),
        ] {
            let found = warnings(citizens, intermediaries);
            let texts: Vec<_> =
                found.iter().map(|text| text.split(", Europe").next().unwrap()).collect();
            assert_eq!(texts, expected, "{citizens} {intermediaries}");
        }
        assert_eq!(
            warnings("17:00-08:00", "08:00-16:00"),
            [
                "nobody may enter from 16:00 to 17:00, Europe/Rome: a gap between schedule.citizens (17:00-08:00) and schedule.intermediaries (08:00-16:00)"
            ]
        );
    }
}
