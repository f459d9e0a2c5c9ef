//! A daily slice of wall-clock time.

use std::fmt;

use jiff::civil::Time;

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

    /// Its parts within one day, from midnight to midnight: the end of the day is midnight, too.
    pub(super) fn parts(self) -> [Option<Self>; 2] {
        let midnight = Time::midnight();
        match self {
            Self { from, until } if from == until => [Some(Self::WHOLE_DAY), None],
            Self { from, until } if from < until || until == midnight => [Some(self), None],
            Self { from, until } => {
                [Some(Self { from: midnight, until }), Some(Self { from, until: midnight })]
            }
        }
    }

    /// From midnight to midnight.
    pub(super) const WHOLE_DAY: Self = Self { from: Time::midnight(), until: Time::midnight() };

    /// Whether it holds a time of day.
    pub(super) fn holds(self, time: Time) -> bool {
        let Self { from, until } = self;
        match from.cmp(&until) {
            std::cmp::Ordering::Less => (from..until).contains(&time),
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => time >= from || time < until,
        }
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, until] = [self.from, self.until].map(|time| time.strftime("%H:%M"));
        write!(formatter, "{from}-{until}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Slice::parse("16:00-08:05").unwrap().to_string(), "16:00-08:05");
    }
}
