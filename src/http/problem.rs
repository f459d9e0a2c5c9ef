//! Problems (RFC 9457): the only place for status codes of failures and for what the public is told about them.

use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use crate::civic::Language;
use crate::{
    application::{Fault, ParseError},
    civic::local_time,
    gate::{limits::TooOften, pressure::Shed},
    identity::token::TokenFault,
    intake::{EnterFault, LookupFault, SubmitFault},
    ledger::{
        ReadFault, Receipt, committer::CommitFault, engine::StorageFault, keys::fill_random,
        seal::Subject,
    },
    schemes::CampaignWindow,
};

/// Refused people come back after this many seconds and up to as many again, each at another moment.
const RETRY_SECONDS: u32 = 2;
/// After a storage fault an operator has to act first.
const STORAGE_RETRY_SECONDS: u32 = 60;

/// Why requests are turned away to protect those who were let in: values of the label `reason` of
/// `sportello_shed_total`. A rate limit is none of them: it answers one person's own haste.
pub const SHED_REASONS: [&str; 7] =
    ["connections", "draining", "lag", "leases", "queue", "requests", "waiting"];

macro_rules! problems {
    ($($kind:ident $slug:literal $status:ident
       $title_it:literal $title_en:literal $detail_it:literal $detail_en:literal;)*) => {
        /// Every kind of problem that the public is told about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $(#[doc = $title_en] $kind),* }

        impl Kind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The last part of the problem's `type`.
            #[must_use]
            pub fn slug(self) -> &'static str {
                match self { $(Self::$kind => $slug),* }
            }

            /// Its status code.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),* }
            }

            fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$kind, Language::Italian) => $title_it,
                      (Self::$kind, Language::English) => $title_en,)*
                }
            }

            fn detail(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$kind, Language::Italian) => $detail_it,
                      (Self::$kind, Language::English) => $detail_en,)*
                }
            }
        }
    };
}

