//! Settings of the server: flags override the environment, which overrides a file, which overrides the defaults.
//!
//! Every setting is written once, in the table of `list.rs`. Each module owns the `Config` that it works with;
//! [`Settings`] fills them. All faults of all sources are reported together.

mod data;
mod engine;
mod fault;
mod identity;
mod issuers;
mod list;
mod origin;
mod over;
mod providers;
mod read;
mod relations;
mod setting;
mod written;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::{
    data::{
        DATA_VARIABLE, ENGINE_VARIABLE, KeySource, SECRET_VARIABLE, URL_VARIABLE, demo_jwks_in,
        demo_mandates_in, identity_keys_in, ledgers_in, receipt_keys_in,
    },
    fault::{ConfigFault, ConfigFaults, Source},
    origin::{Change, Origin},
    over::Shown,
    read::Over,
    written::default_file,
};
use self::{
    list::{Http, INTAKE, JUDGE, Ledger, Limits, Values, setting},
    read::Reading,
    setting::{Text, Value as _},
};
use crate::{
    gate::{
        admission,
        beacon::Beacon,
        limits::{self, Rate},
        schedule, waiting,
    },
    http::{body, listener},
    intake,
    ledger::audit,
    session::sessions,
    trace,
};

/// Longest body of a request, bytes. Part of the public contract, therefore not a setting.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Free space that the demo keeps: it runs on a personal machine.
const DEMO_DISK_RESERVE_BYTES: u64 = 16 << 20;

/// Settings, all checked, and whether they are a demo's. They hold a secret, so `Debug` shows nothing.
pub struct Settings(Values, bool);

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Settings(..)")
    }
}

/// Flags of `sportello serve` that override every other source.
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
    /// `sportello judge`.
    pub judges_only: bool,
}

