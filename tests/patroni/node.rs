//! One machine of the cluster: PostgreSQL under Patroni, and a member of etcd, at a loopback address of its own.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::cluster::{Ports, SECRET};

/// As Debian has it; it reads Patroni from a directory that the user of PostgreSQL may read.
const PYTHON: &str = "/usr/bin/python3";

/// A machine, running or not.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    place: PathBuf,
    settings: PathBuf,
    variables: Vec<(&'static str, String)>,
    of_etcd: Vec<String>,
    etcd: Option<Child>,
    patroni: Option<Child>,
}

impl Node {
    /// A machine whose Patroni has the shipped `settings`, with paths of its own. `members`: names and addresses of all.
    pub(crate) fn new(
        (name, address): (&'static str, &str),
        members: &[(&'static str, String)],
        ports: Ports,
        (above, settings): (&Path, &str),
    ) -> Self {
        let place = above.join(name);
        fs::create_dir(&place).unwrap();
        give_to_postgres(&place);
        let file = above.join(format!("{name}.yml"));
        let socket = format!("unix_socket_directories: {}", place.display());
        let settings = replaced(settings, "unix_socket_directories: /run/postgresql", &socket);
        fs::write(&file, settings).unwrap();
        let at = |port: u16| format!("{address}:{port}");
        let all_etcd: Vec<_> =
            members.iter().map(|(_, address)| format!("{address}:{}", ports.etcd)).collect();
        let variables = vec![
            ("PATRONI_NAME", name.to_owned()),
            ("PATRONI_POSTGRESQL_LISTEN", at(ports.postgresql)),
            ("PATRONI_POSTGRESQL_CONNECT_ADDRESS", at(ports.postgresql)),
            ("PATRONI_POSTGRESQL_DATA_DIR", place.join("data").display().to_string()),
            ("PATRONI_RESTAPI_LISTEN", at(ports.restapi)),
            ("PATRONI_RESTAPI_CONNECT_ADDRESS", at(ports.restapi)),
            ("PATRONI_ETCD3_HOSTS", all_etcd.join(",")),
            ("PATRONI_SUPERUSER_PASSWORD", SECRET.to_owned()),
            ("PATRONI_REPLICATION_PASSWORD", SECRET.to_owned()),
            ("PATRONI_REWIND_PASSWORD", SECRET.to_owned()),
            ("PATRONI_RESTAPI_PASSWORD", SECRET.to_owned()),
        ];
        let of_etcd = etcd(name, address, members, ports, above);
        let (address, etcd, patroni) = (address.to_owned(), None, None);
        Self { name, address, place, settings: file, variables, of_etcd, etcd, patroni }
    }

    /// Starts etcd and Patroni, which starts PostgreSQL, unless they run.
    pub(crate) fn start(&mut self) {
        let log = || fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let start = |mut command: Command| {
            command.stdin(Stdio::null()).stdout(log()).stderr(log()).process_group(0);
            command.spawn().unwrap()
        };
        let etcd = self.etcd.is_none().then(|| {
            let mut etcd = Command::new("setpriv");
            etcd.args(["--pdeathsig", "KILL", "etcd"]).args(&self.of_etcd);
            start(etcd)
        });
        let patroni = self.patroni.is_none().then(|| {
            let mut patroni = self.python("-m", &["patroni"]);
            patroni.arg(&self.settings);
            start(patroni)
        });
        self.etcd = self.etcd.take().or(etcd);
        self.patroni = self.patroni.take().or(patroni);
    }

    /// Everything of this machine ends at once, as without power.
    pub(crate) fn kill(&mut self) {
        self.kill_database();
        self.etcd.take().into_iter().for_each(kill);
    }

    /// Kills Patroni and PostgreSQL; etcd runs on.
    pub(crate) fn kill_database(&mut self) {
        // Patroni first, or it would start PostgreSQL again; what PostgreSQL started ends with it.
        if let Some(patroni) = self.patroni.take() {
            kill(patroni);
            self.kill_postgresql();
        }
    }

    /// Kills the first process of PostgreSQL.
    pub(crate) fn kill_postgresql(&self) {
        let Ok(lock) = fs::read_to_string(self.place.join("data/postmaster.pid")) else { return };
        let pid = lock.lines().next().unwrap();
        // It may have ended, and left its lock.
        let _ended = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
    }

    /// Whether its Patroni was started.
    pub(crate) fn is_up(&self) -> bool {
        self.patroni.is_some()
    }

    /// Runs statements as the superuser through the local socket; rows as lines. An error if it does not answer.
    pub(crate) fn sql(&self, database: &str, arguments: &[&str]) -> Result<String, String> {
        let mut psql = Command::new("timeout");
        psql.args([
            "5",
            "psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            database,
        ])
        .arg("-h")
        .arg(&self.place)
        .args(["-p", &self.port()])
        .args(arguments)
        .env("PGPASSWORD", SECRET)
        .env("PGCONNECT_TIMEOUT", "2");
        let output = psql.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// `patronictl` with these arguments, which must succeed.
    pub(crate) fn control(&self, arguments: &[&str]) -> String {
        let mut control = self.python("-c", &["from patroni.ctl import ctl; ctl()"]);
        let output = control.arg("-c").arg(&self.settings).args(arguments).output().unwrap();
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}", told(&output.stderr));
        told(&output.stdout)
    }

    /// Its log: of etcd, Patroni and PostgreSQL.
    pub(crate) fn log(&self) -> PathBuf {
        self.settings.with_extension("log")
    }

    fn port(&self) -> String {
        let (_, listen) = &self.variables[1];
        listen.rsplit_once(':').unwrap().1.to_owned()
    }

    /// Python with Patroni, as the user of PostgreSQL, with nothing of this environment but the path.
    fn python(&self, how: &str, what: &[&str]) -> Command {
        let mut python = Command::new("setpriv");
        python
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL"])
            .args([PYTHON, how])
            .args(what)
            .env_clear()
            .env("PATH", env::var("PATH").unwrap())
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", &self.place)
            .env("PYTHONPATH", self.settings.with_file_name("patroni"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.place);
        python
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The arguments of a member of etcd.
fn etcd(
    name: &str,
    address: &str,
    members: &[(&'static str, String)],
    ports: Ports,
    above: &Path,
) -> Vec<String> {
    let peer = |name: &str, address: &str| format!("{name}=https://{address}:{}", ports.etcd_peers);
    let all: Vec<_> = members.iter().map(|(name, address)| peer(name, address)).collect();
    let (clients, peers) = (
        format!("https://{address}:{}", ports.etcd),
        format!("https://{address}:{}", ports.etcd_peers),
    );
    let mut arguments = vec![
        format!("--name={name}"),
        format!("--data-dir={}", above.join(format!("etcd-{name}")).display()),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster={}", all.join(",")),
        "--log-level=error".to_owned(),
    ];
    let tls = above.join("tls");
    for side in ["", "peer-"] {
        arguments.push(format!("--{side}client-cert-auth"));
        for (option, file) in
            [("cert-file", "server.crt"), ("key-file", "server.key"), ("trusted-ca-file", "ca.crt")]
        {
            arguments.push(format!("--{side}{option}={}", tls.join(file).display()));
        }
    }
    arguments
}

/// A text with `from`, which must be in it, replaced by `to`.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from} in what is shipped");
    text.replace(from, to)
}

pub(crate) fn give_to_postgres(path: &Path) {
    let given = Command::new("chown").arg("postgres:").arg(path).status().unwrap();
    assert!(given.success(), "needs the superuser and the user postgres");
}
