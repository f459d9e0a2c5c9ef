//! The rows of a query, fetched a bounded number at a time.

use std::collections::VecDeque;

use tokio_postgres::{IsolationLevel, Portal, Row, Transaction};

use super::super::{fault::Setback, link::Link};

/// Begins a transaction that sees one state of the database, also while servers write.
///
/// # Errors
/// [`Setback`].
pub(super) async fn snapshot(link: &mut Link) -> Result<Transaction<'_>, Setback> {
    let builder = link.client_mut().build_transaction();
    Ok(builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?)
}

/// The rows of one query.
pub(super) struct Rows {
    portal: Portal,
    fetched: VecDeque<Row>,
    is_at_end: bool,
    most: i32,
}

impl Rows {
    /// The rows of `sql` without parameters, of which at most `rows_max` are in memory.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn of(
        snapshot: &Transaction<'_>,
        sql: &str,
        rows_max: i32,
    ) -> Result<Self, Setback> {
        let portal = snapshot.bind(sql, &[]).await?;
        Ok(Self { portal, fetched: VecDeque::new(), is_at_end: false, most: rows_max })
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn next(
        &mut self,
        snapshot: &Transaction<'_>,
    ) -> Result<Option<Row>, Setback> {
        if self.fetched.is_empty() && !self.is_at_end {
            self.fetched = snapshot.query_portal(&self.portal, self.most).await?.into();
            self.is_at_end = self.fetched.is_empty();
        }
        Ok(self.fetched.pop_front())
    }
}
