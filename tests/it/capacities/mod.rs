//! One person in three capacities, against a model: what each session is shown, what is kept, how many leases are held.
//!
//! A person is a citizen and a clerk of two offices at once, a second one is a client of both offices and logs in, too, a
//! third one is a client only. Random sequences of requests to sessions, drafts, estimates, applications and batches are
//! sent to a real server; each answer, and after it the numbers of sessions and leases, must be those of the model. `SPORTELLO_TEST_CASES=1000 cargo test --test
//! it capacities` runs longer; `SPORTELLO_TEST_SEED` repeats a run.

mod event;
mod model;

use hyper::{Request, StatusCode};
use proptest::{
    collection::vec,
    prop_assert_eq,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use serde_json::Value;
use sportello::{
    clock::Clock,
    identity::{Assurance, Office, demo::Minter},
};

use self::{
    event::{Event, event},
    model::{Applicant, Body, Draft, Model, PARTIES, Party, Refused, Session, Taken},
};
use crate::{
    dice::{seed, setting},
    harness::{Answer, Counter, mandates_of, new_session, sum_in},
};

const CASES_DEFAULT: u32 = 8;
const REQUESTS_MAX: usize = 60;
/// Further cases that search for the smallest failing one.
const SHRINKS_MAX: u32 = 200;
/// People of one case: the person in three capacities, and two clients.
const PEOPLE: u64 = 3;

#[test]
fn one_person_in_three_capacities_is_shown_and_keeps_what_the_model_says() {
    let cases =
        setting("SPORTELLO_TEST_CASES").map_or(CASES_DEFAULT, |cases| cases.try_into().unwrap());
    let seed = u128::from(seed()).to_be_bytes();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counter = Counter::open_with(&[
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
        ("SPORTELLO_LIMITS_DRAFT_BY_PERSON_BURST", "10000"),
        ("SPORTELLO_GATE_STRANGERS_CPU_PERCENT_MAX", "90"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "1000000"),
        ("SPORTELLO_LIMITS_ENTER_BY_PERSON_BURST", "1000"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_BURST", "10000"),
    ]);
    let clients = (0..u64::from(cases + SHRINKS_MAX) * PEOPLE).filter(|n| n % PEOPLE != 0);
    let mandates = ["a", "b"].map(|office| mandates_of(office, clients.clone())).concat();
    runtime.block_on(counter.replace_mandates(&mandates));
    let minter = Minter::load(&counter.data()).unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: SHRINKS_MAX,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed, seed].concat());
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (people, answers) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let outcome = runner.run(&vec(event(), REQUESTS_MAX / 2..REQUESTS_MAX), |events| {
        let first = people.replace(people.get() + PEOPLE);
        let compared = runtime.block_on(Case::new(&counter, &minter, first).run(events))?;
        answers.set(answers.get() + compared);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    println!("{cases} cases, {} answers compared", answers.get());
    let blocked = counter.metric("sportello_crossover_blocked_total", &[]);
    assert_eq!(runtime.block_on(blocked), 0);
}

/// One sequence of requests, by people of its own.
struct Case<'c> {
    counter: &'c Counter,
    minter: &'c Minter,
    /// The number of its first person; the offices are those of every case, so keys must differ.
    first: u64,
    model: Model,
    /// Sessions and leases before it.
    before: [u64; 2],
    answers: u64,
}

type Checked = Result<(), TestCaseError>;

impl<'c> Case<'c> {
    fn new(counter: &'c Counter, minter: &'c Minter, first: u64) -> Self {
        Self { counter, minter, first, model: Model::new(first), before: [0; 2], answers: 0 }
    }

    /// Sends every request; returns how many answers were compared.
    async fn run(mut self, events: Vec<Event>) -> Result<u64, TestCaseError> {
        self.before = self.gauges().await;
        for party in PARTIES {
            self.enter(party).await?;
        }
        for event in events {
            self.happen(event).await?;
            let [sessions, leases] = self.gauges().await;
            prop_assert_eq!(sessions - self.before[0], self.model.sessions.len() as u64);
            prop_assert_eq!(leases - self.before[1], self.model.leases());
        }
        while !self.model.sessions.is_empty() {
            self.leave(0).await?;
        }
        prop_assert_eq!(self.gauges().await, self.before);
        Ok(self.answers)
    }

    async fn happen(&mut self, event: Event) -> Checked {
        let open = self.model.sessions.len();
        match event {
            Event::Enter(party) => return self.enter(PARTIES[party]).await,
            Event::EnterWhereTaken(party, at) => {
                return self.enter_where_taken(PARTIES[party], at).await;
            }
            _ if open == 0 => return Ok(()),
            _ => {}
        }
        match event {
            Event::Enter(_) | Event::EnterWhereTaken(..) => Ok(()),
            Event::EnterAgain(at) => self.enter_again(at.index(open)).await,
            Event::Show(at) => self.show(at.index(open)).await,
            Event::Leave(at) => self.leave(at.index(open)).await,
            Event::SaveDraft(at, of, n) => self.save_draft(at.index(open), of, n).await,
            Event::ShowDraft(at, of) => self.show_draft(at.index(open), of).await,
            Event::DeleteDraft(at, of) => self.delete_draft(at.index(open), of).await,
            Event::Estimate(at, body) => self.estimate(at.index(open), body).await,
            Event::Submit(at, body, key) => self.submit(at.index(open), body, key).await,
            Event::Batch(at, bodies) => self.batch(at.index(open), bodies).await,
            Event::Read(at, which) => self.read(at.index(open), which).await,
            Event::Withdraw(at, which) => self.withdraw(at.index(open), which).await,
            Event::Cross(at, by, what) => self.cross(at.index(open), by.index(open), what).await,
        }
    }

    fn identity(&self, party: Party) -> String {
        let code = self.model.code_of(party.who());
        let office = party.office().map(|office| Office::parse(office).unwrap());
        self.minter.mint(&code, office.as_ref(), Assurance::Level2, Clock::system().real())
    }

    async fn gauges(&self) -> [u64; 2] {
        let page = self.counter.metrics().await;
        [sum_in(&page, "sportello_sessions", &[]), sum_in(&page, "sportello_leases", &["held"])]
    }

    async fn enter(&mut self, party: Party) -> Checked {
        let path = new_session();
        let answer = self.counter.ask("PUT", &path, &self.identity(party), "").await;
        self.answers += 1;
        prop_assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer);
        let session = self.entered(party, path, &answer)?;
        self.model.enter(session);
        Ok(())
    }

    async fn enter_again(&mut self, at: usize) -> Checked {
        let Session { party, path, tag, .. } = self.model.sessions[at].clone();
        let answer = self.counter.ask("PUT", &path, &self.identity(party), "").await;
        self.answers += 1;
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let session = self.entered(party, path, &answer)?;
        prop_assert_eq!(&session.tag, &tag);
        self.model.sessions[at].token = session.token;
        Ok(())
    }

    async fn enter_where_taken(&mut self, party: Party, at: Index) -> Checked {
        let taken = self.model.taken_from(party);
        let Some(path) = taken.get(at.index(taken.len().max(1))) else { return Ok(()) };
        let answer = self.counter.ask("PUT", path, &self.identity(party), "").await;
        self.refused(&answer, Refused(409, "visit-taken"))
    }

    fn entered(
        &self,
        party: Party,
        path: String,
        answer: &Answer,
    ) -> Result<Session, TestCaseError> {
        let json = answer.json();
        let masked = self.model.code_of(party.who()).masked().to_string();
        prop_assert_eq!(json["subject"].as_str(), Some(&*masked));
        prop_assert_eq!(json["audience"].as_str(), Some(party.audience()));
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let (token, tag) = (text("token"), text("subjectTag"));
        prop_assert_eq!(answer.header("subject-tag"), &*tag);
        Ok(Session { party, path, token, tag, has_lease: true })
    }

    /// The answer to a request in a session, which must carry its tag.
    async fn ask(
        &mut self,
        at: usize,
        method: &str,
        below: &str,
        body: &str,
        key: &str,
    ) -> Result<Answer, TestCaseError> {
        let Session { path, token, tag, .. } = &self.model.sessions[at];
        let path = format!("{path}{below}");
        let answer = self.counter.try_ask(method, &path, token, body, key).await;
        let answer = answer.map_err(TestCaseError::fail)?;
        self.answers += 1;
        prop_assert_eq!(answer.header("subject-tag"), tag.as_str(), "{:?}", answer);
        Ok(answer)
    }

    fn refused(&mut self, answer: &Answer, Refused(status, problem): Refused) -> Checked {
        self.answers += 1;
        prop_assert_eq!(
            (answer.status.as_u16(), &*answer.problem()),
            (status, problem),
            "{:?}",
            answer
        );
        Ok(())
    }

    async fn show(&mut self, at: usize) -> Checked {
        let answer = self.ask(at, "GET", "", "", "").await?;
        prop_assert_eq!(answer.status, StatusCode::OK);
        let (json, session) = (answer.json(), &self.model.sessions[at]);
        let masked = self.model.code_of(session.party.who()).masked().to_string();
        prop_assert_eq!(json["subject"].as_str(), Some(&*masked));
        prop_assert_eq!(json["audience"].as_str(), Some(session.party.audience()));
        prop_assert_eq!(json["subjectTag"].as_str(), Some(&*session.tag));
        Ok(())
    }

    async fn leave(&mut self, at: usize) -> Checked {
        let answer = self.ask(at, "DELETE", "", "", "").await?;
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let Session { path, token, .. } = self.model.end(at);
        let gone = self.counter.ask("GET", &path, &token, "").await;
        self.refused(&gone, Refused(401, "unauthenticated"))
    }

    async fn save_draft(&mut self, at: usize, of: Applicant, n: u8) -> Checked {
        let draft = self.model.draft_of(at, of);
        let content = format!("{{\"n\":{n},\"of\":\"{}\"}}", draft.path());
        let answer = self.ask(at, "PUT", &draft.path(), &content, "").await?;
        if !draft.can_exist() {
            return self.refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer);
        self.model.drafts.insert(draft, content);
        Ok(())
    }

    async fn show_draft(&mut self, at: usize, of: Applicant) -> Checked {
        let draft = self.model.draft_of(at, of);
        let answer = self.ask(at, "GET", &draft.path(), "", "").await?;
        match self.model.drafts.get(&draft) {
            Some(content) => {
                prop_assert_eq!(answer.status, StatusCode::OK);
                prop_assert_eq!(&answer.body, content.as_bytes());
                Ok(())
            }
            None => self.refused(&answer, Refused(404, "not-found")),
        }
    }

    async fn delete_draft(&mut self, at: usize, of: Applicant) -> Checked {
        let draft = self.model.draft_of(at, of);
        let answer = self.ask(at, "DELETE", &draft.path(), "", "").await?;
        match self.model.drafts.remove(&draft) {
            Some(_) => prop_assert_eq!(answer.status, StatusCode::NO_CONTENT),
            None => return self.refused(&answer, Refused(404, "not-found")),
        }
        Ok(())
    }

    async fn estimate(&mut self, at: usize, body: Body) -> Checked {
        let text = self.model.text_of(at, body);
        let answer = self.ask(at, "POST", "/estimates", &text, "").await?;
        if let Some(refused) = self.model.refuses(at, body) {
            return self.refused(&answer, refused);
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        prop_assert_eq!(&answer.json()["monthlyAmount"], &Value::from(body.amount()));
        Ok(())
    }

    async fn submit(&mut self, at: usize, body: Body, key: u8) -> Checked {
        let text = self.model.text_of(at, body);
        let answer =
            self.ask(at, "POST", "/applications", &text, &format!("{}-{key}", self.first)).await?;
        if let Some(refused) = self.model.refuses(at, body) {
            return self.refused(&answer, refused);
        }
        let path = self.model.sessions[at].path.clone();
        let taken = self.model.submit(at, body.of, &format!("chosen {key}"), &text);
        self.settle(at, body, &text, &taken, (answer.status, answer.json()))?;
        if matches!(taken, Taken::New | Taken::Again(_)) {
            let code = answer.json()["receipt"].as_str().unwrap_or_default().to_owned();
            prop_assert_eq!(answer.header("location"), format!("{}/applications/{}", path, code));
        }
        self.forget_draft(at, body.of, &taken).await
    }

    async fn batch(&mut self, at: usize, bodies: Vec<Body>) -> Checked {
        let lines: Vec<_> =
            bodies.iter().map(|body| self.model.text_of(at, *body).replace('\n', " ")).collect();
        let session = &self.model.sessions[at];
        let request = Request::post(format!("{}{}/batches", self.counter.public, session.path))
            .header("authorization", format!("Bearer {}", session.token))
            .header("content-type", "application/x-ndjson");
        let answer = self.counter.send(request.body(lines.join("\n").into()).unwrap()).await;
        let answer = answer.map_err(TestCaseError::fail)?;
        prop_assert_eq!(answer.header("subject-tag"), &*session.tag);
        if session.party.office().is_none() {
            return self.refused(&answer, Refused(403, "intermediaries-only"));
        }
        let answers: Vec<Value> = answer
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        prop_assert_eq!((answer.status, answers.len()), (StatusCode::OK, lines.len()));
        let mut kept_lease = Vec::new();
        for ((body, line), json) in bodies.into_iter().zip(&lines).zip(answers) {
            self.answers += 1;
            if let Some(Refused(status, _)) = self.model.refuses(at, body) {
                prop_assert_eq!(json["status"].as_u64(), Some(status.into()), "{}", json);
                continue;
            }
            let taken = self.model.submit(at, body.of, &format!("content {line}"), line);
            kept_lease.push(self.model.sessions[at].has_lease);
            let status = json["status"].as_u64().map_or(201, |status| status.try_into().unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            self.settle(at, body, line, &taken, (status, json))?;
            self.forget_draft(at, body.of, &taken).await?;
        }
        if kept_lease.contains(&true) && kept_lease.contains(&false) {
            // Lines are taken at the same time: which one gave the lease back last is open.
            let held = self.gauges().await[1] - self.before[1];
            self.model.sessions[at].has_lease = false;
            self.model.sessions[at].has_lease = held > self.model.leases();
        }
        Ok(())
    }

    /// Compares the answer to a submission, and keeps the receipt.
    fn settle(
        &mut self,
        at: usize,
        body: Body,
        text: &str,
        taken: &Taken,
        (status, json): (StatusCode, Value),
    ) -> Checked {
        match taken {
            Taken::New => {
                prop_assert_eq!(status, StatusCode::CREATED, "{}", json);
                prop_assert_eq!(json["digest"].as_str(), Some(&*Model::digest(text)));
                let codes = self.model.applications.iter().map(|kept| &kept.receipt["receipt"]);
                prop_assert_eq!(codes.filter(|code| **code == json["receipt"]).count(), 0);
                self.model.keep(at, body.of, text, json);
            }
            Taken::Again(application) => {
                prop_assert_eq!(status, StatusCode::CREATED, "{}", json);
                prop_assert_eq!(&json, &self.model.applications[*application].receipt);
            }
            Taken::KeyReused => {
                prop_assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:idempotency-key-reused");
            }
            Taken::AlreadyApplied(application) => {
                prop_assert_eq!(status, StatusCode::CONFLICT, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:already-applied");
                let application = &self.model.applications[*application];
                let shown = application.is_seen_by(self.model.sessions[at].party);
                let expected = if shown { &application.receipt } else { &Value::Null };
                prop_assert_eq!(&json["receipt"], expected);
            }
            Taken::Exhausted => {
                prop_assert_eq!(status, StatusCode::CONFLICT, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:too-many-applications");
            }
        }
        Ok(())
    }

    /// A receipt removes the draft of its slot, soon after the answer.
    async fn forget_draft(&mut self, at: usize, of: Applicant, taken: &Taken) -> Checked {
        let draft = self.model.draft_of(at, of);
        if !matches!(taken, Taken::New | Taken::Again(_))
            || self.model.drafts.remove(&draft).is_none()
        {
            return Ok(());
        }
        for _ in 0..200 {
            let answer = self.ask(at, "GET", &draft.path(), "", "").await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Err(TestCaseError::fail(format!("the draft stays: {draft:?}")))
    }

    async fn read(&mut self, at: usize, which: Index) -> Checked {
        let Some(application) = self.model.application(which) else { return Ok(()) };
        let answer = self.ask(at, "GET", &application.path(), "", "").await?;
        if !application.is_seen_by(self.model.sessions[at].party) {
            return self.refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let (json, sent) =
            (answer.json(), serde_json::from_str::<Value>(&application.text).unwrap());
        prop_assert_eq!(&json["application"], &sent);
        prop_assert_eq!(&json["receipt"], &application.receipt["receipt"]);
        prop_assert_eq!(json["state"] == "withdrawn", application.is_withdrawn, "{}", json);
        Ok(())
    }

    async fn withdraw(&mut self, at: usize, which: Index) -> Checked {
        let Some(application) = self.model.application(which) else { return Ok(()) };
        let answer = self.ask(at, "DELETE", &application.path(), "", "").await?;
        if !application.is_seen_by(self.model.sessions[at].party) {
            return self.refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer);
        self.model.withdraw(which);
        Ok(())
    }

    async fn cross(&mut self, at: usize, by: usize, what: Index) -> Checked {
        if at == by {
            return Ok(());
        }
        let draft = self.model.draft_of(at, Applicant::First);
        let receipt = self.model.application(what).map_or("/x".to_owned(), |known| known.path());
        let application =
            self.model.text_of(by, Body { of: Applicant::First, version: 0, fits: true });
        let (path, token) = (&self.model.sessions[at].path, &self.model.sessions[by].token);
        let below = [
            ("GET", String::new(), ""),
            ("DELETE", String::new(), ""),
            ("GET", draft.path(), ""),
            ("PUT", draft.path(), "{}"),
            ("DELETE", draft.path(), ""),
            ("POST", "/estimates".to_owned(), &*application),
            ("POST", "/applications".to_owned(), &*application),
            ("POST", "/batches".to_owned(), &*application),
            ("GET", receipt.clone(), ""),
            ("DELETE", receipt, ""),
        ];
        let (method, below, body) = &below[what.index(below.len())];
        let path = format!("{path}{below}");
        let answer = self.counter.try_ask(method, &path, token, body, "key").await;
        let answer = answer.map_err(TestCaseError::fail)?;
        prop_assert_eq!(answer.header("subject-tag"), "");
        self.refused(&answer, Refused(404, "not-found"))
    }
}

impl Draft {
    fn path(&self) -> String {
        self.mandate
            .as_ref()
            .map_or("/drafts/iscro".to_owned(), |mandate| format!("/drafts/iscro/{mandate}"))
    }
}
