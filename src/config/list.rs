//! The one table of settings: name, type, default, allowed values and help of each, section by section.
//!
//! [`Values`], the defaults, the commented default file, the names of environment variables and the check of a file come
//! from this table. Where a module's own `Config` has the fields of a section, the section is that `Config`.

use std::{net::SocketAddr, num::NonZeroU32};

use jiff::civil::time;

use super::setting::{
    Allowed::{
        self, Address, AddressIfAny, LoopbackAddress, Number, OneOf, OriginIfAny, Secret, Switch,
    },
    Setting, Text, loopback, row,
};
use crate::{
    civic::days::{Days, PatronDay},
    gate::{
        network::Networks,
        quotas,
        schedule::{self, Slice},
        waiting,
    },
    identity::{Assurance, algorithm::Algorithm, choice::Choice, issuer::Config, openid, token},
    ledger::audit,
    session::{CANARY_PAUSE_SECONDS_MAX, sessions},
};

const COUNT: Allowed = Number(1, 100_000_000);
const MILLISECONDS: Allowed = Number(1, 600_000);
const BYTES: Allowed = Number(4096, 1 << 40);
const RATE: Allowed = Number(1, 1_000_000);
/// Text, such as a path.
const TEXT: Allowed = Allowed::Text;
/// A time slice.
const SLICE: Allowed = Allowed::Slice;

/// The values of `ledger.engine`.
const LOCAL: &str = "local";
pub(super) const POSTGRES: &str = "postgres";
/// The values of `server.roles`.
pub(super) const ALL_ROLES: &str = "intake, judge";
pub(super) const INTAKE: &str = "intake";
pub(super) const JUDGE: &str = "judge";
/// The value of `log.format` for machines.
pub(super) const JSON: &str = "json";

