//! Rows that belong to no record, and applications of the same person.

use tokio_postgres::Transaction;

use super::{super::fault::Setback, rows::Rows, walk::Walk};
use crate::ledger::{book::change::State, position::Position};

/// Rows in memory at a time.
const ROWS_MAX: i32 = 4096;

impl Walk<'_> {
    /// Checks that no person has two applications that stand, and that no key was used twice.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn claims(&mut self, snapshot: &Transaction<'_>) -> Result<(), Setback> {
        const CLAIMS: &str =
            "SELECT position, claim, nth FROM records ORDER BY claim, nth, position";
        const KEYS: &str = "SELECT max(position) FROM records GROUP BY key HAVING count(*) > 1";
        let mut rows = Rows::of(snapshot, CLAIMS, ROWS_MAX).await?;
        let mut before: Option<(Vec<u8>, i16, bool)> = None;
        while let Some(row) = rows.next(snapshot).await? {
            let (claim, nth): (&[u8], i16) = (row.try_get(1)?, row.try_get(2)?);
            let Ok(position) = u32::try_from(row.try_get::<_, i64>(0)?).map(Position) else {
                continue;
            };
            let stands = self.history.state(position).is_none_or(State::stands);
            let earlier = before.take().filter(|(of, ..)| of == claim);
            if earlier.as_ref().is_some_and(|(.., stood)| *stood) {
                self.find(position, "a second application of the same person");
            }
            if nth != earlier.map_or(0, |(_, nth, _)| nth + 1) {
                self.find(position, "it is not counted among those of its person");
            }
            before = Some((claim.to_vec(), nth, stands));
        }
        let mut rows = Rows::of(snapshot, KEYS, ROWS_MAX).await?;
        while let Some(row) = rows.next(snapshot).await? {
            if let Ok(position) = u32::try_from(row.try_get::<_, i64>(0)?) {
                self.find(Position(position), "its idempotency key was used before");
            }
        }
        Ok(())
    }

    /// Checks that every row belongs to a record, every recorded change to an application, and that no position is given
    /// away twice.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn strays(&mut self, snapshot: &Transaction<'_>) -> Result<(), Setback> {
        for (table, what) in [
            ("changes", "a change of it is left, and no record"),
            ("undecided", "it is on the list of undecided ones, and there is no record"),
            ("pending", "it is on the list of pending ones, and there is no record"),
            ("filings", "it is on the list of an office, and there is no record"),
        ] {
            let sql = format!(
                "SELECT DISTINCT position FROM {table} t \
                 WHERE NOT EXISTS (SELECT FROM records r WHERE r.position = t.position)"
            );
            let mut rows = Rows::of(snapshot, &sql, ROWS_MAX).await?;
            while let Some(row) = rows.next(snapshot).await? {
                if let Ok(position) = u32::try_from(row.try_get::<_, i64>(0)?) {
                    self.find(Position(position), what);
                }
            }
        }
        for position in (0..self.history.end()).map(Position) {
            if !self.history.is_written(position) && self.history.changes(position).next().is_some()
            {
                self.find(position, "a batch records a change of it, and none holds it");
            }
        }
        let rows = snapshot.query("SELECT next FROM positions", &[]).await?;
        let next = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose()?;
        if rows.len() != 1 || next < Some(self.history.end().into()) {
            self.findings
                .push(format!("{}: used positions would be given away again", self.campaign));
        }
        Ok(())
    }
}
