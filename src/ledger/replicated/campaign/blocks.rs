//! Positions that this node has reserved. What is reserved and never written leaves a gap, which nobody sees.

use super::{
    super::{fault::Setback, link::Link},
    statements::Writing,
};
use crate::ledger::{fault::StorageFault, position::Position};

/// Positions reserved together: some seconds of a surge, and a few thousand restarts before one in a thousand is lost.
const BLOCK_POSITIONS: i64 = 4096;

/// The rest of the block that this node reserved last.
#[derive(Default)]
pub(in super::super) struct Block {
    next: i64,
    end: i64,
}

impl Block {
    /// The first of `count` adjacent positions that nobody else will ever use. They are taken with [`take`](Self::take).
    ///
    /// # Errors
    /// [`Setback`]: nothing was reserved, or nobody knows; it will not be used. [`StorageFault::Full`] if there are no more.
    pub(super) async fn first_of(
        &mut self,
        count: usize,
        link: &Link,
        statements: &Writing,
    ) -> Result<Position, Setback> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if self.end - self.next < count {
            let wanted = count.max(BLOCK_POSITIONS);
            // Durable before the first of them is used: after a failover the next primary must not give them away again.
            let reserved = link.durably(link.query_one(&statements.reserve, &[&wanted])).await?;
            let next: i64 = reserved.try_get(0)?;
            *self = Self { next, end: next.saturating_add(wanted).min(i64::from(u32::MAX)) };
            if self.end - self.next < count {
                return Err(Setback::Storage(StorageFault::Full));
            }
        }
        let first = u32::try_from(self.next).map_err(|_| StorageFault::Full)?;
        Ok(Position(first))
    }

    /// Marks the next `count` positions as used by a durable batch.
    pub(super) fn take(&mut self, count: usize) {
        self.next = self.next.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Drops the rest: a batch whose outcome was left unknown may have used some of it.
    pub(super) fn drop_rest(&mut self) {
        *self = Self::default();
    }
}
