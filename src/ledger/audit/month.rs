//! The months of trail and messages, and the names of their files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::super::{fault::OpenFault, local::files};
use crate::civic::local_time;

/// The chain of what commands did. Commands write while a server runs, so they have a file of their own.
const COMMANDS: &str = "commands";
const SUFFIX: &str = ".sqlite";

/// A month of the trail, by its name `YYYY-MM`, which sorts by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct Month(String);

impl Month {
    pub(in crate::ledger) fn of(at: Timestamp) -> Self {
        Self(local_time::date_at(at).strftime("%Y-%m").to_string())
    }

    /// What commands did, which is no month.
    pub(in crate::ledger) fn of_commands() -> Self {
        Self(COMMANDS.to_owned())
    }

    /// The month with this name.
    #[cfg(feature = "postgres")]
    pub(in crate::ledger) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name.
    pub(in crate::ledger) fn as_str(&self) -> &str {
        &self.0
    }

    /// The month that is `months` before the one of `at`.
    pub(in crate::ledger) fn before(at: Timestamp, months: u64) -> Self {
        let first = local_time::date_at(at).first_of_month();
        let earlier =
            first.saturating_sub(jiff::Span::new().months(months.min(MONTHS_MAX).cast_signed()));
        Self(earlier.strftime("%Y-%m").to_string())
    }

    /// Whether it continues the chain of the month before, as all but the chain of commands do.
    pub(in crate::ledger) fn is_chained(&self) -> bool {
        self.0 != COMMANDS
    }

    /// The file of this month whose name begins with `prefix`.
    pub(super) fn file_of(&self, directory: &Path, prefix: &str) -> PathBuf {
        directory.join(format!("{prefix}{}{SUFFIX}", self.0))
    }

    /// The months that have a file whose name begins with `prefix`, oldest first.
    pub(super) fn all_of(directory: &Path, prefix: &str) -> Result<Vec<Self>, OpenFault> {
        let fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let mut months = Vec::new();
        for file in fs::read_dir(directory).map_err(fault)? {
            let name = file.map_err(fault)?.file_name().into_string().unwrap_or_default();
            if let Some(month) =
                name.strip_prefix(prefix).and_then(|name| name.strip_suffix(SUFFIX))
            {
                months.push(Self(month.to_owned()));
            }
        }
        months.sort();
        Ok(months)
    }

    /// Removes that file.
    pub(super) fn remove(&self, directory: &Path, prefix: &str) -> Result<(), OpenFault> {
        let path = self.file_of(directory, prefix);
        files::remove(&path).map_err(|source| OpenFault::Directory { path, source })
    }
}

/// Upper bound of the retention, months, so that dates stay within the calendar.
const MONTHS_MAX: u64 = 1200;

impl std::fmt::Display for Month {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}
