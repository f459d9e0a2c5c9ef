//! Three servers: a primary, and two standbys of which one must have every commit.

use std::{fmt, net::Ipv4Addr, time::Duration};

use crate::{
    Fault, Network, Node,
    authority::Authority,
    clock,
    network::report,
    node::{DATA_MAX, PORT},
    process::{run, tool, until},
};

/// The names of the servers.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];
/// Longest time for a standby to find its primary and stream from it.
const STREAMING_MAX: Duration = Duration::from_secs(40);
/// The role and the networks of the shipped configuration.
const USER: &str = "sportello";
const NETWORKS: [&str; 2] = ["192.0.2.0/24", "198.51.100.0/24"];
const DATABASE: &str = "sportello";
const REPLICATOR: &str = "replicator";

/// What operators are given: the servers of these tests run with it.
const SETTINGS: &str = include_str!("../../../deploy/postgresql/sportello.conf");
const RULES: &str = include_str!("../../../deploy/postgresql/pg_hba.conf");
const REPLICATION: &str = include_str!("../../../deploy/postgresql/replication.sql");
const ROLES: &str = include_str!("../../../deploy/postgresql/roles.sql");
const MAKE_DATABASE: &str = include_str!("../../../deploy/postgresql/database.sql");
/// What differs, because disks and memory of tests are small.
const SMALL: [(&str, &str); 4] = [
    ("wal_keep_size", "128MB"),
    ("max_wal_size", "128MB"),
    ("min_wal_size", "48MB"),
    ("shared_buffers", "32MB"),
];
/// What differs on machines as in service: their memory, a quarter of which is usual.
const LARGE: [(&str, &str); 1] = [("shared_buffers", "2GB")];

/// What a cluster is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// Size of an ext4 file system for each server, which can be filled and cut off; without, data are in files.
    pub disk_mib: Option<u64>,
    /// Memory and WAL as in service, not as small as tests get by with: for measurements.
    pub is_large: bool,
}

/// What a client needs to connect.
#[derive(Clone, Debug)]
pub struct Access {
    /// The addresses of all servers.
    pub addresses: Vec<Ipv4Addr>,
    /// The port of each.
    pub port: u16,
    /// The user, who owns the database.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The database.
    pub database: String,
    /// The certificate that signed those of the servers, PEM.
    pub authority: String,
}

/// The servers, with everything that was made for them; removed when dropped.
pub struct Cluster {
    // In the order in which they must be dropped.
    nodes: Vec<Node>,
    network: Network,
    place: tempfile::TempDir,
    authority: Authority,
    password: String,
    begun: std::time::Instant,
}

impl Cluster {
    /// Makes and starts a cluster whose first server is the primary, and waits until both standbys stream.
    ///
    /// # Errors
    ///
    /// Without the rights of the superuser, PostgreSQL, iproute2 or nftables.
    pub fn open(setup: Setup) -> Result<Self, Fault> {
        let place = tempfile::Builder::new().prefix("sportello-cluster-").tempdir();
        let mut cluster = Self {
            nodes: Vec::new(),
            network: Network::open()?,
            place: place.map_err(Fault::io("temporary directory"))?,
            authority: Authority::make()?,
            password: (0..24).map(|_| fastrand::alphanumeric()).collect(),
            begun: clock::now(),
        };
        // The directory is the superuser's alone; PostgreSQL must pass through it.
        tool("chmod", &["755", &cluster.place.path().to_string_lossy()])?;
        for (index, name) in (0..).zip(NAMES) {
            let place = cluster.place.path().join(name);
            let node = Node::new(name, cluster.network.host(index)?, place, setup.disk_mib)?;
            cluster.nodes.push(node);
            cluster.configure(name, setup.is_large)?;
        }
        cluster.initialize()?;
        cluster.tell("three servers, the primary is a");
        Ok(cluster)
    }

