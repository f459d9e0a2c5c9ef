//! Three machines with Patroni, etcd and PostgreSQL, made of what `deploy/postgresql` ships.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sportello::clock::Stopwatch;
use tempfile::TempDir;

use crate::node::{Node, give_to_postgres, replaced};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Password of every role.
pub(crate) const SECRET: &str = "of-this-test";
/// Longest time until all three follow one primary: the first start, or the return of machines that were killed.
const WHOLE_MAX: Duration = Duration::from_mins(2);
/// Where `.ci/run` puts Patroni; `SPORTELLO_TEST_PATRONI` names another directory.
const PATRONI: &str = "target/patroni";

/// The same ports at each machine's address.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) postgresql: u16,
    pub(crate) restapi: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peers: u16,
}

/// The machines. They end with it.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    ports: Ports,
    place: TempDir,
}

impl Cluster {
    /// Starts the three, waits until both standbys count, and makes roles and database.
    pub(crate) fn start() -> Self {
        let place = tempfile::Builder::new().prefix("sportello-patroni-").tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // Of a range of this process alone, so that a second run does not get in the way.
        let (high, low) = ((std::process::id() >> 8) & 0xff, std::process::id() & 0xff);
        let members: Vec<_> = (1..)
            .zip(NAMES)
            .map(|(n, name)| (name, format!("127.{}.{low}.{n}", high | 1)))
            .collect();
        let mut addresses: Vec<_> = members.iter().map(|(_, address)| address.clone()).collect();
        // etcd compares where a member calls from, which is this address on loopback.
        addresses.push("127.0.0.1".to_owned());
        make_certificates(&place.path().join("tls"), addresses);
        copy_patroni(&place.path().join("patroni"));
        let [postgresql, restapi, etcd, etcd_peers] = free_ports();
        let ports = Ports { postgresql, restapi, etcd, etcd_peers };
        let settings = settings(place.path());
        let node = |(name, address): &(&'static str, String)| {
            Node::new((name, address), &members, ports, (place.path(), &settings))
        };
        let nodes = members.iter().map(node).collect();
        let mut cluster = Self { nodes, ports, place };
        cluster.nodes.iter_mut().for_each(Node::start);
        cluster.await_whole();
        let primary = cluster.primary().unwrap();
        let file = |name: &str| shipped(name).display().to_string();
        primary.sql("postgres", &["-f", &file("roles.sql")]).unwrap();
        let password = format!("ALTER ROLE sportello PASSWORD '{SECRET}'");
        primary.sql("postgres", &["-c", &password]).unwrap();
        primary.sql("postgres", &["-f", &file("database.sql")]).unwrap();
        cluster
    }

    /// The primary, by its own word.
    pub(crate) fn primary(&self) -> Option<&Node> {
        let ask = ["-c", "SELECT pg_is_in_recovery()"];
        let is_primary =
            |node: &&Node| node.sql("postgres", &ask).is_ok_and(|answer| answer == "f");
        self.nodes.iter().filter(|node| node.is_up()).find(is_primary)
    }

