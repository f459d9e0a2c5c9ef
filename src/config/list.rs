//! The one list of settings.

use std::fmt::{self, Write as _};

use crate::gate::schedule::Slice;

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    /// A whole number between two, both included.
    Number(u64, u64),
    /// `IP:PORT`.
    Address,
    /// An IP address of this machine alone and a port.
    LoopbackAddress,
    /// `HH:MM-HH:MM`, Europe/Rome.
    Slice,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
}

impl Allowed {
    /// Whether a value is allowed.
    #[must_use]
    pub fn admits(&self, value: &str) -> bool {
        match self {
            Self::Number(least, most) => {
                value.parse().is_ok_and(|number| (*least..=*most).contains(&number))
            }
            Self::Address => value.parse::<std::net::SocketAddr>().is_ok(),
            Self::LoopbackAddress => {
                value.parse().is_ok_and(|address: std::net::SocketAddr| address.ip().is_loopback())
            }
            Self::Slice => Slice::parse(value).is_some(),
            Self::Switch => matches!(value, "true" | "false"),
            Self::OneOf(words) => words.contains(&value),
            Self::Text => true,
        }
    }

    /// Whether values are written without quotes.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self, Self::Number(..) | Self::Switch)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(least, most) => write!(formatter, "a whole number from {least} to {most}"),
            Self::Address => formatter.write_str("an address and port such as \"127.0.0.1:8443\""),
            Self::LoopbackAddress => formatter.write_str(
                "an address of this machine alone, such as \"127.0.0.1:9464\": the operator's side is not for others",
            ),
            Self::Slice => formatter.write_str("a slice of the day such as \"08:00-16:00\""),
            Self::Switch => formatter.write_str("true or false"),
            Self::OneOf(words) => write!(formatter, "one of \"{}\"", words.join("\", \"")),
            Self::Text => formatter.write_str("a text in quotes"),
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// `section.name`.
    pub key: &'static str,
    /// Its default, as text.
    pub default: &'static str,
    /// What it may be.
    pub allowed: Allowed,
    /// What it does, with its unit.
    pub help: &'static str,
}

const fn setting(
    key: &'static str,
    default: &'static str,
    allowed: Allowed,
    help: &'static str,
) -> Setting {
    Setting { key, default, allowed, help }
}