    /// Certificate, rules of access and settings of one server.
    fn configure(&mut self, name: &str, is_large: bool) -> Result<(), Fault> {
        let range = self.network.range();
        let place = self.node(name).place().display().to_string();
        let data = self.node(name).data().display().to_string();
        let address = self.node(name).host().address();
        let (certificate, key) = self.authority.sign(address)?;
        let node = self.node(name);
        node.write("server.crt", &certificate)?;
        node.write("server.key", &key)?;
        node.write("authority.crt", &self.authority.certificate)?;
        node.write("pg_ident.conf", "")?;
        node.write("sportello.conf", SETTINGS)?;
        node.write(
            "pg_hba.conf",
            &NETWORKS.iter().fold(RULES.to_owned(), |rules, network| {
                assert!(rules.contains(network), "no {network} in what is shipped");
                rules.replace(network, &range)
            }),
        )?;
        let others: Vec<_> = NAMES.into_iter().filter(|other| *other != name).collect();
        let settings = [
            ("data_directory", data),
            ("hba_file", format!("{place}/pg_hba.conf")),
            ("ident_file", format!("{place}/pg_ident.conf")),
            ("listen_addresses", address.to_string()),
            ("port", PORT.to_string()),
            ("unix_socket_directories", place.clone()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", format!("{place}/server.crt")),
            ("ssl_key_file", format!("{place}/server.key")),
            ("synchronous_standby_names", format!("ANY 1 ({})", others.join(", "))),
            ("lc_messages", "C".to_owned()),
        ];
        let node = self.node_mut(name);
        node.prepare(&settings)?;
        let size: &[_] = if is_large { &LARGE } else { &SMALL };
        let size: Vec<_> = size.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        node.prepare(&size)
    }

    /// Makes the first data directory, copies it to the others, and starts all.
    fn initialize(&mut self) -> Result<(), Fault> {
        let (first, standbys) = (NAMES[0], &NAMES[1..]);
        let data = self.node(first).data().display().to_string();
        let mut initdb = self.node(first).as_postgres("initdb");
        initdb.args(["--no-sync", "--data-checksums", "-E", "UTF8", "--locale=C.UTF-8"]);
        run(initdb.args(["--auth=peer", "-U", "postgres", "-D", &data]), DATA_MAX)?;
        for name in standbys {
            let copy = self.node(name).data().display().to_string();
            run(
                std::process::Command::new("cp").args(["-a", &format!("{data}/."), &copy]),
                DATA_MAX,
            )?;
            self.make_standby(name, first)?;
        }
        for node in &self.nodes {
            // The first files are made without syncs; a power cut must not take them.
            run(std::process::Command::new("sync").arg("-f").arg(node.data()), DATA_MAX)?;
        }
        self.node_mut(first).start()?;
        let password = &self.password;
        let give = |role: &str| format!("ALTER ROLE {role} PASSWORD '{password}';\n");
        let roles = format!("{REPLICATION}\n{ROLES}\n{}{}", give(REPLICATOR), give(USER));
        self.node(first).sql_file("roles.sql", &roles)?;
        for name in standbys {
            self.node_mut(name).start()?;
            self.await_streaming(name, first)?;
        }
        // Tests make tables without a schema: those go into the one that is named like their role.
        let database = format!("{MAKE_DATABASE}\nCREATE SCHEMA AUTHORIZATION {USER};\n");
        self.node(first).sql_file("database.sql", &database)?;
        standbys.iter().try_for_each(|name| self.await_applied(name, first))
    }

    /// The server of this name.
    ///
    /// # Panics
    ///
    /// If there is none: names are `a`, `b` and `c`.
    #[must_use]
    pub fn node(&self, name: &str) -> &Node {
        &self.nodes[index_of(name)]
    }

    /// The server of this name, to be started, stopped or broken.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn node_mut(&mut self, name: &str) -> &mut Node {
        &mut self.nodes[index_of(name)]
    }

    /// The two others.
    #[must_use]
    pub fn others(&self, name: &str) -> [&'static str; 2] {
        let at = index_of(name);
        [NAMES[(at + 1) % 3], NAMES[(at + 2) % 3]]
    }

    /// The network, for hosts of clients: from index 10 on.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What a client needs to connect.
    #[must_use]
    pub fn access(&self) -> Access {
        Access {
            addresses: self.nodes.iter().map(|node| node.host().address()).collect(),
            port: PORT,
            user: USER.to_owned(),
            password: self.password.clone(),
            database: DATABASE.to_owned(),
            authority: self.authority.certificate.clone(),
        }
    }

