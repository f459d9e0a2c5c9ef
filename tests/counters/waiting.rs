//! One waiting room over three counters: whoever draws may die, and everybody comes in.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use cluster::{Setup, until};
use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::Value;
use sportello::{
    civic::FiscalCode,
    clock::Stopwatch,
    ledger::rounds::{Commitment, Seed},
};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Answer, Sent},
    dice::{self, Dice},
    house::{COUNTERS, Door, House},
    person::new_session,
};

const PEOPLE: u64 = 100;
/// Few leases and short rounds. A slow machine is no overloaded counter.
const SETTINGS: &str = "
    [gate]
    leases_max = 4
    people_per_second = 1000
    lag_ms_max = 60000
    [waiting]
    gather_seconds = 1
    absent_seconds = 30
    poll_seconds_min = 1
    [limits]
    enter_by_person_per_second = 100
";
/// Longest time until all are in, the death of a counter included.
const ALL_IN_MAX: Duration = Duration::from_mins(4);
/// Longest time until another counter draws, or the first one does.
const LEADS_MAX: Duration = Duration::from_secs(30);
/// Longest pause that a person makes who is asked to come back after a failure.
const PAUSE_MS_MAX: u64 = 2000;
/// Time that a person stays inside.
const STAY: Duration = Duration::from_millis(400);
/// Of 100 requests of people who wait, those that are made at two counters at once.
const TWO_AT_ONCE_PERCENT: u64 = 40;
/// The lock of the counter that draws, as the list of locks shows it.
const LEADS: &str = "SELECT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid) \
    WHERE locktype = 'advisory' AND granted AND classid = 1399877490 AND objid = 1952803842";

/// What people were told.
#[derive(Default)]
struct Told {
    /// By round and person: their number, and at which counters they were told it.
    numbers: BTreeMap<(u64, u64), BTreeMap<String, Vec<usize>>>,
    /// By round: commitment, and seed once it is drawn.
    seeds: BTreeMap<u64, (String, Option<String>)>,
    /// Who came in, in this order, and after how long.
    came_in: Vec<(u64, Duration)>,
}

