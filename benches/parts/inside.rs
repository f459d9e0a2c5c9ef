//! Sessions: opening them, finding them by their token, and opening the token itself as after a restart.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
use jiff::Timestamp;
use sportello::{
    civic::FiscalCode,
    config::{Flags, Settings},
    gate::leases::Leases,
    identity::{Identity, ProvedBy},
    ledger::journal::Forgetful,
    session::{
        asleep::Remembered,
        sessions::{Opening, Sessions},
        visit::Visit,
    },
};

use super::{EVENING, PEOPLE, cores, keys, round_from, strides};

/// Sessions opened between two readings of the clock.
const OPENED_TOGETHER: usize = 1_000;
/// Length of a citizen's session token, characters.
const TOKEN_LETTERS: usize = 144;

/// Sessions of made-up people, opened without a token to verify.
struct Inside {
    sessions: Sessions,
    leases: Leases,
    /// All tokens in one string, so that reading them in order is as cheap as reading a request's head. Their order is
    /// not that of the sessions.
    tokens: String,
    /// People so far: no visit is used twice.
    people: AtomicU64,
}

impl Inside {
    fn new() -> Self {
        let settings = Settings::gather(None, std::iter::empty(), &Flags::default())
            .expect("defaults are valid");
        let leases = Leases::new(settings.leases_max());
        let sessions = Sessions::new(
            settings.sessions(),
            Arc::new(keys()),
            Forgetful::shared(),
            Remembered::nothing(),
            &leases,
            EVENING,
        );
        let mut inside =
            Self { sessions, leases, tokens: String::new(), people: AtomicU64::new(0) };
        let tokens: Vec<_> = (0..PEOPLE).map(|_| inside.open(&inside.newcomer())).collect();
        assert!(tokens.iter().all(|token| token.len() == TOKEN_LETTERS));
        let mut next = strides();
        inside.tokens = tokens.iter().map(|_| tokens[next()].as_str()).collect();
        inside
    }

    fn newcomer(&self) -> Identity {
        let n = self.people.fetch_add(1, Ordering::Relaxed);
        let fiscal_code = FiscalCode::made_up(n);
        let (proved_by, valid_until) = (ProvedBy::Demo, Timestamp::MAX);
        Identity { fiscal_code, office: None, proved_by, valid_until }
    }

    fn open(&self, identity: &Identity) -> String {
        let lease = self.leases.take().expect("leases are free");
        let visit =
            Visit::parse(identity.fiscal_code.as_str().repeat(2).as_str()).expect("a visit");
        let (visit, expires_at) = (&visit, Timestamp::MAX);
        let (began_at, real_now) = (EVENING, EVENING);
        let opening = Opening { identity, visit, began_at, expires_at, real_now };
        self.sessions.open(opening, lease).expect("there is room for this session").0
    }

    /// The time to open `count` sessions of newcomers, without the time to close them.
    fn time_opening(&self, count: u64) -> Duration {
        let mut took = Duration::ZERO;
        for first in (0..count).step_by(OPENED_TOGETHER) {
            let newcomers = (first..count).take(OPENED_TOGETHER);
            let newcomers: Vec<_> = newcomers.map(|_| self.newcomer()).collect();
            let started = Instant::now();
            let tokens: Vec<_> = newcomers.iter().map(|newcomer| self.open(newcomer)).collect();
            took += started.elapsed();
            assert_eq!(self.sessions.len() as u64, PEOPLE + tokens.len() as u64);
            for token in &tokens {
                self.sessions.close(token);
            }
        }
        took
    }

    fn token(&self, place: usize) -> &str {
        &self.tokens[place * TOKEN_LETTERS..][..TOKEN_LETTERS]
    }

    fn find(&self, place: usize) {
        let token = self.token(place);
        assert!(self.sessions.find(black_box(token), black_box(EVENING)).is_some());
    }

    /// What every request would cost if its token was opened instead of looked up.
    fn open_token(&self, place: usize) {
        let token = black_box(self.token(place));
        assert!(self.sessions.reopen(token, black_box(EVENING)).is_some());
    }

    /// The time of `count` look-ups on every core at once: the mean of the cores.
    fn time_finding(&self, count: u64) -> Duration {
        let took: Duration = thread::scope(|scope| {
            let threads: Vec<_> = (0..u64::from(cores()))
                .map(|core| {
                    scope.spawn(move || {
                        let mut next = round_from(core * PEOPLE / 2);
                        let started = Instant::now();
                        (0..count).for_each(|_| self.find(next()));
                        started.elapsed()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("nobody panicked")).sum()
        });
        took / cores()
    }
}

pub(super) fn sessions(criterion: &mut Criterion) {
    let inside = Inside::new();
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(1));
    group.bench_function("open while 100,000 are inside", |bencher| {
        bencher.iter_custom(|count| inside.time_opening(count));
    });
    group.bench_function("find the same one again", |bencher| bencher.iter(|| inside.find(0)));
    let mut next = round_from(0);
    group.bench_function("find among 100,000", |bencher| {
        bencher.iter(|| inside.find(next()));
    });
    let mut next = round_from(0);
    group.bench_function("open the token among 100,000", |bencher| {
        bencher.iter(|| inside.open_token(next()));
    });
    let made_up = "A".repeat(TOKEN_LETTERS);
    let mut changed = inside.token(0).to_owned();
    let other = if changed.as_bytes()[60] == b'A' { "B" } else { "A" };
    changed.replace_range(60..61, other);
    for (name, wrong) in [("refuse a made-up token", made_up), ("refuse a changed token", changed)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let token = black_box(wrong.as_str());
                assert!(inside.sessions.find(token, EVENING).is_none());
                assert!(inside.sessions.reopen(token, EVENING).is_none());
            });
        });
    }
    group.throughput(Throughput::Elements(cores().into()));
    group.bench_function("find among 100,000, all cores at once", |bencher| {
        bencher.iter_custom(|count| inside.time_finding(count));
    });
    group.finish();
}