    /// A certificate and key for a host of clients or servers of a test, PEM, by the authority of [`access`](Self::access).
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn certify(&self, address: Ipv4Addr) -> Result<(String, String), Fault> {
        self.authority.sign(address)
    }

    /// The primary of the day: of those who answer that they are one, the one on the newest timeline.
    #[must_use]
    pub fn primary(&self) -> Option<&'static str> {
        let primaries = NAMES.into_iter().filter(|name| {
            let node = self.node(name);
            node.is_up() && node.is_primary().unwrap_or(false)
        });
        let newest =
            primaries.filter_map(|name| Some((self.node(name).position().ok()?.timeline, name)));
        newest.max().map(|(_, name)| name)
    }

    /// Drops packets in both directions between two servers.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn partition(&self, one: &str, other: &str) -> Result<(), Fault> {
        self.partition_one_way(one, other)?;
        self.partition_one_way(other, one)
    }

    /// Drops packets from one server to another; those of the other direction arrive.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn partition_one_way(&self, from: &str, to: &str) -> Result<(), Fault> {
        self.node(to).host().drop_from(self.node(from).host())
    }

    /// Ends every partition.
    ///
    /// # Errors
    ///
    /// If nftables fails.
    pub fn heal(&self) -> Result<(), Fault> {
        self.nodes.iter().try_for_each(|node| node.host().heal())
    }

    /// Tells a server that it is a standby of another one from its next start on.
    pub(crate) fn make_standby(&mut self, name: &str, of: &str) -> Result<(), Fault> {
        let signal = self.node(name).data().join("standby.signal").display().to_string();
        tool("install", &["-m", "600", "-o", "postgres", "-g", "postgres", "/dev/null", &signal])?;
        let source = self.source(of, name);
        self.node_mut(name).prepare(&[("primary_conninfo", source)])
    }

    /// How a server connects to another one.
    pub(crate) fn source(&self, of: &str, by: &str) -> String {
        format!(
            "host={} port={PORT} user={REPLICATOR} password={} application_name={by} connect_timeout=3 \
             sslmode=verify-full sslrootcert={}/authority.crt",
            self.node(of).host().address(),
            self.password,
            self.node(by).place().display()
        )
    }

    /// Waits until a standby streams from a primary.
    ///
    /// # Errors
    ///
    /// If it does not in time: with the end of its log.
    pub fn await_streaming(&self, standby: &str, primary: &str) -> Result<(), Fault> {
        let streams = format!(
            "SELECT 1 FROM pg_stat_replication WHERE application_name = '{standby}' AND state = 'streaming'"
        );
        let what = format!("{standby} streams from {primary}");
        let look = || self.node(primary).sql(&streams).ok().filter(|found| !found.is_empty());
        let found = until(&what, STREAMING_MAX, look).map(drop);
        found.map_err(|fault| {
            Fault::failed(what, format!("{fault}\n{}", self.node(standby).log_end()))
        })
    }

    /// Waits until a standby shows everything that its primary has written until now.
    ///
    /// # Errors
    ///
    /// If it does not in time.
    pub fn await_applied(&self, standby: &str, primary: &str) -> Result<(), Fault> {
        let written = self.node(primary).sql("SELECT pg_current_wal_flush_lsn()")?;
        let applied = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        let look = || self.node(standby).sql(&applied).ok().filter(|answer| answer == "t");
        until(&format!("{standby} has applied {written}"), STREAMING_MAX, look).map(drop)
    }

    /// Prints what happens, with the seconds since the beginning: these tests take long.
    pub fn tell(&self, what: impl fmt::Display) {
        let (seconds, network) = (self.begun.elapsed().as_secs_f64(), self.network.name());
        eprintln!("  {seconds:>6.1} s {network}: {what}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| node.is_up()) {
            report(node.kill());
        }
    }
}

fn index_of(name: &str) -> usize {
    let at = NAMES.iter().position(|other| *other == name);
    at.unwrap_or_else(|| panic!("there is no server {name}"))
}
