//! The waiting room: whoever finds the counter full waits here, and lots decide who goes in next.
//!
//! People wait in *rounds*. Whoever comes while a round is being called is in the next one, the first to come and the last
//! alike. A round is drawn when the one before has been called to its end, and from then on calls its people by their
//! [numbers](super::lottery), the lowest first, as places inside become free. So asking early, often or from several devices
//! changes nothing within a round, and nobody waits longer than the rest of one round and the whole of their own.
//!
//! A place belongs to a person, not to a connection or device: whoever asks again with the same identity finds it. It is given
//! up by whoever stays away longer than they were told to and [`Config::absent_seconds`]. A restart empties the room: who asks
//! again is in the first round of the new one.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::HashTable;
use jiff::Timestamp;

use super::lottery::{Commitment, Number, Seed};
use crate::{
    civic::FiscalCode,
    identity::Audience,
    ledger::{keys::HouseKeys, seal::Subject},
};

/// Rounds whose seeds are told, the latest ones.
pub const ROUNDS_TOLD_MAX: usize = 64;
/// Nobody is told to stay away longer, unless there are more people than may ask in that time.
const POLL_SECONDS_MAX: u32 = 60;
/// People ask this often in the time that they are expected to wait.
const POLLS_IN_WAIT: u32 = 4;
/// Parts of the room that are looked through for absent people, one each time.
const TIDY_PARTS: usize = 8;
/// People are called ahead for so much of the time in which they come, by the pace: jitter and growth are in it.
const CALL_AHEAD: f64 = 1.5;
/// How fast the pace follows what was measured last.
const PACE_FOLLOWS: f64 = 0.3;

/// The bounds of the waiting room.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// People who wait at a time; further ones are told to come back.
    pub people_max: usize,
    /// A round gathers people at least this long before it is drawn, seconds: else a rush would be many small rounds,
    /// called in the order of arrival.
    pub gather_seconds: u32,
    /// Whoever is overdue by so many seconds has given up their place.
    pub absent_seconds: u32,
    /// Nobody is asked to come back sooner, seconds.
    pub poll_seconds_min: u32,
    /// All who wait are told to come back at such times that at most so many ask in a second.
    pub polls_per_second_max: u32,
}

/// Somebody who asks to be let in, with a verified identity.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Who it is.
    pub person: Subject,
    /// The same as a fiscal code, from which their number is made.
    pub fiscal_code: FiscalCode,
    /// As whom they come.
    pub audience: Audience,
    /// The identity token that was verified.
    pub token: &'a str,
    /// Until when it is valid.
    pub valid_until: Timestamp,
}

/// What somebody who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The round they are in.
    pub round: u64,
    /// Its commitment.
    pub commitment: Commitment,
    /// Once it is drawn: its seed and their number in it.
    pub drawn: Option<(Seed, Number)>,
    /// When to ask again, seconds from now.
    pub poll_seconds: u32,
    /// About how long it takes until they go in, seconds; none while nobody goes in.
    pub estimate_seconds: Option<u32>,
}

/// A round that was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its name: a number that only rises.
    pub round: u64,
    /// What was published before it.
    pub commitment: Commitment,
    /// What everybody's number in it was made from.
    pub seed: Seed,
    /// How many people were in it.
    pub people: u32,
    /// When it was drawn.
    pub drawn_at: Timestamp,
}

impl std::fmt::Display for Round {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { round, commitment, seed, people, .. } = self;
        write!(
            formatter,
            "round {round} drawn, {people} people, commitment {commitment}, seed {seed}"
        )
    }
}

/// The waiting room, one for the whole counter.
pub struct Room {
    config: Config,
    keys: Arc<HouseKeys>,
    /// People in the room: entering asks this before anything else.
    people: AtomicUsize,
    inner: Mutex<Inner>,
}

struct Inner {
    seats: Vec<Seat>,
    /// Seats that nobody sits on.
    vacant: Vec<u32>,
    /// Indices into `seats`, by person and by the token that was verified last.
    by_person: HashTable<u32>,
    by_token: HashTable<u32>,
    waiting: [usize; Audience::ALL.len()],
    gathering: Gathering,
    /// Drawn rounds, the latest last; and how many there were at all.
    drawn: VecDeque<Round>,
    drawn_before: u64,
    /// How many of them [`Room::tidy`] has told.
    told: u64,
    /// Seats of the round that is called, the lowest number first, and how many of them were called or are gone.
    order: Vec<u32>,
    head: usize,
    /// The number that was called last.
    called_to: Option<Number>,
    /// People who were called and have not come yet.
    called: usize,
    pace: Pace,
    /// Where [`Room::tidy`] goes on.
    tidied: usize,
}

