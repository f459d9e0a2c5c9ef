//! The time of each part between a connection and the ledger: gate, session, encryption, urn.
//!
//! `cargo bench --bench parts`, or `-- session` for one of them. Every loop asserts the result of the step that it
//! measures.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod inside;

use std::{
    hint::black_box,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp, civil::date};
use sportello::{
    application::{self, example},
    civic::FiscalCode,
    config::{Flags, Settings},
    gate::{
        leases::Leases,
        limits::{self, Limits, Rate},
        pressure::{Class, Pressure},
        schedule::{Schedule, Window},
        waiting::{self, Asking, Room, Supply},
    },
    identity::Audience,
    ledger::{
        Position, ReceiptCode,
        book::{
            batch::Batch,
            record::{Header, Turn},
            submission::{Disposition, Submission},
        },
        journal::Forgetful,
        local::{
            rounds::LocalRounds,
            sqlite::{self, Bounds},
        },
        proof::sha256,
    },
    metrics::Exporter,
    schemes::{Campaign, Rules, Scheme},
    urn::{self, Urn},
    vault::{HouseKeys, Subject},
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// Number of people inside, and of keys of a rate limit.
const PEOPLE: u64 = 100_000;
/// Number of people in the waiting room.
const WAITING: u64 = 1_000_000;
/// The step between two people, so that consecutive look-ups share no cache line.
const STRIDE: u64 = 60_013;
/// Cases drawn at once, as judges do.
const DRAWN_TOGETHER: usize = urn::DRAW_MAX;
const RECORD_BYTES: usize = 850;

/// 2024-09-16T15:30:00Z, an evening of the citizens' slice with ISCRO 2024 open.
const EVENING: Timestamp = Timestamp::constant(1_726_500_600, 0);

fn keys() -> HouseKeys {
    HouseKeys::from_master(&[7; 32])
}

fn cores() -> u32 {
    thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

fn gate(criterion: &mut Criterion) {
    // Metrics are recorded as in the server.
    let _exporter = Exporter::install().expect("nobody else records");
    let settings =
        Settings::gather(None, std::iter::empty(), &Flags::default()).expect("defaults are valid");
    let (schedule, now) = (Schedule::new(settings.schedule()), EVENING);
    let leases = Leases::new(settings.leases_max());
    let pressure = Pressure::new(settings.requests_max());

    let mut group = criterion.benchmark_group("gate");
    group.throughput(Throughput::Elements(1));
    group.bench_function("look up the time slice", |bencher| {
        bencher.iter(|| {
            let window = schedule.window(black_box(Audience::Citizens), black_box(now));
            assert!(matches!(window, Window::Open { until: Some(_) }));
        });
    });
    group.bench_function("take and return a lease", |bencher| {
        bencher.iter(|| drop(leases.take().expect("leases are free")));
    });
    group.bench_function("admit under pressure", |bencher| {
        bencher
            .iter(|| drop(pressure.admit(black_box(Class::Read)).expect("it is the only request")));
    });
    group.finish();
    assert_eq!(leases.held(), 0);
}

/// A waiting room with this many people, and the directory of its rounds.
fn crowd(people: u64) -> (Room, tempfile::TempDir) {
    let keys = Arc::new(keys());
    let config = waiting::Config {
        people_max: usize::try_from(WAITING).expect("it fits"),
        gather_seconds: 1,
        absent_seconds: 3_600,
        poll_seconds_min: 2,
        polls_per_second_max: 10_000,
    };
    let directory = tempfile::tempdir().expect("a directory");
    let rounds = LocalRounds::open(directory.path(), Arc::clone(&keys), EVENING).expect("a store");
    let nobody = (Forgetful::shared(), waiting::Remembered::default());
    let room = Room::new(config, Box::new(rounds), None, nobody, EVENING);
    for n in 0..people {
        let fiscal_code = FiscalCode::made_up(n);
        let asking = Asking {
            person: keys.subject(&fiscal_code),
            fiscal_code,
            audience: Audience::Citizens,
        };
        assert!(room.wait(&asking, None, &Supply::of(0), EVENING).is_some());
    }
    (room, directory)
}

fn waiting_room(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("waiting room");
    group.throughput(Throughput::Elements(1));
    let ((room, _directory), mut n) = (crowd(WAITING), 0);
    let keys = keys();
    let person = |n| keys.subject(&FiscalCode::made_up(n * WAITING / PEOPLE));
    let people: Vec<_> = (0..PEOPLE).map(person).collect();
    group.bench_function("ask again while 1,000,000 wait", |bencher| {
        bencher.iter(|| {
            n = (n + STRIDE) % PEOPLE;
            let person = people[usize::try_from(n).expect("few")];
            let known = room.known(black_box(person), Audience::Citizens, &Supply::of(0), EVENING);
            assert!(known.is_some());
        });
    });
    drop(room);
    group.throughput(Throughput::Elements(PEOPLE)).sample_size(10);
    let later = EVENING + SignedDuration::from_secs(1);
    group.bench_function("draw a round of 100,000", |bencher| {
        bencher.iter_batched(
            || {
                let (room, directory) = crowd(PEOPLE);
                room.tidy(&Supply::of(1), later);
                (room, directory)
            },
            |(room, directory)| {
                room.draw(&Supply::of(1), later, later, |_| ()).expect("a disk");
                assert_eq!(room.draws().drawn.len(), 1);
                directory
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Rate limits of this many requests a second, and bursts of as many.
fn limits(rate: u32) -> Limits {
    let rate = NonZeroU32::new(rate).expect("not zero");
    let rate = Rate { per_second: rate, burst: rate };
    Limits::new(&limits::Config {
        read_by_address: rate,
        enter_by_address: rate,
        enter_by_person: rate,
        session_by_person: rate,
        draft_by_person: rate,
        line_by_person: rate,
        loopback_is_free: false,
        keys_max: usize::MAX,
    })
}

fn rate_limits(criterion: &mut Criterion) {
    let keys = keys();
    let people: Vec<Subject> = (0..PEOPLE).map(|n| keys.subject(&FiscalCode::made_up(n))).collect();
    let (free, tight) = (limits(1_000_000_000), limits(1));
    for person in &people {
        assert!(free.session_of(*person).is_ok());
    }

    let mut group = criterion.benchmark_group("limits");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one key", |bencher| {
        bencher.iter(|| free.session_of(black_box(people[0])).expect("within the limit"));
    });
    let mut next = strides();
    group.bench_function("100,000 keys", |bencher| {
        bencher.iter(|| free.session_of(people[next()]).expect("within the limit"));
    });
    group.bench_function("one key, limit exceeded", |bencher| {
        let mut refused = 0_u64;
        bencher.iter(|| refused += u64::from(tight.session_of(black_box(people[0])).is_err()));
        // The first request passes, and then one a second.
        assert!(refused > 0 || tight.session_of(people[0]).is_err());
    });
    group.finish();
}

/// Indices of people in order, cyclic, after `start`.
fn round_from(start: u64) -> impl FnMut() -> usize {
    let mut at = start;
    move || {
        at = (at + 1) % PEOPLE;
        usize::try_from(at).unwrap_or_default()
    }
}

/// Indices of people, each [`STRIDE`] after the one before, cyclic.
fn strides() -> impl FnMut() -> usize {
    let mut at = 0;
    move || {
        at = (at + STRIDE) % PEOPLE;
        usize::try_from(at).unwrap_or_default()
    }
}

/// Position and subject of one application in a new ledger: positions are made by ledgers only.
fn accepted(keys: &Arc<HouseKeys>) -> (Position, Subject) {
    let directory = tempfile::tempdir().expect("a directory");
    let bounds = Bounds { wal_bytes_max: 1 << 20, readers_max: 1 };
    let opened = sqlite::open(directory.path(), CAMPAIGN, Arc::clone(keys), bounds);
    let bytes = example(&FiscalCode::made_up(1), CAMPAIGN.year).into_bytes();
    let application = application::parse(&bytes, Rules::builtin()).expect("the example is valid");
    let subject = keys.subject(&application.applicant.fiscal_code);
    let header = header_of(subject);
    let key = keys.key_hash(subject, b"chosen", b"key");
    let submission = Submission::sealed(keys, &header, key, sha256(&bytes), &bytes, application);
    let batch = Batch { at: EVENING, submissions: vec![submission], ..Batch::default() };
    let written = opened.expect("a new ledger").bookkeeper.write(&batch).expect("a commit");
    let [Disposition::Accepted(position, ..)] = written.dispositions[..] else {
        panic!("applied once")
    };
    (position, subject)
}

fn header_of(subject: Subject) -> Header {
    Header::of_citizen(subject, date(2024, 9, 16))
}

fn seal(criterion: &mut Criterion) {
    let keys = Arc::new(keys());
    let (position, subject) = accepted(&keys);
    let header = header_of(subject);
    let body = example(&FiscalCode::made_up(1), CAMPAIGN.year);
    let application = application::parse(body.as_bytes(), Rules::builtin()).expect("valid");
    let decision = Rules::builtin().decide(&application.facts, header.received_on).to_json();
    let place = (position, Turn::First);
    let mut record = body.into_bytes();
    record.resize(RECORD_BYTES, b' ');
    let sealed = keys.seal_record(CAMPAIGN, &header, &record);
    let sealed_decision = keys.seal_decision(CAMPAIGN, subject, place, &decision);
    println!("a decision of {} bytes is stored in {} bytes", decision.len(), sealed_decision.len());

    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Elements(1));
    group.bench_function("seal a record of 850 bytes", |bencher| {
        bencher.iter(|| keys.seal_record(CAMPAIGN, &header, black_box(&record)));
    });
    group.bench_function("open a record of 850 bytes", |bencher| {
        bencher.iter(|| {
            let opened = keys.open_record(CAMPAIGN, subject, black_box(&sealed));
            assert_eq!(opened.expect("it opens for its subject").len(), RECORD_BYTES);
        });
    });
    group.bench_function("seal a decision", |bencher| {
        bencher.iter(|| keys.seal_decision(CAMPAIGN, subject, place, black_box(&decision)));
    });
    group.bench_function("open a decision", |bencher| {
        bencher.iter(|| {
            let opened = keys.open_decision(CAMPAIGN, subject, place, black_box(&sealed_decision));
            assert_eq!(opened.expect("it opens for its subject").len(), decision.len());
        });
    });
    let code = ReceiptCode::of(&keys, CAMPAIGN, position).to_string();
    group.bench_function("receipt code of a position", |bencher| {
        bencher.iter(|| ReceiptCode::of(&keys, CAMPAIGN, black_box(position)).to_string());
    });
    group.bench_function("position of a receipt code", |bencher| {
        bencher.iter(|| {
            let read = ReceiptCode::parse(black_box(&code)).expect("a code");
            assert_eq!(read.position(&keys), Some(position));
        });
    });
    group.finish();
}

/// A value of about the size of a case for a judge.
type Case = [u64; 8];

/// The time in which one thread puts `count` cases and a judge on every core draws them.
fn time_urn(urn: &Urn<Case>, count: u64) -> Duration {
    let drawn = AtomicU64::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while drawn.load(Ordering::Acquire) < count {
                    let cases = urn.draw(DRAWN_TOGETHER);
                    if cases.is_empty() {
                        urn.wait(Duration::from_millis(1));
                    }
                    drawn.fetch_add(cases.len() as u64, Ordering::AcqRel);
                }
            });
        }
        for n in 0..count {
            let mut case = [n; 8];
            while let Err(back) = urn.put(case) {
                case = back;
                thread::yield_now();
            }
            // Wakes judges once for each batch, as the committer does.
            if n % DRAWN_TOGETHER as u64 == 0 {
                urn.ring(DRAWN_TOGETHER);
            }
        }
    });
    assert!(urn.is_empty() && drawn.into_inner() == count);
    started.elapsed()
}

fn urn(criterion: &mut Criterion) {
    let settings =
        Settings::gather(None, std::iter::empty(), &Flags::default()).expect("defaults are valid");
    let urn: Urn<Case> = Urn::new(settings.urn_applications_max(), 42);
    let mut group = criterion.benchmark_group("urn");
    group.throughput(Throughput::Elements(DRAWN_TOGETHER as u64));
    group.bench_function("put 64 and draw 64 on one thread", |bencher| {
        bencher.iter(|| {
            (0..DRAWN_TOGETHER as u64).for_each(|n| urn.put([n; 8]).expect("there is room"));
            assert_eq!(urn.draw(DRAWN_TOGETHER).len(), DRAWN_TOGETHER);
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("put 1 while a judge on every core draws", |bencher| {
        bencher.iter_custom(|count| time_urn(&urn, count));
    });
    group.finish();
}

criterion_group!(benches, gate, waiting_room, rate_limits, inside::sessions, seal, urn);
criterion_main!(benches);
