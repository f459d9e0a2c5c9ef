//! Problems (RFC 9457): the only place for status codes of failures and for their public text.

mod faults;
#[cfg(test)]
#[path = "../../../tests/it/gulpease.rs"]
mod gulpease;
mod kind;
mod page;
mod sign_in;
mod told;

use std::time::Duration;

use hyper::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

pub use self::kind::Kind;
pub use crate::civic::Language;
use crate::{
    application::{Fault, ParseError},
    civic::local_time,
    gate::{limits::TooOften, pressure::Shed},
    identity::{certificate::CertificateFault, token::TokenFault},
    intake::{EnterFault, SubmitFault},
    ledger::{CommitFault, ReadFault, Receipt, StorageFault, journal::OutOfReach},
    schemes::CampaignWindow,
    trace,
    vault::{Subject, fill_random},
};

/// Shortest `Retry-After` of a refusal under load; the jitter is as long again.
const RETRY_SECONDS: u32 = 2;
/// The same after a storage fault: an operator has to act first.
const STORAGE_RETRY_SECONDS: u32 = 60;
/// Longest jitter past midnight, when daily quotas begin anew.
const QUOTA_JITTER_SECONDS: u32 = 600;

/// Why requests are shed: values of the label `reason` of [`metrics::SHED`](crate::metrics::SHED). A rate limit is not
/// among them, because it does not protect others.
pub const SHED_REASONS: [&str; 15] = [
    "connections",
    "drafts",
    "draining",
    "filings",
    "handshakes",
    "leases",
    "ledger",
    "opening",
    "providers",
    "queue",
    "requests",
    "searches",
    "strangers",
    "uploads",
    "waiting",
];

/// One problem, ready to be rendered.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    details: Box<Details>,
}

/// What an answer says besides the kind. Boxed to keep a `Result` small whose error is rare.
#[derive(Debug, Default)]
struct Details {
    extensions: Map<String, Value>,
    faults: Vec<Fault>,
    retry_after_seconds: Option<u32>,
    /// When the counter opens for the requester, if it ever does.
    opens_at: Option<Timestamp>,
    rate_limit: Option<String>,
    allowed_methods: Option<String>,
    shown_to: Option<Subject>,
    /// Why the request was shed, for the operator.
    shed: Option<&'static str>,
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        let retry_after_seconds = match kind {
            Kind::Busy | Kind::Draining | Kind::BatchUnderWay | Kind::ProviderUnavailable => {
                Some(jittered(RETRY_SECONDS, RETRY_SECONDS))
            }
            Kind::StorageUnavailable | Kind::DraftsUnavailable | Kind::AccessSuspended => {
                Some(jittered(STORAGE_RETRY_SECONDS, STORAGE_RETRY_SECONDS))
            }
            _ => None,
        };
        Self { kind, details: Box::new(Details { retry_after_seconds, ..Details::default() }) }
    }
}

impl Problem {
    /// A bug of ours. The answer gives no details; they are in the log.
    #[must_use]
    pub fn internal() -> Self {
        Kind::Internal.into()
    }

    /// The body stops being a JSON document at this line and column.
    #[must_use]
    pub fn malformed(line: usize, column: usize) -> Self {
        Self::from(Kind::Malformed).with("line", line).with("column", column)
    }

