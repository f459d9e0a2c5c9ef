//! The engine that an operator chose.

use std::{path::Path, sync::Arc};

#[cfg(feature = "postgres")]
use super::replicated::{self, ReplicatedEngine};
use super::{
    case::Case,
    fault::OpenFault,
    local::{self, LocalEngine},
    shelf::Engine,
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
    ) -> Result<Box<dyn Engine>, OpenFault> {
        match self {
            Self::Local(config) => {
                Ok(Box::new(LocalEngine::take(directory, keys, urn, clock, *config)?))
            }
            #[cfg(feature = "postgres")]
            Self::Replicated(config) => {
                let config = (**config).clone();
                let engine = ReplicatedEngine::connect(directory, keys, urn, clock, config)?;
                engine.serve_alone()?;
                Ok(Box::new(engine))
            }
        }
    }
}
