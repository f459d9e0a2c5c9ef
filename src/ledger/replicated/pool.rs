//! Pools of a few links.

use std::{marker::PhantomData, time::Duration};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Pool, RecycleError, RecycleResult, Timeouts},
};

use super::{address::Address, fault::Setback, link::Link};

/// Time that a reader waits for a link: longer than a failover manager needs to be worth waiting for, short enough to tell a
/// person to come back.
const WAIT: Duration = Duration::from_secs(5);

/// A link with what it is used for.
pub(super) trait Prepared: Sized + Send {
    /// Prepares a link.
    fn prepare(link: Link) -> impl Future<Output = Result<Self, Setback>> + Send;

    /// The link.
    fn link(&self) -> &Link;
}

/// Opens links to the primary.
pub(super) struct Primary<L> {
    address: Address,
    schema: String,
    /// Nothing is committed on its links, so the settings of the primary do not matter.
    reads_only: bool,
    kind: PhantomData<fn() -> L>,
}

impl<L: Prepared> managed::Manager for Primary<L> {
    type Type = L;
    type Error = Setback;

    async fn create(&self) -> Result<L, Setback> {
        let schema = Some(&*self.schema);
        L::prepare(if self.reads_only {
            Link::open_to_read(&self.address, schema).await?
        } else {
            Link::open(&self.address, schema).await?
        })
        .await
    }

    async fn recycle(&self, link: &mut L, _: &Metrics) -> RecycleResult<Setback> {
        if link.link().is_closed() { Err(RecycleError::message("closed")) } else { Ok(()) }
    }
}

/// A pool of at most `links_max` links. `reads_only`: nothing is committed on them.
///
/// # Errors
/// [`Setback::Away`] if it cannot be made.
pub(super) fn pool<L: Prepared>(
    address: &Address,
    schema: &str,
    links_max: usize,
    reads_only: bool,
) -> Result<Pool<Primary<L>>, Setback> {
    let (address, schema) = (address.clone(), schema.to_owned());
    let primary = Primary { address, schema, reads_only, kind: PhantomData };
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
pub(super) async fn take<L: Prepared>(
    pool: &Pool<Primary<L>>,
) -> Result<managed::Object<Primary<L>>, Setback> {
    pool.get().await.map_err(|fault| match fault {
        managed::PoolError::Backend(setback) => setback,
        other => Setback::Away(other.to_string()),
    })
}
