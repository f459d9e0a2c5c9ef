//! `sportello config check|default`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, say};
use crate::config::{Flags, Settings, default_file};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello config default > sportello.toml\n  sportello config check sportello.toml"
)]
pub(super) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a settings file: report every fault with its line, key and allowed values.
    Check {
        /// Settings in TOML.
        file: PathBuf,
    },
    /// Print every setting with its default, as a commented file.
    Default,
}

impl Config {
    pub(super) fn run(self) -> Exit {
        match self.what {
            What::Default => say(default_file().trim_end()),
            What::Check { file } => {
                match Settings::gather(Some(&file), std::iter::empty(), &Flags::default()) {
                    Ok(settings) => {
                        settings.warnings().iter().for_each(|warning| complain_of(&file, warning));
                        say(format_args!("{}: no faults", file.display()))
                    }
                    Err(faults) => {
                        faults.0.iter().for_each(complain);
                        Exit::Usage
                    }
                }
            }
        }
    }
}

/// A warning is no fault: the exit code stays 0.
fn complain_of(file: &Path, warning: &str) {
    complain(format_args!("{}: warning: {warning}", file.display()));
}
