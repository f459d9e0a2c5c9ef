//! A few links that read.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{self, Metrics, Pool, RecycleError, RecycleResult, Timeouts},
};

use super::{address::Address, fault::Setback, link::Link, statements::Reading};

/// Time that a reader waits for a link: longer than a failover manager needs to be worth waiting for, short enough to tell a
/// person to come back.
const WAIT: Duration = Duration::from_secs(5);

/// A link that reads.
pub(super) struct ReadingLink {
    pub(super) link: Link,
    pub(super) statements: Reading,
}

/// Opens links to the primary.
pub(super) struct Primary {
    pub(super) address: Address,
    pub(super) schema: String,
}

impl managed::Manager for Primary {
    type Type = ReadingLink;
    type Error = Setback;

    async fn create(&self) -> Result<ReadingLink, Setback> {
        let link = Link::open(&self.address, Some(&self.schema)).await?;
        let statements = Reading::prepare(&link).await?;
        Ok(ReadingLink { link, statements })
    }

    async fn recycle(&self, link: &mut ReadingLink, _: &Metrics) -> RecycleResult<Setback> {
        if link.link.is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

/// A pool of at most `links_max` links.
///
/// # Errors
/// [`Setback::Away`] if it cannot be made.
pub(super) fn pool(primary: Primary, links_max: usize) -> Result<Pool<Primary>, Setback> {
    let builder = Pool::builder(primary)
        .max_size(links_max)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: None });
    builder.build().map_err(|fault| Setback::Away(fault.to_string()))
}

/// A link from the pool.
///
/// # Errors
/// [`Setback`].
pub(super) async fn take(pool: &Pool<Primary>) -> Result<managed::Object<Primary>, Setback> {
    pool.get().await.map_err(|fault| match fault {
        managed::PoolError::Backend(setback) => setback,
        other => Setback::Away(other.to_string()),
    })
}
