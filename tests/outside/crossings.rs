//! Many people at once over shared connections, disturbed in every way: every answer belongs to the one who asked.
//!
//! A group shares one connection, as behind a gateway: pipelined over HTTP/1.1 or multiplexed over HTTP/2. Some of a
//! group are one person in three capacities: a citizen, and the clerk of two offices with the same client, for whom they
//! keep drafts and file applications under mandates, one by one and in batches. Each round sends a shuffled handful of
//! requests of everybody at once, among them logging out while others are in progress; requests are cancelled,
//! connections dropped at any byte, and sessions expire under requests. The requests are those of sessions, drafts,
//! estimates, applications and batches, not of lists, disclosures, mandates and pages. `SPORTELLO_TEST_SECONDS=3600
//! SPORTELLO_TEST_SEED=1 cargo test --release --test outside crossings -- --ignored --nocapture` runs for an hour with
//! the choices of that seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::StatusCode;
use sportello::{civic::FiscalCode, identity::demo::Minter};
use tokio::time::sleep;

use crate::{
    dice::{Dice, seed, setting},
    harness::{Counter, mandates_of, new_session},
    owner::{Capacity, Inspector, Party, Step},
    pipeline::{Disturbance, Line},
    running::counter_for_a_crowd,
};

/// Longer than a session, so that some expire under requests.
const SECONDS_DEFAULT: u64 = 70;
/// The shortest that the settings allow.
const SESSION_SECONDS: u64 = 60;
/// Groups at a time, each with a connection.
const GROUPS: usize = 48;
/// Of them, groups that stay until their sessions have expired.
const STAYING: usize = 6;
const ROUNDS: usize = 12;
/// Requests on one connection at a time: less than HTTP/2 allows by default.
const AT_ONCE_MAX: usize = 24;

/// The offices of clerks.
const OFFICES: [&str; 2] = ["a", "b"];
/// Numbers of their clients begin here, far above those of parties.
const CLIENT_FIRST: u64 = 1 << 32;
/// People who gave a mandate to both offices, for each second that the test lasts: more than clerks come. The two clerks
/// that are one person have the same client.
const CLIENTS_PER_SECOND: u64 = 100;

/// What a party does once it is inside, the most frequent more than once.
const STEPS: [Step; 18] = [
    Step::Show,
    Step::Show,
    Step::SaveDraft,
    Step::SaveDraft,
    Step::ShowDraft,
    Step::ShowDraft,
    Step::DeleteDraft,
    Step::Estimate,
    Step::Estimate,
    Step::Submit,
    Step::Submit,
    Step::Batch,
    Step::Batch,
    Step::Read,
    Step::Read,
    Step::Withdraw,
    Step::AskBelowAnother,
    Step::ReadAnothers,
];

