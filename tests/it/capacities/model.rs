//! What a server that keeps one person's capacities apart shows, keeps and leases; a model.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::sample::Index;
use serde_json::{Value, json};
use sportello::{application, civic::FiscalCode};

use super::{disclosed::Disclosed, listed::Lists, proofs::Proof};
use crate::entrusting::mandate_for;

/// Applications of a person in a campaign at most, withdrawn ones included.
const APPLICATIONS_MAX: usize = 5;
/// Open sessions of one person at most, the default of `sessions.person_sessions_max`.
const PERSON_SESSIONS_MAX: usize = 4;
/// The answer to an office that names no mandate.
const NO_MANDATE: Refused = Refused(403, "no-mandate");
/// The answer to a citizen who applies for another person or names a mandate.
const NOT_YOURS: Refused = Refused(403, "not-yours");

/// Status and kind of a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused(pub(crate) u16, pub(crate) &'static str);

/// The day of every case, as the server's clock has it.
pub(crate) const TODAY: &str = "2024-09-16";
/// The offices. Each has a mandate of every applicant.
pub(crate) const OFFICES: [&str; 2] = ["a", "b"];

/// Whose data it is: the person with three capacities, or one of two clients. All three are clients of both offices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Applicant {
    Person,
    First,
    Second,
}

/// Everybody whose data it is.
const APPLICANTS: [Applicant; 3] = [Applicant::Person, Applicant::First, Applicant::Second];

/// A person in one capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    Citizen,
    ClerkOfA,
    ClerkOfB,
    /// The first client, as a citizen.
    Client,
}

/// Everybody who enters.
pub(crate) const PARTIES: [Party; 4] =
    [Party::Citizen, Party::ClerkOfA, Party::ClerkOfB, Party::Client];

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) party: Party,
    /// What proved who they are when it was opened.
    pub(crate) proof: Proof,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) tag: String,
    pub(crate) has_lease: bool,
}

/// What is sent: for whom, in which of two versions, and whether with a mandate where and only where one is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    pub(crate) of: Applicant,
    pub(crate) version: u8,
    pub(crate) fits: bool,
}

/// The slot of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draft {
    party: Party,
    pub(crate) of: Applicant,
    pub(crate) mandate: Option<String>,
}

/// The mandate that a person gave to an office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MandateOf {
    pub(crate) office: &'static str,
    pub(crate) of: Applicant,
}

/// A kept application.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) of: Applicant,
    pub(crate) by: Party,
    pub(crate) text: String,
    pub(crate) receipt: Value,
    pub(crate) is_withdrawn: bool,
}

/// What becomes of an application that the session may submit.
pub(crate) enum Taken {
    New,
    Again(usize),
    KeyReused,
    AlreadyApplied(usize),
    Exhausted,
}

pub(crate) struct Model {
    /// The number of the person with three capacities; the clients follow.
    first: u64,
    /// The open ones, oldest first.
    pub(crate) sessions: Vec<Session>,
    pub(crate) drafts: HashMap<Draft, String>,
    pub(crate) revoked: HashSet<MandateOf>,
    /// Who has a telephone PIN, and how many everybody has made.
    pins: HashMap<Applicant, (bool, u8)>,
    pub(crate) disclosed: Disclosed,
    pub(crate) lists: Lists,
    pub(crate) applications: Vec<Kept>,
    /// The application of each key, which belongs to a principal.
    keys: HashMap<(Party, String), usize>,
    /// Visits that have ended.
    ended: Vec<String>,
}

impl Party {
    pub(crate) fn who(self) -> Applicant {
        if self == Self::Client { Applicant::First } else { Applicant::Person }
    }

    pub(crate) fn office(self) -> Option<&'static str> {
        match self {
            Self::Citizen | Self::Client => None,
            Self::ClerkOfA => Some(OFFICES[0]),
            Self::ClerkOfB => Some(OFFICES[1]),
        }
    }

    pub(crate) fn audience(self) -> &'static str {
        if self.office().is_some() { "intermediaries" } else { "citizens" }
    }
}

impl Draft {
    /// A citizen acts under no mandate.
    pub(crate) fn can_exist(&self) -> bool {
        self.mandate.is_none() || self.party.office().is_some()
    }

    pub(crate) fn path(&self) -> String {
        let mandate = self.mandate.as_ref();
        mandate.map_or("/drafts/iscro".to_owned(), |mandate| format!("/drafts/iscro/{mandate}"))
    }
}

impl MandateOf {
    /// The mandates that a person gave, in the order of their references.
    pub(crate) fn of_person(of: Applicant) -> [Self; 2] {
        OFFICES.map(|office| Self { office, of })
    }

    /// Its grantor sees it, and its office.
    pub(crate) fn is_seen_by(self, party: Party) -> bool {
        party.office().map_or(self.of == party.who(), |office| office == self.office)
    }
}