/// The round that people come into now.
struct Gathering {
    round: u64,
    seed: Seed,
    commitment: Commitment,
    people: u32,
    /// When the first of them came.
    since: u32,
}

/// One person in the room. A million of them is what the sizes are for.
#[derive(Clone, Copy)]
struct Seat {
    /// Half of a keyed hash: two of a million people share one once in 40 million rooms, and would share a place.
    person: [u8; 8],
    /// Half of the hash of a verified token. Whoever guessed one would be told to wait.
    token: [u8; 8],
    number: Number,
    /// When they are expected to ask again, and until when their token is valid, in seconds.
    due: u32,
    valid_until: u32,
    stage: Stage,
    audience: Audience,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Vacant,
    /// In the round that gathers.
    Gathering,
    /// In the round that is called: the last byte of how many were drawn before it.
    Drawn(u8),
    /// May go in.
    Called(u8),
}

/// How many go in a second.
struct Pace {
    per_second: f64,
    entered: u32,
    since: u32,
}

impl Room {
    /// An empty room, with its first round ready.
    #[must_use]
    pub fn new(config: Config, keys: Arc<HouseKeys>, now: Timestamp) -> Self {
        let since = seconds(now);
        let inner = Inner {
            seats: Vec::with_capacity(config.people_max),
            vacant: Vec::new(),
            by_person: HashTable::with_capacity(config.people_max),
            by_token: HashTable::with_capacity(config.people_max),
            waiting: [0; Audience::ALL.len()],
            gathering: Gathering::after(0, &keys, now),
            drawn: VecDeque::new(),
            drawn_before: 0,
            told: 0,
            order: Vec::new(),
            head: 0,
            called_to: None,
            called: 0,
            pace: Pace { per_second: 0.0, entered: 0, since },
            tidied: 0,
        };
        Self { config, keys, people: AtomicUsize::new(0), inner: Mutex::new(inner) }
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.load(Ordering::Acquire) == 0
    }

    /// The place of whoever shows a token that was verified before and is still valid, as long as it is not their turn: most
    /// who ask are those, and verifying a signature costs more than all the rest. `free` is how many may still go in.
    #[must_use]
    pub fn known(&self, token: &str, free: usize, now: Timestamp) -> Option<(Audience, Place)> {
        if self.is_empty() {
            return None;
        }
        let (token, now_s) = (token_hash(token), seconds(now));
        self.with(free, now, |inner| {
            let index = inner.find(token)?;
            let seat = inner.seats[index as usize];
            let calm = !matches!(seat.stage, Stage::Called(_)) && now_s < seat.valid_until;
            calm.then(|| (seat.audience, inner.place(index, &self.config, now_s)))
        })
    }

    /// Whether it is a person's turn, when `free` may go in: they were called, or nobody waits.
    #[must_use]
    pub fn turn_of(
        &self,
        person: Subject,
        audience: Audience,
        free: usize,
        now: Timestamp,
    ) -> bool {
        if self.is_empty() {
            return free > 0;
        }
        self.with(free, now, |inner| {
            inner.waiting() == 0
                || inner.find_person(half(person), audience).is_some_and(|index| {
                    matches!(inner.seats[index as usize].stage, Stage::Called(_))
                })
        })
    }

    /// The place of somebody who has to wait, the one that they have or a new one; none when the room is full, too.
    #[must_use]
    pub fn wait(&self, asking: &Asking<'_>, now: Timestamp) -> Option<Place> {
        let now_s = seconds(now);
        self.with(0, now, |inner| {
            let index = match inner.find_person(half(asking.person), asking.audience) {
                Some(index) => {
                    inner.shows(index, asking);
                    index
                }
                None => inner.seat(asking, &self.config, now_s)?,
            };
            Some(inner.place(index, &self.config, now_s))
        })
    }