    /// The name of the primary, which there must be.
    pub(crate) fn primary_name(&self) -> &'static str {
        self.primary().expect("there is a primary").name
    }

    pub(crate) fn node_mut(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    /// The list of standbys at the primary; empty if there is none.
    pub(crate) fn standbys(&self) -> String {
        let show = ["-c", "SHOW synchronous_standby_names"];
        self.primary().and_then(|node| node.sql("postgres", &show).ok()).unwrap_or_default()
    }

    /// Waits until the primary has both others as standbys, and Patroni has listed them.
    pub(crate) fn await_whole(&self) {
        let watch = Stopwatch::start();
        let follow = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
        loop {
            let follow = self.primary().and_then(|node| node.sql("postgres", &["-c", follow]).ok());
            if follow.as_deref() == Some("2") {
                return;
            }
            if watch.elapsed() > WHOLE_MAX {
                self.nodes.iter().for_each(|node| {
                    println!("{}:\n{}", node.name, fs::read_to_string(node.log()).unwrap());
                });
                panic!("the machines are no cluster after {WHOLE_MAX:?}: {:?}", self.standbys());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until Patroni has taken the one that is away off the list, and returns the list.
    pub(crate) fn await_one_standby(&self) -> String {
        let watch = Stopwatch::start();
        loop {
            let list = self.standbys();
            if !list.is_empty() && !list.contains([',', '*']) {
                return list;
            }
            assert!(watch.elapsed() < WHOLE_MAX, "the list is still {list}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What a server needs to use it, as environment variables.
    pub(crate) fn access(&self) -> [(&'static str, String); 5] {
        let password = self.place.path().join("password");
        fs::write(&password, format!("{SECRET}\n")).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let hosts: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("{}:{}", node.address, self.ports.postgresql))
            .collect();
        let url = format!("postgres://sportello@{}/sportello", hosts.join(","));
        let ca = self.place.path().join("tls/ca.crt").display().to_string();
        [
            ("SPORTELLO_LEDGER_ENGINE", "postgres".to_owned()),
            ("SPORTELLO_POSTGRES_URL", url),
            ("SPORTELLO_POSTGRES_CA", ca),
            ("SPORTELLO_POSTGRES_PASSWORD_FILE", password.display().to_string()),
            // A case of a batch that was looked up waits until its lease ends.
            ("SPORTELLO_POSTGRES_LEASE_SECONDS", "10".to_owned()),
        ]
    }
}

/// The two others.
pub(crate) fn others(name: &str) -> [&'static str; 2] {
    let at = NAMES.iter().position(|other| *other == name).unwrap();
    [NAMES[(at + 1) % 3], NAMES[(at + 2) % 3]]
}

/// A file of `deploy/postgresql`.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postgresql").join(name)
}

/// The shipped settings of Patroni with paths below `place` and addresses of loopback; writes those of PostgreSQL there.
fn settings(place: &Path) -> String {
    let conf = fs::read_to_string(shipped("sportello.conf")).unwrap();
    // Disks of tests are small.
    let small = "max_wal_size = 256MB\nmin_wal_size = 64MB\nshared_buffers = 32MB\n";
    fs::write(place.join("sportello.conf"), conf + small).unwrap();
    let mut text = fs::read_to_string(shipped("patroni.yml")).unwrap();
    let paths =
        [("/etc/postgresql/tls", "tls"), ("/etc/postgresql/sportello.conf", "sportello.conf")];
    for (from, to) in paths {
        text = replaced(&text, from, &place.join(to).display().to_string());
    }
    for network in ["192.0.2.0/24", "198.51.100.0/24"] {
        text = replaced(&text, network, "127.0.0.0/8");
    }
    replaced(&text, "wal_keep_size: 4GB", "wal_keep_size: 128MB")
}

/// An authority, and one certificate that all servers and members share.
fn make_certificates(to: &Path, addresses: Vec<String>) {
    fs::create_dir(to).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "patroni test authority");
    let key = KeyPair::generate().unwrap();
    fs::write(to.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(addresses).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(to.join("server.crt"), certificate.pem()).unwrap();
    fs::write(to.join("server.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(to.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    for name in ["ca.crt", "server.crt", "server.key"] {
        give_to_postgres(&to.join(name));
    }
}

/// Puts Patroni where the user of PostgreSQL may read it: this repository may be in a private directory.
fn copy_patroni(to: &Path) {
    let from = std::env::var("SPORTELLO_TEST_PATRONI")
        .unwrap_or_else(|_| format!("{}/{PATRONI}", env!("CARGO_MANIFEST_DIR")));
    for command in [
        Command::new("cp").arg("-r").arg(&from).arg(to),
        Command::new("chmod").args(["-R", "a+rX"]).arg(to),
    ] {
        assert!(command.status().unwrap().success(), "no Patroni in {from}");
    }
}

fn free_ports() -> [u16; 4] {
    let open = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    open.map(|listener| listener.local_addr().unwrap().port())
}
