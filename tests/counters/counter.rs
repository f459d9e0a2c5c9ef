//! One counter: `sportello serve` on a host of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use cluster::{Host, until};
use jiff::{SignedDuration, Timestamp};
use sportello::clock::Stopwatch;

/// When the demo's clock of each counter begins: an evening in the citizens' time slice, while ISCRO 2024 is open.
const EVENING: Timestamp = Timestamp::constant(1_726_500_600, 0);
const PORT: u16 = 8443;
/// Each host has its own loopback.
const OPERATOR: &str = "127.0.0.1:9464";
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Longest start: one that finds no primary ends, and is started again.
const START_MAX: Duration = Duration::from_mins(1);
/// Longest orderly stop: its requests in progress may wait for the database.
const STOP_MAX: Duration = Duration::from_secs(40);
/// Characters of a log that a failure shows.
const LOG_SHOWN: usize = 4000;

/// What all counters have in common.
pub(crate) struct Shared {
    /// The directory of all.
    pub(crate) place: PathBuf,
    /// URL of the database.
    pub(crate) database: String,
    /// Further settings.
    pub(crate) settings: String,
    /// When the demo's clock began.
    pub(crate) begun: Stopwatch,
}

/// A counter, running or not; killed when dropped.
pub(crate) struct Counter {
    pub(crate) name: &'static str,
    host: Host,
    place: PathBuf,
    shared: Arc<Shared>,
    /// How far its clock is ahead.
    pub(crate) ahead_s: i64,
    process: Option<Child>,
}

impl Counter {
    /// Not started. `certificate`: with its key.
    pub(crate) fn new(
        name: &'static str,
        host: Host,
        shared: Arc<Shared>,
        (certificate, key): &(String, String),
    ) -> Self {
        let place = shared.place.join(name);
        fs::create_dir_all(place.join("data")).unwrap();
        fs::write(place.join("server.crt"), certificate).unwrap();
        sportello::private_files::write_private(&place.join("server.key"), key.as_bytes()).unwrap();
        let own = Self { name, host, place, shared, ahead_s: 0, process: None };
        fs::write(own.settings(), own.file()).unwrap();
        own
    }

    /// The settings file.
    pub(crate) fn settings(&self) -> PathBuf {
        self.place.join("sportello.toml")
    }

    fn file(&self) -> String {
        let Shared { place: above, database, settings, .. } = &*self.shared;
        let (own, above, address) = (self.place.display(), above.display(), self.host.address());
        format!(
            r#"
            [server]
            listen = "{address}:{PORT}"
            operator = "{OPERATOR}"
            data = "{own}/data"
            runtimes = 1
            [tls]
            certificate = "{own}/server.crt"
            key = "{own}/server.key"
            [ledger]
            engine = "postgres"
            key = "{above}/ledger.key"
            [postgres]
            url = "{database}"
            ca = "{above}/authority.crt"
            password_file = "{above}/password"
            wait_ms_max = 4000
            lease_seconds = 4
            [judges]
            threads = 1
            [canary]
            every_seconds = 0
            {settings}
            "#
        )
    }

    /// Trusts the identities that are signed with these keys, and no others.
    pub(crate) fn take_keys_from(&self, keys: &Path) {
        for entry in fs::read_dir(keys).unwrap() {
            let path = entry.unwrap().path();
            // With its mode, which is private.
            fs::copy(&path, self.place.join("data").join(path.file_name().unwrap())).unwrap();
        }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}:{PORT}", self.host.address())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it, and waits until it is ready; again if it found no primary.
    pub(crate) fn start(&mut self) {
        let mut ready = None;
        let what = format!("{} is ready", self.name);
        let started = until(&what, START_MAX, || {
            if self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some()) {
                self.process = None;
                self.announce_end();
            }
            if self.process.is_none() {
                ready = Some(self.spawn());
            }
            let said = fs::read_to_string(ready.as_ref()?).ok()?;
            said.starts_with("ready ").then_some(())
        });
        started.unwrap_or_else(|fault| panic!("{fault}\n{}", self.log_end()));
    }

    fn announce_end(&self) {
        println!("    {} has ended: {}", self.name, self.log_end().lines().last().unwrap_or(""));
    }

    /// Starts its process; returns the file in which it says that it is ready.
    fn spawn(&mut self) -> PathBuf {
        let said = self.place.join("ready");
        let log = fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let passed = SignedDuration::try_from(self.shared.begun.elapsed()).unwrap();
        let now = EVENING + passed + SignedDuration::from_secs(self.ahead_s);
        let mut serve = self.host.command("setpriv");
        // Where a test is killed, its counters end, too.
        serve.args(["--pdeathsig", "KILL", "env"]).args(self.clock());
        serve.args([env!("CARGO_BIN_EXE_sportello"), "serve", "--demo", "--no-open"]);
        serve.arg("--config").arg(self.settings()).arg("--now").arg(now.to_string());
        without_settings(&mut serve);
        serve.stdin(Stdio::null()).stdout(fs::File::create(&said).unwrap()).stderr(log);
        self.process = Some(serve.spawn().unwrap());
        said
    }

    /// The variables with which its clock is wrong.
    fn clock(&self) -> Vec<String> {
        if self.ahead_s == 0 {
            return Vec::new();
        }
        vec![
            format!("LD_PRELOAD={LIBFAKETIME}"),
            format!("FAKETIME={:+}s", self.ahead_s),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ]
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        let Some(mut process) = self.process.take() else { return };
        let ended =
            until(&format!("{} stops", self.name), STOP_MAX, || process.try_wait().unwrap());
        let status = ended.unwrap_or_else(|fault| {
            // It may end in this moment.
            let _killed = process.kill();
            panic!("{fault}\n{}", self.log_end())
        });
        assert!(status.success(), "{} ended with {status}: {}", self.name, self.log_end());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it where it is, as a machine that hangs does.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    fn signal(&self, name: &str) {
        let Some(pid) = self.pid() else { return };
        let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
        assert!(sent.unwrap().success(), "{} has ended: {}", self.name, self.log_end());
    }

    fn log(&self) -> PathBuf {
        self.place.join("log")
    }

    /// The end of its log.
    pub(crate) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let skipped = log.chars().count().saturating_sub(LOG_SHOWN);
        log.chars().skip(skipped).collect()
    }

    /// Lines of its log that name a panic.
    pub(crate) fn panics(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect()
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Leaves out the settings that the environment of the tests has.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPORTELLO_")) {
        command.env_remove(name);
    }
}