impl Kept {
    /// As a list shows it, apart from its decision.
    pub(crate) fn listed(&self) -> Value {
        let office = self.by.office();
        json!({
            "receipt": self.receipt["receipt"], "receivedOn": TODAY, "office": office,
            "channel": if office.is_some() { "intermediary" } else { "citizen" },
        })
    }

    pub(crate) fn code(&self) -> &str {
        self.receipt["receipt"].as_str().unwrap()
    }

    pub(crate) fn path(&self) -> String {
        format!("/applications/{}", self.code())
    }
}

impl Body {
    fn cents(self) -> u32 {
        100 * self.of as u32 + u32::from(self.version)
    }

    /// The monthly amount: a quarter of half of the average of two years.
    pub(crate) fn amount(self) -> String {
        let cents = 68_750 + self.cents();
        format!("{}.{:02}", cents / 100, cents % 100)
    }
}

impl Model {
    pub(crate) fn new(first: u64) -> Self {
        Self {
            first,
            sessions: Vec::new(),
            drafts: HashMap::new(),
            revoked: HashSet::new(),
            pins: HashMap::new(),
            disclosed: Disclosed::default(),
            lists: Lists::default(),
            applications: Vec::new(),
            keys: HashMap::new(),
            ended: Vec::new(),
        }
    }

    fn number_of(&self, who: Applicant) -> u64 {
        self.first + who as u64
    }

    pub(crate) fn code_of(&self, who: Applicant) -> FiscalCode {
        FiscalCode::made_up(self.number_of(who))
    }

    pub(crate) fn leases(&self) -> u64 {
        self.sessions.iter().filter(|session| session.has_lease).count() as u64
    }

    /// A person has one lease, except for sessions in the same audience; the oldest of too many sessions ends.
    pub(crate) fn enter(&mut self, session: Session) {
        let party = session.party;
        self.disclosed.note(party, "entered", party.who(), None);
        let theirs = |known: &Session| known.party.who() == party.who();
        for known in self.sessions.iter_mut().filter(|known| theirs(known)) {
            known.has_lease &= known.party.audience() == party.audience();
        }
        if self.sessions.iter().filter(|known| theirs(known)).count() == PERSON_SESSIONS_MAX {
            let oldest = self.sessions.iter().position(theirs).unwrap();
            self.end(oldest);
        }
        self.sessions.push(session);
    }

    pub(crate) fn end(&mut self, at: usize) -> Session {
        let session = self.sessions.remove(at);
        self.ended.push(session.path.clone());
        session
    }

    /// Visits in which the party cannot enter: those of other parties, and those that have ended.
    pub(crate) fn taken_from(&self, party: Party) -> Vec<String> {
        let others = self.sessions.iter().filter(|session| session.party != party);
        others.map(|session| &session.path).chain(&self.ended).cloned().collect()
    }

    /// The draft that a session means: under the mandate of a client, or its own. A citizen who means a client names a
    /// mandate, too.
    pub(crate) fn draft_of(&self, at: usize, of: Applicant) -> Draft {
        let party = self.sessions[at].party;
        let needs_one = party.office().is_some() || of != party.who();
        let office = party.office().unwrap_or(OFFICES[0]);
        let mandate = needs_one.then(|| self.reference(MandateOf { office, of }));
        Draft { party, of, mandate }
    }

    /// The application that a session sends.
    pub(crate) fn text_of(&self, at: usize, body: Body) -> String {
        let office = self.sessions[at].party.office();
        let of = body.of;
        let cents = 600_000 + 16 * body.cents();
        let text = application::example(&self.code_of(of), 2024)
            .replace("6000.00", &format!("{}.{:02}", cents / 100, cents % 100));
        if office.is_some() == body.fits {
            let mandate = self.reference(MandateOf { office: office.unwrap_or(OFFICES[0]), of });
            return text.replacen('{', &format!("{{\"mandate\":\"{mandate}\","), 1);
        }
        text
    }

    /// Why the session may not submit it, nor ask for an estimate of it.
    pub(crate) fn refuses(&self, at: usize, body: Body) -> Option<Refused> {
        let party = self.sessions[at].party;
        let (may, refused) = match party.office() {
            Some(_) => (self.is_covered(party, body.of), NO_MANDATE),
            None => (body.of == party.who(), NOT_YOURS),
        };
        (!may || !body.fits).then_some(refused)
    }

    /// Whether a clerk's office may act for a person: until they revoke its mandate.
    pub(crate) fn is_covered(&self, clerk: Party, of: Applicant) -> bool {
        clerk.office().is_some_and(|office| !self.revoked.contains(&MandateOf { office, of }))
    }

