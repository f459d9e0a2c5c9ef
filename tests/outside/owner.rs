//! The owner check: does an answer belong to the party that asked?
//!
//! A party is one person in one capacity. What a party sends differs from what any other sends, in the values that
//! answers return: the e-mail address, the amount, the digest, the draft. Every value of an answer that names a
//! party is compared; values that the server makes (tags, tokens, receipts) belong to the first party that gets them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::StatusCode;
use serde_json::Value;
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, Office, demo::Minter},
};

use crate::harness::{Answer, new_session};

/// Amounts that differ from each other, in cents; people whose numbers differ by it have the same.
const AMOUNTS: u64 = 8750;

/// One request of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Enter,
    Show,
    SaveDraft,
    ShowDraft,
    DeleteDraft,
    Estimate,
    Submit,
    Read,
    Withdraw,
    Leave,
    /// Asks below another party's visit.
    AskBelowAnother,
    /// Reads another party's receipt below its own visit.
    ReadAnothers,
}

/// A request as it is sent.
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: String,
    pub(crate) body: String,
}

/// One person in one capacity, with a session, or on the way to one.
pub(crate) struct Party {
    number: u64,
    identity: String,
    /// The path of the session.
    pub(crate) session: String,
    pub(crate) token: String,
    pub(crate) receipt: Option<String>,
    tag: String,
    application: String,
    /// What answers must say, by the name of the member.
    says: [(&'static str, String); 6],
}

/// What was checked, and what was mixed up.
#[derive(Default)]
pub(crate) struct Inspector(Mutex<Findings>);

#[derive(Default)]
struct Findings {
    owners: HashMap<String, u64>,
    answers: BTreeMap<(Step, u16), u64>,
    mixed_up: Vec<String>,
}

impl Party {
    /// The `number`-th party: the person with `code`, for themselves or at an office. No other party has this number.
    pub(crate) fn new(
        minter: &Minter,
        number: u64,
        code: FiscalCode,
        office: Option<&str>,
    ) -> Self {
        let parsed = office.map(|office| Office::parse(office).unwrap());
        let now = Clock::system().real();
        let email = format!("{}@example.it", code.as_str().to_lowercase());
        let cents = number % AMOUNTS;
        let last_year = 600_000 + 16 * cents;
        let application = application::example(&code, 2024)
            .replace("mario@example.it", &email)
            .replace("6000.00", &euro(last_year));
        let digest = STANDARD.encode(digest(&SHA256, application.as_bytes()));
        let says = [
            ("fiscalCode", code.as_str().to_owned()),
            ("subject", code.masked().to_string()),
            ("email", email),
            // A quarter of half of the average of two years.
            ("monthlyAmount", euro(68_750 + cents)),
            ("digest", format!("sha-256=:{digest}:")),
            ("of", format!("{} {}", code.as_str(), office.unwrap_or("alone"))),
        ];
        let identity = minter.mint(&code, parsed.as_ref(), Assurance::Level2, now);
        let mut party = Self {
            number,
            identity,
            session: String::new(),
            token: String::new(),
            receipt: None,
            tag: String::new(),
            application,
            says,
        };
        party.start_again(new_session());
        party
    }

    /// Another visit, which has to be entered.
    pub(crate) fn start_again(&mut self, session: String) {
        self.session = session;
        self.token.clear();
        self.tag.clear();
    }

    /// The request of a step; below `other`'s visit and about its receipt where the step says so.
    pub(crate) fn request(&self, step: Step, other: &Self) -> Sent {
        let receipt = |party: &Self| party.receipt.clone().unwrap_or_else(|| "none".to_owned());
        let (method, below) = match step {
            Step::Enter => ("PUT", String::new()),
            Step::Show => ("GET", String::new()),
            Step::SaveDraft => ("PUT", "/drafts/iscro".to_owned()),
            Step::ShowDraft | Step::AskBelowAnother => ("GET", "/drafts/iscro".to_owned()),
            Step::DeleteDraft => ("DELETE", "/drafts/iscro".to_owned()),
            Step::Estimate => ("POST", "/estimates".to_owned()),
            Step::Submit => ("POST", "/applications".to_owned()),
            Step::Read => ("GET", format!("/applications/{}", receipt(self))),
            Step::ReadAnothers => ("GET", format!("/applications/{}", receipt(other))),
            Step::Withdraw => ("DELETE", format!("/applications/{}", receipt(self))),
            Step::Leave => ("DELETE", String::new()),
        };
        let visit = if step == Step::AskBelowAnother { &other.session } else { &self.session };
        let token = if step == Step::Enter { &self.identity } else { &self.token };
        let body = match step {
            Step::SaveDraft => format!("{{\"of\":\"{}\"}}", self.says[5].1),
            Step::Estimate | Step::Submit => self.application.clone(),
            _ => String::new(),
        };
        Sent { method, path: format!("{visit}{below}"), token: token.clone(), body }
    }

    fn learn(&mut self, step: Step, json: &Value) {
        let text = |name: &str| json[name].as_str().map(ToOwned::to_owned);
        match step {
            Step::Enter => {
                self.token = text("token").unwrap_or_default();
                self.tag = text("subjectTag").unwrap_or_default();
            }
            Step::Submit => self.receipt = text("receipt").or(self.receipt.take()),
            _ => {}
        }
    }
}

impl Inspector {
    /// Checks an answer for its owner, and lets the party remember its token and its receipt.
    pub(crate) fn check(&self, party: &mut Party, step: Step, answer: &Answer) {
        let json = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let mut findings = self.findings();
        if step == Step::Enter && answer.status.is_success() {
            party.learn(step, &json);
        }
        if let Err(what) = findings.compare(party, step, answer, &json) {
            let before = findings.mixed_up.len();
            findings.mixed_up.push(format!("{before}: {step:?} {}: {what}", answer.status));
        } else if answer.status.is_success() {
            party.learn(step, &json);
        }
        *findings.answers.entry((step, answer.status.as_u16())).or_default() += 1;
    }

    /// Number of answers that were checked.
    pub(crate) fn checked(&self) -> u64 {
        self.findings().answers.values().sum()
    }

    /// Number of answers to a step with this status.
    pub(crate) fn answers(&self, step: Step, status: StatusCode) -> u64 {
        self.findings().answers.get(&(step, status.as_u16())).copied().unwrap_or_default()
    }

    /// Number of answers that belong to another party.
    pub(crate) fn mixed_up(&self) -> usize {
        self.findings().mixed_up.len()
    }

    /// What was checked by step and status, and the first answers that were mixed up.
    pub(crate) fn report(&self) -> String {
        let findings = self.findings();
        let counts: Vec<_> = findings
            .answers
            .iter()
            .map(|((step, status), count)| format!("{step:?} {status}: {count}"))
            .collect();
        let first: Vec<_> = findings.mixed_up.iter().take(5).collect();
        format!("{}; mixed up: {} {first:?}", counts.join(", "), findings.mixed_up.len())
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Findings {
    fn compare(
        &mut self,
        party: &Party,
        step: Step,
        answer: &Answer,
        json: &Value,
    ) -> Result<(), String> {
        let (status, tag) = (answer.status, answer.header("subject-tag"));
        if !tag.is_empty() && tag != party.tag {
            return Err("another tag".to_owned());
        }
        let mut marks = 0;
        self.compare_members(party, json, &mut marks)?;
        let location = answer.header("location");
        if !location.is_empty() && !location.starts_with(&party.session) {
            return Err("another location".to_owned());
        }
        if !status.is_success() {
            return Ok(());
        }
        match step {
            Step::AskBelowAnother | Step::ReadAnothers => Err("another party's answer".to_owned()),
            _ if answer.body.is_empty() || status == StatusCode::ACCEPTED => Ok(()),
            _ if tag.is_empty() => Err("no tag".to_owned()),
            _ if marks == 0 => Err("nothing that names an owner".to_owned()),
            _ => Ok(()),
        }
    }

    /// Compares every member that names a party, and counts them.
    fn compare_members(
        &mut self,
        party: &Party,
        json: &Value,
        marks: &mut usize,
    ) -> Result<(), String> {
        let members: Vec<(&str, &Value)> = match json {
            Value::Object(members) => members.iter().map(|(name, one)| (&**name, one)).collect(),
            Value::Array(items) => items.iter().map(|one| ("", one)).collect(),
            _ => return Ok(()),
        };
        for (name, value) in members {
            let Value::String(text) = value else {
                self.compare_members(party, value, marks)?;
                continue;
            };
            let expected = party.says.iter().find(|(known, _)| *known == name);
            let is_own = match (name, expected) {
                (_, Some((_, expected))) => text == expected,
                ("subjectTag" | "token" | "ticket" | "receipt", _) => {
                    *self.owners.entry(text.clone()).or_insert(party.number) == party.number
                }
                _ => continue,
            };
            if !is_own {
                return Err(format!("another {name}"));
            }
            *marks += 1;
        }
        Ok(())
    }
}

fn euro(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
