//! Opening the ledgers of many machines.

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use crossbeam::channel;
use tokio::{
    runtime::{Builder, Handle},
    sync::{Notify, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        address::{Address, Config},
        fault::Setback,
        house::House,
        link::Link,
        lock_keys::SERVING,
        pool::pool,
        schema::{OF_CAMPAIGN, exists, migrate, schema_of},
    },
    blocks::Block,
    committer::Committer,
    ledger::ReplicatedLedger,
    reads::Reader,
    standing::Standing,
    transaction::{Writer, WritingLink},
};
use crate::{
    clock::Clock,
    ledger::{
        Ledger,
        book::change::Tally,
        case::Case,
        fault::{OpenFault, StorageFault},
        local::take_directory,
        meters::Meters,
        proof::Digest,
        shelf::Engine,
    },
    schemes::Campaign,
    urn::Urn,
    vault::HouseKeys,
};

/// Interval in which the counts of other nodes are read.
const REFRESH: Duration = Duration::from_secs(2);

/// Interval in which the link that holds the lock of those who serve is looked at.
const SERVING_LOOK: Duration = Duration::from_secs(5);

/// The ledgers in one database.
pub struct ReplicatedEngine {
    address: Address,
    keys: Arc<HouseKeys>,
    urn: Arc<Urn<Case>>,
    clock: Clock,
    config: Config,
    runtime: Handle,
    /// Wakes the committers when somebody finds that the database takes no commits.
    alarm: Arc<Notify>,
    /// Ends the runtime of the links when it is dropped.
    _stop: tokio_util::sync::DropGuard,
    /// No second process may use the directory of this machine.
    _lock: File,
}

impl ReplicatedEngine {
    /// Locks the directory of this machine's own files, finds the primary, and looks at its settings.
    ///
    /// # Errors
    /// [`OpenFault`] with every fault of the settings, here and in the database.
    pub fn connect(
        directory: &Path,
        keys: Arc<HouseKeys>,
        urn: Arc<Urn<Case>>,
        clock: Clock,
        config: Config,
    ) -> Result<Self, OpenFault> {
        let lock = take_directory(directory)?;
        let address = Address::read(&config)
            .map_err(|faults| OpenFault::Database { what: faults.join("\n") })?;
        let stop = CancellationToken::new();
        let runtime = start_runtime(stop.clone())
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let engine = Self {
            address: address.clone(),
            keys,
            urn,
            clock,
            config,
            runtime,
            alarm: Arc::default(),
            _stop: stop.drop_guard(),
            _lock: lock,
        };
        engine.block_on(async move { Link::open(&address, None).await })?;
        Ok(engine)
    }

    /// What belongs to no campaign.
    ///
    /// # Errors
    /// [`OpenFault::Database`].
    pub fn house(&self) -> Result<House, OpenFault> {
        let (address, links_max) = (self.address.clone(), self.config.readers_max);
        let wait_max = Duration::from_millis(self.config.wait_ms_max);
        let (runtime, alarm) = (self.runtime.clone(), Arc::clone(&self.alarm));
        let house = self.block_on(House::open(address, runtime, links_max, wait_max))?;
        Ok(house.with_alarm(alarm))
    }

    /// Tells the other users of the database that this node serves, so that nobody moves the ledgers meanwhile.
    ///
    /// # Errors
    /// [`OpenFault::Database`] if somebody moves them.
    pub fn serve(&self) -> Result<(), OpenFault> {
        let address = self.address.clone();
        let held = self.block_on(async move { take_serving(&address).await })?;
        let Some(link) = held else {
            let what = "the ledgers are being moved: wait until sportello migrate has ended";
            return Err(OpenFault::Database { what: what.to_owned() });
        };
        self.runtime.spawn(keep_serving(self.address.clone(), link));
        Ok(())
    }

    /// Works on the runtime of the links while this thread waits.
    fn block_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Setback>> + Send + 'static,
    ) -> Result<T, OpenFault> {
        let (sender, answer) = channel::bounded(1);
        self.runtime.spawn(async move {
            let _gone = sender.send(work.await);
        });
        let stopped = |_| Setback::Away("its runtime has ended".to_owned());
        let done = answer.recv().map_err(stopped).flatten();
        done.map_err(|setback| OpenFault::Database { what: setback.to_string() })
    }
}

