//! `sportello migrate`: moves the ledgers from the files of a directory into a database, or back.

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, complain,
    house::House,
    ledgers::{environment, note},
    progress, say, verify,
};
use crate::{
    clock::Clock,
    config::{ENGINE_VARIABLE, Flags, Settings, URL_VARIABLE, ledgers_in},
    ledger::{
        audit::name_ends,
        engines,
        local::take_directory,
        migration::{Direction, Moved},
    },
};

/// Records between two updates of the progress display.
const PROGRESS_RECORDS: u64 = 10_000;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sportello migrate --from /var/lib/sportello --to 'postgres://sportello@db1,db2,db3/sportello' --config sportello.toml\n  sportello migrate --from 'postgres://sportello@db1,db2,db3/sportello' --to /var/lib/sportello --key ledger.key\n\nStop every server first. Receipts, chains and codes stay the same, and the copy is verified. A campaign, the drafts, the\nmandates, the messages of providers and the trail are each copied as a whole or not at all; after an interruption, repeat the\ncommand. The source is not changed. Secrets are not copied: every server needs the same ledger.key. What does not go along is\nnamed at the end. Certificates and password of the database come from the section postgres of --config, or from its variables."
)]
pub(super) struct Migrate {
    /// Data directory, or URL of the database, to copy from.
    #[arg(long, value_name = "DIR|URL")]
    from: String,
    /// URL of the database, or data directory, to copy to. It must hold nothing of what is copied.
    #[arg(long, value_name = "URL|DIR")]
    to: String,
    /// File with the ledger's secrets [default: `SPORTELLO_LEDGER_SECRET`, else `ledger.key` in the data directory].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Settings of the server, for the section postgres.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Migrate {
    pub(super) fn run(self) -> Exit {
        self.migrate().unwrap_or_else(|fault| {
            complain(fault);
            Exit::Usage
        })
    }

    fn migrate(self) -> Result<Exit, Box<dyn Error>> {
        let Self { from, to, key, config } = self;
        let (direction, url, data) = match (is_url(&from), is_url(&to)) {
            (false, true) => (Direction::IntoDatabase, &to, &from),
            (true, false) => (Direction::IntoFiles, &from, &to),
            _ => return Err("one of --from and --to must be a directory, and the other one a URL that begins with postgres://".into()),
        };
        let engine = engine(config.as_deref(), url)?;
        let house = House::at(PathBuf::from(data), key);
        let directory = match direction {
            Direction::IntoDatabase => house.ledgers()?,
            Direction::IntoFiles => ledgers_in(house.data()),
        };
        let keys = house.keys()?;
        let _taken = take_directory(&directory)?;
        let mut next = 0;
        let mut watch = |what: &str, records: u64| {
            // Another campaign begins again.
            if records >= next || records < next.saturating_sub(PROGRESS_RECORDS) {
                next = records + PROGRESS_RECORDS;
                progress(format_args!("{what}: {records} copied"));
            }
        };
        let migrated = engine.migrate(direction, &directory, keys.clone(), &mut watch)?;
        for Moved { what, how_much, was_there } in &migrated.moved {
            let done = if *was_there { "was there already" } else { "copied" };
            say(format_args!("{what}: {how_much} {done}"));
        }
        let what = format!("migrated from {from} to {to}");
        let tools = match direction {
            Direction::IntoDatabase => {
                // Its commit makes durable, too, what an earlier run left unknown.
                note(&*engine.archive(&directory, keys.clone())?, &what)?;
                engine.tools(&directory, keys)?
            }
            Direction::IntoFiles => {
                house.note(&what)?;
                name_ends(&directory, &keys, Clock::system().now())?;
                engines::files(&directory, keys)
            }
        };
        let (_, findings) = verify::inspect(&*tools)?;
        complain(format_args!("not copied: {}, ledger.key", migrated.left.join(", ")));
        Ok(verify::conclude(&findings, 0))
    }
}

fn is_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// The engine of the database at `url`; everything else about it is as for a server.
fn engine(config: Option<&Path>, url: &str) -> Result<engines::Config, String> {
    let here = [(ENGINE_VARIABLE, "postgres"), (URL_VARIABLE, url)];
    let others = environment().filter(|(name, _)| here.iter().all(|(own, _)| own != name));
    let here = here.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::gather(config, others.chain(here), &Flags::default());
    settings.map(|settings| settings.engine()).map_err(|faults| faults.to_string())
}
