//! What the console knows of one moment: sums over the series of the metrics page, so that both show the same.

use std::time::Duration;

use super::samples::{Sample, samples};
use crate::{
    gate::pressure::Class,
    http::router::{ROUTES, Route},
    metrics as list,
};

/// End of the path of routes whose answers last as long as a file: their time says nothing of the server.
const BATCHES: &str = "/batches";

/// How the series of a quantity make one number.
#[derive(Clone, Copy, PartialEq)]
enum Gather {
    Sum,
    Least,
}

macro_rules! quantities {
    ($($(#[$doc:meta])* $quantity:ident = $name:expr, $label:literal $value:literal $gather:ident;)*) => {
        /// A number that is read from the metrics page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Quantity { $($quantity),* }

        /// Each quantity's metric, the label that its series have (any, if it is empty), and how they make one number.
        const QUANTITIES: &[(Quantity, &str, (&str, &str), Gather)] =
            &[$((Quantity::$quantity, $name, ($label, $value), Gather::$gather)),*];
    };
}

quantities! {
    Accepted = list::ACCEPTED.name, "" "" Sum;
    Decided = list::DECIDED.name, "" "" Sum;
    WithdrawnUndecided = list::WITHDRAWN.name, "before" "decision" Sum;
    Undecided = list::UNDECIDED.name, "" "" Sum;
    Pending = list::PENDING.name, "" "" Sum;
    Urn = list::URN.name, "" "" Sum;
    SessionsOpened = list::SESSIONS_OPENED.name, "" "" Sum;
    CitizensInside = list::SESSIONS.name, "audience" "citizens" Sum;
    IntermediariesInside = list::SESSIONS.name, "audience" "intermediaries" Sum;
    CitizensWaiting = list::WAITING.name, "audience" "citizens" Sum;
    IntermediariesWaiting = list::WAITING.name, "audience" "intermediaries" Sum;
    LeasesHeld = list::LEASES.name, "state" "held" Sum;
    LeasesFree = list::LEASES.name, "state" "free" Sum;
    ShedFinish = list::SHED.name, "class" "finish" Sum;
    ShedStep = list::SHED.name, "class" "step" Sum;
    ShedRead = list::SHED.name, "class" "read" Sum;
    ShedEnter = list::SHED.name, "class" "enter" Sum;
    AdmissionRate = list::ADMISSION_RATE.name, "" "" Sum;
    AdmissionTrim = list::ADMISSION_TRIM.name, "" "" Sum;
    CostOfVisit = list::VISIT_CPU.name, "part" "visit" Sum;
    CostOfHandshake = list::VISIT_CPU.name, "part" "handshake" Sum;
    CostOfEntering = list::VISIT_CPU.name, "part" "enter" Sum;
    CostOutside = list::VISIT_CPU.name, "part" "outside" Sum;
    Cores = list::CPU_CORES.name, "" "" Sum;
    CpuOutside = list::CPU.name, "purpose" "strangers" Sum;
    CpuEntering = list::CPU.name, "purpose" "entering" Sum;
    CpuInside = list::CPU.name, "purpose" "inside" Sum;
    Connections = list::CONNECTIONS.name, "" "" Sum;
    Crossover = list::CROSSOVER_BLOCKED.name, "" "" Sum;
    Poisoned = list::LEDGER_POISONED.name, "" "" Sum;
    // Of ledgers in a database alone.
    Away = list::LEDGER_AWAY.name, "" "" Sum;
    AuditFailed = list::AUDIT_FAILED.name, "" "" Sum;
    AuditLost = list::AUDIT_LOST.name, "" "" Sum;
    DraftsFailed = list::DRAFTS_FAILED.name, "" "" Sum;
    JournalFailed = list::JOURNAL_FAILED.name, "" "" Sum;
    SettingsFaults = list::SETTINGS_FAULTS.name, "" "" Sum;
    DiskFree = list::DISK_FREE.name, "" "" Sum;
    DiskReserve = list::DISK_RESERVE.name, "" "" Sum;
    LogLost = list::LOG_LOST.name, "" "" Sum;
    // Named by the contract; a server without them has no such series, and the console then says nothing of them.
    CertificateExpiry = "sportello_certificate_expiry_seconds", "" "" Least;
    CanaryFailures = "sportello_canary_failures_total", "" "" Sum;
    CanaryMixups = "sportello_canary_failures_total", "reason" "mixup" Sum;
}

/// The metrics page at one moment.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// When, since the console began.
    pub(super) at: Duration,
    quantities: [Option<f64>; QUANTITIES.len()],
    /// Requests that asked to enter, first ones and repeated ones.
    pub(super) asked_to_enter: f64,
    /// Time to answer submissions.
    pub(super) submissions: Distribution,
    /// Time to answer everything else but files of offices.
    pub(super) others: Distribution,
    /// Time to write and sync a batch.
    pub(super) commits: Distribution,
}

impl Reading {
    /// Reads a metrics page.
    pub(super) fn of_page(at: Duration, page: &str) -> Self {
        let mut reading = Self {
            at,
            quantities: [None; QUANTITIES.len()],
            asked_to_enter: 0.0,
            submissions: Distribution::default(),
            others: Distribution::default(),
            commits: Distribution::default(),
        };
        samples(page).for_each(|sample| reading.take(sample));
        reading
    }

    /// A quantity; 0 if it has no series yet.
    pub(super) fn of(&self, quantity: Quantity) -> f64 {
        self.known(quantity).unwrap_or(0.0)
    }

    /// A quantity; `None` without a series.
    pub(super) fn known(&self, quantity: Quantity) -> Option<f64> {
        self.quantities[quantity as usize]
    }

    /// Accepted applications that are neither decided nor undecided nor withdrawn. At rest it is 0.
    pub(super) fn unaccounted(&self) -> f64 {
        use Quantity::{Accepted, Decided, Undecided, WithdrawnUndecided};
        self.of(Accepted) - self.of(Decided) - self.of(Undecided) - self.of(WithdrawnUndecided)
    }

    fn take(&mut self, sample: Sample<'_>) {
        if let Some(histogram) = sample.name.strip_suffix("_bucket") {
            let into = if histogram == list::COMMIT_DURATION.name {
                &mut self.commits
            } else if histogram == list::REQUEST_DURATION.name {
                let route = sample.label("route").unwrap_or_default();
                if route.ends_with(BATCHES) {
                    return;
                }
                if submits(route) { &mut self.submissions } else { &mut self.others }
            } else {
                return;
            };
            let limit = sample.label("le").and_then(|limit| limit.parse().ok());
            return into.add(limit.unwrap_or(f64::INFINITY), sample.value);
        }
        if sample.name == list::REQUESTS.name {
            let [route, method] = ["route", "method"].map(|name| sample.label(name));
            if enters(route.unwrap_or_default(), method.unwrap_or_default()) {
                self.asked_to_enter += sample.value;
            }
            return;
        }
        for (quantity, name, (label, value), gather) in QUANTITIES {
            if *name == sample.name && (label.is_empty() || sample.label(label) == Some(value)) {
                let known = &mut self.quantities[*quantity as usize];
                *known = Some(match *known {
                    None => sample.value,
                    Some(before) if *gather == Gather::Least => before.min(sample.value),
                    Some(before) => before + sample.value,
                });
            }
        }
    }
}

/// Whether requests to a path submit an application. Their times are counted by path: the answers to a GET of the same
/// path are among them.
fn submits(path: &str) -> bool {
    ROUTES.iter().any(|route| route.class == Class::Finish && route.path == path)
}

fn enters(path: &str, method: &str) -> bool {
    let is_it = |route: &Route| route.path == path && route.method == method;
    ROUTES.iter().any(|route| route.class == Class::Enter && is_it(route))
}

/// How many samples a histogram has up to each of its limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Distribution(Vec<(f64, f64)>);

impl Distribution {
    /// Adds the count of one series. Series of one metric have the same limits.
    fn add(&mut self, limit: f64, count: f64) {
        let at = self.0.partition_point(|(known, _)| *known < limit);
        match self.0.get_mut(at) {
            Some((known, total)) if *known <= limit => *total += count,
            _ => self.0.insert(at, (limit, count)),
        }
    }

    /// What was recorded since an earlier reading.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |limit: f64| {
            let at = earlier.0.partition_point(|(known, _)| *known < limit);
            earlier.0.get(at).filter(|(known, _)| *known <= limit).map_or(0.0, |(_, count)| *count)
        };
        Self(self.0.iter().map(|(limit, count)| (*limit, count - before(*limit))).collect())
    }

    /// The value below which this part of the samples is, interpolated within its bucket as Prometheus does. `None`
    /// without samples. Beyond the last limit it is that limit.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let (_, all) = self.0.last().filter(|(_, all)| *all > 0.0)?;
        let rank = part * all;
        let at = self.0.partition_point(|(_, count)| *count < rank);
        let (upper, count) = *self.0.get(at)?;
        let (lower, below) = if at == 0 { (0.0, 0.0) } else { self.0[at - 1] };
        if upper.is_infinite() {
            return Some(lower);
        }
        Some(lower + (upper - lower) * (rank - below) / (count - below))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "whole numbers, and exact sums of them")]