problems! {
    Malformed "malformed" BAD_REQUEST
        "Richiesta non leggibile" "Unreadable request"
        "Il corpo della richiesta non è un documento JSON valido."
        "The body of the request is not a valid JSON document.";
    Row "row-unreadable" BAD_REQUEST
        "Riga non leggibile" "Unreadable row"
        "La riga non ha le celle che la prima riga annuncia, o ha virgolette fuori posto: la prima cella errata è in cell."
        "The row has not the cells that the first row announces, or a stray quotation mark: the first wrong cell is in cell.";
    Report "invalid-report" UNPROCESSABLE_ENTITY
        "Segnalazione non valida" "Report not valid"
        "La segnalazione contiene gli errori elencati in errors."
        "The report has the faults listed in errors.";
    HostMissing "host-missing" BAD_REQUEST
        "Manca l'intestazione Host" "Host header missing"
        "Una richiesta HTTP/1.1 porta un'intestazione Host, e una sola."
        "An HTTP/1.1 request carries one Host header, and only one.";
    KeyMissing "idempotency-key-missing" BAD_REQUEST
        "Manca la chiave di idempotenza" "Idempotency key missing"
        "Aggiungi l'intestazione Idempotency-Key, una sola, con un valore scelto da te, da 1 a 128 caratteri ASCII visibili, e riusalo se ripeti l'invio."
        "Add the header Idempotency-Key, only once, with a value of your own, 1 to 128 visible ASCII characters, and use it again if you repeat the request.";
    Unauthenticated "unauthenticated" UNAUTHORIZED
        "Accesso necessario" "Log in first"
        "Il token manca, non è valido o è scaduto: accedi di nuovo."
        "The token is missing, not valid or expired: log in again.";
    AssuranceTooLow "assurance-too-low" FORBIDDEN
        "Livello di identità insufficiente" "Assurance level too low"
        "Serve un'identità digitale almeno di livello 2: accedi con SPID livello 2, CIE o CNS."
        "A digital identity of level 2 at least is needed: log in with SPID level 2, CIE or CNS.";
    WindowClosed "window-closed" FORBIDDEN
        "Fascia oraria chiusa" "Time slice closed"
        "In questo momento lo sportello è riservato ad altri: torna all'ora indicata in opensAt. L'ordine di arrivo non conta."
        "The counter serves another audience now: come back at the time given in opensAt. The order of arrival does not count.";
    NotYours "not-yours" FORBIDDEN
        "Domanda per un'altra persona" "Application for somebody else"
        "Un cittadino presenta la domanda solo per sé; un intermediario solo con un mandato, indicato in mandate."
        "Citizens apply for themselves only; intermediaries only with a mandate, named in mandate.";
    IntermediariesOnly "intermediaries-only" FORBIDDEN
        "Riservato agli intermediari" "For intermediaries only"
        "Gli invii in blocco sono riservati agli intermediari autorizzati."
        "Batches are for authorised intermediaries only.";
    NotFound "not-found" NOT_FOUND
        "Non trovato" "Not found"
        "Qui non c'è nulla, o nulla che ti appartenga."
        "There is nothing here, or nothing of yours.";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED
        "Metodo non ammesso" "Method not allowed"
        "Usa uno dei metodi elencati in Allow."
        "Use one of the methods listed in Allow.";
    BodyTooSlow "request-timeout" REQUEST_TIMEOUT
        "Richiesta troppo lenta" "Request too slow"
        "Il corpo della richiesta non è arrivato in tempo: ripeti l'invio con la stessa chiave."
        "The body of the request did not arrive in time: send it again with the same key.";
    AlreadyApplied "already-applied" CONFLICT
        "Domanda già presentata" "Already applied"
        "Per questa persona c'è già una domanda in questa campagna: consultala, o ritirala per presentarne un'altra."
        "This person has an application in this campaign already: look at it, or withdraw it to hand in another.";
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE
        "Richiesta troppo grande" "Request too large"
        "Il corpo della richiesta, o una riga di un invio in blocco, supera 64 KiB."
        "The body of the request, or a line of a batch, is larger than 64 KiB.";
    MediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE
        "Formato non ammesso" "Unsupported media type"
        "Invia application/json in UTF-8; per gli invii in blocco application/x-ndjson."
        "Send application/json in UTF-8; for batches application/x-ndjson.";
    Invalid "invalid-application" UNPROCESSABLE_ENTITY
        "Domanda non valida" "Application not valid"
        "Correggi tutti i punti elencati in errors e ripeti l'invio: nulla è stato registrato."
        "Mend every point listed in errors and send it again: nothing was recorded.";
    CampaignClosed "campaign-closed" UNPROCESSABLE_ENTITY
        "Campagna non aperta" "Campaign not open"
        "Oggi non si presentano domande per questa campagna: le date sono in opensOn e closesOn."
        "No applications are taken for this campaign today: its dates are in opensOn and closesOn.";
    KeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY
        "Chiave di idempotenza già usata" "Idempotency key used before"
        "Questa chiave è stata usata con un contenuto diverso: scegline un'altra."
        "This key was used with another content: choose another one.";
    TooOften "too-many-requests" TOO_MANY_REQUESTS
        "Troppe richieste" "Too many requests"
        "Attendi il tempo indicato in Retry-After. Insistere non dà alcun vantaggio."
        "Wait for the time given in Retry-After. Insisting gives no advantage.";
    Internal "internal" INTERNAL_SERVER_ERROR
        "Errore interno" "Internal error"
        "È un errore nostro ed è stato segnalato. Se stavi inviando una domanda, ripeti con la stessa chiave."
        "The fault is ours and has been reported. If you were sending an application, repeat it with the same key.";
    Busy "busy" SERVICE_UNAVAILABLE
        "Sportello al completo" "Counter full"
        "Torna dopo il tempo indicato in Retry-After: l'ordine di arrivo non conta e nessuno perde nulla."
        "Come back after the time given in Retry-After: the order of arrival does not count and nobody loses anything.";
    Draining "draining" SERVICE_UNAVAILABLE
        "Sportello in chiusura" "Counter closing"
        "Questo sportello sta per fermarsi: ripeti tra poco."
        "This counter is about to stop: try again in a moment.";
    StorageUnavailable "storage-unavailable" SERVICE_UNAVAILABLE
        "Archivio non disponibile" "Storage unavailable"
        "In questo momento non si possono registrare domande; quelle con ricevuta sono al sicuro. Ripeti più tardi con la stessa chiave."
        "Applications cannot be recorded right now; those with a receipt are safe. Repeat later with the same key.";
}

/// One problem, ready to be told.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    told: Box<Told>,
}

