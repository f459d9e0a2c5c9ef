//! A primary with two standbys on loopback, in a temporary directory.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where a commit has to arrive.
pub(crate) const STANDBYS: &str = "ANY 1 (b, c)";
const DATABASE: &str = "sportello";
const PATIENCE: Duration = Duration::from_secs(30);
/// Settings of a small server; what matters for durability is as it is in service.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
    shared_buffers = 16MB\nmax_connections = 50\nwal_level = replica\nhot_standby = on\nwal_keep_size = 64MB\n\
    min_wal_size = 32MB\nfsync = on\nfull_page_writes = on\nsynchronous_commit = on\nlog_min_messages = log\n\
    wal_sender_timeout = 3s\nwal_receiver_timeout = 3s\nwal_retrieve_retry_interval = 200ms\n";

/// Three servers: `a`, the first primary, and the standbys `b` and `c`. They end with it.
pub(crate) struct Cluster {
    servers: [Server; 3],
    /// Which of them is the primary.
    primary: usize,
    directory: TempDir,
}

/// One server, running or not.
struct Server {
    name: &'static str,
    data: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Cluster {
    /// Starts the three, and waits until a commit waits for a standby.
    #[expect(clippy::disallowed_methods, reason = "a test waits for other processes")]
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data = directory.path().join("servers");
        fs::create_dir(&data).unwrap();
        if let Some(user) = other_user() {
            run(Command::new("chown").arg(&user).arg(&data));
        }
        let servers = ["a", "b", "c"].map(|name| Server {
            name,
            data: data.join(name),
            port: free_port(),
            process: None,
        });
        let mut cluster = Self { servers, primary: 0, directory };
        let a = &cluster.servers[0];
        run(program("initdb")
            .args(["-A", "trust", "-U", DATABASE, "--no-sync", "-D"])
            .arg(&a.data));
        a.configure();
        cluster.start_server(0);
        cluster.sql_in(0, "postgres", &format!("CREATE DATABASE {DATABASE}"));
        for standby in [1, 2] {
            cluster.add_standby(standby);
        }
        cluster.set("synchronous_standby_names", STANDBYS);
        let started = Instant::now();
        while cluster.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'")
            != "2"
        {
            assert!(started.elapsed() < PATIENCE, "the standbys do not follow");
            sleep(Duration::from_millis(50));
        }
        cluster
    }

    fn add_standby(&mut self, standby: usize) {
        let from = self.servers[0].port.to_string();
        let Server { name, data, .. } = &self.servers[standby];
        let target = format!("host=127.0.0.1 port={from} user={DATABASE} application_name={name}");
        run(program("pg_basebackup")
            .args(["-X", "stream", "-c", "fast", "--no-sync", "-R", "-d", &target, "-D"])
            .arg(data));
        self.servers[standby].configure();
        self.start_server(standby);
    }

