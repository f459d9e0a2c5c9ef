//! The engine that an operator chose.

#[cfg(feature = "postgres")]
mod database;
mod files;

use std::{path::Path, sync::Arc};

#[cfg(feature = "postgres")]
use self::database::InDatabase;
use self::files::InFiles;
#[cfg(feature = "postgres")]
use super::replicated::{self, ReplicatedEngine};
use super::{
    case::Case,
    fault::OpenFault,
    local::{self, LocalEngine},
    stores::Stores,
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

impl Config {
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
}
