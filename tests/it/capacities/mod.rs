//! One person in three capacities, against a model: what each session is shown, what is kept, how many leases are held.
//!
//! A person is a citizen and a clerk of two offices at once, a second one logs in, too, a third one does not; all three are
//! clients of both offices, and those who log in revoke mandates. They enter by any proof, and come back by another one. Random sequences of requests to every route of a
//! session are sent to a real server: sessions, their lists and pages, drafts, estimates, applications and their list, batches,
//! files on the pages, steps for a client and telephone PINs on the pages, mandates, disclosures. Each answer, and after it the numbers of sessions and leases, must be those of the model.
//! `SPORTELLO_TEST_CASES=1000 cargo test --test it capacities` runs longer; `SPORTELLO_TEST_SEED` repeats a run.

mod client_pages;
mod disclosed;
mod event;
mod filing;
mod listed;
mod model;
mod overview;
mod pin_pages;
mod proofs;
pub(crate) mod provider;
mod upload;
mod visits;

use std::cell::Cell;

use bytes::Bytes;
use hyper::StatusCode;
use proptest::{
    collection::vec,
    prop_assert_eq,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, demo::Minter},
};

use self::{
    event::{Event, event},
    model::{Model, OFFICES, PARTIES, Party, Refused, Session},
    proofs::{PROOFS, Proof, Trusted},
};
use crate::{
    dice::{seed, setting},
    entrusting::mandate_for,
    harness::{Answer, Counter, EVENING, mandates_of, new_session, sum_in},
};

const CASES_DEFAULT: u32 = 8;
const REQUESTS_MAX: usize = 60;
/// Further cases that search for the smallest failing one.
const SHRINKS_MAX: u32 = 200;
/// People of one case: the person in three capacities, two clients, and a stranger without any mandate.
const PEOPLE: u64 = 4;
/// The place of the stranger among them.
const STRANGER: u64 = 3;

#[test]
fn one_person_in_three_capacities_is_shown_and_keeps_what_the_model_says() {
    let cases =
        setting("SPORTELLO_TEST_CASES").map_or(CASES_DEFAULT, |cases| cases.try_into().unwrap());
    let seed = u128::from(seed()).to_be_bytes();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let trusted = Trusted::new();
    let settings = trusted.settings();
    let mut settings: Vec<_> = settings.iter().map(|(name, text)| (*name, &**text)).collect();
    settings.extend([
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
        ("SPORTELLO_LIMITS_DRAFT_BY_PERSON_BURST", "10000"),
        ("SPORTELLO_GATE_STRANGERS_CPU_PERCENT_MAX", "90"),
        ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "1000000"),
        ("SPORTELLO_LIMITS_ENTER_BY_PERSON_BURST", "1000"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_BURST", "10000"),
    ]);
    let counter = Counter::open_with_file(EVENING, &trusted.file(), &settings);
    let clients = (0..u64::from(cases + SHRINKS_MAX) * PEOPLE).filter(|n| n % PEOPLE != STRANGER);
    let registry = OFFICES.map(|office| mandates_of(office, clients.clone())).concat();
    runtime.block_on(counter.replace_mandates(&registry));
    let mandates = OFFICES.map(|office| {
        let mut references: Vec<_> = clients.clone().map(|n| mandate_for(office, n)).collect();
        references.sort();
        references
    });
    let minter = Minter::load(&counter.data()).unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: SHRINKS_MAX,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed, seed].concat());
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (people, totals) = (Cell::new(0), Cell::new(Totals::default()));
    let outcome = runner.run(&vec(event(), REQUESTS_MAX / 2..REQUESTS_MAX), |events| {
        let first = people.replace(people.get() + PEOPLE);
        let trusted = (&minter, &trusted);
        let case = Case::new((&counter, trusted, &mandates), first, totals.get());
        totals.set(runtime.block_on(case.run(events))?);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    println!("{cases} cases, {:?}", totals.get());
    let blocked = counter.metric("sportello_crossover_blocked_total", &[]);
    assert_eq!(runtime.block_on(blocked), 0);
}

/// Answers compared, and how many of them were lists of disclosures or of applications, and how many filings these lists
/// had; revocations.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    answers: u64,
    disclosures: u64,
    lists: u64,
    filings: u64,
    revocations: u64,
    /// Steps that were saved for a client on a page.
    steps: u64,
    /// Attempts to enter, by what proved the identity.
    proofs: [u64; PROOFS.len()],
    /// Sessions that were ended from another one or by themselves, by their handle.
    ended: u64,
}

/// One sequence of requests, by people of its own.
struct Case<'c> {
    counter: &'c Counter,
    minter: &'c Minter,
    trusted: &'c Trusted,
    /// The references of all mandates of each office, in their order.
    mandates: &'c [Vec<String>; 2],
    /// The number of its first person; the offices are those of every case, so keys must differ.
    first: u64,
    model: Model,
    /// Sessions and leases before it.
    before: [u64; 2],
    /// The page of a visit that nobody has opened.
    no_page: Bytes,
    totals: Totals,
}

type Checked = Result<(), TestCaseError>;

impl<'c> Case<'c> {
    fn new(
        (counter, (minter, trusted), mandates): (
            &'c Counter,
            (&'c Minter, &'c Trusted),
            &'c [Vec<String>; 2],
        ),
        first: u64,
        totals: Totals,
    ) -> Self {
        let model = Model::new(first);
        let (before, no_page) = ([0; 2], Bytes::new());
        Self { counter, minter, trusted, mandates, first, model, before, no_page, totals }
    }

