//! Moving what a server keeps: a list, an entry each.

use std::path::Path;

use super::{
    super::{
        fault::Setback,
        link::{Link, UNHURRIED},
        schema::{OF_CAMPAIGN, holds, migrate, schema_of},
    },
    alone::take_database,
    from_files::Source,
    into_files,
    receipts::gone,
    tools::{NOT_MOVED, ReplicatedTools},
};
use crate::{
    ledger::{
        book::change::Tally,
        local::sqlite::{self, End},
        migration::{Direction, MigrationFault, Moved, Report},
        proof::Digest,
    },
    schemes::{Campaign, Rules},
};

/// Moves one kind of thing. Whatever it returns was moved as a whole; it refuses a target that holds something else.
type Carry = fn(&Way<'_>, &mut dyn FnMut(&str, u64)) -> Result<Vec<Moved>, MigrationFault>;

/// What goes along, in this order: both ways of each. What has no entry is in [`NOT_MOVED`].
const CARRIED: [(Carry, Carry); 1] = [(ledgers_into_database, ledgers_into_files)];

/// The two sides.
struct Way<'w> {
    tools: &'w ReplicatedTools,
    directory: &'w Path,
}

/// What a ledger amounts to: its counts, and the ends of its chains without their names.
type Sum = (Tally, Vec<(u32, Digest)>);

impl ReplicatedTools {
    /// Moves everything that goes along between this database and a directory, which must be locked for this process.
    ///
    /// # Errors
    /// [`MigrationFault`].
    pub fn migrate(
        &self,
        direction: Direction,
        directory: &Path,
        progress: &mut dyn FnMut(&str, u64),
    ) -> Result<Report, MigrationFault> {
        let taking = async {
            let link = Link::open_to_read(&self.address, None).await?;
            take_database(&link).await.map(|()| link)
        };
        // Holds the lock until the end.
        let _taken = self.runtime.block_on(taking).map_err(gone)?;
        let way = Way { tools: self, directory };
        let mut moved = Vec::new();
        for (into_database, into_files) in CARRIED {
            let carry = match direction {
                Direction::IntoDatabase => into_database,
                Direction::IntoFiles => into_files,
            };
            moved.extend(carry(&way, progress)?);
        }
        if moved.is_empty() {
            Err(MigrationFault::Nothing)
        } else {
            Ok(Report { moved, left: &NOT_MOVED })
        }
    }
}

/// Copies every ledger of a directory into the database, each in one transaction.
fn ledgers_into_database(
    way: &Way<'_>,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<Vec<Moved>, MigrationFault> {
    let planned = planned(way, Side::Files)?;
    let keys = &way.tools.keys;
    let mut moved = Vec::new();
    for (campaign, was_there) in planned {
        let Some((reader, index)) = sqlite::look(way.directory, campaign, keys)? else { continue };
        if !was_there {
            let source = Source::read(keys, campaign, (&reader, &index))?;
            let name = campaign.to_string();
            let copying = async {
                let (address, schema) = (&way.tools.address, schema_of(campaign));
                migrate(address, &schema, OF_CAMPAIGN).await?;
                let link = Link::open(address, Some(&schema)).await?;
                link.batch_execute(UNHURRIED).await?;
                source.copy(&link, &mut |records| progress(&name, records)).await
            };
            way.tools.runtime.block_on(copying).map_err(gone)?;
        }
        moved.push(compared(way, campaign, was_there)?);
    }
    Ok(moved)
}

/// Copies every ledger of the database into a directory, each into a file that is a ledger only when it is whole.
fn ledgers_into_files(
    way: &Way<'_>,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<Vec<Moved>, MigrationFault> {
    let planned = planned(way, Side::Database)?;
    let mut moved = Vec::new();
    for (campaign, was_there) in planned {
        if !was_there {
            let name = campaign.to_string();
            way.tools.runtime.block_on(async {
                let address = &way.tools.address;
                let link = Link::open_to_read(address, Some(&schema_of(campaign))).await;
                let mut link = link.map_err(gone)?;
                let place = (way.directory, campaign);
                into_files::copy(&mut link, place, &mut |records| progress(&name, records)).await
            })?;
        }
        moved.push(compared(way, campaign, was_there)?);
    }
    Ok(moved)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Files,
    Database,
}

impl Way<'_> {
    /// What a ledger amounts to on one side; `None` if there is none, or an empty one.
    fn sum(&self, side: Side, campaign: Campaign) -> Result<Option<Sum>, MigrationFault> {
        let (mut tally, ends) = match side {
            Side::Files => {
                let looked = sqlite::look(self.directory, campaign, &self.tools.keys)?;
                let Some((reader, index)) = looked else { return Ok(None) };
                (index.tally(), reader.ends()?)
            }
            Side::Database => {
                let found = self.tools.runtime.block_on(self.heads(campaign)).map_err(gone)?;
                let Some((ends, tally)) = found else { return Ok(None) };
                (tally, ends)
            }
        };
        // The nodes do not count them.
        tally.canary = 0;
        let mut roots: Vec<_> = ends.into_iter().map(|end| (end.batches, end.root)).collect();
        roots.sort_unstable();
        Ok((!roots.is_empty()).then_some((tally, roots)))
    }

    async fn heads(&self, campaign: Campaign) -> Result<Option<(Vec<End>, Tally)>, Setback> {
        let link = Link::open_to_read(&self.tools.address, Some(&schema_of(campaign))).await?;
        if !holds(&link, campaign).await? {
            return Ok(None);
        }
        into_files::heads(&*link).await.map(Some)
    }
}

/// The campaigns to be moved from one side, and whether each was moved by an earlier run. Nothing is written before all of
/// them are known to be possible.
fn planned(way: &Way<'_>, from: Side) -> Result<Vec<(Campaign, bool)>, MigrationFault> {
    let to = if from == Side::Files { Side::Database } else { Side::Files };
    let mut planned = Vec::new();
    for campaign in Rules::builtin().campaigns().map(|window| window.campaign) {
        let there = way.sum(to, campaign)?;
        match (way.sum(from, campaign)?, there) {
            (None, None) => {}
            (Some(_), None) => planned.push((campaign, false)),
            (Some(source), Some(target)) if source == target => planned.push((campaign, true)),
            (_, Some(_)) => return Err(MigrationFault::NotEmpty { what: campaign.to_string() }),
        }
    }
    Ok(planned)
}

/// Compares the counts and the roots of both sides.
fn compared(way: &Way<'_>, campaign: Campaign, was_there: bool) -> Result<Moved, MigrationFault> {
    let what = campaign.to_string();
    let [files, database] = [Side::Files, Side::Database].map(|side| way.sum(side, campaign));
    let (files, database) = (files?, database?);
    if files != database {
        return Err(MigrationFault::Different { what });
    }
    let (tally, roots) = files.unwrap_or_default();
    let accepted: u64 = tally.accepted.iter().sum();
    let batches: u64 = roots.iter().map(|(batches, _)| u64::from(*batches)).sum();
    let how_much =
        format!("{accepted} applications in {batches} batches of {} chains", roots.len());
    Ok(Moved { what, how_much, was_there })
}
