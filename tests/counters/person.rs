//! One person, who asks another counter each time, and repeats what is unsure.

use std::{sync::Arc, time::Duration};

use cluster::history::{Call, Outcome, Recorder, Submission};
use hyper::StatusCode;
use serde_json::Value;
use sportello::{application, civic::FiscalCode};
use tokio::time::sleep;

use crate::{
    client::{Answer, Sent},
    dice::Dice,
    house::{COUNTERS, Door},
};

/// Pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(150);
/// Tries after which the counters are taken for dead: more than any fault lasts.
const TRIES_MAX: usize = 600;
/// Where the draft of ISCRO is.
const DRAFT: &str = "/drafts/iscro";

/// A session token.
#[derive(Clone)]
struct Token {
    /// How the history calls it.
    name: String,
    text: String,
}

/// A receipt, and the key with which it was asked for.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) code: String,
    pub(crate) receipt: String,
    key: String,
}

pub(crate) struct Person {
    number: u64,
    code: FiscalCode,
    dice: Dice,
    door: Arc<Door>,
    recorder: Arc<Recorder>,
    /// The path of their session.
    session: String,
    token: Option<Token>,
    tokens: u32,
    ended: Vec<Token>,
    /// When they asked to enter in this visit and were not answered: that may still end any token of it, at any time.
    unsure_us: Vec<u64>,
    tag: String,
    pub(crate) held: Vec<Held>,
}

impl Person {
    pub(crate) fn new(number: u64, seed: u64, door: &Arc<Door>, recorder: &Arc<Recorder>) -> Self {
        Self {
            number,
            code: FiscalCode::made_up(number),
            dice: Dice::new(seed ^ number.wrapping_mul(0x9e37_79b9)),
            door: Arc::clone(door),
            recorder: Arc::clone(recorder),
            session: new_session(),
            token: None,
            tokens: 0,
            ended: Vec::new(),
            unsure_us: Vec::new(),
            tag: String::new(),
            held: Vec::new(),
        }
    }

    /// A visit from its beginning to its end.
    pub(crate) async fn visit(&mut self) {
        self.enter().await;
        if self.dice.chance(60) {
            self.draft().await;
        }
        if self.dice.chance(25) {
            self.renew().await;
        }
        self.submit("first").await;
        if self.dice.chance(20) {
            self.submit("second").await;
        }
        if self.dice.chance(15) {
            self.withdraw().await;
            if self.dice.chance(50) {
                self.submit("third").await;
            }
        }
        for held in self.held.clone() {
            self.read(&held).await;
        }
        if self.dice.chance(30) {
            self.leave().await;
        }
    }

    /// Everything once more, when the counters are at rest: each receipt at each counter, and what has ended.
    pub(crate) async fn look_again(&mut self) {
        for ended in self.ended.clone() {
            for at in 0..COUNTERS {
                self.use_ended(&ended, at).await;
            }
        }
        if self.token.is_none() {
            (self.session, self.tag) = (new_session(), String::new());
            self.unsure_us.clear();
        }
        for held in self.held.clone() {
            for at in 0..COUNTERS {
                while !self.read_at(&held, at).await {
                    sleep(PAUSE).await;
                }
            }
            self.submit(&held.key).await;
        }
    }

    /// Uses the token that they have at each counter, until there is an answer.
    pub(crate) async fn is_inside_everywhere(&mut self) {
        for at in 0..COUNTERS {
            while self.inside(at, "GET", "", Sent::default()).await.is_err() {
                sleep(PAUSE).await;
            }
        }
    }

    /// Submits, and reads the receipt.
    pub(crate) async fn finish(&mut self) {
        self.submit("first").await;
        for held in self.held.clone() {
            self.read(&held).await;
        }
    }

    fn id(&self) -> u32 {
        u32::try_from(self.number).unwrap()
    }

    fn anywhere(&mut self) -> usize {
        self.dice.below(COUNTERS)
    }

    fn note(&self, invoked_us: u64, call: Call, outcome: Outcome) {
        self.recorder.record(self.id(), invoked_us, call, outcome);
    }

