//! Where the ledgers are that a command works on: in files, or where the settings of the server say.

use std::{env, error::Error, path::PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::house::{House, as_done};
use crate::{
    clock::Clock,
    config::{ENGINE_VARIABLE, Flags, Settings, ledgers_in},
    ledger::{
        audit::{Archive, LocalArchive, controls},
        engines,
        tools::Tools,
    },
};

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Ledgers {
    #[command(flatten)]
    house: House,
    /// Settings of the server, which say where the ledgers are [default: the environment, if it has
    /// `SPORTELLO_LEDGER_ENGINE`, else files in the data directory].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where they are.
pub(super) struct Place {
    pub(super) house: House,
    /// `None` for files, if no settings were read.
    engine: Option<engines::Config>,
}

impl Ledgers {
    /// Reads the settings of the server, if there are any for this command.
    ///
    /// # Errors
    /// Every fault of the settings, a line each.
    pub(super) fn find(self) -> Result<Place, String> {
        let Self { house, config } = self;
        if config.is_none() && env::var_os(ENGINE_VARIABLE).is_none() {
            return Ok(Place { house, engine: None });
        }
        let data = house.named_data().map(|data| data.to_string_lossy().into_owned());
        let flags = Flags { data, ..Flags::default() };
        let settings = Settings::gather(config.as_deref(), environment(), &flags)
            .map_err(|faults| faults.to_string())?;
        Ok(Place { house: house.of_server(&settings), engine: Some(settings.engine()) })
    }
}

/// The variables of the environment that are text.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Place {
    /// Whether the ledgers are files of this machine.
    pub(super) fn is_local(&self) -> bool {
        self.engine.as_ref().is_none_or(engines::Config::is_local)
    }

    /// The tools for these ledgers.
    pub(super) fn tools(&self) -> Result<Box<dyn Tools>, Box<dyn Error>> {
        let keys = self.house.keys()?;
        Ok(match &self.engine {
            Some(engine) if !engine.is_local() => {
                engine.tools(&ledgers_in(self.house.data()), keys)?
            }
            _ => engines::files(&self.house.ledgers()?, keys),
        })
    }

    /// Records in the audit trail what a command did, and which system user ran it.
    pub(super) fn note(&self, what: &str) -> Result<(), Box<dyn Error>> {
        note(&*self.archive()?, what)
    }

    /// Every control action in the audit trail, oldest first. In files they are not sealed, and no key is needed.
    pub(super) fn controls(&self) -> Result<Vec<(Timestamp, String)>, Box<dyn Error>> {
        match &self.engine {
            Some(engine) if !engine.is_local() => Ok(self.archive()?.controls()?),
            _ => Ok(controls(&self.house.ledgers()?)?),
        }
    }

    /// The audit trail and the messages of identity providers.
    pub(super) fn archive(&self) -> Result<Box<dyn Archive>, Box<dyn Error>> {
        let keys = self.house.keys()?;
        Ok(match &self.engine {
            Some(engine) if !engine.is_local() => {
                engine.archive(&ledgers_in(self.house.data()), keys)?
            }
            _ => Box::new(LocalArchive::of(&self.house.ledgers()?, keys)),
        })
    }
}

/// Records in the audit trail what a command did, and which system user ran it.
pub(super) fn note(archive: &dyn Archive, what: &str) -> Result<(), Box<dyn Error>> {
    Ok(archive.note_command(Clock::system().now(), &as_done(what))?)
}