mod tests {
    use super::*;

    const PAGE: &str = r#"
sportello_applications_accepted_total{scheme="iscro",channel="citizen"} 10
sportello_applications_accepted_total{scheme="allowance600",channel="citizen"} 5
sportello_applications_decided_total{scheme="iscro",outcome="granted"} 8
sportello_applications_undecided 4
sportello_applications_withdrawn_total{before="decision"} 2
sportello_applications_withdrawn_total{before="payment"} 7
sportello_requests_total{route="/v1/sessions/{visit}",method="PUT",status="201"} 3
sportello_requests_total{route="/v1/sessions/{visit}",method="GET",status="200"} 100
sportello_requests_total{route="/callback",method="POST",status="303"} 4
sportello_request_duration_seconds_bucket{route="/v1/sessions/{visit}/applications",le="0.001"} 50
sportello_request_duration_seconds_bucket{route="/v1/sessions/{visit}/applications",le="0.01"} 99
sportello_request_duration_seconds_bucket{route="/v1/sessions/{visit}/applications",le="+Inf"} 100
sportello_request_duration_seconds_bucket{route="/v1/sessions/{visit}/batches",le="+Inf"} 1000
sportello_request_duration_seconds_bucket{route="/v1/status",le="0.001"} 6
sportello_request_duration_seconds_bucket{route="/v1/status",le="+Inf"} 6
sportello_request_duration_seconds_bucket{route="/v1/draws",le="+Inf"} 2
sportello_request_duration_seconds_bucket{route="/v1/draws",le="0.001"} 2
sportello_certificate_expiry_seconds{listener="public"} 900
sportello_certificate_expiry_seconds{listener="cards"} 300
"#;