    /// Whether a party sees a kept application: its person, and the office that submitted it under a mandate that holds.
    pub(crate) fn sees(&self, party: Party, kept: &Kept) -> bool {
        if party.office().is_some() {
            kept.by == party && self.is_covered(party, kept.of)
        } else {
            kept.of == party.who()
        }
    }

    /// Whether a party may keep or see a draft: their own, or an office's under a mandate that holds.
    pub(crate) fn may_keep(&self, draft: &Draft) -> bool {
        draft.mandate.is_none() || self.is_covered(draft.party, draft.of)
    }

    pub(crate) fn reference(&self, MandateOf { office, of }: MandateOf) -> String {
        mandate_for(office, self.number_of(of))
    }

    /// A mandate of this case as it is shown today.
    pub(crate) fn mandate(&self, reference: &str) -> Option<Value> {
        let mut all = APPLICANTS.into_iter().flat_map(MandateOf::of_person);
        let named = all.find(|named| self.reference(*named) == reference)?;
        let is_revoked = self.revoked.contains(&named);
        Some(json!({
            "reference": reference, "office": named.office, "scheme": "iscro", "year": 2024,
            "signedOn": "2024-01-01", "expiresOn": "2025-12-31",
            "revokedOn": is_revoked.then_some(TODAY), "byTelephone": false, "holds": !is_revoked,
        }))
    }

    /// What a party's list has after a receipt, in its order.
    pub(crate) fn listed(&self, party: Party, after: &str) -> Vec<&Kept> {
        let seen = self.applications.iter().filter(|kept| self.sees(party, kept));
        let mut listed: Vec<_> = seen.filter(|kept| kept.code() > after).collect();
        listed.sort_by_key(|kept| kept.code());
        listed
    }

    pub(crate) fn has_pin(&self, who: Applicant) -> bool {
        self.pins.get(&who).is_some_and(|(has_one, _)| *has_one)
    }

    /// Makes a PIN in place of an earlier one, unless the person has made `most` today; whether it was made.
    pub(crate) fn make_pin(&mut self, who: Applicant, most: u8) -> bool {
        let (has_one, made) = self.pins.entry(who).or_default();
        let is_made = *made < most;
        *has_one |= is_made;
        *made += u8::from(is_made);
        is_made
    }

    pub(crate) fn revoke_pin(&mut self, who: Applicant) {
        self.pins.entry(who).or_default().0 = false;
    }

    pub(crate) fn receipts_of(&self, of: Applicant) -> Vec<&Value> {
        let theirs = self.applications.iter().filter(|kept| kept.of == of);
        theirs.map(|kept| &kept.receipt["receipt"]).collect()
    }

    pub(crate) fn submit(&mut self, at: usize, of: Applicant, key: &str, text: &str) -> Taken {
        let taken = self.judge(at, of, key, text);
        // A submission that fails gives its lease back to the session.
        self.sessions[at].has_lease = !matches!(taken, Taken::New | Taken::Again(_));
        if matches!(taken, Taken::New) {
            let party = self.sessions[at].party;
            self.keys.insert((party, key.to_owned()), self.applications.len());
        }
        taken
    }

    fn judge(&self, at: usize, of: Applicant, key: &str, text: &str) -> Taken {
        let party = self.sessions[at].party;
        if let Some(known) = self.keys.get(&(party, key.to_owned())) {
            let same = self.applications[*known].text == text;
            return if same { Taken::Again(*known) } else { Taken::KeyReused };
        }
        let theirs: Vec<_> =
            (0..self.applications.len()).filter(|at| self.applications[*at].of == of).collect();
        match theirs.last() {
            Some(last) if !self.applications[*last].is_withdrawn => Taken::AlreadyApplied(*last),
            Some(_) if theirs.len() >= APPLICATIONS_MAX => Taken::Exhausted,
            _ => Taken::New,
        }
    }

    pub(crate) fn keep(&mut self, at: usize, of: Applicant, text: &str, receipt: Value) {
        let by = self.sessions[at].party;
        self.disclosed.note(by, "application-received", of, Some(&receipt["receipt"]));
        self.applications.push(Kept {
            of,
            by,
            text: text.to_owned(),
            receipt,
            is_withdrawn: false,
        });
    }

    pub(crate) fn application(&self, which: Index) -> Option<Kept> {
        let kept = self.applications.len();
        (kept > 0).then(|| self.applications[which.index(kept)].clone())
    }

    pub(crate) fn withdraw(&mut self, which: Index) {
        let kept = self.applications.len();
        let application = &mut self.applications[which.index(kept)];
        application.is_withdrawn = true;
        self.disclosed.withdrawn(application.of, &application.receipt["receipt"]);
    }

    /// The digest of a receipt.
    pub(crate) fn digest(text: &str) -> String {
        format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, text.as_bytes())))
    }
}
