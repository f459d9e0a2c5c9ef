//! Where the settings of a running server come from, to be read again when an operator has changed the file.

use std::path::PathBuf;

use super::{
    Flags, Settings,
    data::SECRET_VARIABLE,
    fault::ConfigFaults,
    list::SETTINGS,
    setting::{Allowed, Text},
};

/// Sections whose settings take effect without a restart.
const LIVE_SECTIONS: [&str; 2] = ["schedule", "limits"];

/// The sources of a server's settings: a file, the environment and the flags. It does not hold the ledger's secret.
#[derive(Debug)]
pub struct Origin {
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    flags: Flags,
}

/// A setting that has another value than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `section.name`.
    pub key: &'static str,
    /// Its value before, as the file writes it.
    pub before: String,
    /// Its value now.
    pub after: String,
    /// Whether it takes effect without a restart.
    pub is_live: bool,
}

impl Origin {
    /// The sources of a server that starts.
    #[must_use]
    pub fn new(
        file: Option<PathBuf>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Flags,
    ) -> Self {
        let environment = environment.filter(|(name, _)| name != SECRET_VARIABLE).collect();
        Self { file, environment, flags }
    }

    /// Reads the settings again. The ledger's secret is not among them.
    ///
    /// # Errors
    /// Every fault of every source.
    pub fn gather(&self) -> Result<Settings, ConfigFaults> {
        Settings::gather(self.file.as_deref(), self.environment.iter().cloned(), &self.flags)
    }
}

impl Settings {
    /// The same settings without the ledger's secret, to be kept for comparison.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        let mut values = self.0.clone();
        values.ledger.secret = Text::default();
        Self(values, self.1)
    }

    /// What is different from `before`, in the order of the table.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let settings = SETTINGS.iter().filter(|it| !matches!(it.allowed, Allowed::Secret));
        let changes = settings.filter_map(|setting| {
            let [before, after] = [before, self].map(|settings| setting.toml(&settings.0));
            let is_live = LIVE_SECTIONS.contains(&setting.section);
            (before != after).then_some(Change { key: setting.key, before, after, is_live })
        });
        changes.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_has_changed_is_named_with_both_values_and_whether_it_is_in_force() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sportello.toml");
        let variables = [("SPORTELLO_LEDGER_SECRET", "s3cret"), ("SPORTELLO_LOG_LEVEL", "warn")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let origin = Origin::new(Some(file.clone()), variables.into_iter(), Flags::default());
        assert!(!format!("{origin:?}").contains("s3cret"));
        let gathered = |text: &str| {
            fs::write(&file, text).unwrap();
            origin.gather()
        };
        let before = gathered("").unwrap();
        assert_eq!(before.changes_since(&before), []);
        let text = "[schedule]\ncitizens = \"18:00-08:00\"\n[limits]\nkeys_max = 7\n\
                    [gate]\nleases_max = 9\n[log]\nlevel = \"debug\"\n";
        let changes = gathered(text).unwrap().changes_since(&before);
        let told: Vec<_> = changes
            .iter()
            .map(|it| format!("{} {} {} {}", it.key, it.before, it.after, it.is_live))
            .collect();
        assert_eq!(
            told,
            [
                "schedule.citizens \"16:00-08:00\" \"18:00-08:00\" true",
                "gate.leases_max 120000 9 false",
                "limits.keys_max 1000000 7 true",
            ]
        );
        assert!(gathered("[schedule]\ncitizens = 8\n").is_err());
        fs::remove_file(&file).unwrap();
        assert!(origin.gather().is_err(), "a missing file changes nothing");
    }
}
