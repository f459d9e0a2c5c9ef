//! A connection to one server, whose warnings are kept.

use std::{
    future::poll_fn,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use cluster::Access;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    AsyncMessage, Client,
    config::{SslMode, TargetSessionAttrs},
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Longest time to connect to a server: one that is paused accepts and says nothing.
const CONNECT_MAX: Duration = Duration::from_millis(1500);

pub(crate) struct Session {
    pub(crate) client: Client,
    /// The server's process for it.
    pub(crate) pid: i32,
    warnings: Arc<Mutex<Vec<String>>>,
    connection: JoinHandle<()>,
}

impl Session {
    /// Connects to one server, whatever it is.
    pub(crate) async fn open(access: &Access, to: Ipv4Addr) -> Result<Self, String> {
        Self::connect(access, to, TargetSessionAttrs::Any).await
    }

    /// Connects to one server if it says that it is a primary.
    pub(crate) async fn open_primary(access: &Access, to: Ipv4Addr) -> Result<Self, String> {
        Self::connect(access, to, TargetSessionAttrs::ReadWrite).await
    }

    async fn connect(
        access: &Access,
        to: Ipv4Addr,
        attributes: TargetSessionAttrs,
    ) -> Result<Self, String> {
        let opened = tokio::time::timeout(CONNECT_MAX, Self::handshake(access, to, attributes));
        opened.await.unwrap_or_else(|_| Err(format!("{to} does not answer")))
    }

    async fn handshake(
        access: &Access,
        to: Ipv4Addr,
        attributes: TargetSessionAttrs,
    ) -> Result<Self, String> {
        let mut config = tokio_postgres::Config::new();
        config.host(to.to_string()).port(access.port).user(&access.user);
        config.password(&access.password).dbname(&access.database);
        config.ssl_mode(SslMode::Require).target_session_attrs(attributes);
        let (client, mut connection) = config
            .connect(trusting(&access.authority))
            .await
            .map_err(|fault| format!("{fault:?}"))?;
        let warnings = Arc::default();
        let kept: Arc<Mutex<Vec<String>>> = Arc::clone(&warnings);
        let connection = tokio::spawn(async move {
            // A warning is read before the answer that it belongs to, and kept before that is passed on.
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message
                    && notice.severity() == "WARNING"
                {
                    kept.lock().unwrap().push(notice.message().to_owned());
                }
            }
        });
        let mut session = Self { client, pid: 0, warnings, connection };
        let pid = session.client.query_one("SELECT pg_backend_pid()", &[]).await;
        session.pid = pid.map_err(|fault| format!("{fault:?}"))?.get(0);
        Ok(session)
    }

    /// The warnings so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }

    /// The first column of all rows, as text.
    pub(crate) async fn column(&self, statement: &str) -> Vec<String> {
        let rows = self.client.query(statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The server sees a closed connection; nothing is cancelled.
        self.connection.abort();
    }
}

fn trusting(authority: &str) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}