/// What is told besides the kind; boxed, for most answers are no problems and carry the room for one.
#[derive(Debug, Default)]
struct Told {
    extensions: Map<String, Value>,
    faults: Vec<Fault>,
    retry_after_seconds: Option<u32>,
    rate_limit: Option<String>,
    allowed_methods: Option<String>,
    shown_to: Option<Subject>,
    /// Why somebody was turned away to protect those who were let in, for the operator.
    shed: Option<&'static str>,
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        let retry_after_seconds = match kind {
            Kind::Busy | Kind::Draining => Some(jittered(RETRY_SECONDS)),
            Kind::StorageUnavailable => Some(jittered(STORAGE_RETRY_SECONDS)),
            _ => None,
        };
        Self { kind, told: Box::new(Told { retry_after_seconds, ..Told::default() }) }
    }
}

impl Problem {
    /// A bug of ours; what it was is in the log, not in the answer.
    #[must_use]
    pub fn internal() -> Self {
        Kind::Internal.into()
    }

    /// No JSON document, from this line and column on.
    #[must_use]
    pub fn malformed(line: usize, column: usize) -> Self {
        Self::from(Kind::Malformed).with("line", line).with("column", column)
    }

    /// The path is known, the method is not.
    #[must_use]
    pub fn method_not_allowed(methods: String) -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            Told { allowed_methods: Some(methods), ..Told::default() },
        )
    }

    /// Turned away to protect those who were let in; why, for the operator. One of [`SHED_REASONS`].
    #[must_use]
    pub fn shedding(kind: Kind, reason: &'static str) -> Self {
        debug_assert!(SHED_REASONS.contains(&reason), "{reason} is on the list");
        let mut problem = Self::from(kind);
        problem.told.shed = Some(reason);
        problem
    }

    /// A submission that failed, told to `requester` alone.
    #[must_use]
    pub fn of_submission(fault: SubmitFault, requester: Subject) -> Self {
        match fault {
            SubmitFault::AlreadyApplied(Some(receipt)) => already_applied(&receipt, requester),
            SubmitFault::AlreadyApplied(None) => Kind::AlreadyApplied.into(),
            SubmitFault::Invalid(fault) => fault.into(),
            SubmitFault::CampaignClosed(window) => campaign_closed(&window),
            SubmitFault::NotYours => Kind::NotYours.into(),
            SubmitFault::KeyReused => Kind::KeyReused.into(),
            SubmitFault::NoLease => Self::shedding(Kind::Busy, "leases"),
            SubmitFault::Commit(fault) => fault.into(),
            SubmitFault::Read(fault) => fault.into(),
        }
    }

    /// As the problem of one line among many; where in the line it is, `column` says.
    #[must_use]
    pub fn at_line(self, number: u64) -> Self {
        self.with("line", number)
    }

    /// A row of a table that cannot be cut into its cells; which is the first that is wrong, from 1.
    #[must_use]
    pub fn of_row(cell: usize) -> Self {
        Self::from(Kind::Row).with("cell", cell)
    }

    /// A report on a running benefit that cannot be read.
    #[must_use]
    pub fn of_report(error: ParseError) -> Self {
        match Self::from(error) {
            Self { kind: Kind::Invalid, told } => Self { kind: Kind::Report, told },
            malformed => malformed,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Why somebody was turned away to protect others, if that is what happened.
    #[must_use]
    pub fn shed(&self) -> Option<&'static str> {
        self.told.shed
    }

    /// How many faults of the input it names.
    #[must_use]
    pub fn faults(&self) -> usize {
        self.told.faults.len()
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) fn retry_after_seconds(&self) -> Option<u32> {
        self.told.retry_after_seconds
    }

    pub(super) fn rate_limit(&self) -> Option<&str> {
        self.told.rate_limit.as_deref()
    }

    pub(super) fn allowed_methods(&self) -> Option<&str> {
        self.told.allowed_methods.as_deref()
    }

    pub(super) fn shown_to(&self) -> Option<Subject> {
        self.told.shown_to
    }

    /// What the public is told, as JSON.
    #[must_use]
    pub fn to_json(&self, language: Language) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("type".into(), format!("urn:sportello:problem:{}", self.kind.slug()).into());
        members.insert("title".into(), self.kind.title(language).into());
        members.insert("status".into(), self.status().as_u16().into());
        members.insert("detail".into(), self.kind.detail(language).into());
        members.extend(self.told.extensions.clone());
        if !self.told.faults.is_empty() {
            let told = |fault: &Fault| json!({ "pointer": fault.pointer, "code": fault.code.as_str(), "detail": fault.detail(language) });
            members.insert("errors".into(), self.told.faults.iter().map(told).collect());
        }
        Value::Object(members).to_string().into_bytes()
    }

    /// What is told of a line, for people: the title, and every fault on a line of its own.
    #[must_use]
    pub fn to_text(&self, language: Language) -> String {
        let mut text = self.kind.title(language).to_owned();
        if let Some(line) = self.told.extensions.get("line") {
            let word = match language {
                Language::Italian => "Riga",
                Language::English => "Line",
            };
            text = format!("{word} {line}: {text}");
        }
        text.push('\n');
        let faults = self.told.faults.iter();
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

    fn new(kind: Kind, told: Told) -> Self {
        Self { kind, told: Box::new(told) }
    }

    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.told.extensions.insert(member.to_owned(), value.into());
        self
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Malformed { line, column, .. } => Self::malformed(line, column),
            ParseError::Invalid(faults) => {
                Self::new(Kind::Invalid, Told { faults, ..Told::default() })
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
            EnterFault::WindowClosed { opens_at } => window_closed(opens_at),
            EnterFault::TooOften(too_often) => too_often.into(),
            EnterFault::Behind => Self::shedding(Kind::Busy, "lag"),
            EnterFault::Full => Self::shedding(Kind::Busy, "waiting"),
        }
    }
}

