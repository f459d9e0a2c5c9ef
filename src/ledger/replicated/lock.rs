//! A lock that one node at a time holds, as long as its connection to the primary lasts.
//!
//! After a failover the lock of the old primary is gone, and whoever asks first has it. A node that was cut off may believe for
//! a while that it has it still: what it does meanwhile must fail by itself, or do no harm.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    fault::Setback,
    house::{House, HouseLink},
};

/// Time that a primary may take to show that the connection lasts.
const ANSWER: Duration = Duration::from_secs(3);

/// A lock, held or not.
pub(super) struct Lock {
    house: House,
    key: i64,
    /// The connection that holds it.
    held: Option<HouseLink>,
}

impl Lock {
    /// Not held. `key`: of the advisory lock.
    pub(super) fn new(house: House, key: i64) -> Self {
        Self { house, key, held: None }
    }

    /// Whether this node holds it; takes it if nobody does. Waits for the database; never on a thread of a runtime.
    pub(super) fn is_held(&mut self) -> bool {
        let (key, held) = (self.key, self.held.take());
        self.held = self
            .house
            .block_on(move |house| async move {
                if let Some(link) = held
                    && timeout(ANSWER, link.rows("SELECT 1", &[]))
                        .await
                        .is_ok_and(|rows| rows.is_ok())
                {
                    return Ok(Some(link));
                }
                let link = house.own_link().await?;
                let row = link.rows("SELECT pg_try_advisory_lock($1)", &[&key]).await?;
                let is_free = row.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
                Ok::<_, Setback>(is_free.then_some(link))
            })
            .unwrap_or_default();
        self.held.is_some()
    }
}