    /// Sends every request; returns the totals with its own.
    async fn run(mut self, events: Vec<Event>) -> Result<Totals, TestCaseError> {
        self.before = self.gauges().await;
        self.no_page = self.page_at(&new_session(), "").await?.body;
        for party in PARTIES {
            self.enter(party, Proof::Demo).await?;
        }
        for event in events {
            self.happen(event).await?;
            let [sessions, leases] = self.gauges().await;
            prop_assert_eq!(sessions - self.before[0], self.model.sessions.len() as u64);
            prop_assert_eq!(leases - self.before[1], self.model.leases());
        }
        for clerk in [Party::ClerkOfA, Party::ClerkOfB] {
            self.enter(clerk, Proof::Demo).await?;
            self.find_filings(self.model.sessions.len() - 1).await?;
        }
        for citizen in PARTIES.into_iter().filter(|party| party.office().is_none()) {
            self.enter(citizen, Proof::Demo).await?;
            self.disclosures(self.model.sessions.len() - 1, false).await?;
        }
        while !self.model.sessions.is_empty() {
            self.leave(0).await?;
        }
        prop_assert_eq!(self.gauges().await, self.before);
        Ok(self.totals)
    }

    async fn happen(&mut self, event: Event) -> Checked {
        let open = self.model.sessions.len();
        match event {
            Event::Enter(party, proof) => return self.enter(PARTIES[party], proof).await,
            Event::EnterWhereTaken(party, proof, at) => {
                return self.enter_where_taken(PARTIES[party], proof, at).await;
            }
            _ if open == 0 => return Ok(()),
            _ => {}
        }
        match event {
            Event::Enter(..) | Event::EnterWhereTaken(..) => Ok(()),
            Event::EnterAgain(at, proof) => self.enter_again(at.index(open), proof).await,
            Event::EndOwn(at, which) => self.end_own(at.index(open), which).await,
            Event::Show(at) => self.show(at.index(open)).await,
            Event::Leave(at) => self.leave(at.index(open)).await,
            Event::SaveDraft(at, of, n) => self.save_draft(at.index(open), of, n).await,
            Event::ShowDraft(at, of) => self.show_draft(at.index(open), of).await,
            Event::DeleteDraft(at, of) => self.delete_draft(at.index(open), of).await,
            Event::Estimate(at, body) => self.estimate(at.index(open), body).await,
            Event::Submit(at, body, key) => self.submit(at.index(open), body, key).await,
            Event::Batch(at, bodies) => self.batch(at.index(open), bodies).await,
            Event::Upload(at, bodies) => self.upload(at.index(open), bodies).await,
            Event::Read(at, which) => self.read(at.index(open), which).await,
            Event::Withdraw(at, which) => self.withdraw(at.index(open), which).await,
            Event::ListMandates(at, after) => self.list_mandates(at.index(open), after).await,
            Event::ShowMandate(at, named) => self.show_mandate(at.index(open), named).await,
            Event::Revoke(at, named) => self.revoke(at.index(open), named).await,
            Event::FillInFor(at, named, n) => self.fill_in_for(at.index(open), named, n).await,
            Event::Pin(at, what) => self.pin(at.index(open), what).await,
            Event::ListApplications(at, after) => {
                self.list_applications(at.index(open), after).await
            }
            Event::Disclosures(at, by_number) => self.disclosures(at.index(open), by_number).await,
            Event::Page(at, by) => self.page(at.index(open), by.map(|by| by.index(open))).await,
            Event::Cross(at, by, what) => self.cross(at.index(open), by.index(open), what).await,
        }
    }

    /// The answer to a party that asks to enter in a visit.
    async fn knock(&mut self, party: Party, proof: Proof, path: &str) -> Answer {
        let who = (party, self.model.code_of(party.who()));
        self.totals.answers += 1;
        self.count_proof(proof);
        self.trusted.enter((self.counter, self.minter), who, path, proof).await
    }

    fn count_proof(&mut self, proof: Proof) {
        let place = PROOFS.iter().position(|known| *known == proof).unwrap();
        self.totals.proofs[place] += 1;
    }

    async fn gauges(&self) -> [u64; 2] {
        let page = self.counter.metrics().await;
        [sum_in(&page, "sportello_sessions", &[]), sum_in(&page, "sportello_leases", &["held"])]
    }

    /// Has the trail write everything that nobody waits for: it does so with the next event that somebody waits for.
    async fn write_trail(&self) {
        let code = FiscalCode::made_up(self.first + STRANGER);
        let identity = self.minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        let stranger = self.counter.enter(code, &identity).await;
        assert_eq!(stranger.get("/mandates").await.status, StatusCode::OK);
        assert_eq!(stranger.delete("").await.status, StatusCode::NO_CONTENT);
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
        self.totals.answers += 1;
        prop_assert_eq!(answer.header("subject-tag"), tag.as_str(), "{:?}", answer);
        Ok(answer)
    }
}

/// Asserts that an answer is this problem.
fn check_refused(answer: &Answer, Refused(status, problem): Refused) -> Checked {
    prop_assert_eq!(
        (answer.status.as_u16(), &*answer.problem()),
        (status, problem),
        "{:?}",
        answer
    );
    Ok(())
}
