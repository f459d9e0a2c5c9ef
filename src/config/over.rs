//! What control has set over the configuration, and the settings that follow.

use super::{
    ConfigFaults, Settings,
    list::SETTINGS,
    read::{Over, Reading},
};

/// A setting and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its name in its section.
    pub name: &'static str,
    /// Its value.
    pub text: String,
    /// Whether it is a number or a switch.
    pub is_bare: bool,
}

impl Settings {
    /// These settings with other values over them.
    ///
    /// # Errors
    /// Every fault of these values, and of what they are together with the others.
    pub fn with(&self, over: &[Over]) -> Result<Self, ConfigFaults> {
        let mut reading = Reading::of(self.0.clone(), self.1);
        reading.over(over);
        reading.finish_over().map(|values| Self(values, self.1))
    }

    /// The settings of a section, in the order of the table.
    pub fn section(&self, section: &str) -> impl Iterator<Item = Shown> {
        let settings = SETTINGS.iter().filter(move |setting| setting.section == section);
        settings.map(|setting| Shown {
            name: setting.name,
            text: (setting.get)(&self.0),
            is_bare: setting.allowed.is_bare(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Flags, *};

    fn over(name: &str, text: &str, is_bare: bool) -> Over {
        let (name, shown) = (name.to_owned(), format!("{text:?}"));
        Over { section: "schedule", name, text: Some((text.to_owned(), is_bare)), shown }
    }

    #[test]
    fn values_of_control_lie_over_the_others_and_every_fault_is_named() {
        let variables = [("SPORTELLO_SCHEDULE_OPEN_ON".to_owned(), "2025-01-01".to_owned())];
        let settings = Settings::gather(None, variables.into_iter(), &Flags::default()).unwrap();
        let with = |over: &[Over]| settings.with(over).map(|it| it.changes_since(&settings));
        assert_eq!(with(&[]).unwrap(), []);
        let changes =
            with(&[over("citizens", "18:00-08:00", false), over("weekends_open", "true", true)])
                .unwrap();
        let told: Vec<_> = changes.iter().map(|it| (it.key, &*it.before, &*it.after)).collect();
        assert_eq!(
            told,
            [
                ("schedule.citizens", "\"16:00-08:00\"", "\"18:00-08:00\""),
                ("schedule.weekends_open", "false", "true")
            ]
        );
        let none = Over { text: None, shown: "null".to_owned(), ..over("grace_seconds", "", true) };
        let faults = with(&[
            over("citizens", "8-16", false),
            over("listen", "127.0.0.1:1", false),
            over("weekends_open", "true", false),
            none,
            over("closed_on", "2025-01-01", false),
        ])
        .unwrap_err();
        let told: Vec<_> = faults.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "control: schedule.citizens must be a time slice such as \"08:00-16:00\", not \"8-16\"",
                "control: schedule.listen is not a setting; [schedule] has: citizens, intermediaries, weekends_open, holidays_open, patron_day, open_on, closed_on, spread_seconds_max, grace_seconds",
                "control: schedule.weekends_open must be true or false, not \"true\"",
                "control: schedule.grace_seconds must be a whole number from 0 to 86400, not null",
                "control: schedule.closed_on (\"2025-01-01\") must have no day in common with schedule.open_on (\"2025-01-01\"): nobody may enter on the ones, and everybody on the others",
            ]
        );
    }
}
