//! One PostgreSQL server on a host of its own.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    Fault, Host,
    disk::Disk,
    network::report,
    process::{TOOL_MAX, cpu_with_children, run, tool, until},
};

/// The port of every server; each has an address of its own.
pub(crate) const PORT: u16 = 5432;
/// Where Debian has the programs of PostgreSQL 15; `SPORTELLO_TEST_POSTGRESQL` names another directory.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Longest start of a server, recovery from a crash included.
const START_MAX: Duration = Duration::from_mins(1);
/// Longest orderly stop: a primary waits until its standbys have all of its WAL.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Longest statement of the kit itself. A server that is paused answers nothing.
const STATEMENT_MAX: Duration = Duration::from_secs(5);
/// Longest work on a whole data directory: initialize, copy, rewind, back up.
pub(crate) const DATA_MAX: Duration = Duration::from_mins(2);
/// Characters of the log that a fault shows.
const LOG_SHOWN: usize = 2000;

/// How far a server's WAL reaches: what is later in this order contains what is earlier, if one primary wrote both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The newest timeline of which it has WAL.
    pub timeline: u32,
    /// The end of the WAL that it has on disk.
    pub lsn: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{:X}/{:X} of timeline {}",
            self.lsn >> 32,
            self.lsn & 0xffff_ffff,
            self.timeline
        )
    }
}

/// A server; killed when dropped.
pub struct Node {
    name: String,
    host: Host,
    /// Settings, certificate, log and socket.
    place: PathBuf,
    data: PathBuf,
    disk: Option<Disk>,
    settings: BTreeMap<String, String>,
    clock_ahead_s: i64,
    process: Option<Child>,
}

impl Node {
    /// A server that is neither initialized nor started; on an ext4 file system of its own of `disk_mib` if given.
    pub(crate) fn new(
        name: &str,
        host: Host,
        place: PathBuf,
        disk_mib: Option<u64>,
    ) -> Result<Self, Fault> {
        make_directory(&place, 0o755)?;
        let disk = disk_mib.map(Disk::ext4);
        let data = disk.as_ref().map_or(place.join("data"), |disk| disk.mounted().join("data"));
        if let Some(above) =
            disk.as_ref().and_then(|disk| disk.mounted().parent().map(Path::to_owned))
        {
            tool("chmod", &["755", &above.to_string_lossy()])?;
        }
        make_directory(&data, 0o700)?;
        tool("chown", &["postgres:", &place.to_string_lossy(), &data.to_string_lossy()])?;
        let settings = BTreeMap::new();
        let (clock_ahead_s, process) = (0, None);
        Ok(Self {
            name: name.to_owned(),
            host,
            place,
            data,
            disk,
            settings,
            clock_ahead_s,
            process,
        })
    }

