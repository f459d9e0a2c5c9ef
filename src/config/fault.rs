//! The faults of settings, and the sources that they name.

use std::{fmt, path::PathBuf};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, and its line if there is one.
    File(PathBuf, Option<usize>),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
    /// Control, for this name in a section.
    Control(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(formatter, "{}:{line}", path.display()),
            Self::File(path, None) => write!(formatter, "{}", path.display()),
            Self::Environment(name) => formatter.write_str(name),
            Self::Flag(name) => formatter.write_str(name),
            Self::Control(_) => formatter.write_str("control"),
        }
    }
}

/// One fault of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where: one source, or those of two settings that contradict each other.
    pub sources: Vec<Source>,
    /// Which setting, if it is one that exists.
    pub setting: Option<&'static str>,
    /// What is wrong, with the key and the allowed values.
    pub what: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().map(Source::to_string).collect();
        write!(formatter, "{}: {}", sources.join(", "), self.what)
    }
}

/// Every fault of the settings, in the order of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| writeln!(formatter, "{fault}"))
    }
}

impl std::error::Error for ConfigFaults {}