struct Crowd {
    door: Arc<Door>,
    watch: Stopwatch,
    told: Mutex<Told>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[ignore = "needs the superuser and PostgreSQL"]
async fn a_hundred_people_ask_any_counter_and_all_come_in_while_the_one_that_draws_dies() {
    let seed = dice::seed();
    let house = tokio::task::block_in_place(|| House::open(Setup::default(), SETTINGS));
    let mut house = house.unwrap();
    let crowd = Arc::new(Crowd {
        door: Arc::clone(&house.door),
        watch: Stopwatch::start(),
        told: Mutex::default(),
    });
    let people: Vec<_> = (1..=PEOPLE)
        .map(|number| {
            let (crowd, dice) = (Arc::clone(&crowd), Dice::new(seed ^ (number << 32)));
            tokio::spawn(async move { crowd.come(number, dice).await })
        })
        .collect();
    tokio::task::block_in_place(|| {
        crowd.until_inside(PEOPLE / 4);
        kill_who_draws(&mut house);
        crowd.until_inside(PEOPLE / 2);
        house.counters.iter_mut().filter(|counter| !counter.is_up()).for_each(|counter| {
            counter.start();
        });
    });
    let all = timeout(ALL_IN_MAX, join_all(people)).await;
    if !all.is_ok_and(|all| all.iter().all(Result::is_ok)) {
        let inside = crowd.told.lock().unwrap().came_in.len();
        panic!("{inside} of {PEOPLE} are in");
    }
    crowd.is_as_drawn();
    the_same_draws_everywhere(&house).await;
    for counter in &house.counters {
        assert_eq!(counter.panics(), [""; 0], "{} panicked", counter.name);
    }
}

/// Kills the counter that holds the lock, and waits until another one has it.
fn kill_who_draws(house: &mut House) {
    let leader = |house: &House| {
        let address = house.sql("a", LEADS);
        house.counters.iter().position(|counter| counter.host().address().to_string() == address)
    };
    let first = until("a counter draws", LEADS_MAX, || leader(house)).unwrap();
    house.counters[first].kill();
    house.cluster.tell(format_args!("{}, which drew, is killed", house.counters[first].name));
    let next =
        until("another counter draws", LEADS_MAX, || leader(house).filter(|next| *next != first));
    let next = next.unwrap();
    house.cluster.tell(format_args!("{} draws", house.counters[next].name));
}

/// Everybody's number is that of the published seed, whichever counter told it.
fn numbers_follow_from_the_seeds(told: &Told) {
    let mut compared = 0;
    for ((round, person), numbers) in &told.numbers {
        let (commitment, seed) = &told.seeds[round];
        let seed: Seed = seed.as_ref().unwrap().parse().unwrap();
        assert_eq!(seed.commitment(), commitment.parse::<Commitment>().unwrap());
        let expected = seed.number(&FiscalCode::made_up(*person)).to_string();
        let asked: Vec<_> = numbers.keys().collect();
        assert_eq!(asked, [&expected], "person {person} in round {round}: {numbers:?}");
        let mut counters = numbers[&expected].clone();
        counters.sort_unstable();
        counters.dedup();
        compared += usize::from(counters.len() > 1);
    }
    println!("{} numbers, {compared} of them told by several counters", told.numbers.len());
    assert!(compared > 0, "nobody asked at two counters");
}

/// Each counter publishes the same rounds.
async fn the_same_draws_everywhere(house: &House) {
    let mut published = Vec::new();
    for at in 0..COUNTERS {
        let url = format!("{}/v1/draws", house.door.url(at));
        let answer = house.door.client.ask("GET", &url, Sent::default()).await.unwrap();
        published.push(answer.json()["draws"].clone());
    }
    assert!(published[0].as_array().is_some_and(|draws| !draws.is_empty()), "{published:?}");
    assert!(published.iter().all(|draws| *draws == published[0]), "{published:#?}");
}

impl Crowd {
    /// Checks what everybody was told, and prints how it went.
    fn is_as_drawn(&self) {
        let told = self.told.lock().unwrap();
        let longest = told.came_in.iter().map(|(_, after)| *after).max().unwrap();
        println!("all in after {:.1} s, in {} rounds", longest.as_secs_f64(), told.seeds.len());
        numbers_follow_from_the_seeds(&told);
    }

    /// Waits until this many have come in.
    fn until_inside(&self, people: u64) {
        let has_come = || (self.told.lock().unwrap().came_in.len() as u64 >= people).then_some(());
        until(&format!("{people} have come in"), ALL_IN_MAX, has_come).unwrap();
    }

    /// Asks at random counters until they are in, stays, and leaves.
    async fn come(&self, number: u64, mut dice: Dice) {
        let (code, session) = (FiscalCode::made_up(number), new_session());
        let mut waits = false;
        let (mut tokens, has_lost_one) = loop {
            let at = dice.below(COUNTERS);
            let other = (at + 1 + dice.below(COUNTERS - 1)) % COUNTERS;
            // Who has waited enters on a seat, and tries to do so at two counters in one moment.
            let asked =
                if waits && dice.chance(TWO_AT_ONCE_PERCENT) { vec![at, other] } else { vec![at] };
            let answers = join_all(asked.iter().map(|at| self.knock(*at, &code, &session))).await;
            let opened = answers.iter().filter(|answer| has_status(answer, StatusCode::CREATED));
            assert!(opened.count() <= 1 || !waits, "person {number} was let in twice on one seat");
            let tokens: Vec<_> = answers.iter().flatten().filter_map(token_of).collect();
            if !tokens.is_empty() {
                self.told.lock().unwrap().came_in.push((number, self.watch.elapsed()));
                break (tokens, answers.iter().any(|answer| !is_answered(answer)));
            }
            let mut pause_ms = PAUSE_MS_MAX;
            for (at, answer) in asked.iter().zip(&answers) {
                pause_ms = pause_ms.min(match answer {
                    Ok(answer) if answer.status == StatusCode::ACCEPTED => {
                        waits = true;
                        let json = answer.json();
                        self.note(*at, number, &json["draw"]);
                        json["pollAfterSeconds"].as_u64().unwrap() * 1000
                    }
                    Ok(answer) => {
                        assert!(may_be_refused(answer), "person {number} at {at}: {answer:?}");
                        PAUSE_MS_MAX / 4
                    }
                    Err(_) => PAUSE_MS_MAX / 4,
                });
            }
            sleep(Duration::from_millis(pause_ms)).await;
        };
        sleep(STAY).await;
        if !self.is_inside(&session, &tokens, &mut dice).await {
            // The counter that is gone may have given them the newest token, and not told them.
            assert!(has_lost_one, "person {number} was let in, and is out");
            let token = self.come_again(&code, &session, &mut dice).await;
            tokens = vec![token];
            let is_inside = self.is_inside(&session, &tokens, &mut dice).await;
            assert!(is_inside, "person {number} was let in again, and is out");
        }
        for token in tokens {
            self.leave(&session, &token, &mut dice).await;
        }
    }