    /// The path is known, the method is not.
    #[must_use]
    pub fn method_not_allowed(methods: String) -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            Details { allowed_methods: Some(methods), ..Details::default() },
        )
    }

    /// The request is shed; `reason`, one of [`SHED_REASONS`], is for the operator.
    #[must_use]
    pub fn shedding(kind: Kind, reason: &'static str) -> Self {
        debug_assert!(SHED_REASONS.contains(&reason), "{reason} is not in SHED_REASONS");
        let mut problem = Self::from(kind);
        problem.details.shed = Some(reason);
        problem
    }

    /// Why a submission failed; an earlier receipt in it is shown to `requester` alone.
    #[must_use]
    pub fn of_submission(fault: SubmitFault, requester: Subject) -> Self {
        match fault {
            SubmitFault::AlreadyApplied(Some(receipt)) => already_applied(&receipt, requester),
            SubmitFault::AlreadyApplied(None) => Kind::AlreadyApplied.into(),
            SubmitFault::Exhausted => Kind::TooManyApplications.into(),
            SubmitFault::Invalid(fault) => fault.into(),
            SubmitFault::CampaignClosed(window) => campaign_closed(&window),
            SubmitFault::NotYours => Kind::NotYours.into(),
            SubmitFault::NoMandate => Kind::NoMandate.into(),
            SubmitFault::KeyReused => Kind::KeyReused.into(),
            SubmitFault::UsedUp { until, now } => {
                used_up(Kind::QuotaUsedUp, until.duration_since(now))
            }
            SubmitFault::NoLease => Self::shedding(Kind::Busy, "leases"),
            SubmitFault::Commit(fault) => fault.into(),
            SubmitFault::Read(fault) => fault.into(),
            SubmitFault::Untraced(_) => Kind::AccessSuspended.into(),
        }
    }

    /// As the problem of one line among many: sets its line number.
    #[must_use]
    pub fn at_line(self, number: u64) -> Self {
        self.with("line", number)
    }

    /// A row of a table that cannot be split into cells; `cell` is the first wrong one, from 1.
    #[must_use]
    pub fn of_row(cell: usize) -> Self {
        Self::from(Kind::Row).with("cell", cell)
    }

    /// A report on a running benefit that cannot be parsed.
    #[must_use]
    pub fn of_report(error: ParseError) -> Self {
        Self::of(Kind::Report, error)
    }

    /// What cannot be parsed and is no application.
    fn of(kind: Kind, error: ParseError) -> Self {
        match Self::from(error) {
            Self { kind: Kind::Invalid, details } => Self { kind, details },
            malformed => malformed,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Why the request was shed, if it was.
    #[must_use]
    pub fn shed(&self) -> Option<&'static str> {
        self.details.shed
    }

    /// How many faults of the input it names.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.details.faults.len()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) fn retry_after_seconds(&self) -> Option<u32> {
        self.details.retry_after_seconds
    }

    pub(super) fn rate_limit(&self) -> Option<&str> {
        self.details.rate_limit.as_deref()
    }

    pub(super) fn allowed_methods(&self) -> Option<&str> {
        self.details.allowed_methods.as_deref()
    }

    pub(super) fn shown_to(&self) -> Option<Subject> {
        self.details.shown_to
    }

    /// The public answer, as JSON.
    #[must_use]
    pub fn to_json(&self, language: Language) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("type".into(), format!("urn:sportello:problem:{}", self.kind.slug()).into());
        members.insert("title".into(), self.kind.title(language).into());
        members.insert("status".into(), self.status().as_u16().into());
        members.insert("detail".into(), self.kind.detail(language).into());
        members.extend(self.details.extensions.clone());
        if let Some(request) = trace::current() {
            members.insert("requestId".into(), request.id.to_string().into());
        }
        if !self.details.faults.is_empty() {
            let error = |fault: &Fault| {
                json!({
                    "pointer": fault.pointer,
                    "code": fault.code.as_str(),
                    "detail": fault.detail(language),
                })
            };
            members.insert("errors".into(), self.details.faults.iter().map(error).collect());
        }
        Value::Object(members).to_string().into_bytes()
    }

    /// The problem for people to read: the title, and every fault on a line of its own.
    #[must_use]
    pub fn to_text(&self, language: Language) -> String {
        let mut text = self.kind.title(language).to_owned();
        if let Some(line) = self.details.extensions.get("line") {
            let word = match language {
                Language::Italian => "Riga",
                Language::English => "Line",
            };
            text = format!("{word} {line}: {text}");
        }
        text.push('\n');
        let faults = self.details.faults.iter();
        let mut lines: Vec<String> =
            faults.map(|fault| format!("{}: {}", fault.pointer, fault.detail(language))).collect();
        if lines.is_empty() {
            lines.push(self.kind.detail(language).to_owned());
        }
        for line in lines {
            text.extend(["  ", &line, "\n"]);
        }
        text
    }

    fn new(kind: Kind, details: Details) -> Self {
        Self { kind, details: Box::new(details) }
    }

    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.details.extensions.insert(member.to_owned(), value.into());
        self
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Malformed { line, column, .. } => Self::malformed(line, column),
            ParseError::Invalid(faults) => {
                Self::new(Kind::Invalid, Details { faults, ..Details::default() })
            }
        }
    }
}