    /// Somebody went in: their place is free, should they have had one.
    pub fn entered(&self, person: Subject, audience: Audience) {
        if self.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.pace.entered += 1;
        if let Some(index) = inner.find_person(half(person), audience) {
            inner.leave(index);
        }
        self.people.store(inner.waiting(), Ordering::Release);
    }

    /// Looks for people who stay away, measures the pace, and calls and draws what is due; returns the rounds that were drawn
    /// since it was called before. Call it every second or two.
    pub fn tidy(&self, free: usize, now: Timestamp) -> Vec<Round> {
        let now_s = seconds(now);
        let gone_before = now_s.saturating_sub(self.config.absent_seconds);
        let mut inner = self.lock();
        let part = inner.seats.len() / TIDY_PARTS + 1;
        let from = if inner.tidied < inner.seats.len() { inner.tidied } else { 0 };
        let to = inner.seats.len().min(from + part);
        for index in from..to {
            let seat = inner.seats[index];
            if seat.stage != Stage::Vacant && seat.due < gone_before {
                inner.leave(index_of(index));
            }
        }
        inner.tidied = to;
        inner.pace.measure(now_s);
        drop(inner);
        self.with(free, now, |inner| {
            let untold = usize::try_from(inner.drawn_before - inner.told).unwrap_or(usize::MAX);
            inner.told = inner.drawn_before;
            inner.drawn.iter().rev().take(untold).rev().copied().collect()
        })
    }

    /// People who wait, by audience.
    #[must_use]
    pub fn waiting(&self) -> [usize; Audience::ALL.len()] {
        self.lock().waiting
    }

    /// The round that whoever comes now would be in, and its commitment.
    #[must_use]
    pub fn next_round(&self) -> (u64, Commitment) {
        let inner = self.lock();
        (inner.gathering.round, inner.gathering.commitment)
    }

    /// The latest rounds that were drawn, the newest first, at most [`ROUNDS_TOLD_MAX`].
    #[must_use]
    pub fn drawn(&self) -> Vec<Round> {
        self.lock().drawn.iter().rev().copied().collect()
    }

