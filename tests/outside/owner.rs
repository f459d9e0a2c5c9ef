//! The owner check: does an answer belong to the party that asked?
//!
//! A party is one person in one capacity: a citizen, or the clerk of an office with one client. What a party sends differs from what any other sends, in the values that
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

use crate::{
    entrusting::mandate_for,
    harness::{Answer, new_session},
};

/// Amounts that differ from each other, in cents; people whose numbers differ by it have the same.
const AMOUNTS: u64 = 8750;

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capacity {
    Citizen,
    Clerk,
}

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
    /// The application, one that is refused, and the application again; citizens may send none.
    Batch,
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
    /// Of the body.
    pub(crate) content_type: &'static str,
    /// Of an idempotent submission. An office's clerks must not choose the same.
    pub(crate) key: String,
}

/// One person in one capacity, with a session, or on the way to one.
pub(crate) struct Party {
    number: u64,
    capacity: Capacity,
    identity: String,
    /// The path of the session.
    pub(crate) session: String,
    pub(crate) token: String,
    pub(crate) receipt: Option<String>,
    tag: String,
    application: String,
    /// The application of somebody who gave no mandate.
    refused: String,
    /// The path of its draft below the session.
    draft: String,
    /// What answers must say, by the name of the member.
    says: [(&'static str, String); 6],
}

/// What was checked, and what was mixed up.
#[derive(Default)]
pub(crate) struct Inspector(Mutex<Findings>);

#[derive(Default)]
struct Findings {
    owners: HashMap<String, u64>,
    answers: BTreeMap<(Capacity, Step, u16), u64>,
    mixed_up: Vec<String>,
}

impl Party {
    /// The `number`-th party: the person with `code`, for themselves. No other party has this number.
    pub(crate) fn citizen(minter: &Minter, number: u64, code: FiscalCode) -> Self {
        let identity = minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        Self::of(number, identity, (code, "alone"), (code, None))
    }

    /// The `number`-th party: the person with `code` at an office, for the client of that number, who gave the office a
    /// mandate. No other clerk of the office has this client; a clerk of another office may.
    pub(crate) fn clerk(
        minter: &Minter,
        number: u64,
        code: FiscalCode,
        (office, client): (&str, u64),
    ) -> Self {
        let parsed = Office::parse(office).unwrap();
        let now = Clock::system().real();
        let identity = minter.mint(&code, Some(&parsed), Assurance::Level2, now);
        let mandate = mandate_for(office, client);
        Self::of(number, identity, (code, office), (FiscalCode::made_up(client), Some(mandate)))
    }

    fn of(
        number: u64,
        identity: String,
        (person, office): (FiscalCode, &str),
        (applicant, mandate): (FiscalCode, Option<String>),
    ) -> Self {
        let email = format!("{}.{office}@example.it", applicant.as_str().to_lowercase());
        let cents = number % AMOUNTS;
        let last_year = 600_000 + 16 * cents;
        let application = |code: &FiscalCode| {
            // On one line, as in a batch.
            let text = application::example(code, 2024).replace('\n', " ");
            let text =
                text.replace("mario@example.it", &email).replace("6000.00", &euro(last_year));
            match &mandate {
                Some(mandate) => text.replacen('{', &format!("{{\"mandate\":\"{mandate}\","), 1),
                None => text,
            }
        };
        let (application, refused) = (application(&applicant), application(&person));
        let digest = STANDARD.encode(digest(&SHA256, application.as_bytes()));
        let says = [
            ("fiscalCode", applicant.as_str().to_owned()),
            ("subject", person.masked().to_string()),
            ("email", email),
            // A quarter of half of the average of two years.
            ("monthlyAmount", euro(68_750 + cents)),
            ("digest", format!("sha-256=:{digest}:")),
            ("of", format!("{} {office}", person.as_str())),
        ];
        let capacity = if mandate.is_some() { Capacity::Clerk } else { Capacity::Citizen };
        let mut party = Self {
            number,
            capacity,
            identity,
            session: String::new(),
            token: String::new(),
            receipt: None,
            tag: String::new(),
            application,
            refused,
            draft: mandate
                .map_or("/drafts/iscro".to_owned(), |named| format!("/drafts/iscro/{named}")),
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
            Step::SaveDraft => ("PUT", self.draft.clone()),
            Step::ShowDraft | Step::AskBelowAnother => ("GET", self.draft.clone()),
            Step::DeleteDraft => ("DELETE", self.draft.clone()),
            Step::Estimate => ("POST", "/estimates".to_owned()),
            Step::Submit => ("POST", "/applications".to_owned()),
            Step::Batch => ("POST", "/batches".to_owned()),
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
            Step::Batch => [&*self.application, &*self.refused, &*self.application].join("\n"),
            _ => String::new(),
        };
        let content_type =
            if step == Step::Batch { "application/x-ndjson" } else { "application/json" };
        let path = format!("{visit}{below}");
        Sent {
            method,
            path,
            token: token.clone(),
            body,
            content_type,
            key: self.number.to_string(),
        }
    }

    /// What its answers say under a name.
    pub(crate) fn says(&self, name: &str) -> &str {
        self.says.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    fn learn(&mut self, step: Step, json: &Value) {
        let text = |name: &str| json[name].as_str().map(ToOwned::to_owned);
        match step {
            Step::Enter => {
                self.token = text("token").unwrap_or_default();
                self.tag = text("subjectTag").unwrap_or_default();
            }
            Step::Submit => self.receipt = text("receipt").or(self.receipt.take()),
            Step::Batch => {
                let receipt = json[0]["receipt"].as_str().map(ToOwned::to_owned);
                self.receipt = receipt.or(self.receipt.take());
            }
            _ => {}
        }
    }
}

impl Inspector {
    /// Checks an answer for its owner, and lets the party remember its token and its receipt.
    pub(crate) fn check(&self, party: &mut Party, step: Step, answer: &Answer) {
        let json = content(answer);
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
        let counted = (party.capacity, step, answer.status.as_u16());
        *findings.answers.entry(counted).or_default() += 1;
    }

    /// Number of answers that were checked.
    pub(crate) fn checked(&self) -> u64 {
        self.findings().answers.values().sum()
    }

    /// Number of answers to a step of citizens or of clerks with this status.
    pub(crate) fn answers(&self, whose: Capacity, step: Step, status: StatusCode) -> u64 {
        let counted = (whose, step, status.as_u16());
        self.findings().answers.get(&counted).copied().unwrap_or_default()
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
            .map(|((whose, step, status), count)| format!("{whose:?} {step:?} {status}: {count}"))
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
            _ if marks == 0 && !is_refused_in_full(json) => {
                Err("nothing that names an owner".to_owned())
            }
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

/// The content of an answer: JSON, or an array of the lines of a batch.
fn content(answer: &Answer) -> Value {
    if answer.header("content-type") != "application/x-ndjson" {
        return serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    }
    let lines = serde_json::Deserializer::from_slice(&answer.body).into_iter();
    Value::Array(lines.map_while(Result::ok).collect())
}

/// Whether every line of a batch is a problem, which names nobody.
fn is_refused_in_full(json: &Value) -> bool {
    json.as_array().is_some_and(|lines| lines.iter().all(|line| line["status"].is_number()))
}

fn euro(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