    /// A new token for who is inside already, from any counter.
    async fn come_again(&self, code: &FiscalCode, session: &str, dice: &mut Dice) -> String {
        loop {
            match self.knock(dice.below(COUNTERS), code, session).await {
                Ok(answer) if answer.status == StatusCode::OK => return token_of(&answer).unwrap(),
                answer => assert!(!is_answered(&answer), "inside, but told {answer:?}"),
            }
            sleep(STAY).await;
        }
    }

    async fn knock(&self, at: usize, code: &FiscalCode, session: &str) -> Result<Answer, String> {
        let (identity, url) = (self.door.identity(code), format!("{}{session}", self.door.url(at)));
        self.door.client.ask("PUT", &url, Sent { token: &identity, ..Sent::default() }).await
    }

    /// Whether one of the tokens works, at any counter. Who came at two counters in one moment has got a newer one.
    async fn is_inside(&self, session: &str, tokens: &[String], dice: &mut Dice) -> bool {
        for token in tokens {
            let status = loop {
                let url = format!("{}{session}", self.door.url(dice.below(COUNTERS)));
                let sent = Sent { token, ..Sent::default() };
                match self.door.client.ask("GET", &url, sent).await {
                    Ok(answer) if !answer.status.is_server_error() => break answer.status,
                    Ok(_) | Err(_) => sleep(STAY).await,
                }
            };
            if status == StatusCode::OK {
                return true;
            }
        }
        false
    }

    /// Leaves at any counter: what was opened elsewhere is known there.
    async fn leave(&self, session: &str, token: &str, dice: &mut Dice) {
        loop {
            let url = format!("{}{session}", self.door.url(dice.below(COUNTERS)));
            let sent = Sent { token, ..Sent::default() };
            match self.door.client.ask("DELETE", &url, sent).await {
                Ok(answer) if answer.status == StatusCode::NO_CONTENT => return,
                // It was renewed, or an earlier try was not answered.
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => return,
                Ok(_) | Err(_) => sleep(STAY).await,
            }
        }
    }

    fn note(&self, at: usize, person: u64, draw: &Value) {
        let text = |member: &str| draw[member].as_str().map(str::to_owned);
        let round = draw["round"].as_u64().unwrap();
        let mut told = self.told.lock().unwrap();
        let commitment = text("commitment").unwrap();
        let (known, seed) = told.seeds.entry(round).or_insert((commitment.clone(), None));
        assert_eq!(*known, commitment, "round {round} has two commitments");
        if let (Some(drawn), Some(number)) = (text("seed"), text("number")) {
            assert!(seed.as_ref().is_none_or(|seed| *seed == drawn), "round {round} has two seeds");
            *seed = Some(drawn);
            told.numbers.entry((round, person)).or_default().entry(number).or_default().push(at);
        }
    }
}

fn has_status(answer: &Result<Answer, String>, status: StatusCode) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.status == status)
}

/// Whether the counter said what it has done.
fn is_answered(answer: &Result<Answer, String>) -> bool {
    answer.as_ref().is_ok_and(|answer| !answer.status.is_server_error())
}

/// The token of who is let in, or was before.
fn token_of(answer: &Answer) -> Option<String> {
    let is_in = matches!(answer.status, StatusCode::CREATED | StatusCode::OK);
    is_in.then(|| answer.json()["token"].as_str().unwrap().to_owned())
}

/// Whether somebody who has a seat may be told this: come again, or that another counter lets them in.
fn may_be_refused(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::CONFLICT => answer.problem() == "visit-taken",
        _ => false,
    }
}
