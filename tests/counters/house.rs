//! Three counters on a cluster of PostgreSQL, with one secret, and one issuer of identities that all trust.

use std::{fs, path::Path, sync::Arc};

use cluster::{Cluster, Fault, Setup};
use sportello::{
    civic::FiscalCode,
    clock::{Clock, Stopwatch},
    identity::{Assurance, demo::Minter},
    private_files::write_private,
};
use tempfile::TempDir;

use crate::{
    client::Client,
    counter::{Counter, Shared},
};

/// Counters.
pub(crate) const COUNTERS: usize = 3;
/// Index of the first counter's host in the network; those of the servers are lower.
const FIRST_HOST: u8 = 10;

/// What people need to reach the counters.
pub(crate) struct Door {
    /// `https://address:port` of each.
    urls: [String; COUNTERS],
    pub(crate) client: Client,
    minter: Minter,
}

impl Door {
    pub(crate) fn url(&self, at: usize) -> &str {
        &self.urls[at]
    }

    /// A new identity token.
    pub(crate) fn identity(&self, code: &FiscalCode) -> String {
        self.minter.mint(code, None, Assurance::Level2, Clock::system().real())
    }
}

/// Servers and counters; everything ends with it.
pub(crate) struct House {
    // In the order in which they must be dropped.
    pub(crate) counters: [Counter; COUNTERS],
    pub(crate) cluster: Cluster,
    pub(crate) door: Arc<Door>,
    place: TempDir,
}

impl House {
    /// Starts the servers, then one counter after the other. `settings`: further lines of their file, in TOML.
    pub(crate) fn open(setup: Setup, settings: &str) -> Result<Self, Fault> {
        let cluster = Cluster::open(setup)?;
        let place = tempfile::Builder::new().prefix("sportello-counters-").tempdir().unwrap();
        let access = cluster.access();
        write_private(&place.path().join("password"), access.password.as_bytes()).unwrap();
        fs::write(place.path().join("authority.crt"), &access.authority).unwrap();
        let keys = place.path().join("identities");
        fs::create_dir(&keys).unwrap();
        let minter = Minter::load_or_create(&keys).unwrap();
        let servers: Vec<_> =
            access.addresses.iter().map(|address| format!("{address}:{}", access.port)).collect();
        let shared = Arc::new(Shared {
            place: place.path().to_owned(),
            database: format!(
                "postgres://{}@{}/{}",
                access.user,
                servers.join(","),
                access.database
            ),
            settings: settings.to_owned(),
            begun: Stopwatch::start(),
        });
        let mut made = Vec::new();
        for (index, name) in (FIRST_HOST..).zip(["one", "two", "three"]) {
            let host = cluster.network().host(index)?;
            let certificate = cluster.certify(host.address())?;
            let mut counter = Counter::new(name, host, Arc::clone(&shared), &certificate);
            counter.take_keys_from(&keys);
            // The first one makes the secret of all.
            counter.start();
            made.push(counter);
        }
        let counters: [Counter; COUNTERS] =
            made.try_into().unwrap_or_else(|_| panic!("there are {COUNTERS} names"));
        let urls = counters.each_ref().map(Counter::url);
        let client = Client::trusting(&access.authority);
        cluster.tell("three counters are ready");
        Ok(Self { counters, cluster, door: Arc::new(Door { urls, client, minter }), place })
    }

    /// A directory for what a test writes.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    /// Drops packets from every server of the database to a counter, and those that it sends to them.
    pub(crate) fn cut_off(&self, at: usize, hears_nothing: bool, is_not_heard: bool) {
        let host = self.counters[at].host();
        for name in ["a", "b", "c"] {
            let server = self.cluster.node(name).host();
            if hears_nothing {
                host.drop_from(server).unwrap();
            }
            if is_not_heard {
                server.drop_from(host).unwrap();
            }
        }
    }

    /// Ends every partition.
    pub(crate) fn heal(&self) {
        self.cluster.heal().unwrap();
        self.counters.iter().for_each(|counter| counter.host().heal().unwrap());
    }

    /// Rows of a statement at the primary, as lines; in the database of the counters.
    pub(crate) fn sql(&self, primary: &str, statement: &str) -> String {
        // The kit's connections are to the database `postgres`.
        self.cluster.node(primary).sql_in("sportello", statement).unwrap()
    }
}
