//! Moving what a server keeps, one thing after the other.

use std::path::Path;

use super::{
    super::link::Link,
    alone::take_database,
    chains::{MESSAGES, TRAIL},
    moving_ledger::Ledger,
    plain::{DRAFTS, REVOCATIONS, TELEPHONE},
    receipts::gone,
    tools::ReplicatedTools,
    way::{Side, Sum, Thing, Way},
};
use crate::{
    ledger::migration::{Direction, MigrationFault, Moved, Report},
    schemes::Rules,
};

/// What stays where it is, and why.
const LEFT: &[&str] = &[ROUNDS, JOURNAL];
const ROUNDS: &str = "rounds of the waiting room (they begin anew, above every number so far)";
const JOURNAL: &str = "journal (sessions end with the move)";

/// What goes along, in this order.
fn things() -> Vec<Box<dyn Thing>> {
    let campaigns = Rules::builtin().campaigns().map(|window| window.campaign);
    let mut things: Vec<Box<dyn Thing>> =
        campaigns.map(|campaign| Box::new(Ledger(campaign)) as Box<dyn Thing>).collect();
    for store in [DRAFTS, REVOCATIONS, TELEPHONE] {
        things.push(Box::new(store));
    }
    things.push(Box::new(MESSAGES));
    // It covers everything before it.
    things.push(Box::new(TRAIL));
    things
}

impl ReplicatedTools {
    /// Moves everything that goes along between this database and a directory, which must be locked for this process.
    /// Nothing is written before all of it is known to be possible.
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
        let (runtime, address, keys) = (&*self.runtime, &self.address, &self.keys);
        let way = Way { runtime, address, keys, directory };
        let (from, to) = match direction {
            Direction::IntoDatabase => (Side::Files, Side::Database),
            Direction::IntoFiles => (Side::Database, Side::Files),
        };
        let mut planned = Vec::new();
        for thing in things() {
            planned.extend(plan(&way, thing, (from, to))?);
        }
        if planned.is_empty() {
            return Err(MigrationFault::Nothing);
        }
        let mut moved = Vec::new();
        for Planned { thing, source, was_there } in planned {
            let what = thing.name();
            if !was_there {
                thing.copy(&way, direction, &mut |rows| progress(&what, rows))?;
            }
            match thing.sum(&way, to)? {
                Some(copy) if source.is_copied_to(&copy) => {}
                _ => return Err(MigrationFault::Different { what }),
            }
            moved.push(Moved { what, how_much: source.how_much(), was_there });
        }
        Ok(Report { moved, left: LEFT })
    }
}

/// Something to be moved.
struct Planned {
    thing: Box<dyn Thing>,
    source: Sum,
    /// Whether an earlier run moved it.
    was_there: bool,
}

/// Whether something is to be moved; `None` if there is nothing of it.
fn plan(
    way: &Way<'_>,
    thing: Box<dyn Thing>,
    (from, to): (Side, Side),
) -> Result<Option<Planned>, MigrationFault> {
    let was_there = match (thing.sum(way, from)?, thing.sum(way, to)?) {
        (None, None) => return Ok(None),
        (None, Some(target)) if target.is_of_commands() => return Ok(None),
        (Some(source), None) => Some((source, false)),
        (Some(source), Some(target)) if source.is_copied_to(&target) => Some((source, true)),
        (Some(source), Some(target)) if to == Side::Files && source.is_begun_in(&target) => {
            Some((source, false))
        }
        (_, Some(_)) => None,
    };
    let Some((source, was_there)) = was_there else {
        return Err(MigrationFault::NotEmpty { what: thing.name() });
    };
    Ok(Some(Planned { thing, source, was_there }))
}
