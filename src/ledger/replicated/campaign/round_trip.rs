//! Statements that are sent together, within a transaction: they cost one round trip, however many they are.

use futures_util::future::{BoxFuture, join, ready};
use tokio_postgres::{Statement, types::ToSql};

use super::super::{fault::Setback, link::Link};

/// A value of a statement.
pub(super) type Parameter<'l> = &'l (dyn ToSql + Sync);

/// Statements, which the server runs in their order.
pub(super) struct RoundTrip<'l> {
    link: &'l Link,
    statements: BoxFuture<'l, Result<(), Setback>>,
}

impl<'l> RoundTrip<'l> {
    pub(super) fn on(link: &'l Link) -> Self {
        Self { link, statements: Box::pin(ready(Ok(()))) }
    }

    /// Adds a statement that concerns so many rows; it is left out if there are none.
    pub(super) fn run<const N: usize>(
        self,
        statement: &'l Statement,
        rows: usize,
        parameters: [Parameter<'l>; N],
    ) -> Self {
        self.and(statement, rows, parameters, |_| Ok(()))
    }

    /// Adds a statement that must write so many rows. If it writes fewer, another node was first: [`Setback::Raced`].
    pub(super) fn write<const N: usize>(
        self,
        statement: &'l Statement,
        rows: usize,
        parameters: [Parameter<'l>; N],
    ) -> Self {
        let all = move |written| if written == rows as u64 { Ok(()) } else { Err(Setback::Raced) };
        self.and(statement, rows, parameters, all)
    }

    fn and<const N: usize>(
        self,
        statement: &'l Statement,
        rows: usize,
        parameters: [Parameter<'l>; N],
        judge: impl FnOnce(u64) -> Result<(), Setback> + Send + 'l,
    ) -> Self {
        let Self { link, statements: before } = self;
        if rows == 0 {
            return Self { link, statements: before };
        }
        let statements = Box::pin(async move {
            let this = async { judge(link.execute(statement, &parameters).await?) };
            // A statement is sent when its future is first polled, so the ones before come first. All are waited for: after
            // one that fails the server refuses the rest, and which answer is seen first would be chance.
            let (before, this) = join(before, this).await;
            before.and(this)
        });
        Self { link, statements }
    }

    /// Sends all of them.
    ///
    /// # Errors
    /// The setback of the first statement that failed.
    pub(super) async fn done(self) -> Result<(), Setback> {
        self.statements.await
    }
}