    /// Does what is due and then what is asked for.
    fn with<T>(&self, free: usize, now: Timestamp, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        inner.go_on(&self.config, &self.keys, free, now);
        let done = work(&mut inner);
        self.people.store(inner.waiting(), Ordering::Release);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn waiting(&self) -> usize {
        self.waiting.iter().sum()
    }

    fn find(&self, token: [u8; 8]) -> Option<u32> {
        let same = |index: &u32| self.seats[*index as usize].token == token;
        self.by_token.find(u64::from_be_bytes(token), same).copied()
    }

    fn find_person(&self, person: [u8; 8], audience: Audience) -> Option<u32> {
        let same = |index: &u32| {
            let seat = &self.seats[*index as usize];
            seat.person == person && seat.audience == audience
        };
        self.by_person.find(u64::from_be_bytes(person), same).copied()
    }

    /// Gives a newcomer a seat in the round that gathers.
    fn seat(&mut self, asking: &Asking<'_>, config: &Config, now: u32) -> Option<u32> {
        if self.waiting() >= config.people_max {
            return None;
        }
        let seat = Seat {
            person: half(asking.person),
            token: token_hash(asking.token),
            number: self.gathering.seed.number(&asking.fiscal_code),
            due: now,
            valid_until: seconds(asking.valid_until),
            stage: Stage::Gathering,
            audience: asking.audience,
        };
        let index = if let Some(index) = self.vacant.pop() {
            self.seats[index as usize] = seat;
            index
        } else {
            self.seats.push(seat);
            index_of(self.seats.len() - 1)
        };
        let seats = &self.seats;
        let person_of = |index: &u32| u64::from_be_bytes(seats[*index as usize].person);
        self.by_person.insert_unique(u64::from_be_bytes(seat.person), index, person_of);
        self.note_token(index);
        if self.gathering.people == 0 {
            self.gathering.since = now;
        }
        self.gathering.people += 1;
        self.waiting[asking.audience as usize] += 1;
        Some(index)
    }

    /// Somebody who waits showed a token that may be another than before.
    fn shows(&mut self, index: u32, asking: &Asking<'_>) {
        let token = token_hash(asking.token);
        if self.seats[index as usize].token != token {
            self.forget_token(index);
            self.seats[index as usize].token = token;
            self.note_token(index);
        }
        self.seats[index as usize].valid_until = seconds(asking.valid_until);
    }

    fn note_token(&mut self, index: u32) {
        let seats = &self.seats;
        let token_of = |index: &u32| u64::from_be_bytes(seats[*index as usize].token);
        self.by_token.insert_unique(token_of(&index), index, token_of);
    }

    fn forget_token(&mut self, index: u32) {
        let token = u64::from_be_bytes(self.seats[index as usize].token);
        if let Ok(known) = self.by_token.find_entry(token, |known| *known == index) {
            known.remove();
        }
    }

    /// Somebody goes in, or has given up.
    fn leave(&mut self, index: u32) {
        let seat = self.seats[index as usize];
        self.forget_token(index);
        let person = u64::from_be_bytes(seat.person);
        if let Ok(known) = self.by_person.find_entry(person, |known| *known == index) {
            known.remove();
        }
        match seat.stage {
            Stage::Gathering => self.gathering.people -= 1,
            Stage::Called(_) => self.called -= 1,
            Stage::Drawn(_) | Stage::Vacant => {}
        }
        self.waiting[seat.audience as usize] -= 1;
        self.seats[index as usize].stage = Stage::Vacant;
        self.vacant.push(index);
    }

    /// Calls as many as may go in, and draws the next round once everybody of the last one was called.
    fn go_on(&mut self, config: &Config, keys: &HouseKeys, free: usize, now: Timestamp) {
        let now_s = seconds(now);
        // Those who are called come within so many seconds: meanwhile further places become free.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
        let soon =
            (self.pace.per_second * f64::from(config.poll_seconds_min) * CALL_AHEAD) as usize;
        let called_max = free + soon;
        while free > 0 && self.called < called_max {
            if self.head == self.order.len() {
                let due = self.gathering.people > 0
                    && now_s >= self.gathering.since.saturating_add(config.gather_seconds);
                if !due {
                    return;
                }
                self.draw(keys, now);
            }
            self.call(now_s.saturating_sub(config.absent_seconds));
        }
    }

    /// Calls the next of the round; whoever was due before `gone_before` has given up.
    fn call(&mut self, gone_before: u32) {
        let Some(index) = self.order.get(self.head).copied() else { return };
        self.head += 1;
        let seat = self.seats[index as usize];
        let Stage::Drawn(name) = seat.stage else { return };
        self.called_to = Some(seat.number);
        if seat.due < gone_before {
            self.leave(index);
        } else {
            self.seats[index as usize].stage = Stage::Called(name);
            self.called += 1;
        }
    }

    /// Draws the round that gathered, and begins the next.
    fn draw(&mut self, keys: &HouseKeys, now: Timestamp) {
        let name = last_byte(self.drawn_before);
        self.order.clear();
        self.head = 0;
        self.called_to = None;
        for (index, seat) in self.seats.iter_mut().enumerate() {
            if seat.stage == Stage::Gathering {
                seat.stage = Stage::Drawn(name);
                self.order.push(index_of(index));
            }
        }
        let seats = &self.seats;
        self.order.sort_unstable_by_key(|index| seats[*index as usize].number);
        let next = Gathering::after(self.gathering.round, keys, now);
        let drawn = std::mem::replace(&mut self.gathering, next);
        if self.drawn.len() == ROUNDS_TOLD_MAX {
            self.drawn.pop_front();
        }
        self.drawn.push_back(Round {
            round: drawn.round,
            commitment: drawn.commitment,
            seed: drawn.seed,
            people: drawn.people,
            drawn_at: now,
        });
        self.drawn_before += 1;
    }

    /// What somebody on this seat is told, who is expected back at the time that they are told.
    fn place(&mut self, index: u32, config: &Config, now: u32) -> Place {
        let seat = self.seats[index as usize];
        let estimate_seconds = self.pace.seconds_for(self.ahead_of(&seat));
        let poll_seconds = self.poll_seconds(&seat, estimate_seconds, config, now);
        self.seats[index as usize].due = now.saturating_add(poll_seconds);
        let round = self.round_of(seat.stage);
        let (name, commitment) = round.map_or_else(
            || (self.gathering.round, self.gathering.commitment),
            |round| (round.round, round.commitment),
        );
        let drawn = round.map(|round| (round.seed, seat.number));
        Place { round: name, commitment, drawn, poll_seconds, estimate_seconds }
    }

    /// The round of somebody who is in a drawn one, as long as it is among the latest.
    fn round_of(&self, stage: Stage) -> Option<&Round> {
        let (Stage::Drawn(name) | Stage::Called(name)) = stage else { return None };
        let after = last_byte(self.drawn_before).wrapping_sub(name);
        self.drawn.len().checked_sub(after.into()).and_then(|at| self.drawn.get(at))
    }

    /// About how many go in before the one on this seat. Numbers are spread evenly, so nobody has to be counted; whoever is in
    /// the round that gathers is told as if all of it went before them, for their number is not known before the draw.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of people"
    )]
    fn ahead_of(&self, seat: &Seat) -> usize {
        let left = self.order.len() - self.head;
        match seat.stage {
            Stage::Called(_) | Stage::Vacant => 0,
            Stage::Gathering => self.called + left + self.gathering.people as usize,
            Stage::Drawn(_) => {
                let called_to = self.called_to.map_or(0.0, Number::share_below);
                let before = (seat.number.share_below() - called_to) / (1.0 - called_to).max(1e-9);
                self.called + (left as f64 * before.clamp(0.0, 1.0)) as usize
            }
        }
    }

    /// When to ask again: several times in the expected wait, no more people in a second than may, each at another moment.
    fn poll_seconds(&self, seat: &Seat, estimate: Option<u32>, config: &Config, now: u32) -> u32 {
        let often = u32::try_from(self.waiting()).unwrap_or(u32::MAX) / config.polls_per_second_max;
        let longest = POLL_SECONDS_MAX.max(config.poll_seconds_min);
        let wanted = estimate.unwrap_or(0) / POLLS_IN_WAIT;
        let base = wanted.clamp(config.poll_seconds_min, longest).max(often);
        let spread = (u64::from_be_bytes(seat.person) ^ u64::from(now)) % u64::from(base / 2 + 1);
        base.saturating_add(u32::try_from(spread).unwrap_or(0))
    }
}