struct World {
    counter: Counter,
    minter: Minter,
    inspector: Inspector,
    parties: AtomicU64,
    /// Clients who have their clerks.
    clients: AtomicU64,
    /// Clients of both offices.
    clients_max: u64,
    /// Answers 401 to sessions that nobody had left.
    expired: AtomicU64,
    until: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes longer than a session lasts"]
async fn nobody_is_mixed_up_however_connections_and_requests_end() {
    let seconds = setting("SPORTELLO_TEST_SECONDS").unwrap_or(SECONDS_DEFAULT);
    let seed = seed();
    let (counter, minter) = counter_for_a_crowd(&[
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
        ("SPORTELLO_SESSIONS_SESSION_SECONDS", &SESSION_SECONDS.to_string()),
    ]);
    let clients_max = seconds * CLIENTS_PER_SECOND;
    let clients = CLIENT_FIRST..CLIENT_FIRST + clients_max;
    counter
        .replace_mandates(&OFFICES.map(|office| mandates_of(office, clients.clone())).concat())
        .await;
    let world = Arc::new(World {
        minter,
        counter,
        inspector: Inspector::default(),
        parties: AtomicU64::new(0),
        clients: AtomicU64::new(0),
        clients_max,
        expired: AtomicU64::new(0),
        until: now() + Duration::from_secs(seconds),
    });
    let groups: Vec<_> = (0..GROUPS as u64)
        .map(|place| {
            let (world, mut dice) = (Arc::clone(&world), Dice::new(seed ^ (place << 32)));
            tokio::spawn(async move {
                while now() < world.until {
                    let mut group = Group::gather(&world, &mut dice).await;
                    let stays = place < STAYING as u64
                        && now() + Duration::from_secs(SESSION_SECONDS) < world.until;
                    group.live(stays).await;
                }
            })
        })
        .collect();
    for group in groups {
        group.await.unwrap();
    }
    check(&world).await;
}

async fn check(world: &World) {
    let (inspector, expired) = (&world.inspector, world.expired.load(Ordering::Relaxed));
    println!(
        "{} answers checked, {} people, {} of them clerks of both offices, {expired} answers after an expiry; {}",
        inspector.checked(),
        world.parties.load(Ordering::Relaxed) / 3,
        world.clients.load(Ordering::Relaxed).min(world.clients_max),
        inspector.report()
    );
    assert_eq!(inspector.mixed_up(), 0, "{}", inspector.report());
    // Every step of both was also answered with what it asked for, except those that ask for another party's.
    for whose in [Capacity::Citizen, Capacity::Clerk] {
        let batch = if whose == Capacity::Clerk { StatusCode::OK } else { StatusCode::FORBIDDEN };
        for (step, status) in [
            (Step::Enter, StatusCode::CREATED),
            (Step::Enter, StatusCode::OK),
            (Step::Show, StatusCode::OK),
            (Step::SaveDraft, StatusCode::NO_CONTENT),
            (Step::ShowDraft, StatusCode::OK),
            (Step::DeleteDraft, StatusCode::NO_CONTENT),
            (Step::Estimate, StatusCode::OK),
            (Step::Submit, StatusCode::CREATED),
            (Step::Batch, batch),
            (Step::Read, StatusCode::OK),
            (Step::Withdraw, StatusCode::NO_CONTENT),
            (Step::Leave, StatusCode::NO_CONTENT),
            (Step::AskBelowAnother, StatusCode::NOT_FOUND),
            (Step::ReadAnothers, StatusCode::NOT_FOUND),
            (Step::Show, StatusCode::UNAUTHORIZED),
        ] {
            let answers = inspector.answers(whose, step, status);
            assert!(answers > 0, "{whose:?} {step:?} {status}: {}", inspector.report());
        }
    }
    assert!(expired > 0, "no session expired under a request");
    let counter = &world.counter;
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
    counter.all_decided().await;
    let (accepted, settled) = counter.balance().await;
    assert_eq!(accepted, settled);
    assert!(!counter.log().contains("panicked"), "{}", counter.log());
}

/// The parties on one connection.
struct Group<'w> {
    world: &'w World,
    dice: &'w mut Dice,
    parties: Vec<Party>,
    multiplexed: bool,
    line: Option<Line>,
}

impl<'w> Group<'w> {
    async fn gather(world: &'w World, dice: &'w mut Dice) -> Self {
        let mut parties = Vec::new();
        for _ in 0..=dice.below(4) {
            let number = world.parties.fetch_add(3, Ordering::Relaxed);
            let code = FiscalCode::made_up(number);
            parties.push(Party::citizen(&world.minter, number, code));
            if !dice.chance(30) {
                continue;
            }
            let client = world.clients.fetch_add(1, Ordering::Relaxed);
            if client < world.clients_max {
                let client = CLIENT_FIRST + client;
                parties.extend((number + 1..).zip(OFFICES).map(|(number, office)| {
                    Party::clerk(&world.minter, number, code, (office, client))
                }));
            }
        }
        let multiplexed = dice.chance(50);
        let mut group = Self { world, dice, parties, multiplexed, line: None };
        let everybody = (0..group.parties.len()).map(|at| (at, Step::Enter)).collect();
        group.round(everybody, Disturbance::None).await;
        group
    }