const COUNT: Allowed = Allowed::Number(1, 100_000_000);
const MILLISECONDS: Allowed = Allowed::Number(1, 600_000);
const BYTES: Allowed = Allowed::Number(4096, 1 << 40);
const RATE: Allowed = Allowed::Number(1, 1_000_000);

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting(
        "server.listen",
        "127.0.0.1:8443",
        Allowed::Address,
        "Public listener, HTTPS only; port 0 takes a free one.",
    ),
    setting(
        "server.operator",
        "127.0.0.1:9464",
        Allowed::LoopbackAddress,
        "Operator listener: metrics and health.",
    ),
    setting("server.data", "./data", Allowed::Text, "Directory that holds everything that lasts."),
    setting(
        "server.runtimes",
        "0",
        Allowed::Number(0, 1024),
        "Threads that serve connections; 0 means one a core.",
    ),
    setting(
        "server.drain_ms_max",
        "20000",
        MILLISECONDS,
        "Longest a stop waits for requests that were let in, milliseconds; decisions under way and a last sync come on top.",
    ),
    setting(
        "tls.certificate",
        "",
        Allowed::Text,
        "Certificate chain, PEM file. The demo makes its own.",
    ),
    setting("tls.key", "", Allowed::Text, "The certificate's private key, PEM file."),
    setting(
        "identity.issuer",
        "",
        Allowed::Text,
        "Issuer of the identity tokens that are trusted.",
    ),
    setting(
        "identity.audience",
        "sportello",
        Allowed::Text,
        "Audience that identity tokens must name.",
    ),
    setting(
        "identity.public_key",
        "",
        Allowed::Text,
        "The issuer's Ed25519 public key, PEM file. The demo makes its own.",
    ),
    setting(
        "schedule.citizens",
        "16:00-08:00",
        Allowed::Slice,
        "When citizens may enter, Europe/Rome.",
    ),
    setting(
        "schedule.intermediaries",
        "08:00-16:00",
        Allowed::Slice,
        "When intermediaries may enter, Europe/Rome.",
    ),
    setting(
        "schedule.weekends_open",
        "false",
        Allowed::Switch,
        "Whether Saturdays and Sundays are open to all.",
    ),
    setting(
        "gate.leases_max",
        "120000",
        COUNT,
        "People inside who can still finish; fewer than ledger.queue_messages_max.",
    ),
    setting(
        "gate.requests_max",
        "20000",
        COUNT,
        "Requests under way before the least promised are turned away.",
    ),
    setting(
        "gate.lag_ms_max",
        "25",
        Allowed::Number(1, 60_000),
        "A runtime that stays behind by so many milliseconds lets nobody in before who is inside has been served.",
    ),
    setting(
        "waiting.people_max",
        "1000000",
        COUNT,
        "People in the waiting room; each takes 61 bytes.",
    ),
    setting(
        "waiting.gather_seconds",
        "5",
        Allowed::Number(1, 3_600),
        "A round of the waiting room gathers at least this long before it is drawn, seconds.",
    ),
    setting(
        "waiting.absent_seconds",
        "120",
        Allowed::Number(5, 86_400),
        "Who is overdue in the waiting room by so many seconds has given up.",
    ),
    setting(
        "waiting.poll_seconds_min",
        "2",
        Allowed::Number(1, 60),
        "Who waits is told to ask again after this many seconds at least.",
    ),
    setting(
        "waiting.polls_per_second_max",
        "10000",
        RATE,
        "Who waits is told to ask again so that at most so many do in a second.",
    ),
    setting(
        "limits.enter_by_address_per_second",
        "100",
        RATE,
        "Attempts to enter a second from one address (IPv6: /64).",
    ),
    setting(
        "limits.enter_by_address_burst",
        "1000",
        RATE,
        "Attempts to enter at once from one address.",
    ),
    setting(
        "limits.enter_by_person_per_second",
        "1",
        RATE,
        "Attempts of one person to enter a second.",
    ),
    setting("limits.enter_by_person_burst", "20", RATE, "Attempts of one person to enter at once."),
    setting(
        "limits.session_by_person_per_second",
        "50",
        RATE,
        "Requests of one person's sessions a second.",
    ),
    setting(
        "limits.session_by_person_burst",
        "500",
        RATE,
        "Requests of one person's sessions at once.",
    ),
    setting(
        "limits.keys_max",
        "1000000",
        COUNT,
        "Addresses, and people, that each limit remembers; also the questions that it answers in two seconds.",
    ),
    setting(
        "sessions.sessions_max",
        "1000000",
        COUNT,
        "Sessions open at a time; each takes half a kilobyte.",
    ),
    setting(
        "sessions.person_sessions_max",
        "4",
        COUNT,
        "Sessions of one person at a time; the oldest makes way.",
    ),
    setting(
        "sessions.session_seconds",
        "1800",
        Allowed::Number(60, 86_400),
        "How long a session lasts, seconds.",
    ),
    setting(
        "http.connections_max",
        "50000",
        COUNT,
        "Connections open at a time; past it they are closed before TLS.",
    ),
    setting("http.handshakes_max", "512", COUNT, "TLS handshakes under way at a time."),
    setting(
        "http.handshake_ms_max",
        "10000",
        MILLISECONDS,
        "Time for a TLS handshake, waiting for its turn included, milliseconds.",
    ),
    setting(
        "http.head_ms_max",
        "30000",
        MILLISECONDS,
        "Time for a request's head; an unused connection stays open as long, milliseconds.",
    ),
    setting(
        "http.rest_ms",
        "2000",
        MILLISECONDS,
        "After how long without a request an HTTP/1.1 connection gives its buffers back, milliseconds.",
    ),
    setting(
        "http.head_bytes_max",
        "16384",
        Allowed::Number(8192, 1 << 20),
        "Bytes of a request's head.",
    ),
    setting("http.body_ms_max", "15000", MILLISECONDS, "Time for a request's body, milliseconds."),
    setting(
        "http.streams_max",
        "64",
        Allowed::Number(1, 1000),
        "HTTP/2 requests under way on one connection.",
    ),
    setting(
        "http.unsent_ms_max",
        "15000",
        MILLISECONDS,
        "Time for a client to acknowledge an answer, milliseconds.",
    ),
    setting(
        "ledger.key",
        "",
        Allowed::Text,
        "File with the ledger's secrets; empty means the systemd credential ledger.key, if there is one, else ledger.key in the data directory.",
    ),
    setting(
        "ledger.secret",
        "",
        Allowed::Text,
        "The ledger's secrets themselves, in place of a file. For the environment alone: SPORTELLO_LEDGER_SECRET.",
    ),
    setting("ledger.batch_records_max", "512", COUNT, "Applications written with one sync."),
    setting("ledger.batch_bytes_max", "4194304", BYTES, "Bytes written with one sync, about."),
    setting(
        "ledger.batch_wait_ms",
        "2",
        Allowed::Number(0, 1000),
        "How long a batch waits for company under load, milliseconds.",
    ),
    setting(
        "ledger.ruling_wait_ms",
        "20",
        Allowed::Number(0, 1000),
        "How long decisions wait for applications to be written with, milliseconds.",
    ),
    setting("ledger.queue_messages_max", "131072", COUNT, "Messages that wait for the committer."),
    setting(
        "ledger.wal_bytes_max",
        "33554432",
        BYTES,
        "Bytes of the write-ahead log before it begins again; four times that where the disk does not keep up.",
    ),
    setting(
        "ledger.checkpoint_ms",
        "500",
        MILLISECONDS,
        "How often the write-ahead log is moved into place, milliseconds.",
    ),
    setting(
        "ledger.disk_reserve_bytes",
        "1073741824",
        Allowed::Number(0, 1 << 50),
        "Bytes that stay free on the ledger's disk: below them nothing new is taken in. The demo keeps 16 MiB.",
    ),
    setting(
        "ledger.readers_max",
        "8",
        Allowed::Number(1, 256),
        "Connections kept for reading, a campaign.",
    ),
    setting(
        "audit.months_kept",
        "24",
        Allowed::Number(1, 1200),
        "Full months of the audit trail that are kept besides the current one.",
    ),
    setting(
        "audit.queue_events_max",
        "65536",
        COUNT,
        "Events that wait to be written to the audit trail.",
    ),
    setting(
        "audit.entered_wait_ms",
        "100",
        Allowed::Number(0, 10_000),
        "How long an entering, for which nobody waits, is held to be written together with others, milliseconds.",
    ),
    setting(
        "judges.threads",
        "0",
        Allowed::Number(0, 1024),
        "Threads that decide; 0 means one a core.",
    ),
    setting(
        "judges.urn_applications_max",
        "16384",
        COUNT,
        "Applications in memory that wait for a judge; the rest waits in the ledger.",
    ),
    setting(
        "registry.file",
        "",
        Allowed::Text,
        "What the institute knows of contributions and incomes, CSV file; empty means nothing.",
    ),
    setting(
        "log.format",
        "text",
        Allowed::OneOf(&["text", "json"]),
        "Form of the log, on standard error.",
    ),
    setting(
        "log.level",
        "info",
        Allowed::OneOf(&["error", "warn", "info", "debug"]),
        "What is logged.",
    ),
];

/// The commented default file.
#[must_use]
pub fn default_file() -> String {
    let mut text = String::from(
        "# Sportello's settings, each at its default. Environment variables win over this file: SPORTELLO_SERVER_LISTEN\n\
         # for server.listen, and so on; flags win over both.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        let (of, name) = setting.key.split_once('.').unwrap_or_default();
        if of != section {
            section = of;
            let _infallible = writeln!(text, "\n[{section}]");
        }
        let quote = if setting.allowed.is_bare() { "" } else { "\"" };
        let _infallible =
            writeln!(text, "# {}\n{name} = {quote}{}{quote}", setting.help, setting.default);
    }
    text
}
