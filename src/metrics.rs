//! The one table of metrics: name, type, unit, labels and help of each. No label holds anything about a person.

use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, SharedString, Unit, with_recorder,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution, with the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The type's name in Prometheus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One metric of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name in Prometheus.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Base unit.
    pub unit: Unit,
    /// One sentence for the operator.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

/// Buckets of durations, from 0.1 ms to 10 s.
const SECONDS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
/// Buckets of batch sizes.
const RECORDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

macro_rules! metrics_list {
    ($($constant:ident = $kind:expr, $unit:ident, $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Metric = Metric {
            name: $name, kind: $kind, unit: Unit::$unit, help: $help, labels: &[$($label),*],
        };)*
        /// Every metric, in the order of the table.
        pub const ALL: &[Metric] = &[$($constant),*];
    };
}

metrics_list! {
    BUILD_INFO = Kind::Gauge, Count, "sportello_build_info" ["version", "commit"]
        "Always 1: the program's version and the commit that it was built from are in the labels.";
    START_TIME = Kind::Gauge, Seconds, "sportello_start_time_seconds" []
        "When the process started, seconds since 1970.";
    REQUESTS = Kind::Counter, Count, "sportello_requests_total" ["route", "method", "status"]
        "Requests answered on the public listener.";
    REQUEST_DURATION = Kind::Histogram(SECONDS), Seconds, "sportello_request_duration_seconds" ["route"]
        "Time from the head of a request to its answer.";
    SUBMISSIONS = Kind::Counter, Count, "sportello_submissions_total" ["result"]
        "Submissions of people who were let in, and lines of batches: answered with a receipt, refused for what they contain or for who sends them, or failed by a fault of the server (receipt, refused, failed).";
    RECEIPT_DURATION = Kind::Histogram(SECONDS), Seconds, "sportello_receipt_duration_seconds" []
        "Time from a submission that was read whole to its receipt: checks, sealing, commit, sync.";
    ACCEPTED = Kind::Counter, Count, "sportello_applications_accepted_total" ["scheme", "channel"]
        "Applications accepted (durable on disk) since the ledger began.";
    DECIDED = Kind::Counter, Count, "sportello_applications_decided_total" ["scheme", "outcome"]
        "First decisions since the ledger began.";
    REVISED = Kind::Counter, Count, "sportello_applications_redecided_total" ["scheme", "outcome"]
        "Pending applications decided again after the missing facts came, by new outcome, since the ledger began.";
    PENDING = Kind::Gauge, Count, "sportello_applications_pending" []
        "Applications decided as pending: a registry or a document is missing.";
    WITHDRAWN = Kind::Counter, Count, "sportello_applications_withdrawn_total" ["before"]
        "Applications withdrawn, before a decision or before payment, since the ledger began.";
    UNDECIDED = Kind::Gauge, Count, "sportello_applications_undecided" []
        "Accepted applications without a decision.";
    COMMIT_DURATION = Kind::Histogram(SECONDS), Seconds, "sportello_commit_duration_seconds" []
        "Time to write and sync one batch.";
    COMMIT_BATCH = Kind::Histogram(RECORDS), Count, "sportello_commit_batch_size" []
        "Applications in one batch, which is written with one sync.";
    CANARY_FAILURES = Kind::Counter, Count, "sportello_canary_failures_total" ["reason"]
        "Failed checks of the canary, two synthetic people who use the public listener all the time (mixup: it got data that are not its own; wrong-answer, refused, no-answer, certificate). A mixup is an alarm.";
    CANARY_COMPLETED = Kind::Gauge, Seconds, "sportello_canary_completed_timestamp_seconds" []
        "When the canary last completed a round, seconds since 1970; before the first one, when it began; 0 if the canary is switched off.";
    SHED = Kind::Counter, Count, "sportello_shed_total" ["class", "reason"]
        "Requests refused to protect the people who were let in.";
    SESSIONS = Kind::Gauge, Count, "sportello_sessions" ["audience"]
        "Open sessions.";
    SESSIONS_OPENED = Kind::Counter, Count, "sportello_sessions_opened_total" ["audience"]
        "Sessions opened: people let in, and people inside who entered from another device.";
    LEASES = Kind::Gauge, Count, "sportello_leases" ["state"]
        "Leases (reserved places to finish), held and free.";
    WAITING = Kind::Gauge, Count, "sportello_waiting" ["audience"]
        "People in the waiting room.";
    IDENTITY_KEYS = Kind::Gauge, Count, "sportello_identity_keys" ["issuer"]
        "Keys of a trusted issuer that are in use. At 0 none of its identity tokens is accepted.";
    IDENTITY_KEYS_AGE = Kind::Gauge, Seconds, "sportello_identity_keys_age_seconds" ["issuer"]
        "Time since the keys of an issuer were last confirmed by their file or URL.";
    IDENTITY_KEY_FAULTS = Kind::Counter, Count, "sportello_identity_key_faults_total" ["issuer"]
        "Times that the keys of an issuer could not be read; those in use stayed.";
    CERTIFICATE_EXPIRY = Kind::Gauge, Seconds, "sportello_certificate_expiry_seconds" ["certificate"]
        "Time until a certificate of the server ends: that of the public listener (public), or that of the listener for client certificates (cards). Below 0 it has ended.";
    CERTIFICATE_REFUSED = Kind::Gauge, Count, "sportello_certificate_refused" ["certificate"]
        "1 while the files of a certificate of the server (public, cards) cannot be used: the one before is served.";
    CERTIFICATES_REFUSED = Kind::Counter, Count, "sportello_certificates_refused_total" ["reason"]
        "Client certificates refused in a handshake or at entering (untrusted, malformed, expired, not-valid-yet, revoked, revocation-unknown, policy, usage, name, clerk). Any client can cause it.";
    MANDATES = Kind::Gauge, Count, "sportello_mandates" []
        "Mandates in the registry that was loaded last, expired and revoked ones included.";
    WINDOW_OPEN = Kind::Gauge, Count, "sportello_window_open" ["audience"]
        "1 while the audience's time slice is open, else 0.";
    SETTINGS_FAULTS = Kind::Gauge, Count, "sportello_settings_faults" ["setting"]
        "Faults of the configuration file as it was read last, by setting (\"file\": others). Above 0 the settings before stay in force.";
    CROSSOVER_BLOCKED = Kind::Counter, Count, "sportello_crossover_blocked_total" []
        "Answers blocked at the last gate because they were rendered for another person. Above 0 is an alarm.";
    VISIT_MISMATCH = Kind::Counter, Count, "sportello_visit_mismatch_total" []
        "Requests answered with 404 because their path holds another visit than their session's. Any client can cause it: no alarm.";
    LEDGER_POISONED = Kind::Gauge, Count, "sportello_ledger_poisoned" []
        "1 after a failed write or sync of the ledger: intake has stopped until a restart, which recovers from disk.";
    LEDGER_AWAY = Kind::Gauge, Count, "sportello_ledger_away" ["campaign"]
        "1 while the database of a campaign's ledger takes no commits: submissions wait, then get 503, until it does. Only with ledgers in a database.";
    COMMITS_UNKNOWN = Kind::Counter, Count, "sportello_commits_unknown_total" ["campaign"]
        "Batches whose commit was cut or not confirmed by the standbys, so that their outcome had to be looked up. Only with ledgers in a database.";
    COMMITS_RACED = Kind::Counter, Count, "sportello_commits_raced_total" ["campaign"]
        "Batches that were decided again because another node was first with one of their claims or cases. Only with ledgers in a database.";
    AUDIT_FAILED = Kind::Gauge, Count, "sportello_audit_failed" []
        "1 after a failed write or sync of the audit trail: requests are still served; a restart recovers from disk.";
    DRAFTS_FAILED = Kind::Gauge, Count, "sportello_drafts_failed" []
        "1 after a failed write or sync of the drafts: none is saved until a restart; applications are still accepted.";
    JOURNAL_FAILED = Kind::Gauge, Count, "sportello_journal_failed" []
        "1 after a failed write or sync of the journal: nothing is refused for it, but after a restart everybody inside or waiting has to enter again. With the replicated ledger: more waits to be written than may, so nobody enters at this node until a restart.";
    JOURNAL_LAG = Kind::Gauge, Seconds, "sportello_journal_lag_seconds" []
        "With the replicated ledger: time since this node last knew everything that other nodes had noted of sessions and quotas; 0 while it reads it. Above 0, sessions that ended elsewhere may still work here.";
    SESSIONS_REOPENED = Kind::Counter, Count, "sportello_sessions_reopened_total" ["lease"]
        "Sessions that were open before a restart and are again, by their lease: within the bound of leases, beyond it, or none because it was used before.";
    SEATS_RESTORED = Kind::Counter, Count, "sportello_seats_restored_total" ["seat"]
        "People who waited before a restart: they have their seat again, or lost it because their round is not known any more.";
    DRAFT_GROUP = Kind::Histogram(RECORDS), Count, "sportello_draft_group_size" []
        "Changes of drafts in one group, which is written with one sync.";
    UNKNOWN_RECEIPTS = Kind::Counter, Count, "sportello_unknown_receipts_total" []
        "Requests for receipts that do not exist or are another person's, in any session. Any client can cause it.";
    AUDIT_LOST = Kind::Counter, Count, "sportello_audit_lost_total" []
        "Audit events that are only in the log because the audit trail could not take them. Above 0 is an alarm.";
    LOG_LOST = Kind::Counter, Count, "sportello_log_lost_total" []
        "Log lines lost because standard error did not take them.";
    DISK_FREE = Kind::Gauge, Bytes, "sportello_disk_free_bytes" []
        "Free space on the file system of the ledger.";
    DISK_RESERVE = Kind::Gauge, Bytes, "sportello_disk_reserve_bytes" []
        "Free space on the file system of the ledger below which nothing new is accepted.";
    DRAWN_WITHOUT_BEACON = Kind::Counter, Count, "sportello_drawn_without_beacon_total" []
        "Rounds of the waiting room drawn without the value of their beacon round, which did not arrive in time.";
    ADMISSION_RATE = Kind::Gauge, Count, "sportello_admission_rate" []
        "People let in a second, as the admission controller allows.";
    ADMISSION_TRIM = Kind::Gauge, Count, "sportello_admission_trim" []
        "What delays and queues leave of the planned rate of admissions, from 0 to 1.";
    VISIT_CPU = Kind::Gauge, Seconds, "sportello_visit_cpu_seconds" ["part"]
        "CPU time as the admission controller measures it: of a whole visit, of its handshake and of entering; and of a request of somebody outside.";
    CPU_CORES = Kind::Gauge, Count, "sportello_cpu_cores" []
        "CPU available to this process, cores: by affinity and quota, less while other processes use it.";
    CPU = Kind::Gauge, Seconds, "sportello_cpu_seconds" ["purpose"]
        "CPU time since the start: for people outside (connections, handshakes, polls, refusals), for entering, and for everything else.";
    INTAKE_PAUSED = Kind::Gauge, Count, "sportello_intake_paused" []
        "1 while an operator has paused intake: nobody new is let in, and people inside finish.";
    CONTROL_ACTIONS = Kind::Counter, Count, "sportello_control_actions_total" ["action", "outcome"]
        "Calls of control by action and outcome (done, dry-run, failed), and those refused before they are read (action none) by reason (unauthenticated, cross-site, host-refused).";
    CONNECTIONS = Kind::Gauge, Count, "sportello_connections" []
        "Open connections on the public listener and on that for people inside.";
    INSIDE_CONNECTIONS = Kind::Counter, Count, "sportello_inside_connections_total" ["session"]
        "Connections at the listener for people inside that ended, by whether a session was shown (shown, none).";
    SPANS = Kind::Counter, Count, "sportello_spans_total" ["outcome"]
        "Spans of sampled requests, by what became of them: taken by the collector of traces (sent), or not (lost).";
    URN = Kind::Gauge, Count, "sportello_urn_applications" []
        "Applications in the urn, waiting for a judge.";
}