impl Gathering {
    /// The round after the one of that name. Rounds are named by the second in which they became ready, or one later.
    fn after(last: u64, keys: &HouseKeys, now: Timestamp) -> Self {
        let round = u64::try_from(now.as_second()).unwrap_or(0).max(last + 1);
        let seed = Seed::new(keys.draw_seed(round));
        Self { round, seed, commitment: seed.commitment(), people: 0, since: seconds(now) }
    }
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "people")]
    fn measure(&mut self, now: u32) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed == 0 {
            return;
        }
        let latest = f64::from(self.entered) / f64::from(elapsed);
        self.per_second += PACE_FOLLOWS * (latest - self.per_second);
        self.entered = 0;
        self.since = now;
    }

    /// How long so many people take; none while hardly anybody goes in.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of seconds"
    )]
    fn seconds_for(&self, people: usize) -> Option<u32> {
        let seconds = (people as f64 / self.per_second).ceil();
        (seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
    }
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
}

fn index_of(seat: usize) -> u32 {
    u32::try_from(seat).unwrap_or(u32::MAX)
}

fn last_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn half(person: Subject) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(&person.key()[..8]);
    half
}

fn token_hash(token: &str) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(&blake3::hash(token.as_bytes()).as_bytes()[..8]);
    half
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const START: i64 = 1_726_500_600;
    const CONFIG: Config = Config {
        people_max: 1000,
        gather_seconds: 5,
        absent_seconds: 120,
        poll_seconds_min: 2,
        polls_per_second_max: 2000,
    };

    /// A room and people who ask, at times in seconds from its opening.
    struct Hall {
        room: Room,
        keys: Arc<HouseKeys>,
    }

    impl Hall {
        fn new(config: Config) -> Self {
            let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
            Self { room: Room::new(config, Arc::clone(&keys), at(0)), keys }
        }

        fn person(&self, n: u64) -> Subject {
            self.keys.subject(&FiscalCode::made_up(n))
        }

        /// As the intake asks: whether it is their turn, else for a place. None of both is a full room.
        fn ask(&self, n: u64, token: &str, free: usize, second: i64) -> Result<(), Option<Place>> {
            let asking = Asking {
                person: self.person(n),
                fiscal_code: FiscalCode::made_up(n),
                audience: Audience::Citizens,
                token,
                valid_until: at(100_000),
            };
            if self.room.turn_of(asking.person, asking.audience, free, at(second)) {
                self.room.entered(asking.person, asking.audience);
                return Ok(());
            }
            Err(self.room.wait(&asking, at(second)))
        }

        fn waits(&self, n: u64, second: i64) -> Place {
            self.ask(n, &n.to_string(), 0, second).unwrap_err().expect("a place")
        }

        /// Lets the room go on, and returns those of `people` whose turn it is; one place inside is free.
        fn turn_of_one(&self, people: impl Iterator<Item = u64>, second: i64) -> Vec<u64> {
            people.filter(|n| self.ask(*n, &n.to_string(), 1, second).is_ok()).collect()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    #[test]
    fn nobody_waits_while_there_is_room() {
        let hall = Hall::new(CONFIG);
        assert_eq!(hall.ask(1, "a", 1, 0), Ok(()));
        assert!(hall.room.is_empty());
        assert!(hall.room.drawn().is_empty());
    }

    #[test]
    fn lots_decide_and_not_who_came_first_or_asks_most() {
        let hall = Hall::new(CONFIG);
        for n in 0..100 {
            hall.waits(n, 0);
        }
        // The last to come asks once, the first every second and from several devices.
        for second in 1..5 {
            assert_eq!(hall.ask(0, &format!("device {second}"), 1, second).ok(), None);
            assert!(hall.room.drawn().is_empty(), "a round gathers for five seconds");
        }
        let mut order = Vec::new();
        for second in 5..105 {
            let gone = hall.turn_of_one(0..100, second);
            order.extend(gone.iter().filter(|n| !order.contains(*n)).copied().collect::<Vec<_>>());
            if order.len() == 100 {
                break;
            }
        }
        let drawn = hall.room.drawn();
        let seed = drawn.last().expect("a round was drawn").seed;
        let mut by_lot: Vec<u64> = (0..100).collect();
        by_lot.sort_by_key(|n| seed.number(&FiscalCode::made_up(*n)));
        assert_eq!(drawn.last().unwrap().people, 100);
        assert_eq!(order[..50], by_lot[..50]);
    }

    #[test]
    fn the_commitment_is_known_before_and_the_seed_only_afterwards() {
        let hall = Hall::new(CONFIG);
        let (round, commitment) = hall.room.next_round();
        let waits = hall.waits(1, 0);
        assert_eq!((waits.round, waits.commitment, waits.drawn), (round, commitment, None));
        hall.waits(2, 1);
        assert_eq!(hall.room.tidy(1, at(4)), []);
        let told = hall.room.tidy(1, at(6));
        assert_eq!((told.len(), hall.room.drawn()), (1, told.clone()));
        assert_eq!((told[0].round, told[0].commitment, told[0].people), (round, commitment, 2));
        assert_eq!(told[0].seed.commitment(), commitment);
        assert!(told[0].to_string().contains(&told[0].seed.to_string()));
        assert_eq!(hall.room.tidy(1, at(7)), [], "a round is told once");

        // Whoever is not called yet is told the seed and their number, and that they are in the round still.
        let numbers = [1, 2].map(|n| (told[0].seed.number(&FiscalCode::made_up(n)), n));
        let (number, last) = numbers.into_iter().max().unwrap();
        let place = hall.waits(last, 7);
        assert_eq!((place.round, place.drawn), (round, Some((told[0].seed, number))));
        let (next, other) = hall.room.next_round();
        assert!(next > round && other != commitment);
    }

    #[test]
    fn who_comes_while_a_round_is_called_is_in_the_next_one() {
        let hall = Hall::new(CONFIG);
        for n in 0..20 {
            hall.waits(n, 0);
        }
        hall.room.tidy(1, at(5));
        for n in 20..40 {
            assert_eq!(hall.waits(n, 6).drawn, None);
        }
        let mut order = Vec::new();
        for second in 7..200 {
            let inside: BTreeSet<u64> = order.iter().copied().collect();
            order.extend(hall.turn_of_one((0..40).filter(|n| !inside.contains(n)), second));
        }
        let (first, second): (Vec<u64>, Vec<u64>) = (order[..20].to_vec(), order[20..].to_vec());
        assert!(first.iter().all(|n| *n < 20) && second.iter().all(|n| *n >= 20), "{order:?}");
        assert_eq!(order.len(), 40);
        assert!(hall.room.is_empty());
    }

    #[test]
    fn a_verified_token_is_known_until_it_ends_or_the_turn_comes() {
        let hall = Hall::new(CONFIG);
        assert_eq!(hall.room.known("1", 0, at(0)), None);
        hall.waits(1, 0);
        hall.waits(2, 0);
        let (audience, place) = hall.room.known("1", 0, at(1)).unwrap();
        assert_eq!((audience, place.drawn), (Audience::Citizens, None));
        assert_eq!(hall.room.known("made up", 0, at(1)), None);
        assert_eq!(hall.room.known("1", 0, at(100_000)), None, "the token has expired");
        // A newer token of the same person takes the place of the older.
        assert!(hall.ask(1, "newer", 0, 2).is_err());
        assert_eq!(hall.room.known("1", 0, at(2)), None);
        assert!(hall.room.known("newer", 0, at(2)).is_some());
        let calm = ["newer", "2"].map(|token| hall.room.known(token, 1, at(6)).is_some());
        assert_eq!(calm.iter().filter(|calm| **calm).count(), 1, "one was called: {calm:?}");
    }

    #[test]
    fn who_stays_away_gives_up_and_nothing_is_left_of_them() {
        let hall = Hall::new(CONFIG);
        for n in 0..50 {
            hall.waits(n, 0);
        }
        hall.room.tidy(10, at(5));
        for n in 50..100 {
            hall.waits(n, 6);
        }
        assert_eq!(hall.room.waiting(), [100, 0]);
        for second in 300..300 + i64::try_from(TIDY_PARTS).unwrap() + 1 {
            hall.room.tidy(10, at(second));
        }
        assert_eq!(hall.room.waiting(), [0, 0]);
        let inner = hall.room.lock();
        assert!(inner.by_person.is_empty() && inner.by_token.is_empty());
        assert_eq!((inner.called, inner.gathering.people), (0, 0));
        assert_eq!(inner.vacant.len(), inner.seats.len());
    }

    #[test]
    fn a_full_room_takes_nobody_but_keeps_who_is_in_it() {
        let hall = Hall::new(Config { people_max: 2, ..CONFIG });
        hall.waits(1, 0);
        hall.waits(2, 0);
        assert_eq!(hall.ask(3, "3", 0, 1), Err(None));
        assert!(hall.ask(2, "2", 0, 1).unwrap_err().is_some());
    }

    #[test]
    fn people_are_told_to_ask_no_more_often_than_may_be_answered() {
        let hall = Hall::new(Config { polls_per_second_max: 10, ..CONFIG });
        let mut due = Vec::new();
        for n in 0..1000 {
            due.push(hall.waits(n, 0).poll_seconds);
        }
        let last = &due[900..];
        assert!(last.iter().all(|seconds| (90..=150).contains(seconds)), "{last:?}");
        assert!(
            last.iter().collect::<BTreeSet<_>>().len() > 20,
            "each at another moment: {last:?}"
        );
    }

    #[test]
    fn the_estimate_follows_the_pace_and_the_number() {
        let hall = Hall::new(CONFIG);
        for n in 0..1000 {
            assert_eq!(hall.waits(n, 0).estimate_seconds, None, "nobody has gone in yet");
        }
        // Ten a second go in for half a minute.
        let mut inside = BTreeSet::new();
        for second in 5..35 {
            hall.room.tidy(10, at(second));
            let mut free = 10;
            for n in 0..1000 {
                if free > 0
                    && !inside.contains(&n)
                    && hall.ask(n, &n.to_string(), free, second).is_ok()
                {
                    inside.insert(n);
                    free -= 1;
                }
            }
        }
        let left: Vec<u64> = (0..1000).filter(|n| !inside.contains(n)).collect();
        let seed = hall.room.drawn()[0].seed;
        let last = left.iter().max_by_key(|n| seed.number(&FiscalCode::made_up(**n))).unwrap();
        let estimate = hall.waits(*last, 35).estimate_seconds.unwrap();
        let expected = u32::try_from(left.len()).unwrap() / 10;
        assert!((expected * 2 / 3..=expected * 2).contains(&estimate), "{estimate}, {expected}");
    }
}
