//! `sportello backup` and `sportello restore`: copies the ledgers, also of a running server, and restores them.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{Exit, complain, house::House, ledgers::Ledgers, progress, say, verify};
use crate::{
    config::ledgers_in,
    ledger::{
        backup::{Copied, copy},
        engines,
        local::take_directory,
    },
};

/// What an operator does instead of a backup of ledgers that are in a database.
const IN_DATABASE: &str = "the ledgers are in PostgreSQL: back up the database with its own means (pg_basebackup and an archive of its log, for recovery to a point in time); `sportello migrate --from URL --to DIR` writes a copy in files while the servers are stopped";

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello backup --data ./data --to /backup/sportello\n\nThe server may run meanwhile. Repeat the command to add what is new to the copy. Secrets are not copied: keep ledger.key\nin another place. `sportello verify --data /backup/sportello --key ledger.key` verifies the copy."
)]
pub(super) struct Backup {
    #[command(flatten)]
    ledgers: Ledgers,
    /// Directory for the copy: empty, or an earlier copy.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello restore --from /backup/sportello --data ./data --key ledger.key\n\nThe data directory must not hold a ledger yet. Every restored record is verified."
)]
pub(super) struct Restore {
    #[command(flatten)]
    house: House,
    /// Directory of the copy.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Exit {
        let backup = || -> Result<_, Box<dyn Error>> {
            let place = self.ledgers.find()?;
            if !place.is_local() {
                return Err(IN_DATABASE.into());
            }
            let house = place.house;
            let from = house.ledgers()?;
            house.note(&format!("backup to {}", self.to.display()))?;
            copy_with_progress(&from, &ledgers_in(&self.to))
        };
        match backup() {
            Ok(copied) => report(&copied),
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }
}

impl Restore {
    pub(super) fn run(self) -> Exit {
        self.restore().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn restore(&self) -> Result<Exit, Box<dyn Error>> {
        let (from, to) = (ledgers_in(&self.from), ledgers_in(self.house.data()));
        if !from.is_dir() {
            return Err(format!(
                "{}: no copy in this directory; check --from",
                self.from.display()
            )
            .into());
        }
        let keys = self.house.keys()?;
        if fs::read_dir(&to).is_ok_and(|mut files| files.next().is_some()) {
            return Err(format!(
                "{}: holds ledgers already; restore into an empty data directory",
                self.house.data().display()
            )
            .into());
        }
        let reported = report(&copy_with_progress(&from, &to)?);
        let _taken = take_directory(&to)?;
        let (_, findings) = verify::inspect(&*engines::files(&to, keys))?;
        self.house.note(&format!("restored from {}", self.from.display()))?;
        Ok(if reported == Exit::Done { verify::conclude(&findings, 0) } else { reported })
    }
}

fn copy_with_progress(from: &Path, to: &Path) -> Result<Vec<Copied>, Box<dyn Error>> {
    Ok(copy(from, to, |file, rows| progress(format_args!("{file}: {rows} rows")))?)
}

fn report(copied: &[Copied]) -> Exit {
    let lines: Vec<_> =
        copied.iter().map(|Copied { file, rows }| format!("{file}: {rows} rows copied")).collect();
    say(lines.join("\n"))
}