    /// Its name, by which standbys are listed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host that it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether its processes exist; they may be paused.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Writes a file that only PostgreSQL reads.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Fault> {
        let path = self.place.join(name);
        fs::write(&path, text).map_err(Fault::io(name))?;
        tool("chown", &["postgres:", &path.to_string_lossy()])?;
        tool("chmod", &["600", &path.to_string_lossy()]).map(drop)
    }

    /// Remembers settings for the next start or [`set`](Self::set).
    pub(crate) fn prepare(&mut self, settings: &[(&str, String)]) -> Result<(), Fault> {
        for (name, value) in settings {
            self.settings.insert((*name).to_owned(), value.clone());
        }
        let line = |(name, value): (&String, &String)| format!("{name} = '{value}'\n");
        let own: String = self.settings.iter().map(line).collect();
        // What comes later counts.
        self.write("postgresql.conf", &format!("include 'sportello.conf'\n{own}"))
    }

    /// Changes a setting that needs no restart, and waits until the server has read it.
    ///
    /// # Errors
    ///
    /// If the server runs and does not answer.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        self.prepare(&[(name, value.to_owned())])?;
        if !self.is_up() {
            return Ok(());
        }
        let loaded = "SELECT pg_conf_load_time()";
        let before = self.sql(loaded)?;
        self.sql("SELECT pg_reload_conf()")?;
        let what = format!("{} has read its settings", self.name);
        until(&what, STATEMENT_MAX, || self.sql(loaded).ok().filter(|now| *now != before)).map(drop)
    }

    /// Starts it with its clock this many seconds ahead (negative: behind).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and without libfaketime.
    pub fn start_with_clock(&mut self, ahead_s: i64) -> Result<(), Fault> {
        if ahead_s != 0 && !Path::new(LIBFAKETIME).exists() {
            return Err(Fault::failed("wrong clock", format!("{LIBFAKETIME} is not installed")));
        }
        self.clock_ahead_s = ahead_s;
        self.start()
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it ends or does not answer in time: with the end of its log.
    pub fn start(&mut self) -> Result<(), Fault> {
        let what = format!("start {}", self.name);
        if self.is_up() {
            return Err(Fault::failed(what, "it runs already"));
        }
        let log = fs::File::options().create(true).append(true).open(self.place.join("log"));
        let log = log.map_err(Fault::io(what.as_str()))?;
        let settings = self.place.join("postgresql.conf");
        let mut command = self.as_postgres_with("postgres", &self.clock());
        command.arg("-c").arg(format!("config_file={}", settings.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().map_err(Fault::io(what.as_str()))?);
        let answers = format!("{} answers", self.name);
        let started = until(&answers, START_MAX, || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if let Some(status) = ended {
                return Some(Err(Fault::failed(&what, format!("it ended: {status}"))));
            }
            self.sql("SELECT 1").ok().map(|_| Ok(()))
        });
        started.flatten().map_err(|fault| {
            self.kill_if_up();
            Fault::failed(what, format!("{fault}\n{}", self.log_end()))
        })
    }

    /// Stops it in order (`fast`).
    ///
    /// # Errors
    ///
    /// If it has not ended in time; it still runs then.
    pub fn stop(&mut self) -> Result<(), Fault> {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        signal("INT", &[process.id()])?;
        until(&format!("{} stops", self.name), STOP_MAX, || process.try_wait().ok().flatten())?;
        self.process = None;
        Ok(())
    }

    /// Kills all of its processes at one moment: they are stopped first, so that none sees another one end.
    ///
    /// # Errors
    ///
    /// If they are not gone in time.
    pub fn kill(&mut self) -> Result<(), Fault> {
        let pids = self.stopped()?;
        signal("KILL", &pids)?;
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.wait().map_err(Fault::io(format!("kill {}", self.name)))?;
        let gone = || pids.iter().all(|pid| has_ended(*pid)).then_some(());
        until(&format!("{} is gone", self.name), TOOL_MAX, gone)
    }

    /// Stops all of its processes where they are, as a machine that hangs does. Its kernel still accepts connections.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn pause(&self) -> Result<(), Fault> {
        self.stopped().map(drop)
    }

    /// Lets a paused server run on.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn resume(&self) -> Result<(), Fault> {
        signal("CONT", &self.pids()?)
    }

    /// Stops the first process first: it starts no other after that.
    fn stopped(&self) -> Result<Vec<u32>, Fault> {
        signal("STOP", &self.pids()?[..1])?;
        let pids = self.pids()?;
        signal("STOP", &pids)?;
        Ok(pids)
    }

    fn pids(&self) -> Result<Vec<u32>, Fault> {
        let process = self.process.as_ref();
        let first = process.ok_or_else(|| Fault::failed(&self.name, "does not run"))?.id();
        let path = format!("/proc/{first}/task/{first}/children");
        let children = fs::read_to_string(&path).map_err(Fault::io(path))?;
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        Ok([first].into_iter().chain(children).collect())
    }

    /// CPU time of all of its processes, those that have ended included.
    ///
    /// # Errors
    ///
    /// If it does not run.
    pub fn cpu(&self) -> Result<Duration, Fault> {
        let pids = self.pids()?;
        Ok(cpu_with_children(pids[0])
            + pids[1..].iter().copied().map(cpu_with_children).sum::<Duration>())
    }

    /// Cuts the power of its disk and of itself: what was not synced is lost as ext4 loses it.
    ///
    /// # Errors
    ///
    /// If it has no disk of its own, or its processes do not end.
    pub fn cut_power(&mut self) -> Result<(), Fault> {
        self.disk()?.cut();
        if self.is_up() {
            self.kill()?;
        }
        self.disk()?.unmount();
        Ok(())
    }

    /// Mounts its disk again, and starts it.
    ///
    /// # Errors
    ///
    /// If the file system or the server does not recover.
    pub fn power_on(&mut self) -> Result<(), Fault> {
        self.disk()?.mount().map_err(|said| Fault::failed("mount", said))?;
        self.start()
    }

    /// Fills its disk to the last byte.
    ///
    /// # Errors
    ///
    /// If it has no disk of its own.
    pub fn fill_disk(&self) -> Result<(), Fault> {
        self.disk()?.fill();
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    ///
    /// If it has no disk of its own, or it was not filled.
    pub fn free_disk(&self) -> Result<(), Fault> {
        fs::remove_file(self.disk()?.mounted().join("filling")).map_err(Fault::io("free the disk"))
    }

    fn disk(&self) -> Result<&Disk, Fault> {
        self.disk.as_ref().ok_or_else(|| Fault::failed(&self.name, "has no disk of its own"))
    }

    /// Runs a statement as the superuser, through the local socket; rows as lines.
    ///
    /// # Errors
    ///
    /// With the server's error, or if it does not answer in time.
    pub fn sql(&self, statement: &str) -> Result<String, Fault> {
        self.sql_in("postgres", statement)
    }

    /// The same in another database.
    ///
    /// # Errors
    ///
    /// As [`sql`](Self::sql).
    pub fn sql_in(&self, database: &str, statement: &str) -> Result<String, Fault> {
        let mut psql = self.as_postgres("psql");
        psql.env("PGHOST", &self.place)
            .env("PGPORT", PORT.to_string())
            .env("PGCONNECT_TIMEOUT", "5");
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-c",
            statement,
        ]);
        run(&mut psql, STATEMENT_MAX)
    }

    /// Runs a file of statements as the superuser.
    pub(crate) fn sql_file(&self, name: &str, statements: &str) -> Result<String, Fault> {
        self.write(name, statements)?;
        let mut psql = self.as_postgres("psql");
        psql.env("PGHOST", &self.place).env("PGPORT", PORT.to_string());
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", name]);
        run(&mut psql, STATEMENT_MAX)
    }

    /// Whether it is a primary, by its own word: there may be two.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub fn is_primary(&self) -> Result<bool, Fault> {
        self.sql("SELECT pg_is_in_recovery()").map(|answer| answer == "f")
    }

    /// How far the WAL on its disk reaches.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub fn position(&self) -> Result<Position, Fault> {
        let answer = self.sql(
            "SELECT (SELECT max(left(name, 8)) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'), \
             CASE WHEN pg_is_in_recovery() \
             THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
             ELSE pg_current_wal_flush_lsn() END - '0/0'",
        )?;
        let parsed = answer.split_once('|').and_then(|(timeline, lsn)| {
            let timeline = u32::from_str_radix(timeline, 16).ok()?;
            Some(Position { timeline, lsn: lsn.parse().ok()? })
        });
        parsed.ok_or_else(|| Fault::failed(&self.name, format!("no position: {answer}")))
    }

    /// The variables with which its clock is wrong.
    fn clock(&self) -> Vec<String> {
        match self.clock_ahead_s {
            0 => Vec::new(),
            ahead_s => vec![
                format!("LD_PRELOAD={LIBFAKETIME}"),
                format!("FAKETIME={ahead_s:+}s"),
                "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            ],
        }
    }

    /// A command on its host as the user of PostgreSQL.
    pub(crate) fn as_postgres(&self, program: &str) -> Command {
        self.as_postgres_with(program, &[])
    }

    /// The same with variables that only the program itself sees, not those that lead to it.
    fn as_postgres_with(&self, program: &str, variables: &[String]) -> Command {
        let programs = env::var("SPORTELLO_TEST_POSTGRESQL").unwrap_or(PROGRAMS.to_owned());
        let mut command = self.host.command("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg("env").args(variables);
        command.arg(Path::new(&programs).join(program)).current_dir(&self.place);
        command.env("LC_ALL", "C.UTF-8").env("HOME", &self.place);
        command
    }

    /// The end of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = fs::read_to_string(self.place.join("log")).unwrap_or_default();
        let skipped = log.chars().count().saturating_sub(LOG_SHOWN);
        log.chars().skip(skipped).collect()
    }

    fn kill_if_up(&mut self) {
        if self.process.as_mut().is_some_and(|process| !matches!(process.try_wait(), Ok(None))) {
            self.process = None;
        }
        if self.is_up() {
            report(self.kill());
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill_if_up();
    }
}

/// Makes a directory, and gives it exactly these rights.
fn make_directory(path: &Path, mode: u32) -> Result<(), Fault> {
    let text = path.to_string_lossy();
    tool("install", &["-d", "-m", &format!("{mode:o}"), &text]).map(drop)
}

fn signal(name: &str, pids: &[u32]) -> Result<(), Fault> {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).args(pids.iter().map(u32::to_string));
    match run(&mut kill, TOOL_MAX) {
        // Between the look and the signal a process may have ended by itself.
        Err(Fault::Failed { said, .. }) if said.contains("No such process") => Ok(()),
        done => done.map(drop),
    }
}

/// Whether a process does not exist or is only not yet collected by its parent.
fn has_ended(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_none_or(|state| state == 'Z' || state == 'X')
}
