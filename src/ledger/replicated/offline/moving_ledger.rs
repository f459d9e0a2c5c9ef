//! The ledger of a campaign as something that is moved.

use super::{
    super::{
        fault::Setback,
        link::{Link, UNHURRIED},
        schema::{OF_CAMPAIGN, holds, migrate, schema_of},
    },
    from_files::Source,
    into_files,
    receipts::gone,
    way::{Side, Sum, Thing, Way},
};
use crate::{
    ledger::{
        book::change::Tally,
        local::sqlite::{self, End},
        migration::{Direction, MigrationFault},
    },
    schemes::Campaign,
};

/// The ledger of a campaign.
pub(super) struct Ledger(pub(super) Campaign);

impl Thing for Ledger {
    fn name(&self) -> String {
        self.0.to_string()
    }

    fn sum(&self, way: &Way<'_>, side: Side) -> Result<Option<Sum>, MigrationFault> {
        let (mut tally, ends) = match side {
            Side::Files => {
                let looked = sqlite::look(way.directory, self.0, way.keys)?;
                let Some((reader, index)) = looked else { return Ok(None) };
                (index.tally(), reader.ends()?)
            }
            Side::Database => {
                let found = way.runtime.block_on(self.heads(way)).map_err(gone)?;
                let Some((ends, tally)) = found else { return Ok(None) };
                (tally, ends)
            }
        };
        // The nodes do not count them.
        tally.canary = 0;
        let mut roots: Vec<_> = ends.into_iter().map(|end| (end.batches, end.root)).collect();
        roots.sort_unstable();
        Ok((!roots.is_empty()).then_some(Sum::Ledger(tally, roots)))
    }

    fn copy(
        &self,
        way: &Way<'_>,
        direction: Direction,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        match direction {
            Direction::IntoDatabase => self.copy_to_database(way, progress),
            Direction::IntoFiles => way.runtime.block_on(async {
                let link = Link::open_to_read(way.address, Some(&schema_of(self.0))).await;
                let mut link = link.map_err(gone)?;
                into_files::copy(&mut link, (way.directory, self.0), progress).await
            }),
        }
    }
}

impl Ledger {
    async fn heads(&self, way: &Way<'_>) -> Result<Option<(Vec<End>, Tally)>, Setback> {
        let link = Link::open_to_read(way.address, Some(&schema_of(self.0))).await?;
        if !holds(&link, self.0).await? {
            return Ok(None);
        }
        into_files::heads(&*link).await.map(Some)
    }

    fn copy_to_database(
        &self,
        way: &Way<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), MigrationFault> {
        let Some((reader, index)) = sqlite::look(way.directory, self.0, way.keys)? else {
            return Ok(());
        };
        let source = Source::read(way.keys, self.0, (&reader, &index))?;
        let copying = async {
            let schema = schema_of(self.0);
            migrate(way.address, &schema, OF_CAMPAIGN).await?;
            let link = Link::open(way.address, Some(&schema)).await?;
            link.batch_execute(UNHURRIED).await?;
            source.copy(&link, progress).await
        };
        Ok(way.runtime.block_on(copying).map_err(gone)?)
    }
}