macro_rules! settings {
    ($($section:ident: $($config:ident)::+ {
        $($(#[doc = $help:literal])+ $name:ident: $value:ty = $default:expr, $allowed:expr;)+
    })+) => {
        $(section! { $($config)::+ { $($name: $value),+ } })+

        /// A value for every setting.
        #[derive(Clone)]
        pub(super) struct Values {
            $(pub(super) $section: $($config)::+,)+
            /// The issuers of `[identity]` and `[[identity.issuers]]`, checked.
            pub(super) issuers: Vec<Config>,
            /// The providers of `[[identity.providers]]`, checked.
            pub(super) providers: Vec<openid::Config>,
        }

        /// The values of settings that no source names.
        pub(super) static DEFAULTS: Values = Values {
            $($section: $($config)::+ { $($name: $default),+ },)+
            issuers: Vec::new(),
            providers: Vec::new(),
        };

        /// Every setting, in the order of the table.
        pub(super) const SETTINGS: &[Setting<Values>] = &[$($(
            row!(stringify!($section), $name: $value, $section.$name, [$($help),+], $allowed)
        ),+),+];
    };
}

/// Declares the values of a section, unless they are a module's own `Config`.
macro_rules! section {
    ($name:ident { $($field:ident: $value:ty),+ }) => {
        #[derive(Clone)]
        #[allow(clippy::struct_field_names, reason = "operators have files with these names")]
        pub(super) struct $name { $(pub(super) $field: $value),+ }
    };
    ($($config:ident)::+ { $($fields:tt)+ }) => {};
}

settings! {
    server: Server {
        /// What this server does: it takes applications, decides them, or both. Anything but both requires
        /// ledger.engine = "postgres", where other servers do the rest. "judge" alone has no public listener: sportello judge.
        roles: Text = Text::Borrowed(ALL_ROLES), OneOf(&[ALL_ROLES, INTAKE, JUDGE]);
        /// Public HTTPS listener: IP address and port. Port 0 picks a free port.
        listen: SocketAddr = loopback(8443), Address;
        /// Second HTTPS listener, where people inside who lost their connection do not queue with those outside: IP
        /// address and port. Empty means none.
        listen_inside: Option<SocketAddr> = None, AddressIfAny;
        /// Where clients reach it, such as "https://inside.example.it:8444"; told to everybody who is let in. Required with
        /// server.listen_inside, except for the demo, which takes the listener's own address.
        inside_url: Text = Text::Borrowed(""), OriginIfAny;
        /// Another HTTPS listener, which requires a client certificate of a card (CNS, CIE) or of an office's system, as the
        /// section certificates says: IP address and port. Empty means none.
        listen_certificates: Option<SocketAddr> = None, AddressIfAny;
        /// Operator listener (metrics, health and control, HTTP): loopback address and port.
        operator: SocketAddr = loopback(9464), LoopbackAddress;
        /// Data directory: ledgers, audit trail, drafts, and by default the ledger's key file.
        data: Text = Text::Borrowed("./data"), TEXT;
        /// Threads that serve connections; 0 means one per core.
        runtimes: usize = 0, Number(0, 1024);
        /// Longest time that a stop waits for requests in progress, milliseconds. The decisions in progress and the last
        /// sync come on top.
        drain_ms_max: u64 = 20_000, MILLISECONDS;
    }
    tls: Tls {
        /// Certificate chain, PEM file. Required, except for the demo, which makes its own.
        certificate: Text = Text::Borrowed(""), TEXT;
        /// Private key of the certificate, PEM file.
        key: Text = Text::Borrowed(""), TEXT;
    }
    identity: Identity {
        /// Trusted issuer of identity tokens (`iss`), with one of public_key, jwks_file and jwks_url. Without --demo at least
        /// one issuer is required, here or in a table [[identity.issuers]].
        issuer: Text = Text::Borrowed(""), TEXT;
        /// Audience that identity tokens must name (`aud`).
        audience: Text = Text::Borrowed("sportello"), TEXT;
        /// Longest accepted lifetime of an identity token, from its `iat` to its `exp`, seconds.
        lifetime_seconds_max: u32 = token::LIFETIME_SECONDS_MAX, Number(60, 604_800);
        /// The issuer's only key, an Ed25519 public key, PEM file, for tokens with any `kid` or none. Looked at every 2
        /// seconds.
        public_key: Text = Text::Borrowed(""), TEXT;
        /// The issuer's public keys, a JWK set (RFC 7517). Tokens must name one of them by its `kid`. Looked at every 2
        /// seconds.
        jwks_file: Text = Text::Borrowed(""), TEXT;
        /// URL of the issuer's JWK set, instead of a file. Fetched again as its Cache-Control says, within one minute and
        /// one hour, and if a token names an unknown key, once in 30 seconds at most.
        jwks_url: Text = Text::Borrowed(""), Allowed::HttpsUrl;
        /// Signature algorithms that the issuer's keys may use.
        algorithms: Choice<Algorithm> = Choice::ALL, Allowed::Algorithms;
        /// Assurance levels that the issuer may assert.
        levels: Choice<Assurance> = Choice::ALL, Allowed::Levels;
        /// Certificates that sign those of the hosts of jwks_url, PEM file, for all issuers. Empty means the system's.
        ca: Text = Text::Borrowed(""), TEXT;
        /// Mandates of offices, NDJSON file, looked at every 2 seconds. Empty means none, and no office can act for
        /// anybody; the demo has mandates.ndjson in the data directory.
        mandates: Text = Text::Borrowed(""), TEXT;
        /// Offices that are Contact Centers, names separated by commas: they act for people who call them and say a
        /// telephone PIN, and under no mandate of the file.
        contact_centers: Text = Text::Borrowed(""), Allowed::Offices;
    }
    federation: Federation {
        /// Name of this service in the federation of SPID and CIE: its https URL, which is also client_id of the providers.
        /// Empty means that this service is part of none.
        entity: Text = Text::Borrowed(""), Allowed::HttpsUrl;
        /// Key that signs its entity configuration: RSA or P-256, PKCS #8 in a PEM file, apart from those of providers.
        key: Text = Text::Borrowed(""), TEXT;
        /// Entities that vouch for this service, https URLs separated by spaces.
        authorities: Text = Text::Borrowed(""), TEXT;
        /// Name of the organisation that runs this service.
        organization: Text = Text::Borrowed(""), TEXT;
        /// Its e-mail address.
        contact: Text = Text::Borrowed(""), TEXT;
        /// JSON file with the list of its trust marks. Empty means none. Read at the start, like the key.
        trust_marks: Text = Text::Borrowed(""), TEXT;
    }
    certificates: Certificates {
        /// Certificate chain of server.listen_certificates, PEM file, for a host name of its own. Empty means
        /// tls.certificate.
        server_certificate: Text = Text::Borrowed(""), TEXT;
        /// Private key of that certificate, PEM file.
        server_key: Text = Text::Borrowed(""), TEXT;
        /// Certificates of the authorities whose cards and systems are accepted, PEM file. Required with
        /// server.listen_certificates; the demo has an authority of its own. All files of this section are looked at every
        /// 2 seconds.
        roots: Text = Text::Borrowed(""), TEXT;
        /// Revocation lists of these authorities and of those between: a file, or a directory whose files *.crl and *.pem
        /// are read; PEM or DER.
        crls: Text = Text::Borrowed(""), TEXT;
        /// Whether a certificate is accepted if no list decides on it, or if its list has expired.
        unknown_revocation_accepted: bool = false, Switch;
        /// Certificate policies of which a card must have one: CNS, two older ones of Lombardy, CIE.
        policies: Text = Text::Borrowed("1.3.76.16.2.1, 1.3.159.6.1.3.2.10, 1.3.76.12.1.1.10.2.2.10, 1.3.76.47.4"), Allowed::Policies;
        /// Systems of offices, a text file with one a line: SHA-256 fingerprint of the certificate, space, name of the office.
        offices: Text = Text::Borrowed(""), TEXT;
    }
    schedule: schedule::Config {
        /// Time slice in which citizens may enter, Europe/Rome.
        citizens: Slice = Slice { from: time(16, 0, 0, 0), until: time(8, 0, 0, 0) }, SLICE;
        /// Time slice in which intermediaries may enter, Europe/Rome.
        intermediaries: Slice = Slice { from: time(8, 0, 0, 0), until: time(16, 0, 0, 0) }, SLICE;
        /// Whether both audiences may enter all day on Saturdays and Sundays.
        weekends_open: bool = false, Switch;
        /// Whether both audiences may enter all day on Italian public holidays, Easter Monday and schedule.patron_day
        /// included. A Sunday is none of them.
        holidays_open: bool = false, Switch;
        /// The patron saint's day of the place, month and day, such as "06-29": a public holiday. Empty means none.
        patron_day: PatronDay = PatronDay::NONE, Allowed::PatronDay;
        /// Further days on which both audiences may enter, from midnight to midnight: dates and ranges of dates.
        open_on: Days = Days::NONE, Allowed::Days;
        /// Days on which nobody may enter, from midnight to midnight, such as "2024-12-24, 2024-12-30/2025-01-01".
        closed_on: Days = Days::NONE, Allowed::Days;
        /// Longest time past an opening until which people who were refused before it are asked to come back, seconds. The
        /// more were refused, the longer.
        spread_seconds_max: u32 = 3600, Number(0, 28_800);
        /// Longest time that a session lasts past the end of its time slice, seconds.
        grace_seconds: u32 = 1800, Number(0, 86_400);
    }
    gate: Gate {
        /// Leases: people inside at a time, each with a reserved place to finish. Less than ledger.queue_messages_max.
        leases_max: usize = 120_000, COUNT;
        /// Requests in progress at a time. Reads are refused at 70 % of it, drafts, estimates and withdrawals at 85 %,
        /// submissions never.
        requests_max: usize = 20_000, COUNT;
        /// Event-loop delay above which, if it lasts, fewer people are let in, milliseconds.
        lag_ms_max: u64 = 10, Number(1, 60_000);
        /// CPU time that people outside may take while others wait to be let in, percent of what is available: accepting,
        /// handshakes, polls, refusals.
        strangers_cpu_percent_max: u32 = 20, Number(1, 90);
        /// People let in a second; 0 leaves it to the controller, which measures the CPU time of a visit.
        people_per_second: u32 = 0, Number(0, 10_000_000);
    }
    waiting: waiting::Config {
        /// People in the waiting room at a time; each takes 61 bytes of memory.
        people_max: usize = 1_000_000, COUNT;
        /// Shortest time that a round collects people before its draw, seconds.
        gather_seconds: u32 = 2, Number(1, 3_600);
        /// Delay of a poll after which a waiting person has given up their place, seconds.
        absent_seconds: u32 = 120, Number(5, 86_400);
        /// Shortest interval between two polls that a waiting person is asked to keep, seconds.
        poll_seconds_min: u32 = 2, Number(1, 60);
        /// Polls per second of all waiting people together; the more people wait, the longer their intervals.
        polls_per_second_max: u32 = 10_000, RATE;
    }
    beacon: Beacon {
        /// File with the values of a public randomness beacon, which draws of the waiting room are mixed with: one line
        /// per value, the number of the beacon's round, a space, 64 hexadecimal digits. Empty means none.
        file: Text = Text::Borrowed(""), TEXT;
        /// Time of the beacon's round 1, seconds since 1970.
        genesis: u64 = 1_692_803_367, Number(0, 1 << 40);
        /// Time from one of its rounds to the next, seconds.
        period_seconds: u32 = 3, Number(1, 3_600);
        /// Delay of a value after which a round is drawn without it, visibly for everybody, seconds.
        late_seconds_max: u32 = 60, Number(1, 3_600);
    }
    limits: Limits {
        /// Public reads per second from one address (IPv6: one /64 network), on average.
        read_by_address_per_second: NonZeroU32 = rate(500), RATE;
        /// Public reads from one address in one burst.
        read_by_address_burst: NonZeroU32 = rate(5000), RATE;
        /// Attempts to enter per second from one address (IPv6: one /64 network), on average.
        enter_by_address_per_second: NonZeroU32 = rate(100), RATE;
        /// Attempts to enter from one address in one burst.
        enter_by_address_burst: NonZeroU32 = rate(1000), RATE;
        /// Attempts to enter per second of one person, on average.
        enter_by_person_per_second: NonZeroU32 = rate(1), RATE;
        /// Attempts to enter of one person in one burst.
        enter_by_person_burst: NonZeroU32 = rate(20), RATE;
        /// Requests per second in all sessions of one person, on average.
        session_by_person_per_second: NonZeroU32 = rate(50), RATE;
        /// Requests in all sessions of one person in one burst.
        session_by_person_burst: NonZeroU32 = rate(500), RATE;
        /// Drafts per second that one person saves or deletes, on average.
        draft_by_person_per_second: NonZeroU32 = rate(2), RATE;
        /// Drafts that one person saves or deletes in one burst.
        draft_by_person_burst: NonZeroU32 = rate(20), RATE;
        /// Lines per second in the batches of one person, on average; a faster batch is read more slowly.
        line_by_person_per_second: NonZeroU32 = rate(1000), RATE;
        /// Lines in the batches of one person in one burst.
        line_by_person_burst: NonZeroU32 = rate(20_000), RATE;
        /// Addresses or people that each limit remembers; also the checks of each limit in two seconds.
        keys_max: usize = 1_000_000, COUNT;
    }
    quotas: quotas::Config {
        /// Applications accepted from one office in a day, Europe/Rome.
        office_applications_per_day_max: u32 = 500_000, Number(1, 100_000_000);
        /// Applications accepted from one clerk of an office in a day.
        clerk_applications_per_day_max: u32 = 50_000, Number(1, 100_000_000);
    }
    sessions: sessions::Config {
        /// Open sessions at a time; each takes half a kilobyte of memory.
        sessions_max: usize = 1_000_000, COUNT;
        /// Open sessions of one person at a time; a further one ends the oldest.
        person_sessions_max: usize = 4, COUNT;
        /// Lifetime of a session, seconds.
        session_seconds: u32 = 1800, Number(60, 86_400);
    }
    http: Http {
        /// L4 proxies in front of the server: IP addresses and networks. Each of their connections must begin with a PROXY
        /// protocol header (version 1 or 2), which names the client's address.
        proxies: Networks = Networks::NONE, Allowed::Networks;
        /// L7 proxies in front of the server: IP addresses and networks. Many people share each of their connections, so no
        /// bound by address applies to them: the proxy has to bound each client.
        pooling_proxies: Networks = Networks::NONE, Allowed::Networks;
        /// Open connections at a time. A further one takes the place of an idle one of the address with the most, or is
        /// closed before TLS.
        connections_max: usize = 50_000, COUNT;
        /// Open connections at server.listen_inside at a time, besides http.connections_max, by the same rules.
        inside_connections_max: usize = 10_000, COUNT;
        /// Time from the handshake to the first request with a session there, milliseconds; then the connection is closed.
        inside_prove_ms_max: u64 = 5000, MILLISECONDS;
        /// Share of http.connections_max for one address (IPv6: one /64 network), percent. A further connection takes the
        /// place of an idle one of the same address.
        address_share_percent: usize = 10, Number(1, 100);
        /// TLS handshakes in progress at a time. A further one takes the place of one that has sent least for longest.
        handshakes_max: usize = 8192, COUNT;
        /// TLS handshakes in progress from one address (IPv6: one /64 network), likewise.
        address_handshakes_max: usize = 256, COUNT;
        /// Time for a TLS handshake, and for a PROXY protocol header, milliseconds.
        handshake_ms_max: u64 = 10_000, MILLISECONDS;
        /// Time for the head of a request, and longest life of an idle connection, milliseconds.
        head_ms_max: u64 = 30_000, MILLISECONDS;
        /// Idle time after which an HTTP/1.1 connection frees its buffers, milliseconds.
        rest_ms: u64 = 2000, MILLISECONDS;
        /// Size of the head of a request, bytes.
        head_bytes_max: usize = 16_384, Number(8192, 1 << 20);
        /// Time for the body of a request, milliseconds.
        body_ms_max: u64 = 15_000, MILLISECONDS;
        /// HTTP/2 requests in progress on one connection.
        streams_max: u32 = 64, Number(1, 1000);
        /// Time for a client to acknowledge an answer (TCP), milliseconds.
        unsent_ms_max: u64 = 15_000, MILLISECONDS;
    }
    ledger: Ledger {
        /// Where the ledgers are: "local", in files of the data directory, or "postgres", in a replicated database that the
        /// section postgres names, with a build that has the feature postgres. All other data stay in the data directory.
        engine: Text = Text::Borrowed(LOCAL), OneOf(&[LOCAL, POSTGRES]);
        /// File with the ledger's secrets. Empty means the systemd credential ledger.key or, without one, ledger.key in
        /// the data directory.
        key: Text = Text::Borrowed(""), TEXT;
        /// The ledger's secrets themselves, for containers that cannot be given a file. Prefer a file: the environment stays
        /// readable in /proc/PID/environ, and child processes inherit it. Only as SPORTELLO_LEDGER_SECRET, never in this file.
        secret: Text = Text::Borrowed(""), Secret;
        /// Applications in one batch, which is written with one sync.
        batch_records_max: usize = 512, COUNT;
        /// Approximate size of one batch, bytes.
        batch_bytes_max: usize = 4_194_304, BYTES;
        /// Time that a batch waits for further applications under load, milliseconds.
        batch_wait_ms: u64 = 2, Number(0, 1000);
        /// Time that decisions wait for applications to share their sync, milliseconds.
        ruling_wait_ms: u64 = 20, Number(0, 1000);
        /// Messages in the commit queue.
        queue_messages_max: usize = 131_072, COUNT;
        /// Size at which the write-ahead log starts again, bytes; four times as much on a disk that cannot keep up.
        wal_bytes_max: u64 = 33_554_432, BYTES;
        /// Interval between two checkpoints of the write-ahead log, milliseconds.
        checkpoint_ms: u64 = 500, MILLISECONDS;
        /// Free space on the ledger's disk below which nothing new is accepted, bytes. The demo keeps 16 MiB.
        disk_reserve_bytes: u64 = 1_073_741_824, Number(0, 1 << 50);
        /// Read connections to the database, per campaign.
        readers_max: usize = 8, Number(1, 256);
    }
    postgres: Postgres {
        /// The database, with every server of the cluster and without a password, such as
        /// "postgres://sportello@db1.example.it,db2.example.it,db3.example.it/sportello". The primary is found by itself.
        url: Text = Text::Borrowed(""), Allowed::DatabaseUrl;
        /// Certificates of the authorities that sign those of the servers, PEM file. Empty only for servers on this machine,
        /// with "?sslmode=disable" at the end of the URL.
        ca: Text = Text::Borrowed(""), TEXT;
        /// Certificate of this server at the database, PEM file. Empty means none.
        certificate: Text = Text::Borrowed(""), TEXT;
        /// Private key of that certificate, PEM file.
        key: Text = Text::Borrowed(""), TEXT;
        /// File with the password, which only its owner may read. Empty means none.
        password_file: Text = Text::Borrowed(""), TEXT;
        /// Connections that read, per campaign; one more writes.
        readers_max: usize = 4, Number(1, 256);
        /// Time that a submission waits for a database that does not answer, such as during a failover, milliseconds.
        wait_ms_max: u64 = 10_000, MILLISECONDS;
        /// Time that a judge has a case before a judge of another server may take it, seconds.
        lease_seconds: u32 = 60, Number(1, 86_400);
    }
    audit: audit::Config {
        /// Full months of the audit trail that are kept, besides the current month.
        months_kept: u64 = 24, Number(1, 1200);
        /// Events in the queue of the audit trail.
        queue_events_max: usize = 65_536, COUNT;
        /// Time that events of people entering, and of what they do with their own data, wait to be written together,
        /// milliseconds. A killed server may lose as much of them.
        own_wait_ms: u64 = 100, Number(0, 10_000);
        /// Free space on the ledger's disk below which nobody enters and nothing is shown that must be recorded in the
        /// audit trail, bytes; at most a quarter of ledger.disk_reserve_bytes. It is for the decisions of what was accepted.
        disk_reserve_bytes: u64 = 268_435_456, Number(0, 1 << 50);
    }
    judges: Judges {
        /// Threads that decide applications; 0 means one per core.
        threads: usize = 0, Number(0, 1024);
        /// Applications in the urn (in memory, before a judge); the others wait in the ledger.
        urn_applications_max: usize = 16_384, COUNT;
    }
    registry: Registry {
        /// Contributions and incomes that the institute knows itself, CSV file. Empty means none.
        file: Text = Text::Borrowed(""), TEXT;
    }
    pages: Pages {
        /// Name of the institute that runs the service, for the top and the foot of every page.
        institute: Text = Text::Borrowed(""), TEXT;
        /// How people reach it, for the page of help: telephone, e-mail and others, a line each.
        contacts: Text = Text::Borrowed(""), TEXT;
        /// When it last went over these pages, as their foot says it, such as 26/11/2026. Empty leaves it out.
        updated_on: Text = Text::Borrowed(""), TEXT;
        /// Text file with what everybody is told on the home page and in the waiting room, in Italian and English. Looked at
        /// every 2 seconds. Empty means none.
        notice: Text = Text::Borrowed(""), TEXT;
    }
    canary: Canary {
        /// Time from one visit of the canary, two synthetic people who check that each gets their own data, to the next,
        /// seconds; 0 switches it off.
        every_seconds: u32 = 30, Number(0, CANARY_PAUSE_SECONDS_MAX as u64);
        /// Where it connects, such as an L4 proxy in front of this server: IP address and port. Empty means the public
        /// listener itself.
        address: Option<SocketAddr> = None, AddressIfAny;
    }
    log: Log {
        /// Format of the log, which goes to standard error.
        format: Text = Text::Borrowed("text"), OneOf(&["text", JSON]);
        /// Least severity that is logged.
        level: Text = Text::Borrowed("info"), OneOf(&["error", "warn", "info", "debug"]);
    }
    traces: Traces {
        /// Base URL of a collector that takes spans by OTLP over HTTP, such as "http://127.0.0.1:4318". Empty means none:
        /// no request is sampled. Read at the start, like the file below.
        endpoint: Text = Text::Borrowed(""), Allowed::CollectorIfAny;
        /// Certificates that sign the collector's, PEM file. Empty means the system's.
        ca: Text = Text::Borrowed(""), TEXT;
        /// Requests a second that are sampled, however many come.
        requests_per_second_max: NonZeroU32 = rate(10), Number(1, 1000);
    }
}

/// A setting by its key; a misspelt key does not compile.
macro_rules! setting {
    ($section:ident.$name:ident) => {{
        const SETTING: &$crate::config::setting::Setting<$crate::config::list::Values> =
            $crate::config::list::named(concat!(stringify!($section), ".", stringify!($name)));
        SETTING
    }};
}
pub(super) use setting;

/// See [`setting`], which calls this while compiling.
pub(super) const fn named(key: &str) -> &'static Setting<Values> {
    let mut rest = SETTINGS;
    while let [setting, others @ ..] = rest {
        if is_same(setting.key.as_bytes(), key.as_bytes()) {
            return setting;
        }
        rest = others;
    }
    panic!("there is no such setting")
}

pub(super) const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([one, ones @ ..], [other, others @ ..]) = (left, right) {
        if *one != *other {
            return false;
        }
        (left, right) = (ones, others);
    }
    left.is_empty() && right.is_empty()
}

/// A rate among the defaults: 0 does not compile.
const fn rate(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a rate is at least 1")
}