impl Metric {
    fn key<V: Into<SharedString>>(&self, values: impl ExactSizeIterator<Item = V>) -> Key {
        assert_eq!(values.len(), self.labels.len(), "labels of {}", self.name);
        let labels = self.labels.iter().zip(values);
        let labels: Vec<_> = labels.map(|(label, value)| Label::new(*label, value)).collect();
        Key::from_parts(self.name, labels)
    }

    /// The counter with these label values. A look-up: keep the counter where it is used often.
    ///
    /// # Panics
    /// If the number of values is not that of the labels.
    pub fn counter(&self, values: &[&'static str]) -> Counter {
        with_recorder(|recorder| {
            recorder.register_counter(&self.key(values.iter().copied()), &METADATA)
        })
    }

    /// The gauge with these label values.
    ///
    /// # Panics
    /// As for [`counter`](Self::counter).
    pub fn gauge(&self, values: &[&'static str]) -> Gauge {
        with_recorder(|recorder| {
            recorder.register_gauge(&self.key(values.iter().copied()), &METADATA)
        })
    }

    /// The counter with label values that the settings give, such as the name of an issuer.
    ///
    /// # Panics
    /// As for [`counter`](Self::counter).
    pub fn counter_of(&self, values: Vec<String>) -> Counter {
        let key = self.key(values.into_iter());
        with_recorder(|recorder| recorder.register_counter(&key, &METADATA))
    }

    /// The gauge with such label values.
    ///
    /// # Panics
    /// As for [`counter`](Self::counter).
    pub fn gauge_of(&self, values: Vec<String>) -> Gauge {
        let key = self.key(values.into_iter());
        with_recorder(|recorder| recorder.register_gauge(&key, &METADATA))
    }

    /// The histogram with these label values.
    ///
    /// # Panics
    /// As for [`counter`](Self::counter).
    pub fn histogram(&self, values: &[&'static str]) -> Histogram {
        with_recorder(|recorder| {
            recorder.register_histogram(&self.key(values.iter().copied()), &METADATA)
        })
    }
}

/// The commit that the program was built from, or `unknown`.
const COMMIT: &str = env!("BUILD_COMMIT");

static METADATA: Metadata<'static> = Metadata::new("sportello", Level::INFO, None);

/// Why metrics cannot be set up: a bug in this program, or a second set-up in one process.
#[derive(Debug, thiserror::Error)]
pub enum MetricsFault {
    /// The exporter refused the table.
    #[error("metrics exporter: {0}")]
    Build(#[from] BuildError),
    /// Something else records metrics in this process.
    #[error("metrics are set up already")]
    Installed,
}

/// Renders the metrics page.
#[derive(Clone, Debug)]
pub struct Exporter(PrometheusHandle);

impl Exporter {
    /// Starts to record, for the whole process. Call it once.
    ///
    /// # Errors
    /// [`MetricsFault`].
    pub fn install() -> Result<Self, MetricsFault> {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
            }
        }
        let recorder = builder.build_recorder();
        let exporter = Self(recorder.handle());
        metrics::set_global_recorder(recorder).map_err(|_| MetricsFault::Installed)?;
        // Prometheus sees no increase of a series that begins at its first event, so series without labels begin at 0.
        for metric in ALL.iter().filter(|metric| metric.labels.is_empty()) {
            match metric.kind {
                Kind::Counter => metric.counter(&[]).increment(0),
                Kind::Gauge => metric.gauge(&[]).set(0.0),
                Kind::Histogram(_) => drop(metric.histogram(&[])),
            }
        }
        BUILD_INFO.gauge(&[env!("CARGO_PKG_VERSION"), COMMIT]).set(1.0);
        with_recorder(|recorder| {
            for metric in ALL {
                let (name, unit, help) =
                    (metric.name.into(), Some(metric.unit), metric.help.into());
                match metric.kind {
                    Kind::Counter => recorder.describe_counter(name, unit, help),
                    Kind::Gauge => recorder.describe_gauge(name, unit, help),
                    Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
                }
            }
        });
        Ok(exporter)
    }

    /// The page in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Merges the recorded samples into the histograms. Call it every few seconds: samples use memory until then.
    pub fn tidy(&self) {
        self.0.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_convention() {
        for metric in ALL {
            assert!(metric.name.starts_with("sportello_"), "{}", metric.name);
            assert_eq!(
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn the_commit_is_a_hash_or_unknown() {
        let is_hash = |commit: &str| commit.chars().all(|character| character.is_ascii_hexdigit());
        assert!(COMMIT == "unknown" || (COMMIT.len() >= 7 && is_hash(COMMIT)), "{COMMIT}");
    }

    #[test]
    fn the_list_is_what_dashboards_and_alerts_were_written_for() {
        let line = |metric: &Metric| {
            let Metric { name, kind, labels, help, .. } = metric;
            format!("{} {name}{labels:?}: {help}", kind.as_str())
        };
        insta::assert_snapshot!(ALL.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
}