impl Engine for ReplicatedEngine {
    fn open(&self, campaign: Campaign) -> Result<Arc<dyn Ledger>, OpenFault> {
        let (address, keys) = (self.address.clone(), Arc::clone(&self.keys));
        let lease_ms = f64::from(self.config.lease_seconds) * 1000.0;
        let opened = self.block_on(async move {
            migrate(&address, &schema_of(campaign), OF_CAMPAIGN).await?;
            let writer =
                Writer { campaign, keys, node: register(&address, campaign).await?, lease_ms };
            let link = WritingLink::open(&address, &writer).await?;
            let is_ours = is_ours(&link.link, &writer.keys).await?;
            Ok((writer, link, is_ours))
        })?;
        let (writer, link, true) = opened else {
            return Err(OpenFault::OtherKey { path: schema_of(campaign).into() });
        };
        let pool = pool(&self.address, &schema_of(campaign), self.config.readers_max, false)
            .map_err(|setback| OpenFault::Database { what: setback.to_string() })?;
        let reader = Arc::new(Reader {
            campaign,
            keys: Arc::clone(&self.keys),
            node: writer.node,
            pool,
            lease_ms,
            durable: Mutex::default(),
        });
        let standing = Arc::new(Standing::new(campaign));
        let (messages, received) = mpsc::channel(self.config.commit.queue_messages_max);
        let committer = Committer {
            config: self.config.commit,
            wait_max: Duration::from_millis(self.config.wait_ms_max),
            address: self.address.clone(),
            writer,
            link: Some(link),
            block: Block::default(),
            urn: self.config.decides.then(|| Arc::clone(&self.urn)),
            messages: received,
            standing: Arc::clone(&standing),
            clock: self.clock.clone(),
            meters: Meters::resumed(campaign, Tally::default()),
            is_away: false,
            alarm: Arc::clone(&self.alarm),
        };
        let (ended, committer_ended) = channel::bounded::<()>(0);
        self.runtime.spawn(async move {
            committer.run().await;
            drop(ended);
        });
        let refresher = self.runtime.spawn(refresh(Arc::clone(&reader), Arc::clone(&standing)));
        Ok(Arc::new(ReplicatedLedger {
            reader,
            standing,
            messages,
            wait_max: Duration::from_millis(self.config.wait_ms_max),
            runtime: self.runtime.clone(),
            committer: committer_ended,
            refresher,
        }))
    }

    fn holds(&self, campaign: Campaign) -> bool {
        let address = self.address.clone();
        // Asked again by the chore that opens campaigns.
        self.block_on(async move { exists(&address, campaign).await }).unwrap_or(false)
    }
}

/// A link that holds a share of [`SERVING`]; `None` if somebody has it for themselves alone.
async fn take_serving(address: &Address) -> Result<Option<Link>, Setback> {
    let link = Link::open(address, None).await?;
    let row = link.query_one("SELECT pg_try_advisory_lock_shared($1)", &[&SERVING]).await?;
    Ok(row.try_get::<_, bool>(0)?.then_some(link))
}

/// Takes the share again on the primary of the day when the link has ended.
async fn keep_serving(address: Address, link: Link) {
    let mut held = Some(link);
    loop {
        sleep(SERVING_LOOK).await;
        if held.as_ref().is_some_and(|link| !link.is_closed()) {
            continue;
        }
        held = take_serving(&address).await.unwrap_or_else(|setback| {
            tracing::debug!(%setback, "the lock of those who serve is not held");
            None
        });
    }
}

/// Adds the row of this node.
pub(in super::super) async fn register(
    address: &Address,
    campaign: Campaign,
) -> Result<i32, Setback> {
    let link = Link::open(address, Some(&schema_of(campaign))).await?;
    let none = Digest::default();
    let add = link.prepare("INSERT INTO nodes (root) VALUES ($1) RETURNING node").await?;
    let row = link.durably(link.query_one(&add, &[&none.as_slice()])).await?;
    Ok(row.try_get(0)?)
}

/// Whether these keys signed the ledger. With other keys no claim would match, and people could apply twice.
pub(in super::super) async fn is_ours(link: &Link, keys: &HouseKeys) -> Result<bool, Setback> {
    // The newest node that wrote: both tables are read by their primary keys.
    let last = "SELECT b.root, b.signature FROM nodes n JOIN batches b ON b.node = n.node AND b.number = n.batches \
        WHERE n.batches > 0 ORDER BY n.node DESC LIMIT 1";
    let Some(row) = link.query_opt(last, &[]).await? else { return Ok(true) };
    let root: &[u8] = row.try_get(0)?;
    let root: Digest = root.try_into().map_err(|_| StorageFault::Damaged)?;
    Ok(keys.has_signed(&root, row.try_get(1)?))
}

/// Keeps the counts of the other nodes.
async fn refresh(reader: Arc<Reader>, standing: Arc<Standing>) {
    loop {
        match reader.others().await {
            Ok(others) => standing.set_others(others),
            Err(setback) => tracing::debug!(%setback, "the counts of other nodes cannot be read"),
        }
        sleep(REFRESH).await;
    }
}

/// A thread for all links: they wait, and hardly ever work.
pub(in super::super) fn start_runtime(stop: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || runtime.block_on(stop.cancelled()))?;
    Ok(handle)
}