impl From<LookupFault> for Problem {
    fn from(fault: LookupFault) -> Self {
        match fault {
            LookupFault::NotFound => Kind::NotFound.into(),
            LookupFault::Commit(fault) => fault.into(),
            LookupFault::Read(fault) => fault.into(),
        }
    }
}

impl From<ReadFault> for Problem {
    fn from(fault: ReadFault) -> Self {
        tracing::error!(%fault, "the ledger could not be read");
        match fault {
            ReadFault::Storage(_) => Kind::StorageUnavailable.into(),
            ReadFault::Record(_) => Kind::Internal.into(),
        }
    }
}

impl From<StorageFault> for Problem {
    fn from(fault: StorageFault) -> Self {
        tracing::error!(%fault, "a draft could not be kept");
        Kind::StorageUnavailable.into()
    }
}

impl From<CommitFault> for Problem {
    fn from(fault: CommitFault) -> Self {
        match fault {
            CommitFault::Busy => Self::shedding(Kind::Busy, "queue"),
            CommitFault::Storage | CommitFault::NoRoom => Kind::StorageUnavailable.into(),
        }
    }
}

impl From<TooOften> for Problem {
    fn from(too_often: TooOften) -> Self {
        let seconds = seconds_up(too_often.wait);
        let retry_after_seconds = Some(jittered(seconds));
        let rate_limit = Some(format!("\"default\";r=0;t={seconds}"));
        Self::new(Kind::TooOften, Told { retry_after_seconds, rate_limit, ..Told::default() })
    }
}

impl From<Shed> for Problem {
    fn from(_: Shed) -> Self {
        Self::shedding(Kind::Busy, "requests")
    }
}

fn already_applied(receipt: &Receipt, requester: Subject) -> Problem {
    let told = serde_json::to_value(receipt).unwrap_or(Value::Null);
    let shown_to = Some(requester);
    Problem::new(Kind::AlreadyApplied, Told { shown_to, ..Told::default() }).with("receipt", told)
}

fn campaign_closed(window: &CampaignWindow) -> Problem {
    Problem::from(Kind::CampaignClosed)
        .with("opensOn", window.opens_on.to_string())
        .with("closesOn", window.closes_on.to_string())
}

fn window_closed(opens_at: Timestamp) -> Problem {
    Problem::from(Kind::WindowClosed).with("opensAt", local_time::rfc3339(opens_at))
}

/// Between so many seconds and twice as many, so that those who were refused together do not come back together.
fn jittered(seconds: u32) -> u32 {
    let mut dice = [0; 4];
    fill_random(&mut dice);
    seconds + u32::from_le_bytes(dice) % (seconds + 1)
}

fn seconds_up(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or(u32::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_tells_what_happened_and_what_to_do_in_both_languages() {
        let mut told = String::new();
        for kind in Kind::ALL {
            for language in [Language::Italian, Language::English] {
                let json = Problem::from(*kind).to_json(language);
                told.push_str(std::str::from_utf8(&json).unwrap());
                told.push('\n');
            }
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn those_who_are_refused_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> = (0..200)
            .map(|_| Problem::from(Kind::StorageUnavailable).retry_after_seconds().unwrap())
            .collect();
        assert!(waits.len() > 30, "{waits:?}");
        assert!(waits.iter().all(|wait| (60..=120).contains(wait)), "{waits:?}");
    }
}