    /// A directory for the files of a node.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The URL of all three.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("postgres://{DATABASE}@{}/{DATABASE}?sslmode=disable", hosts.join(","))
    }

    /// Sets a setting of the primary, and waits until it is in force.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.sql(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.sql("SELECT pg_reload_conf()");
        self.wait_for(&format!("SELECT current_setting('{name}')"), value);
    }

    /// Runs a statement at the primary; the values of its rows, a line each.
    pub(crate) fn sql(&self, statement: &str) -> String {
        self.sql_in(self.primary, DATABASE, statement)
    }

    fn sql_in(&self, server: usize, database: &str, statement: &str) -> String {
        let output = self.psql(server, database, statement).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {told}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn psql(&self, server: usize, database: &str, statement: &str) -> Command {
        let mut psql = program("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.servers[server].port.to_string()])
            .args(["-U", DATABASE, "-d", database, "-XAtqc", statement]);
        psql
    }

    /// Runs a statement at the first server in the background.
    pub(crate) fn sql_beside(&self, statement: &str) -> Child {
        let mut psql = self.psql(0, DATABASE, statement);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until a query of the primary gives `value`.
    pub(crate) fn wait_for(&self, query: &str, value: &str) {
        self.wait_at(self.primary, query, value);
    }

    #[expect(clippy::disallowed_methods, reason = "a test waits for other processes")]
    fn wait_at(&self, server: usize, query: &str, value: &str) {
        let started = Instant::now();
        loop {
            let found = self.sql_in(server, DATABASE, query);
            if found == value {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{query}: {found:?}, not {value:?}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Stops the standbys in their tracks: no commit is replicated until they continue.
    pub(crate) fn pause_standbys(&self) {
        self.signal_standbys("-STOP");
    }

    /// Lets them continue.
    pub(crate) fn continue_standbys(&self) {
        self.signal_standbys("-CONT");
    }

    fn signal_standbys(&self, signal: &str) {
        for server in &self.servers[1..] {
            let Some(process) = &server.process else { continue };
            // The postmaster and every process that it started.
            let pid = process.id().to_string();
            let children = Command::new("ps").args(["-o", "pid=", "--ppid", &pid]).output();
            let children = String::from_utf8(children.unwrap().stdout).unwrap();
            run(Command::new("kill").args([signal, &pid]));
            // One of them may have ended meanwhile.
            let _some = Command::new("kill")
                .arg(signal)
                .args(children.split_whitespace())
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Kills the first server without warning, as `kill -9` does.
    pub(crate) fn kill_primary(&mut self) {
        self.kill(0);
    }

    /// Kills the standbys likewise: what is committed from now on never reaches them.
    pub(crate) fn kill_standbys(&mut self) {
        for standby in [1, 2] {
            self.kill(standby);
        }
    }

    fn kill(&mut self, server: usize) {
        let mut process = self.servers[server].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts the standbys again after the first server was killed, and promotes the one that is ahead. Whatever was
    /// acknowledged is there; what the first server alone had is lost.
    pub(crate) fn start_standbys_and_promote(&mut self) {
        for standby in [1, 2] {
            self.start_server(standby);
        }
        self.promote();
    }

    /// Promotes the standby that is ahead of the other one, after the first server was killed. Whatever was acknowledged is
    /// there; what the first server alone had is lost.
    pub(crate) fn promote(&mut self) {
        let reached = [1, 2].map(|standby| {
            self.sql_in(standby, DATABASE, "ALTER SYSTEM SET primary_conninfo = ''");
            self.sql_in(standby, DATABASE, "SELECT pg_reload_conf()");
            // What arrived is not applied at once.
            self.wait_at(standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0");
            self.wait_at(
                standby,
                "SELECT pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()",
                "t",
            );
            let reached = "SELECT pg_last_wal_replay_lsn() - '0/0'";
            self.sql_in(standby, DATABASE, reached).parse::<u64>().unwrap()
        });
        let (ahead, behind) = if reached[0] >= reached[1] { (1, 2) } else { (2, 1) };
        let (name, port) = (self.servers[behind].name, self.servers[ahead].port);
        assert_eq!(self.sql_in(ahead, DATABASE, "SELECT pg_promote(true, 20)"), "t");
        self.primary = ahead;
        self.set("synchronous_standby_names", &format!("ANY 1 (a, {name})"));
        let source = format!("host=127.0.0.1 port={port} user={DATABASE} application_name={name}");
        let follow = format!("ALTER SYSTEM SET primary_conninfo = '{source}'");
        self.sql_in(behind, DATABASE, &follow);
        self.sql_in(behind, DATABASE, "SELECT pg_reload_conf()");
        let following = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
        self.wait_for(following, "1");
    }

    /// Starts the first server again.
    pub(crate) fn start_primary(&mut self) {
        self.start_server(0);
    }

    #[expect(clippy::disallowed_methods, reason = "a test waits for other processes")]
    fn start_server(&mut self, server: usize) {
        let Server { data, port, .. } = &self.servers[server];
        let port = port.to_string();
        let started = Instant::now();
        // After a kill, the old processes need a moment to let go of the shared memory.
        let process = loop {
            let log = self.directory.path().join("log");
            let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
            let mut process = program("postgres")
                .arg("-D")
                .arg(data)
                .stderr(log)
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            loop {
                let ready = program("pg_isready")
                    .args(["-q", "-h", "127.0.0.1", "-p", &port])
                    .status()
                    .unwrap();
                if ready.success() || process.try_wait().unwrap().is_some() {
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "{} does not start", data.display());
                sleep(Duration::from_millis(50));
            }
            if process.try_wait().unwrap().is_none() {
                break process;
            }
            assert!(started.elapsed() < PATIENCE, "{} ends at once", data.display());
            sleep(Duration::from_millis(100));
        };
        self.servers[server].process = Some(process);
    }
}

impl Server {
    fn configure(&self) {
        let settings = format!("{SETTINGS}port = {}\n", self.port);
        fs::write(self.data.join("postgresql.conf"), settings).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.continue_standbys();
        for server in &mut self.servers {
            if let Some(process) = &mut server.process {
                // At once and without a checkpoint; what it started ends, too.
                let pid = process.id().to_string();
                let _gone = Command::new("kill").args(["-QUIT", &pid]).status();
                let _ended = process.wait();
            }
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program of the newest `PostgreSQL`, to be run by a user whom it accepts.
fn program(name: &str) -> Command {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|found| found.map(|entry| entry.unwrap().path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let path = match versions.pop() {
        Some(newest) => newest.join(name),
        None => PathBuf::from(name),
    };
    match other_user() {
        None => Command::new(path),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", &user, "--regid", &user, "--clear-groups", "--pdeathsig", "KILL"])
                .arg(path)
                .current_dir("/");
            command
        }
    }
}

/// The user that runs the servers, if this one is the superuser.
fn other_user() -> Option<String> {
    (fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0).then(|| "postgres".to_owned())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}
