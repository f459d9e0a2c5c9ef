//! `sportello backup` and `sportello restore`: a copy of the ledgers beside a running server, and the way back.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, complain,
    house::{House, LEDGERS},
    progress, say, verify,
};
use crate::ledger::{
    backup::{Copied, copy},
    engines::files::take_directory,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello backup --data ./data --to /backup/sportello\n\nThe server may be running on the same data. The same command again copies what came since. Secrets are not copied: keep\nledger.key elsewhere. `sportello verify --data /backup/sportello --key ledger.key` proves the copy whole."
)]
pub(super) struct Backup {
    #[command(flatten)]
    house: House,
    /// The directory of the copy, empty or an earlier copy.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sportello restore --from /backup/sportello --data ./data --key ledger.key\n\nThe data directory must hold no ledger yet. What is restored is verified, record by record, before this says so."
)]
pub(super) struct Restore {
    #[command(flatten)]
    house: House,
    /// The directory of the copy.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Exit {
        let backup = || -> Result<_, Box<dyn Error>> {
            let from = self.house.ledgers()?;
            self.house.note(&format!("backup to {}", self.to.display()))?;
            copy_with_progress(&from, &self.to.join(LEDGERS))
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
        match self.restore() {
            Ok((copied, findings)) => match report(&copied) {
                Exit::Done => verify::conclude(&findings),
                exit => exit,
            },
            Err(fault) => {
                complain(fault);
                Exit::Usage
            }
        }
    }

    fn restore(&self) -> Result<(Vec<Copied>, Vec<String>), Box<dyn Error>> {
        let (from, to) = (self.from.join(LEDGERS), self.house.data().join(LEDGERS));
        if !from.is_dir() {
            return Err(format!("{} holds no copy: is --from right?", self.from.display()).into());
        }
        let keys = self.house.keys()?;
        if fs::read_dir(&to).is_ok_and(|mut files| files.next().is_some()) {
            return Err(format!(
                "{} holds ledgers already: restore into an empty directory",
                self.house.data().display()
            )
            .into());
        }
        let copied = copy_with_progress(&from, &to)?;
        let _taken = take_directory(&to)?;
        let (_, findings) = verify::inspect(&to, &keys)?;
        self.house.note(&format!("restored from {}", self.from.display()))?;
        Ok((copied, findings))
    }
}

fn copy_with_progress(from: &Path, to: &Path) -> Result<Vec<Copied>, Box<dyn Error>> {
    Ok(copy(from, to, |file, rows| progress(format_args!("{file}: {rows}")))?)
}

fn report(copied: &[Copied]) -> Exit {
    let lines: Vec<_> =
        copied.iter().map(|Copied { file, rows }| format!("{file}: {rows} copied")).collect();
    say(lines.join("\n"))
}
