//! Settings: flags over environment over file over defaults, every fault of all of them at once.
//!
//! [`SETTINGS`] is the one list; the default file, the environment's names and the checks all follow from it. Each module
//! owns the `Config` it works with; [`Settings`] fills them.

mod list;
mod read;

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

pub use self::{
    list::{Allowed, SETTINGS, Setting, default_file},
    read::{ConfigFault, ConfigFaults, Source},
};
use crate::{
    gate::{
        limits::{self, Rate},
        schedule::{self, Slice},
        waiting,
    },
    http::{body, listener},
    ledger::{self, audit, committer, engines::sqlite},
    session::sessions,
};

/// Longest body of a request, part of the public contract and therefore no setting.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A demo on somebody's own machine takes what room there is.
const DEMO_DISK_RESERVE_BYTES: u64 = 16 << 20;

/// Settings that were checked, all of them. One is a secret, so none is printed for debugging.
pub struct Settings {
    values: read::Values,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Settings(..)")
    }
}

/// Where the ledger's secrets come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, which may grow while the server runs.
    File(PathBuf),
    /// The environment.
    Given(String),
}

/// How a server is asked to start, over all other sources.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data`.
    pub data: Option<String>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--operator`.
    pub operator: Option<String>,
    /// `--demo`.
    pub demo: bool,
}

impl Settings {
    /// Gathers the settings of a server that starts.
    ///
    /// # Errors
    /// Every fault of every source.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigFaults> {
        let mut reading = read::Reading::default();
        if flags.demo {
            let reserve = DEMO_DISK_RESERVE_BYTES.to_string();
            reading.text("ledger.disk_reserve_bytes", &reserve, &Source::Flag("--demo"));
        }
        if let Some(path) = file {
            reading.file(path);
        }
        reading.environment(environment);
        for (key, name, value) in [
            ("server.data", "--data", &flags.data),
            ("server.listen", "--listen", &flags.listen),
            ("server.operator", "--operator", &flags.operator),
        ] {
            if let Some(value) = value {
                reading.text(key, value, &Source::Flag(name));
            }
        }
        let values = reading.finish()?;
        Ok(Self { values })
    }

    /// Where everything is kept.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.text("server.data"))
    }

    /// Where the public listener listens.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.address("server.listen")
    }

    /// Where the operator listener listens.
    #[must_use]
    pub fn operator(&self) -> SocketAddr {
        self.address("server.operator")
    }

    /// Runtimes for connections; one a core where the setting says 0.
    #[must_use]
    pub fn runtimes(&self) -> usize {
        per_core(self.count("server.runtimes"))
    }

    /// How long a stop may take, milliseconds.
    #[must_use]
    pub fn drain_ms_max(&self) -> u64 {
        self.number("server.drain_ms_max")
    }

    /// Judge threads; one a core where the setting says 0.
    #[must_use]
    pub fn judges(&self) -> usize {
        per_core(self.count("judges.threads"))
    }

    /// Applications that the urn holds.
    #[must_use]
    pub fn urn_applications_max(&self) -> usize {
        self.count("judges.urn_applications_max")
    }

    /// A path that may be left empty.
    fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.text(key)).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Certificate and key of the public listener.
    #[must_use]
    pub fn certificate(&self) -> Option<(PathBuf, PathBuf)> {
        self.path("tls.certificate").zip(self.path("tls.key"))
    }

    /// The identity provider: its issuer, the audience its tokens must name, and the file with its public key.
    #[must_use]
    pub fn identity(&self) -> Option<(String, String, PathBuf)> {
        let key = self.path("identity.public_key")?;
        Some((
            self.text("identity.issuer").to_owned(),
            self.text("identity.audience").to_owned(),
            key,
        ))
    }

    /// Where the ledger's secrets come from.
    #[must_use]
    pub fn ledger_key(&self) -> KeySource {
        match self.text("ledger.secret") {
            "" => KeySource::File(
                self.path("ledger.key").unwrap_or_else(|| self.data().join("ledger.key")),
            ),
            secret => KeySource::Given(secret.to_owned()),
        }
    }

    /// Bounds of the audit trail.
    #[must_use]
    pub fn audit(&self) -> audit::Config {
        audit::Config {
            months_kept: self.number("audit.months_kept"),
            queue_events_max: self.count("audit.queue_events_max"),
            entered_wait_ms: self.number("audit.entered_wait_ms"),
        }
    }

    /// Bytes that stay free on the ledger's disk.
    #[must_use]
    pub fn disk_reserve_bytes(&self) -> u64 {
        self.number("ledger.disk_reserve_bytes")
    }

    /// The file with what the institute knows itself, if there is one.
    #[must_use]
    pub fn registry_file(&self) -> Option<PathBuf> {
        self.path("registry.file")
    }

    /// Whether the log is JSON.
    #[must_use]
    pub fn log_as_json(&self) -> bool {
        self.text("log.format") == "json"
    }

    /// What is logged, as `tracing` filters are written.
    #[must_use]
    pub fn log_filter(&self) -> &str {
        self.text("log.level")
    }

    /// Leases there are.
    #[must_use]
    pub fn leases_max(&self) -> usize {
        self.count("gate.leases_max")
    }

    /// Requests under way, those that finish apart.
    #[must_use]
    pub fn requests_max(&self) -> usize {
        self.count("gate.requests_max")
    }

    /// How far a runtime may be behind and let people in, milliseconds.
    #[must_use]
    pub fn lag_ms_max(&self) -> u64 {
        self.number("gate.lag_ms_max")
    }

    /// The audiences' time slices.
    #[must_use]
    pub fn schedule(&self) -> schedule::Config {
        schedule::Config {
            citizens: self.slice("schedule.citizens"),
            intermediaries: self.slice("schedule.intermediaries"),
            weekends_open: self.text("schedule.weekends_open") == "true",
        }
    }

    /// Bounds of the waiting room.
    #[must_use]
    pub fn waiting(&self) -> waiting::Config {
        waiting::Config {
            people_max: self.count("waiting.people_max"),
            gather_seconds: self.positive("waiting.gather_seconds").get(),
            absent_seconds: self.positive("waiting.absent_seconds").get(),
            poll_seconds_min: self.positive("waiting.poll_seconds_min").get(),
            polls_per_second_max: self.positive("waiting.polls_per_second_max").get(),
        }
    }

    /// Rate limits.
    #[must_use]
    pub fn limits(&self) -> limits::Config {
        let rate = |name: &str| Rate {
            per_second: self.positive(&format!("limits.{name}_per_second")),
            burst: self.positive(&format!("limits.{name}_burst")),
        };
        limits::Config {
            enter_by_address: rate("enter_by_address"),
            enter_by_person: rate("enter_by_person"),
            session_by_person: rate("session_by_person"),
            keys_max: self.count("limits.keys_max"),
        }
    }

    /// Bounds of sessions.
    #[must_use]
    pub fn sessions(&self) -> sessions::Config {
        sessions::Config {
            sessions_max: self.count("sessions.sessions_max"),
            person_sessions_max: self.count("sessions.person_sessions_max"),
            session_seconds: self.positive("sessions.session_seconds").get(),
        }
    }

    /// Bounds of connections.
    #[must_use]
    pub fn listener(&self) -> listener::Config {
        listener::Config {
            connections_max: self.count("http.connections_max"),
            handshakes_max: self.count("http.handshakes_max"),
            handshake_ms_max: self.number("http.handshake_ms_max"),
            head_ms_max: self.number("http.head_ms_max"),
            rest_ms: self.number("http.rest_ms"),
            head_bytes_max: self.count("http.head_bytes_max"),
            streams_max: self.positive("http.streams_max").get(),
            unsent_ms_max: self.number("http.unsent_ms_max"),
        }
    }

    /// Bounds of bodies.
    #[must_use]
    pub fn body(&self) -> body::Config {
        body::Config {
            body_bytes_max: BODY_BYTES_MAX,
            body_ms_max: self.number("http.body_ms_max"),
        }
    }

    /// Bounds of a ledger.
    #[must_use]
    pub fn ledger(&self) -> ledger::Config {
        ledger::Config {
            commit: committer::Config {
                batch_records_max: self.count("ledger.batch_records_max"),
                batch_bytes_max: self.count("ledger.batch_bytes_max"),
                batch_wait_ms: self.number("ledger.batch_wait_ms"),
                ruling_wait_ms: self.number("ledger.ruling_wait_ms"),
                queue_messages_max: self.count("ledger.queue_messages_max"),
            },
            files: sqlite::Bounds {
                wal_bytes_max: self.number("ledger.wal_bytes_max"),
                readers_max: self.count("ledger.readers_max"),
            },
            checkpoint_ms: self.number("ledger.checkpoint_ms"),
        }
    }

    /// The value of a key that is on the list; asking for another is a bug that the first test finds.
    fn text(&self, key: &str) -> &str {
        self.values.get(key).map(String::as_str).expect("the key is on the list")
    }

    fn number(&self, key: &str) -> u64 {
        self.text(key).parse().expect("the value was checked")
    }

    fn count(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).expect("the value was checked")
    }

    fn positive(&self, key: &str) -> NonZeroU32 {
        self.text(key).parse().expect("the value was checked")
    }

    fn address(&self, key: &str) -> SocketAddr {
        self.text(key).parse().expect("the value was checked")
    }

    fn slice(&self, key: &str) -> Slice {
        Slice::parse(self.text(key)).expect("the value was checked")
    }
}

fn per_core(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        chosen => chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fill_every_config() {
        let settings = Settings::gather(None, std::iter::empty(), &Flags::default()).unwrap();
        assert_eq!(settings.listen(), "127.0.0.1:8443".parse().unwrap());
        assert_eq!(settings.operator(), "127.0.0.1:9464".parse().unwrap());
        assert_eq!(settings.data(), PathBuf::from("./data"));
        assert!(settings.runtimes() > 0 && settings.judges() > 0 && settings.drain_ms_max() > 0);
        assert!(settings.urn_applications_max() > 0 && settings.requests_max() > 0);
        assert!(settings.certificate().is_none() && settings.identity().is_none());
        assert!(settings.registry_file().is_none());
        assert!(settings.leases_max() < settings.ledger().commit.queue_messages_max);
        let _configs =
            (settings.schedule(), settings.limits(), settings.sessions(), settings.listener());
        assert!(settings.waiting().people_max > 0);
        assert!(!settings.log_as_json() && !settings.log_filter().is_empty());
        assert_eq!(settings.body().body_bytes_max, 65_536);
        assert!(settings.ledger_key() == KeySource::File(PathBuf::from("./data/ledger.key")));
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sportello.toml");
        std::fs::write(
            &file,
            "[server]\nlisten = \"127.0.0.1:1\"\noperator = \"127.0.0.1:1\"\ndata = \"file\"\n",
        )
        .unwrap();
        let environment = [
            ("SPORTELLO_SERVER_LISTEN", "127.0.0.1:2"),
            ("SPORTELLO_SERVER_OPERATOR", "127.0.0.1:2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let flags = Flags { operator: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
        let settings = Settings::gather(Some(&file), environment.into_iter(), &flags).unwrap();
        assert_eq!(settings.data(), PathBuf::from("file"));
        assert_eq!(settings.listen().port(), 2);
        assert_eq!(settings.operator().port(), 3);
    }
}
