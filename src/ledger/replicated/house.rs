//! What belongs to no campaign, in a schema of its own: one pool of links, and how its stores use it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crossbeam::channel;
use deadpool::managed::{Object, Pool};
use futures_util::future::BoxFuture;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_postgres::{Row, Statement, types::ToSql};

use super::{
    address::Address,
    fault::Setback,
    link::Link,
    pool::{Prepared, Primary, pool, take},
    schema::{HOUSE, OF_HOUSE, migrate},
};

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A way to the tables of what belongs to no campaign. Clones share their links.
#[derive(Clone)]
pub struct House {
    runtime: Handle,
    pool: Pool<Primary<HouseLink>>,
    wait_max: Duration,
    alarm: Arc<Notify>,
}

/// A link to these tables. A statement is prepared when it is used for the first time.
pub(super) struct HouseLink {
    link: Link,
    prepared: Mutex<HashMap<&'static str, Statement>>,
}

impl House {
    /// Brings the tables up to date. At most `links_max` links are open; work takes at most `wait_max`.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn open(
        address: Address,
        runtime: Handle,
        links_max: usize,
        wait_max: Duration,
    ) -> Result<Self, Setback> {
        migrate(&address, HOUSE, OF_HOUSE).await?;
        let pool = pool(&address, HOUSE, links_max, false)?;
        Ok(Self { runtime, pool, wait_max, alarm: Arc::default() })
    }

    /// With this alarm, which committers hear.
    pub(super) fn with_alarm(self, alarm: Arc<Notify>) -> Self {
        Self { alarm, ..self }
    }

    /// Tells the committers, who may have nothing to write, that the database takes no commits.
    pub(super) fn raise_alarm(&self) {
        self.alarm.notify_waiters();
    }

    /// For a command that only reads, whatever the settings of the primary; `None` if there are no tables.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn open_to_read(
        address: Address,
        runtime: Handle,
        wait_max: Duration,
    ) -> Result<Option<Self>, Setback> {
        let link = Link::open_to_read(&address, None).await?;
        let row = link.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&HOUSE]).await?;
        let is_there: bool = row.try_get(0)?;
        let house = || {
            let pool = pool(&address, HOUSE, 1, true)?;
            Ok(Self { runtime, pool, wait_max, alarm: Arc::default() })
        };
        is_there.then(house).transpose()
    }

    /// The runtime of the links, for tasks that use them.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Time that work takes at most.
    pub(super) fn wait_max(&self) -> Duration {
        self.wait_max
    }

    /// Does `work` on a link, on the runtime of the links: it goes on if the returned future is dropped.
    ///
    /// # Errors
    /// [`Setback`]. What was to be committed may have been: do it again only if that changes nothing.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        work: impl for<'l> FnOnce(&'l HouseLink) -> BoxFuture<'l, Result<T, Setback>> + Send + 'static,
    ) -> Result<T, Setback> {
        let (reply, answer) = oneshot::channel();
        let (pool, wait_max) = (self.pool.clone(), self.wait_max);
        self.runtime.spawn(async move {
            let _gone = reply.send(within(wait_max, on_a_link(&pool, work)).await);
        });
        answer.await.map_err(|_| ended()).flatten()
    }

    /// As [`with`](Self::with), while this thread waits. Never on a thread of a runtime.
    ///
    /// # Errors
    /// As for [`with`](Self::with).
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        work: impl for<'l> FnOnce(&'l HouseLink) -> BoxFuture<'l, Result<T, Setback>> + Send + 'static,
    ) -> Result<T, Setback> {
        self.block_on(|house| async move { on_a_link(&house.pool, work).await })
    }

    /// Works on the runtime of the links while this thread waits. Never on a thread of a runtime.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) fn block_on<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Self) -> F,
    ) -> Result<T, Setback>
    where
        F: Future<Output = Result<T, Setback>> + Send + 'static,
    {
        let (reply, answer) = channel::bounded(1);
        let (work, wait_max) = (work(self.clone()), self.wait_max);
        self.runtime.spawn(async move {
            let _gone = reply.send(within(wait_max, work).await);
        });
        answer.recv().map_err(|_| ended()).flatten()
    }

    /// A link of its own, outside of the pool.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn own_link(&self) -> Result<HouseLink, Setback> {
        take(&self.pool).await.map(Object::take)
    }
}

fn ended() -> Setback {
    Setback::Away("its runtime has ended".to_owned())
}

async fn within<T>(
    wait_max: Duration,
    work: impl Future<Output = Result<T, Setback>>,
) -> Result<T, Setback> {
    let late = |_| Setback::Away("the database did not answer in time".to_owned());
    timeout(wait_max, work).await.map_err(late).flatten()
}

async fn on_a_link<T>(
    pool: &Pool<Primary<HouseLink>>,
    work: impl for<'l> FnOnce(&'l HouseLink) -> BoxFuture<'l, Result<T, Setback>>,
) -> Result<T, Setback> {
    let mut lent = Lent(Some(take(pool).await?));
    let done = work(lent.0.as_ref().expect("it was lent above")).await?;
    // Nothing is under way on it.
    drop(lent.0.take());
    Ok(done)
}

/// A link that does not go back into its pool when this is dropped: it may be in the middle of something.
struct Lent(Option<Object<Primary<HouseLink>>>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

impl HouseLink {
    /// What a statement returns.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn rows(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Setback> {
        Ok(self.link.query(&self.statement(sql).await?, parameters).await?)
    }

    /// The number of rows that a statement of a transaction changed.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn change(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<u64, Setback> {
        Ok(self.link.execute(&self.statement(sql).await?, parameters).await?)
    }

    /// Executes a statement that is a transaction of its own, and returns its rows once a majority of servers has what it
    /// wrote. If it wrote nothing, nothing is waited for: what it read may be lost in a failover.
    ///
    /// # Errors
    /// After any setback what it did is unknown.
    pub(super) async fn durably(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Setback> {
        let statement = self.statement(sql).await?;
        self.link.durably(self.link.query(&statement, parameters)).await
    }

    /// Begins a transaction. Drop the link to roll it back.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn begin(&self) -> Result<(), Setback> {
        Ok(self.link.batch_execute("BEGIN").await?)
    }

    /// Commits it; returns once a majority of servers has it.
    ///
    /// # Errors
    /// After any setback the commit is unknown.
    pub(super) async fn commit(&self) -> Result<(), Setback> {
        self.link.commit().await
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Setback> {
        if let Some(known) = self.prepared().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.link.prepare(sql).await?;
        self.prepared().insert(sql, statement.clone());
        Ok(statement)
    }

    fn prepared(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared for HouseLink {
    async fn prepare(link: Link) -> Result<Self, Setback> {
        Ok(Self { link, prepared: Mutex::default() })
    }

    fn link(&self) -> &Link {
        &self.link
    }
}
