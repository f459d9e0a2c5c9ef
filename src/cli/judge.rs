//! `sportello judge`: decides applications that other servers take.

use std::path::PathBuf;

use clap::Args;

use super::{
    Exit, announce,
    starting::{relying, run, trusted},
};
use crate::{
    clock::Clock,
    config::{Flags, Origin, Settings},
    server,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello judge --config /etc/sportello.toml\n\nOnly with ledgers in a database (ledger.engine = \"postgres\"), of which it takes undecided applications like every\nserver that decides. It needs the settings of the database, the ledger's key and the registry of the other servers."
)]
pub(super) struct Judge {
    /// Settings in TOML; `sportello config default` prints every setting.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory [default: server.data].
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address of the operator listener [default: server.operator].
    #[arg(long, value_name = "ADDR")]
    operator: Option<String>,
}

impl Judge {
    pub(super) fn run(self) -> Exit {
        let Self { config, data, operator } = self;
        let flags = Flags { data, operator, judges_only: true, ..Flags::default() };
        run(config.as_deref(), flags, decide)
    }
}

/// Decides until it is stopped.
pub(super) fn decide(settings: &Settings, origin: Origin) -> Result<(), String> {
    let verifying = (trusted(settings, &Clock::system())?, relying(settings)?);
    let ready = |operator| announce(format!("ready operator http://{operator}"));
    server::judge(settings, verifying, origin, ready).map_err(|fault| fault.to_string())
}
