//! A connection to the primary whose settings were found to make commits durable.

use std::{
    future::poll_fn,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, Client, Config as Target, Connection, NoTls, Statement, error::Severity,
};

use super::{
    address::{Address, CONNECT},
    fault::{Setback, with_causes},
    guard::{self, Durability},
};

/// Time to find the primary among all servers and to prepare a link.
const OPEN: Duration = Duration::from_secs(10);
/// Settings of each session. A lock is held by a transaction whose outcome is not known yet, or by a node that was stopped
/// in the middle of one: neither may keep others for long. The last line ends what a lost client asked for.
const SESSION: &str = "SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '10s'; \
     SET client_connection_check_interval = '2s'";
/// Every statement finds few rows by an index, also in a table that grows from nothing to millions before anybody counts
/// its rows. Without these the server expects many rows of such a table: it compiles a plan or starts workers for each
/// batch, which took eight times the CPU of everything else.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off; \
     SET max_parallel_workers_per_gather = 0";

/// The same for a command: it may wait for whoever reads its output.
pub(super) const UNHURRIED: &str = "SET idle_in_transaction_session_timeout = '1h'";

/// A link to the primary. Drop it after any setback but [`Setback::Raced`]: its session may be in the middle of something.
pub(super) struct Link {
    client: Client,
    /// Warnings that the server sent so far. The one that matters says that a commit did not wait for its standbys; its text
    /// may be in any language, so every warning counts.
    warnings: Arc<AtomicU64>,
    _driver: Driver,
    /// How many servers the cluster has, as far as its address tells.
    servers: usize,
    /// Looks at the settings of the primary.
    look: Statement,
}

/// The task that moves the bytes; it ends with the link.
struct Driver(JoinHandle<()>);

impl Link {
    /// Finds the primary, connects, and looks at its settings. `schema`: where the tables are.
    ///
    /// # Errors
    /// [`Setback::Away`], or [`Setback::Unsafe`] with every wrong setting.
    pub(super) async fn open(address: &Address, schema: Option<&str>) -> Result<Self, Setback> {
        let opening = async {
            let link = Self::connect(address).await?;
            if let Some(schema) = schema {
                link.batch_execute(&format!("SET search_path TO {schema}")).await?;
            }
            link.look().await?;
            Ok(link)
        };
        let late = |_| Setback::Away("no server answered as the primary in time".to_owned());
        timeout(OPEN, opening).await.map_err(late)?
    }

    /// Connects to the primary for a command that reads at its own pace. Its settings are not looked at: what is restored is
    /// verified before anything follows it.
    ///
    /// # Errors
    /// [`Setback::Away`].
    pub(super) async fn open_to_read(
        address: &Address,
        schema: Option<&str>,
    ) -> Result<Self, Setback> {
        let opening = async {
            let link = Self::connect(address).await?;
            link.batch_execute(UNHURRIED).await?;
            if let Some(schema) = schema {
                link.batch_execute(&format!("SET search_path TO {schema}")).await?;
            }
            Ok(link)
        };
        let late = |_| Setback::Away("no server answered as the primary in time".to_owned());
        timeout(OPEN, opening).await.map_err(late)?
    }

    /// Asks all servers at once: only the primary takes writes, and one that hangs holds up nobody.
    async fn connect(address: &Address) -> Result<Self, Setback> {
        let asked = address.servers.iter().map(|server| {
            Box::pin(async {
                let late = |_| Setback::Away("a server did not answer in time".to_owned());
                timeout(CONNECT, Self::connect_to(server, address)).await.map_err(late).flatten()
            })
        });
        Ok(future::select_ok(asked).await?.0)
    }

    async fn connect_to(server: &Target, address: &Address) -> Result<Self, Setback> {
        let warnings = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&warnings);
        let (client, driver) = if let Some(tls) = &address.tls {
            let (client, connection) = server.connect(tls.clone()).await?;
            (client, tokio::spawn(drive(connection, seen)))
        } else {
            let (client, connection) = server.connect(NoTls).await?;
            (client, tokio::spawn(drive(connection, seen)))
        };
        let driver = Driver(driver);
        client.batch_execute(&format!("{SESSION}; {PLANS}")).await?;
        let look = client.prepare(&format!("SELECT {}", guard::COLUMNS)).await?;
        let servers = address.servers.len();
        Ok(Self { client, warnings, _driver: driver, servers, look })
    }

    /// Looks at the settings of the primary.
    ///
    /// # Errors
    /// [`Setback::Unsafe`].
    async fn look(&self) -> Result<(), Setback> {
        let row = self.query_one(&self.look, &[]).await?;
        self.check(&Durability::read(&row)?)
    }

    /// Whether a commit is durable under these settings.
    ///
    /// # Errors
    /// [`Setback::Unsafe`].
    pub(super) fn check(&self, settings: &Durability) -> Result<(), Setback> {
        let faults = settings.faults(self.servers);
        if faults.is_empty() { Ok(()) } else { Err(Setback::Unsafe(faults)) }
    }

    /// Commits the transaction, and returns once a majority has it on disk.
    ///
    /// # Errors
    /// After any setback the commit is unknown.
    pub(super) async fn commit(&self) -> Result<(), Setback> {
        self.durably(self.batch_execute("COMMIT")).await
    }

    /// Waits for a statement that commits. The settings are looked at after it, in the same round trip, because the list of
    /// standbys may have been emptied since the transaction looked.
    ///
    /// # Errors
    /// After any setback what it did is unknown.
    pub(super) async fn durably<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Setback> {
        let before = self.warnings.load(Ordering::Acquire);
        let (done, sound) = future::join(statement, self.look()).await;
        let done = done?;
        sound?;
        if self.warnings.load(Ordering::Acquire) != before {
            return Err(Setback::Away("the server did not wait for its standbys".to_owned()));
        }
        Ok(done)
    }
}

impl Link {
    /// The client itself, for what needs it for itself alone.
    pub(super) fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Deref for Link {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Moves bytes between the client and the server until either ends, and counts the server's warnings. A warning is counted
/// before the answer that follows it is handed on.
async fn drive<S, T>(mut connection: Connection<S, T>, warnings: Arc<AtomicU64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                // A server that does not say how severe it is gets no benefit of the doubt.
                let is_harmless = matches!(
                    notice.parsed_severity(),
                    Some(Severity::Notice | Severity::Info | Severity::Log | Severity::Debug)
                );
                if !is_harmless {
                    warnings.fetch_add(1, Ordering::AcqRel);
                    let (code, message) = (notice.code().code(), notice.message());
                    tracing::warn!(code, message, "the database warned");
                }
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::debug!(fault = %with_causes(&fault), "a connection to the database ended");
                return;
            }
        }
    }
}