    /// Asks a counter without recording it.
    async fn request(
        &self,
        at: usize,
        method: &str,
        below: &str,
        sent: Sent<'_>,
    ) -> Result<Answer, String> {
        let url = format!("{}{}{below}", self.door.url(at), self.session);
        let answer = self.door.client.ask(method, &url, sent).await?;
        let tag = answer.header("subject-tag");
        assert!(
            tag.is_empty() || self.tag.is_empty() || tag == self.tag,
            "person {} was shown what is of {tag}: {answer:?}",
            self.number
        );
        Ok(answer)
    }

    /// Asks a counter with the token of the session; enters (again) if there is none.
    async fn inside(
        &mut self,
        at: usize,
        method: &str,
        below: &str,
        sent: Sent<'_>,
    ) -> Result<Answer, String> {
        if self.token.is_none() {
            self.enter().await;
        }
        let token = self.token.clone().unwrap();
        let began_us = self.recorder.now_us();
        let answer = self.request(at, method, below, Sent { token: &token.text, ..sent }).await;
        if let Some(outcome) = recognised(&answer) {
            let is_lost = outcome == Outcome::Unrecognised;
            self.note(began_us, Call::UseToken { token: token.name }, outcome);
            if is_lost {
                self.token = None;
            }
        }
        answer
    }