    fn reading(page: &str) -> Reading {
        Reading::of_page(Duration::ZERO, page)
    }

    #[test]
    fn a_page_is_summed_by_what_it_says() {
        let read = reading(PAGE);
        assert_eq!(read.of(Quantity::Accepted), 15.0);
        assert_eq!(read.of(Quantity::WithdrawnUndecided), 2.0, "not those before payment");
        assert_eq!(read.unaccounted(), 1.0, "15 are not 8 + 4 + 2");
        assert_eq!(read.asked_to_enter, 7.0, "by the API and by a page, and no reads");
        assert_eq!(read.known(Quantity::CertificateExpiry), Some(300.0), "the first to expire");
        assert_eq!(read.known(Quantity::CanaryFailures), None);
        assert_eq!(read.of(Quantity::Urn), 0.0);
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let read = reading(PAGE);
        assert_eq!(read.submissions.quantile(0.5), Some(0.001));
        let most = read.submissions.quantile(0.99).unwrap();
        assert!((most - 0.01).abs() < 1e-12, "{most}");
        assert_eq!(read.submissions.quantile(1.0), Some(0.01), "beyond the last limit");
        assert_eq!(read.others.quantile(0.5), Some(0.0005), "8 samples in the first bucket");
        assert_eq!(read.commits.quantile(0.5), None);
        let nothing = read.others.since(&read.others);
        assert_eq!(nothing.quantile(0.99), None, "nothing since then");
        let all = read.others.since(&reading("").others);
        assert_eq!(all, read.others, "a series that began since then");
    }

    #[test]
    fn every_route_that_submits_or_enters_is_known() {
        assert!(submits("/v1/sessions/{visit}/applications"));
        assert!(submits("/visit/{visit}/{language}/apply/{scheme}/check"));
        assert!(!submits("/v1/status"));
        assert!(enters("/v1/sessions/{visit}", "PUT") && enters("/it/signin", "POST"));
        assert!(!enters("/v1/sessions/{visit}", "DELETE") && !enters("/it/signin", "GET"));
    }
}