    async fn live(&mut self, stays: bool) {
        let entered = now();
        for _ in 0..ROUNDS {
            let mut asked = Vec::new();
            for at in 0..self.parties.len() {
                asked.extend(self.steps_of(at));
            }
            let disturbance = self.disturbance();
            let ended = self.round(asked, disturbance).await;
            self.enter_again(ended).await;
        }
        if stays {
            self.outstay(entered).await;
        }
    }

    /// Asks without a pause from shortly before the sessions expire until they have.
    async fn outstay(&mut self, entered: Instant) {
        let again = (0..self.parties.len()).map(|at| (at, Step::Enter)).collect();
        self.round(again, Disturbance::None).await;
        let expiry = entered + Duration::from_secs(SESSION_SECONDS);
        let early = Duration::from_millis(700);
        sleep(expiry.saturating_duration_since(now()).saturating_sub(early)).await;
        while now() < expiry + early {
            let asked = (0..self.parties.len())
                .flat_map(|at| [(at, Step::Show), (at, Step::ShowDraft), (at, Step::Estimate)])
                .take(AT_ONCE_MAX)
                .collect();
            let disturbance = self.disturbance();
            let refused = self.round(asked, disturbance).await.len() as u64;
            self.world.expired.fetch_add(refused, Ordering::Relaxed);
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn steps_of(&mut self, at: usize) -> Vec<(usize, Step)> {
        let dice = &mut *self.dice;
        if self.parties[at].token.is_empty() {
            return vec![(at, Step::Enter)];
        }
        // The steps that concern another party are the last ones, and need one.
        let steps = if self.parties.len() > 1 { &STEPS[..] } else { &STEPS[..STEPS.len() - 2] };
        let mut steps: Vec<_> =
            (0..=dice.below(3)).map(|_| (at, *dice.pick(steps).unwrap())).collect();
        if dice.chance(4) {
            steps.push((at, Step::Leave));
        }
        if dice.chance(3) {
            steps.push((at, Step::Enter));
        }
        steps
    }

    fn disturbance(&mut self) -> Disturbance {
        match self.dice.below(10) {
            0 | 1 => Disturbance::Cancelled,
            2 | 3 => Disturbance::Dropped,
            _ => Disturbance::None,
        }
    }

    /// Sends requests in a random order, all at once, and checks each answer that comes. Returns the parties whose tokens
    /// are no longer valid, one for each answer that says so.
    async fn round(
        &mut self,
        mut asked: Vec<(usize, Step)>,
        disturbance: Disturbance,
    ) -> Vec<usize> {
        for last in (1..asked.len()).rev() {
            asked.swap(last, self.dice.below(last + 1));
        }
        asked.truncate(AT_ONCE_MAX);
        let sent: Vec<_> = asked
            .iter()
            .map(|(at, step)| {
                let other = &self.parties[(at + 1) % self.parties.len()];
                self.parties[*at].request(*step, other)
            })
            .collect();
        let line = match self.line.take() {
            Some(line) => line,
            None if self.multiplexed => Line::multiplexed(&self.world.counter).await,
            None => Line::pipelined(&self.world.counter).await,
        };
        let (answers, line) = line.exchange(&sent, disturbance, self.dice).await;
        self.line = line;
        let mut ended = Vec::new();
        for ((at, step), answer) in asked.iter().zip(answers) {
            let Some(answer) = answer else { continue };
            self.world.inspector.check(&mut self.parties[*at], *step, &answer);
            let is_over = answer.status == StatusCode::UNAUTHORIZED && *step != Step::Enter;
            ended.extend(is_over.then_some(*at));
            if answer.status == StatusCode::CONFLICT && *step == Step::Enter {
                self.parties[*at].start_again(new_session());
            }
        }
        // Also if the answer was lost: then nobody knows whether the session has ended.
        for (at, _) in asked.iter().filter(|(_, step)| *step == Step::Leave) {
            self.parties[*at].start_again(new_session());
        }
        ended
    }

    /// Those whose sessions have ended, or whose tokens were renewed while the answer was lost, enter again.
    async fn enter_again(&mut self, ended: Vec<usize>) {
        for at in ended {
            self.parties[at].token.clear();
        }
        if self.parties.iter().any(|party| party.token.is_empty()) {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long it runs")]
fn now() -> Instant {
    Instant::now()
}