    /// Asks to enter until they are inside.
    pub(crate) async fn enter(&mut self) {
        for _ in 0..TRIES_MAX {
            let at = self.anywhere();
            if self.try_to_enter(at).await {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("person {} does not get in", self.number);
    }

    /// The same once, at one counter. A token that they have ends.
    async fn try_to_enter(&mut self, at: usize) -> bool {
        let identity = self.door.identity(&self.code);
        let (began_us, old) = (self.recorder.now_us(), self.token.clone());
        let answer =
            self.request(at, "PUT", "", Sent { token: &identity, ..Sent::default() }).await;
        let may_end = |name: &str, began_us, outcome| {
            self.note(began_us, Call::EndToken { token: name.to_owned() }, outcome);
        };
        match answer {
            Ok(answer) if matches!(answer.status, StatusCode::OK | StatusCode::CREATED) => {
                if let Some(Token { name, .. }) = &old {
                    may_end(name, began_us, Outcome::Done);
                }
                let json = answer.json();
                let text = |member: &str| json[member].as_str().unwrap().to_owned();
                assert!(self.tag.is_empty() || self.tag == text("subjectTag"), "{answer:?}");
                let name = format!("token {} of {}", self.tokens + 1, self.number);
                for unsure_us in &self.unsure_us {
                    may_end(&name, *unsure_us, Outcome::Unknown);
                }
                self.ended.extend(old);
                self.tag = text("subjectTag");
                self.tokens += 1;
                self.token = Some(Token { name, text: text("token") });
                true
            }
            Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => false,
            Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => {
                panic!("person {} does not get in: {answer:?}", self.number)
            }
            Ok(_) | Err(_) => {
                if let Some(Token { name, .. }) = &old {
                    may_end(name, began_us, Outcome::Unknown);
                }
                self.unsure_us.push(began_us);
                false
            }
        }
    }

    /// Enters again, as from another device: the old token ends.
    async fn renew(&mut self) {
        self.enter().await;
    }

    async fn leave(&mut self) {
        for _ in 0..TRIES_MAX {
            let Some(token) = self.token.clone() else { return };
            let (at, began_us) = (self.anywhere(), self.recorder.now_us());
            let answer = self.inside(at, "DELETE", "", Sent::default()).await;
            let is_done = matches!(&answer, Ok(answer) if answer.status == StatusCode::NO_CONTENT);
            let outcome = if is_done { Outcome::Done } else { Outcome::Unknown };
            self.note(began_us, Call::EndToken { token: token.name.clone() }, outcome);
            if is_done {
                self.token = None;
                self.ended.push(token);
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("person {} cannot leave", self.number);
    }

    async fn use_ended(&self, ended: &Token, at: usize) {
        for _ in 0..TRIES_MAX {
            let began_us = self.recorder.now_us();
            let sent = Sent { token: &ended.text, ..Sent::default() };
            let answer = self.request(at, "GET", "", sent).await;
            if let Some(outcome) = recognised(&answer) {
                return self.note(began_us, Call::UseToken { token: ended.name.clone() }, outcome);
            }
            sleep(PAUSE).await;
        }
        panic!("no answer to an ended token at {at}");
    }

    /// Saves drafts, and reads the last one at another counter.
    async fn draft(&mut self) {
        for draft in 0..=self.dice.below(2) {
            let text = format!("{{\"draft\":{draft},\"of\":{}}}", self.number);
            while !self.save(&text).await {
                sleep(PAUSE).await;
            }
        }
        for _ in 0..TRIES_MAX {
            let (at, began_us) = (self.anywhere(), self.recorder.now_us());
            let outcome = match self.inside(at, "GET", DRAFT, Sent::default()).await {
                Ok(answer) if answer.status == StatusCode::OK => {
                    Outcome::Shown { text: String::from_utf8(answer.body.to_vec()).unwrap() }
                }
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => Outcome::Absent,
                Ok(_) | Err(_) => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let of = self.number.to_string();
            return self.note(began_us, Call::ReadDraft { of }, outcome);
        }
        panic!("person {} cannot read a draft", self.number);
    }

    async fn save(&mut self, text: &str) -> bool {
        let (at, began_us) = (self.anywhere(), self.recorder.now_us());
        let sent = Sent { body: text, ..Sent::default() };
        let outcome = match self.inside(at, "PUT", DRAFT, sent).await {
            Ok(answer) if answer.status == StatusCode::NO_CONTENT => Outcome::Done,
            Ok(answer) if answer.status.is_client_error() => refused(&answer),
            Ok(_) | Err(_) => Outcome::Unknown,
        };
        let is_saved = outcome == Outcome::Done;
        let of = self.number.to_string();
        self.note(began_us, Call::SaveDraft { of, text: text.to_owned() }, outcome);
        is_saved
    }

    /// Submits with this key until it is sure what became of it.
    async fn submit(&mut self, key: &str) {
        let body = application::example(&self.code, 2024).replace("mario@", &format!("{key}@"));
        for _ in 0..TRIES_MAX {
            let (at, began_us) = (self.anywhere(), self.recorder.now_us());
            let sent = Sent { key, body: &body, ..Sent::default() };
            let answer = self.inside(at, "POST", "/applications", sent).await;
            let outcome = match &answer {
                Ok(answer) if answer.status == StatusCode::CREATED => {
                    Outcome::Accepted { code: text_of(&answer.json()["receipt"]) }
                }
                Ok(answer) if answer.status == StatusCode::CONFLICT => already_applied(answer),
                Ok(answer) if answer.status.is_client_error() => refused(answer),
                Ok(_) | Err(_) => Outcome::Unknown,
            };
            let (claim, key, body) = (self.claim(), key.to_owned(), body.clone());
            let call = Call::Submit(Submission { claim, key: key.clone(), body });
            self.note(began_us, call, outcome.clone());
            match (outcome, answer) {
                (Outcome::Accepted { code }, Ok(answer)) => {
                    return self.keep(began_us, code, key, &answer);
                }
                (Outcome::AlreadyApplied { .. }, Ok(answer)) => {
                    let receipt = &answer.json()["receipt"];
                    return self.shown(
                        began_us,
                        "fields of",
                        &text_of(&receipt["receipt"]),
                        receipt,
                    );
                }
                _ => sleep(PAUSE).await,
            }
        }
        panic!("person {} learns nothing of {key}", self.number);
    }

    fn keep(&mut self, began_us: u64, code: String, key: String, answer: &Answer) {
        let receipt = String::from_utf8(answer.body.to_vec()).unwrap();
        self.shown(began_us, "letters of", &code, &Value::String(receipt.clone()));
        self.shown(began_us, "fields of", &code, &answer.json());
        if self.held.iter().all(|held| held.code != code) {
            self.held.push(Held { code, receipt, key });
        }
    }

    fn shown(&self, began_us: u64, how: &str, code: &str, receipt: &Value) {
        let call = Call::Show { what: format!("{how} the receipt {code}") };
        self.note(began_us, call, Outcome::Shown { text: receipt.to_string() });
    }

    /// Withdraws the application of the last receipt.
    async fn withdraw(&mut self) {
        let Some(Held { code, .. }) = self.held.last().cloned() else { return };
        let below = format!("/applications/{code}");
        for _ in 0..TRIES_MAX {
            let (at, began_us) = (self.anywhere(), self.recorder.now_us());
            let answer = self.inside(at, "DELETE", &below, Sent::default()).await;
            let outcome = match answer {
                Ok(answer) if answer.status == StatusCode::NO_CONTENT => Outcome::Withdrawn,
                Ok(answer) if answer.status.is_client_error() => refused(&answer),
                Ok(_) | Err(_) => Outcome::Unknown,
            };
            let is_done = outcome == Outcome::Withdrawn;
            self.note(began_us, Call::Withdraw { code: code.clone() }, outcome);
            if is_done {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("person {} cannot withdraw {code}", self.number);
    }

    /// Reads an application anywhere, until there is an answer.
    async fn read(&mut self, held: &Held) {
        for _ in 0..TRIES_MAX {
            let at = self.anywhere();
            if self.read_at(held, at).await {
                return;
            }
            sleep(PAUSE).await;
        }
        panic!("person {} cannot read {}", self.number, held.code);
    }

    /// Whether there was an answer.
    async fn read_at(&mut self, held: &Held, at: usize) -> bool {
        let began_us = self.recorder.now_us();
        let below = format!("/applications/{}", held.code);
        let Ok(answer) = self.inside(at, "GET", &below, Sent::default()).await else {
            return false;
        };
        let outcome = match answer.status {
            StatusCode::OK => self.found(&answer, held),
            StatusCode::NOT_FOUND => Outcome::Absent,
            _ => return false,
        };
        self.note(began_us, Call::Read { code: held.code.clone() }, outcome);
        true
    }

    fn found(&self, answer: &Answer, held: &Held) -> Outcome {
        let json = answer.json();
        let applicant = &json["application"]["applicant"]["fiscalCode"];
        assert_eq!(applicant, self.code.as_str(), "another person's application: {answer:?}");
        let text = std::str::from_utf8(&answer.body).unwrap();
        let body = text.split_once(",\"application\":").and_then(|(_, rest)| {
            let (body, _decision) = rest.rsplit_once(",\"decision\":")?;
            Some(body.to_owned())
        });
        let decision = &json["decision"];
        let decisions =
            (!decision.is_null()).then(|| text_of(&decision["outcome"])).into_iter().collect();
        let (claim, key) = (self.claim(), held.key.clone());
        let submission = Submission { claim, key, body: body.unwrap_or_default() };
        Outcome::Found { submission, decisions, withdrawn: json["state"] == "withdrawn" }
    }

    fn claim(&self) -> String {
        format!("person {}", self.number)
    }
}

/// Whether a token opened its session; `None` if the answer says nothing about it.
fn recognised(answer: &Result<Answer, String>) -> Option<Outcome> {
    match answer.as_ref().ok()?.status {
        StatusCode::UNAUTHORIZED => Some(Outcome::Unrecognised),
        StatusCode::TOO_MANY_REQUESTS => None,
        status if status.is_server_error() => None,
        _ => Some(Outcome::Recognised),
    }
}

fn refused(answer: &Answer) -> Outcome {
    Outcome::Refused { reason: answer.problem() }
}

fn already_applied(answer: &Answer) -> Outcome {
    match answer.problem().as_str() {
        "already-applied" => {
            let code = answer.json()["receipt"]["receipt"].as_str().map(str::to_owned);
            Outcome::AlreadyApplied { code }
        }
        reason => Outcome::Refused { reason: reason.to_owned() },
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The path of a session that nobody has opened yet.
pub(crate) fn new_session() -> String {
    let mut visit = [0; 16];
    sportello::vault::fill_random(&mut visit);
    format!("/v1/sessions/{:032x}", u128::from_ne_bytes(visit))
}