impl Settings {
    /// Reads the settings of a server that starts.
    ///
    /// # Errors
    /// Every fault of every source. Show all of them to the operator.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, ConfigFaults> {
        let environment: Vec<_> = environment.collect();
        let mut reading = Reading::new(flags.demo);
        reading.credential(&environment);
        if flags.demo {
            let reserve = DEMO_DISK_RESERVE_BYTES.to_string();
            reading.flag(setting!(ledger.disk_reserve_bytes), "--demo", &reserve);
        }
        if let Some(path) = file {
            reading.file(path);
        }
        reading.environment(&environment);
        for (setting, flag, value) in [
            (setting!(server.data), "--data", &flags.data),
            (setting!(server.listen), "--listen", &flags.listen),
            (setting!(server.operator), "--operator", &flags.operator),
        ] {
            if let Some(value) = value {
                reading.flag(setting, flag, value);
            }
        }
        if flags.judges_only {
            reading.flag(setting!(server.roles), "sportello judge", JUDGE);
        }
        reading.finish().map(|values| Self(values, flags.demo))
    }

    /// Whether this server takes applications.
    #[must_use]
    pub fn takes(&self) -> bool {
        &*self.0.server.roles != JUDGE
    }

    /// Whether it decides them.
    #[must_use]
    pub fn decides(&self) -> bool {
        &*self.0.server.roles != INTAKE
    }

    /// Data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        PathBuf::from(&*self.0.server.data)
    }

    /// Address of the public listener.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.0.server.listen
    }

    /// Address of the listener for people inside who have to reconnect.
    #[must_use]
    pub fn listen_inside(&self) -> Option<SocketAddr> {
        self.0.server.listen_inside
    }

    /// Where clients reach that listener; `None` if it is not set.
    #[must_use]
    pub fn inside_url(&self) -> Option<String> {
        Some(self.0.server.inside_url.write()).filter(|url| !url.is_empty())
    }

    /// Open connections at that listener.
    #[must_use]
    pub fn inside_connections_max(&self) -> usize {
        self.0.http.inside_connections_max
    }

    /// Address of the listener that requires client certificates.
    #[must_use]
    pub fn listen_certificates(&self) -> Option<SocketAddr> {
        self.0.server.listen_certificates
    }

    /// Address of the operator listener, a loopback address.
    #[must_use]
    pub fn operator(&self) -> SocketAddr {
        self.0.server.operator
    }

    /// Threads that serve connections, at least one.
    #[must_use]
    pub fn runtimes(&self) -> usize {
        per_core(self.0.server.runtimes)
    }

    /// Longest time that a stop waits for requests in progress, milliseconds.
    #[must_use]
    pub fn drain_ms_max(&self) -> u64 {
        self.0.server.drain_ms_max
    }

    /// Threads that decide applications, at least one.
    #[must_use]
    pub fn judges(&self) -> usize {
        if self.decides() { per_core(self.0.judges.threads) } else { 0 }
    }

    /// Applications in the urn.
    #[must_use]
    pub fn urn_applications_max(&self) -> usize {
        self.0.judges.urn_applications_max
    }

    /// Certificate and private key of the public listener, PEM files.
    #[must_use]
    pub fn certificate(&self) -> Option<(PathBuf, PathBuf)> {
        path(&self.0.tls.certificate).zip(path(&self.0.tls.key))
    }

    /// NDJSON file with the mandates of offices; a demo has one of its own.
    #[must_use]
    pub fn mandates_file(&self) -> Option<PathBuf> {
        path(&self.0.identity.mandates).or_else(|| self.1.then(|| demo_mandates_in(&self.data())))
    }

    /// Where the ledger's secrets come from.
    #[must_use]
    pub fn ledger_key(&self) -> KeySource {
        let Ledger { key, secret, .. } = &self.0.ledger;
        KeySource::find(secret.write(), path(key), &self.data())
    }

    /// Bounds of the audit trail.
    #[must_use]
    pub fn audit(&self) -> audit::Config {
        self.0.audit
    }

    /// Free space on the ledger's disk below which nothing new is accepted, bytes.
    #[must_use]
    pub fn disk_reserve_bytes(&self) -> u64 {
        self.0.ledger.disk_reserve_bytes
    }

    /// CSV file with what the institute knows itself.
    #[must_use]
    pub fn registry_file(&self) -> Option<PathBuf> {
        path(&self.0.registry.file)
    }

    /// Name of the institute that runs the service, how people reach it, and when it last went over its pages; empty
    /// where it is not set.
    #[must_use]
    pub fn institute(&self) -> [String; 3] {
        let list::Pages { institute, contacts, updated_on, .. } = &self.0.pages;
        [institute, contacts, updated_on].map(|text| text.clone().into_owned())
    }

    /// Text file with what everybody is told.
    #[must_use]
    pub fn notice_file(&self) -> Option<PathBuf> {
        path(&self.0.pages.notice)
    }

    /// Time from one visit of the canary to the next; `None` if it is switched off.
    #[must_use]
    pub fn canary_every(&self) -> Option<Duration> {
        let seconds = self.0.canary.every_seconds;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// Where the canary connects; `None` for the public listener itself.
    #[must_use]
    pub fn canary_address(&self) -> Option<SocketAddr> {
        self.0.canary.address
    }

    /// Whether the log is JSON.
    #[must_use]
    pub fn log_as_json(&self) -> bool {
        self.0.log.format == list::JSON
    }

    /// Least severity that is logged, as a `tracing` filter.
    #[must_use]
    pub fn log_level(&self) -> &str {
        &self.0.log.level
    }

    /// Where spans go, and how many; `None` without a collector.
    #[must_use]
    pub fn traces(&self) -> Option<trace::Config> {
        let list::Traces { endpoint, ca, requests_per_second_max } = &self.0.traces;
        let (endpoint, ca) = (endpoint.parse().ok()?, path(ca));
        Some(trace::Config { endpoint, ca, per_second_max: *requests_per_second_max })
    }

    /// Leases, fewer than places in the commit queue.
    #[must_use]
    pub fn leases_max(&self) -> usize {
        self.0.gate.leases_max
    }

    /// Requests in progress at a time, submissions apart.
    #[must_use]
    pub fn requests_max(&self) -> usize {
        self.0.gate.requests_max
    }

    /// Bounds of the admission controller.
    #[must_use]
    pub fn admission(&self) -> admission::Config {
        let &list::Gate { lag_ms_max, strangers_cpu_percent_max, people_per_second, .. } =
            &self.0.gate;
        admission::Config { lag_ms_max, strangers_cpu_percent_max, people_per_second }
    }

    /// Time slices of the audiences.
    #[must_use]
    pub fn schedule(&self) -> schedule::Config {
        self.0.schedule.clone()
    }

    /// What an operator should know of these settings, although they are allowed.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.0.schedule.warnings()
    }

    /// Bounds of the waiting room.
    #[must_use]
    pub fn waiting(&self) -> waiting::Config {
        self.0.waiting
    }

    /// The public beacon that draws are mixed with.
    #[must_use]
    pub fn beacon(&self) -> Option<Beacon> {
        let &list::Beacon { ref file, genesis, period_seconds, late_seconds_max } = &self.0.beacon;
        path(file).map(|file| Beacon { file, genesis, period_seconds, late_seconds_max })
    }

    /// Rate limits.
    #[must_use]
    pub fn limits(&self) -> limits::Config {
        let Limits {
            read_by_address_per_second,
            read_by_address_burst,
            enter_by_address_per_second,
            enter_by_address_burst,
            enter_by_person_per_second,
            enter_by_person_burst,
            session_by_person_per_second,
            session_by_person_burst,
            draft_by_person_per_second,
            draft_by_person_burst,
            line_by_person_per_second,
            line_by_person_burst,
            keys_max,
        } = self.0.limits;
        let rate = |per_second, burst| Rate { per_second, burst };
        limits::Config {
            read_by_address: rate(read_by_address_per_second, read_by_address_burst),
            enter_by_address: rate(enter_by_address_per_second, enter_by_address_burst),
            enter_by_person: rate(enter_by_person_per_second, enter_by_person_burst),
            session_by_person: rate(session_by_person_per_second, session_by_person_burst),
            draft_by_person: rate(draft_by_person_per_second, draft_by_person_burst),
            line_by_person: rate(line_by_person_per_second, line_by_person_burst),
            loopback_is_free: self.1,
            keys_max,
        }
    }

    /// Bounds of sessions.
    #[must_use]
    pub fn sessions(&self) -> sessions::Config {
        self.0.sessions
    }

    /// The proxies in front of the server.
    #[must_use]
    pub fn proxies(&self) -> listener::Proxies {
        let Http { proxies, pooling_proxies, .. } = &self.0.http;
        listener::Proxies { passing: proxies.clone(), pooling: pooling_proxies.clone() }
    }

    /// Bounds of connections.
    #[must_use]
    pub fn listener(&self) -> listener::Config {
        let Http {
            connections_max,
            address_share_percent,
            handshakes_max,
            address_handshakes_max,
            handshake_ms_max,
            head_ms_max,
            rest_ms,
            head_bytes_max,
            streams_max,
            unsent_ms_max,
            inside_prove_ms_max,
            inside_connections_max: _,
            body_ms_max: _,
            proxies: _,
            pooling_proxies: _,
        } = self.0.http;
        listener::Config {
            connections_max,
            client_share_percent: address_share_percent,
            handshakes_max,
            client_handshakes_max: address_handshakes_max,
            loopback_is_free: self.1,
            handshake_ms_max,
            head_ms_max,
            rest_ms,
            head_bytes_max,
            streams_max,
            unsent_ms_max,
            prove_ms_max: inside_prove_ms_max,
        }
    }

    /// Bounds of bodies.
    #[must_use]
    pub fn body(&self) -> body::Config {
        body::Config { body_bytes_max: BODY_BYTES_MAX, body_ms_max: self.0.http.body_ms_max }
    }

    /// Bounds of the intake.
    #[must_use]
    pub fn intake(&self) -> intake::Config {
        intake::Config {
            schedule: self.schedule(),
            admission: self.admission(),
            leases_max: self.leases_max(),
            waiting: self.waiting(),
            limits: self.limits(),
            quotas: self.0.quotas,
            sessions: self.sessions(),
            urn_applications_max: self.urn_applications_max(),
            ledger: self.engine(),
            audit: self.audit(),
            contact_centers: self.contact_centers(),
            disk_reserve_bytes: self.disk_reserve_bytes(),
        }
    }
}

/// A path, unless it is not set.
fn path(text: &Text) -> Option<PathBuf> {
    Some(PathBuf::from(&**text)).filter(|path| !path.as_os_str().is_empty())
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
        assert!(settings.certificate().is_none() && settings.issuers().is_empty());
        assert!(settings.registry_file().is_none() && settings.mandates_file().is_none());
        assert!(settings.leases_max() < settings.ledger().commit.queue_messages_max);
        let _configs =
            (settings.schedule(), settings.limits(), settings.sessions(), settings.listener());
        assert!(settings.waiting().people_max > 0);
        assert!(settings.traces().is_none());
        assert!(!settings.log_as_json() && !settings.log_level().is_empty());
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