impl From<EnterFault> for Problem {
    fn from(fault: EnterFault) -> Self {
        match fault {
            EnterFault::Token(TokenFault::Untrusted | TokenFault::Expired) => {
                Kind::Unauthenticated.into()
            }
            EnterFault::Token(TokenFault::AssuranceTooLow) => Kind::AssuranceTooLow.into(),
            EnterFault::Certificate(CertificateFault::NoClerk) => Kind::ClerkMissing.into(),
            EnterFault::Certificate(CertificateFault::Untrusted | CertificateFault::NoCard) => {
                Kind::CertificateRefused.into()
            }
            EnterFault::VisitTooShort => Kind::VisitTooShort.into(),
            EnterFault::VisitTaken => Kind::VisitTaken.into(),
            EnterFault::WindowClosed { opens_at, wait } => window_closed(opens_at, wait),
            EnterFault::NotYourTurn { wait } => {
                let mut problem = Self::shedding(Kind::Busy, "opening");
                problem.details.retry_after_seconds = seconds_after(wait);
                problem
            }
            EnterFault::TooOften(too_often) => too_often.into(),
            EnterFault::Full => Self::shedding(Kind::Busy, "waiting"),
            EnterFault::Untraced(_) => Kind::AccessSuspended.into(),
            EnterFault::OutOfReach(fault) => fault.into(),
        }
    }
}

impl From<OutOfReach> for Problem {
    fn from(_: OutOfReach) -> Self {
        Kind::StorageUnavailable.into()
    }
}

impl From<ReadFault> for Problem {
    fn from(fault: ReadFault) -> Self {
        tracing::error!(%fault, "reading from storage failed");
        match fault {
            ReadFault::Storage(_) => Kind::StorageUnavailable.into(),
            ReadFault::Record(_) => Kind::Internal.into(),
        }
    }
}

impl From<StorageFault> for Problem {
    fn from(fault: StorageFault) -> Self {
        tracing::error!(%fault, "storage failed");
        Kind::StorageUnavailable.into()
    }
}

impl From<CommitFault> for Problem {
    fn from(fault: CommitFault) -> Self {
        match fault {
            CommitFault::Busy => Self::shedding(Kind::Busy, "queue"),
            CommitFault::Away => Self::shedding(Kind::StorageUnavailable, "ledger"),
            CommitFault::Storage | CommitFault::NoRoom => Kind::StorageUnavailable.into(),
        }
    }
}

impl From<TooOften> for Problem {
    fn from(too_often: TooOften) -> Self {
        let seconds = seconds_up(too_often.wait);
        let retry_after_seconds = Some(jittered(seconds, seconds));
        let rate_limit = Some(format!("\"default\";r=0;t={seconds}"));
        Self::new(Kind::TooOften, Details { retry_after_seconds, rate_limit, ..Details::default() })
    }
}

impl From<Shed> for Problem {
    fn from(_: Shed) -> Self {
        Self::shedding(Kind::Busy, "requests")
    }
}

fn already_applied(receipt: &Receipt, requester: Subject) -> Problem {
    let receipt = serde_json::to_value(receipt).unwrap_or(Value::Null);
    let shown_to = Some(requester);
    Problem::new(Kind::AlreadyApplied, Details { shown_to, ..Details::default() })
        .with("receipt", receipt)
}

fn campaign_closed(window: &CampaignWindow) -> Problem {
    Problem::from(Kind::CampaignClosed)
        .with("opensOn", window.opens_on.to_string())
        .with("closesOn", window.closes_on.to_string())
}

/// A slice that never opens has no `Retry-After`.
fn window_closed(opens_at: Timestamp, wait: Option<SignedDuration>) -> Problem {
    let retry_after_seconds = wait.and_then(seconds_after);
    let details =
        Details { retry_after_seconds, opens_at: wait.map(|_| opens_at), ..Details::default() };
    Problem::new(Kind::WindowClosed, details).with("opensAt", local_time::rfc3339(opens_at))
}

