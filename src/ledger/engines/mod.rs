//! The engine that an operator chose.

#[cfg(feature = "postgres")]
mod database;
mod files;
mod offline;

use std::{path::Path, sync::Arc};

#[cfg(feature = "postgres")]
use self::database::InDatabase;
use self::{files::InFiles, offline::FileTools};
#[cfg(feature = "postgres")]
use super::replicated::{self, ReplicatedArchive, ReplicatedEngine, ReplicatedTools};
use super::{
    audit::{self, Archive, LocalArchive},
    case::Case,
    fault::OpenFault,
    local::{self, LocalEngine},
    migration::{Direction, MigrationFault, Report},
    stores::Stores,
    tools::Tools,
};
use crate::{clock::Clock, urn::Urn, vault::HouseKeys};

/// Which engine keeps the ledgers, and its bounds.
#[derive(Clone, Debug)]
pub enum Config {
    /// Files of this machine.
    Local(local::Config),
    /// `PostgreSQL` on many machines.
    #[cfg(feature = "postgres")]
    Replicated(Box<replicated::Config>),
}

/// The commands for operators, on ledgers in files.
#[must_use]
pub fn files(directory: &Path, keys: Arc<HouseKeys>) -> Box<dyn Tools> {
    Box::new(FileTools::new(directory.to_owned(), keys))
}

impl Config {
    /// Whether the ledgers are files of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Moves what a server keeps between this database and a directory, which must be locked for this process. Nobody else
    /// may work with either. Calls `progress` with what is moved and how much of it so far.
    ///
    /// # Errors
    /// [`MigrationFault`]; what was moved before is whole.
    pub fn migrate(
        &self,
        direction: Direction,
        directory: &Path,
        keys: Arc<HouseKeys>,
        progress: &mut dyn FnMut(&str, u64),
    ) -> Result<Report, MigrationFault> {
        match self {
            Self::Local(_) => {
                // Only the engine of the database reads these.
                let _unused = (direction, directory, keys, progress);
                Err(MigrationFault::NoDatabase)
            }
            #[cfg(feature = "postgres")]
            Self::Replicated(config) => {
                ReplicatedTools::new(config, keys)?.migrate(direction, directory, progress)
            }
        }
    }

    /// The commands for operators.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn tools(
        &self,
        directory: &Path,
        keys: Arc<HouseKeys>,
    ) -> Result<Box<dyn Tools>, OpenFault> {
        match self {
            Self::Local(_) => Ok(files(directory, keys)),
            #[cfg(feature = "postgres")]
            Self::Replicated(config) => Ok(Box::new(ReplicatedTools::new(config, keys)?)),
        }
    }

    /// Opens the engine. `directory` is for what is kept on this machine, and is locked for this process.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn open(
        &self,
        directory: &Path,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
    ) -> Result<Box<dyn Stores>, OpenFault> {
        match self {
            Self::Local(config) => {
                let own = (Arc::clone(&keys), clock.clone());
                let engine = LocalEngine::take(directory, own.0, urn, own.1, *config)?;
                Ok(Box::new(InFiles::new(engine, directory, keys, clock)))
            }
            #[cfg(feature = "postgres")]
            Self::Replicated(config) => {
                let config = (**config).clone();
                let own = (Arc::clone(&keys), clock.clone());
                let engine = ReplicatedEngine::connect(directory, own.0, urn, own.1, config)?;
                Ok(Box::new(InDatabase::new(engine, directory, keys, clock)?))
            }
        }
    }

    /// The audit trail and the messages of identity providers, for commands. `directory`: that of the ledgers.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub fn archive(
        &self,
        directory: &Path,
        keys: Arc<HouseKeys>,
    ) -> Result<Box<dyn Archive>, OpenFault> {
        match self {
            Self::Local(_) => Ok(Box::new(LocalArchive::of(directory, keys))),
            #[cfg(feature = "postgres")]
            Self::Replicated(config) => Ok(Box::new(ReplicatedArchive::connect(config, keys)?)),
        }
    }

    /// The disk space, bytes, that is kept from the audit trail: none if the trail is on other machines.
    #[must_use]
    pub fn kept_from_trail_bytes(&self, audit: audit::Config) -> u64 {
        match self {
            Self::Local(_) => audit.disk_reserve_bytes,
            #[cfg(feature = "postgres")]
            Self::Replicated(_) => 0,
        }
    }
}