/// A quota that begins anew for everybody at the same moment.
fn used_up(kind: Kind, wait: SignedDuration) -> Problem {
    let retry_after_seconds =
        seconds_after(wait).map(|seconds| jittered(seconds, QUOTA_JITTER_SECONDS));
    Problem::new(kind, Details { retry_after_seconds, ..Details::default() })
}

/// The whole seconds after which a time has passed; `None` for more than a century.
fn seconds_after(wait: SignedDuration) -> Option<u32> {
    let wait = Duration::try_from(wait).unwrap_or_default();
    u32::try_from(wait.as_secs()).ok().map(|seconds| seconds.saturating_add(1))
}

/// From `seconds` to `seconds + jitter`, so that those who were refused together do not come back together.
fn jittered(seconds: u32, jitter: u32) -> u32 {
    let mut random = [0; 4];
    fill_random(&mut random);
    seconds.saturating_add(u32::from_le_bytes(random) % (jitter.saturating_add(1)))
}

fn seconds_up(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{civic::FiscalCode, vault::HouseKeys};

    #[test]
    fn every_problem_says_what_happened_and_what_to_do_in_both_languages() {
        let mut texts = String::new();
        for kind in Kind::ALL {
            for language in [Language::Italian, Language::English] {
                let json = Problem::from(*kind).to_json(language);
                texts.push_str(std::str::from_utf8(&json).unwrap());
                texts.push('\n');
            }
        }
        insta::assert_snapshot!(texts);
    }

    #[test]
    fn those_who_are_refused_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> = (0..200)
            .map(|_| Problem::from(Kind::StorageUnavailable).retry_after_seconds().unwrap())
            .collect();
        assert!(waits.len() > 30, "{waits:?}");
        assert!(waits.iter().all(|wait| (60..=120).contains(wait)), "{waits:?}");
    }

    #[test]
    fn a_refusal_before_the_opening_and_one_before_their_turn_name_a_moment_after_it() {
        let opens_at = Timestamp::from_second(3_600).unwrap();
        let wait = SignedDuration::from_millis(3_599_001);
        assert_eq!(window_closed(opens_at, Some(wait)).retry_after_seconds(), Some(3_600));
        assert_eq!(window_closed(Timestamp::MAX, None).retry_after_seconds(), None);
        let early = Problem::from(EnterFault::NotYourTurn { wait });
        assert_eq!(early.retry_after_seconds(), Some(3_600));
        assert_eq!((early.kind(), early.shed()), (Kind::Busy, Some("opening")));
    }

    #[test]
    fn a_submission_that_counts_as_failed_is_answered_with_5xx_and_no_other() {
        let (until, now) = (Timestamp::MAX, Timestamp::UNIX_EPOCH);
        let faults = [
            SubmitFault::NotYours,
            SubmitFault::NoMandate,
            SubmitFault::KeyReused,
            SubmitFault::AlreadyApplied(None),
            SubmitFault::Exhausted,
            SubmitFault::UsedUp { until, now },
            SubmitFault::NoLease,
            SubmitFault::Commit(CommitFault::Busy),
            SubmitFault::Commit(CommitFault::Away),
            SubmitFault::Commit(CommitFault::NoRoom),
            SubmitFault::Commit(CommitFault::Storage),
        ];
        let person = HouseKeys::from_master(&[7; 32]).subject(&FiscalCode::made_up(1));
        for fault in faults {
            let (name, is_ours) = (format!("{fault:?}"), fault.is_ours());
            let status = Problem::of_submission(fault, person).kind().status();
            assert_eq!(status.is_server_error(), is_ours, "{name}");
        }
    }

    #[test]
    fn those_whose_quota_is_used_up_come_back_apart_and_after_midnight() {
        let wait = SignedDuration::from_millis(3_599_001);
        let waits: std::collections::BTreeSet<_> = (0..200)
            .map(|_| used_up(Kind::QuotaUsedUp, wait).retry_after_seconds().unwrap())
            .collect();
        assert!(waits.len() > 100, "{waits:?}");
        let bounds = 3_600..=3_600 + QUOTA_JITTER_SECONDS;
        assert!(waits.iter().all(|wait| bounds.contains(wait)), "{waits:?}");
    }
}
