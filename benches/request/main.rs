//! The time and CPU time of whole requests: HTTP/1.1 in memory, without TLS and sockets, otherwise as the server runs,
//! with a ledger on disk, its committer and the judges.
//!
//! `cargo bench --bench request` measures the time of accepted submissions, of entering and of the status page, and
//! then CPU time of all kinds of requests, refusals included. Both include the clients, which write and read a few
//! hundred bytes a request. `-- --test` measures a few requests.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod kinds;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use self::kinds::{Kind, submission};
use criterion::{Criterion, SamplingMode, Throughput};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    config::{Flags, Settings},
    gate::pressure::Pressure,
    http::{
        activity::Activity,
        meters::Meters,
        request::{LastAnswer, Public},
    },
    identity::{Assurance, demo::Minter, openid::RelyingParty},
    intake::{Asked, Counter, Entered, Intake, Parts, Proof},
    judges::Judges,
    ledger::ReceiptCode,
    metrics::Exporter,
    registry::Silence,
    schemes::{Campaign, Rules, Scheme},
    session::scope::within,
    vault::HouseKeys,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    runtime::{Builder, LocalOptions, LocalRuntime},
    task::{JoinSet, spawn_local},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// 2024-09-16T15:30:00Z, an evening of the citizens' slice with ISCRO 2024 open.
const EVENING: Timestamp = Timestamp::constant(1_726_500_600, 0);
/// A time longer than a session lasts.
const LATER: SignedDuration = SignedDuration::from_hours(1);
/// Number of concurrent clients, each with its own connection.
const CLIENTS: usize = 64;
/// Requests of one iteration of a time measurement.
const REQUESTS: u64 = 1_024;
/// Requests of one kind in one round of the table.
const REQUESTS_OF_A_ROUND: u64 = 8_192;
const ROUNDS: usize = 9;
/// Goal for the CPU time of a refusal, relative to that of an accepted submission.
const REFUSAL_MAX: f64 = 0.5;
/// Goal for the CPU time of a page, relative to the same answer of the API.
const PAGE_MAX: f64 = 2.0;
const PIPE_BYTES: usize = 64 * 1024;
/// Settings of every server here: all people come from one address, and all at once.
const ONE_ADDRESS: [(&str, &str); 5] = [
    ("SPORTELLO_GATE_PEOPLE_PER_SECOND", "10000000"),
    ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_PER_SECOND", "1000000"),
    ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "1000000"),
    ("SPORTELLO_LIMITS_READ_BY_ADDRESS_PER_SECOND", "1000000"),
    ("SPORTELLO_LIMITS_READ_BY_ADDRESS_BURST", "1000000"),
];
/// Settings of a server that one person fills.
const FULL: [(&str, &str); 1] = [("SPORTELLO_GATE_LEASES_MAX", "1")];
/// Settings of a server whose disk is nearly full and whose rate limit is one request a second.
const TIGHT: [(&str, &str); 3] = [
    ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "1125899906842624"),
    ("SPORTELLO_LIMITS_SESSION_BY_PERSON_PER_SECOND", "1"),
    ("SPORTELLO_LIMITS_SESSION_BY_PERSON_BURST", "1"),
];

fn main() {
    let is_test = env::args().any(|argument| argument == "--test");
    let mut criterion = Criterion::default().configure_from_args();
    let mut house = House::open();
    times(&mut criterion, &mut house);
    criterion.final_summary();
    let (rounds, requests) =
        if is_test { (1, CLIENTS as u64) } else { (ROUNDS, REQUESTS_OF_A_ROUND) };
    costs(&mut house, rounds, requests);
    house.close();
}

/// Everything between the listener and the disk, in a temporary directory.
struct House {
    runtime: LocalRuntime,
    settings: Settings,
    clock: Clock,
    /// With default settings.
    intake: Arc<Intake>,
    /// With [`TIGHT`].
    tight: Arc<Intake>,
    /// With [`FULL`], and full.
    full: Arc<Intake>,
    minter: Minter,
    judges: Judges,
    exporter: Exporter,
    /// Number of people so far: each person applies once.
    people: u64,
    /// Number of visits so far: each is used once.
    visits: u64,
    directory: tempfile::TempDir,
}

fn settings(environment: &[(&str, &str)]) -> Settings {
    let environment = environment.iter().chain(&ONE_ADDRESS);
    let environment = environment.map(|(name, value)| ((*name).into(), (*value).into()));
    Settings::gather(None, environment, &Flags::default()).expect("good settings")
}

impl House {
    fn open() -> Self {
        let exporter = Exporter::install().expect("nobody else records");
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path();
        let minter = Minter::load_or_create(data).expect("a key");
        let settings = settings(&[]);
        let clock = Clock::standing_at(EVENING);
        let open = |name, settings: &Settings| {
            let parts = Parts {
                clock: clock.clone(),
                keys: Arc::new(HouseKeys::from_master(&[7; 32])),
                rules: Rules::builtin(),
                verifier: minter.verifier(),
                relying: RelyingParty::none(),
                certificates: None,
                registry: Arc::new(Silence),
                mandates: None,
                notice: None,
                beacon: None,
            };
            let intake = Intake::open(&data.join(name), parts, &settings.intake());
            Arc::new(intake.expect("a new intake"))
        };
        let intake = open("ledger", &settings);
        let tight = open("tight", &self::settings(&TIGHT));
        let full = open("full", &self::settings(&FULL));
        let judges = Judges::start(settings.judges(), &intake.bench()).expect("threads");
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime");
        let mut house = Self {
            runtime,
            settings,
            clock,
            intake,
            tight,
            full,
            minter,
            judges,
            exporter,
            people: 0,
            visits: 0,
            directory,
        };
        house.newcomer(&Arc::clone(&house.full));
        house
    }

    fn door(&self, intake: &Arc<Intake>, requests_max: usize) -> Rc<Public> {
        Rc::new(Public {
            counter: Counter::new(Arc::clone(intake)),
            pressure: Pressure::new(requests_max),
            delay: intake.admission().delay_of_a_runtime(),
            body: self.settings.body(),
            inside: None,
            draining: CancellationToken::new(),
            meters: Meters::default(),
            status: LastAnswer::default(),
            draws: LastAnswer::default(),
            home: [LastAnswer::default(), LastAnswer::default()],
            demo: None,
        })
    }

    /// Sends all requests over [`CLIENTS`] connections, and waits for the answers and for all decisions. Returns the
    /// time that it took, and the number of answers by status.
    fn answer(&self, door: &Rc<Public>, requests: Vec<Vec<u8>>) -> (Took, BTreeMap<u16, u64>) {
        self.runtime.block_on(async {
            let requests = Rc::new(RefCell::new(requests));
            let connections: Vec<_> = (0..CLIENTS).map(|_| self.connect(door)).collect();
            let watch = Watch::start();
            let mut clients = JoinSet::new();
            for connection in connections {
                clients.spawn_local(ask(connection, Rc::clone(&requests)));
            }
            let mut answered = BTreeMap::new();
            while let Some(statuses) = clients.join_next().await {
                for (status, count) in statuses.expect("a client that got its answers") {
                    *answered.entry(status).or_default() += count;
                }
            }
            let wall = watch.took().wall;
            while door.counter.intake.counts().undecided > 0 {
                sleep(Duration::from_millis(1)).await;
            }
            (Took { wall, ..watch.took() }, answered)
        })
    }

    /// A connection served as the listener does, but without TLS and a socket.
    fn connect(&self, door: &Rc<Public>) -> DuplexStream {
        let (client, server) = duplex(PIPE_BYTES);
        let (public, bounds) = (Rc::clone(door), self.settings.listener());
        spawn_local(async move {
            let from = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let activity = Rc::new(Activity::default());
            let service = service_fn(async |request| {
                let answer = public.answer(request, from, activity.begin()).await;
                Ok::<_, std::convert::Infallible>(answer)
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_millis(bounds.head_ms_max))
                .max_buf_size(bounds.head_bytes_max)
                .serve_connection(TokioIo::new(server), service);
            serving.await.expect("the client closes between two requests");
        });
        client
    }

    /// A new person with a session.
    fn newcomer(&mut self, intake: &Intake) -> Newcomer {
        self.people += 1;
        let fiscal_code = FiscalCode::made_up(self.people);
        let identity = self.minter.mint(&fiscal_code, None, Assurance::Level2, EVENING);
        let visit = self.visit();
        match self.runtime.block_on(intake.enter(asked(&visit, &identity))) {
            Ok(Entered::In(token, _)) => Newcomer { fiscal_code, visit, token },
            _ => panic!("there is room for a newcomer"),
        }
    }

    /// A new person with a session and a decided application, and its receipt.
    fn applicant(&mut self) -> (Newcomer, ReceiptCode) {
        let intake = Arc::clone(&self.intake);
        let newcomer = self.newcomer(&intake);
        let door = self.door(&intake, self.settings.requests_max());
        let (_, answered) = self.answer(&door, vec![submission(&newcomer)]);
        assert_eq!(answered.get(&201), Some(&1), "{answered:?}");
        let session = self.runtime.block_on(intake.recognise(&newcomer.token));
        let session = session.expect("one machine").expect("a session");
        let latest = within(&session, async |scope| {
            let latest = intake.latest(scope, CAMPAIGN, None).await;
            latest.ok().and_then(|latest| scope.open(latest)).flatten()
        });
        let receipt = self.runtime.block_on(latest).expect("the receipt");
        (newcomer, receipt)
    }

    /// A visit of the latest person: no two measurements use the same one, because a visit is never used again.
    fn visit(&mut self) -> String {
        self.visits += 1;
        format!("{:0>22}", self.visits)
    }

    /// Ends every session, as the server does when they expire.
    fn tidy(&self) {
        self.clock.set(EVENING + LATER);
        for intake in [&self.intake, &self.tight] {
            intake.tidy();
        }
        self.clock.set(EVENING);
        self.exporter.tidy();
    }

    fn close(self) {
        assert_eq!(self.intake.counts().undecided, 0);
        println!("every accepted application was decided");
        self.judges.stop();
        for intake in [&self.intake, &self.tight, &self.full] {
            intake.close("server: closed");
        }
        drop(self.directory);
    }
}

/// A person with a session.
struct Newcomer {
    fiscal_code: FiscalCode,
    visit: String,
    token: String,
}

fn asked<'a>(visit: &'a str, proof: &'a str) -> Asked<'a> {
    Asked { visit, proof: Proof::Token(proof), from: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)) }
}

/// Sends requests one after another until none is left; the number of answers by status.
async fn ask(
    mut connection: DuplexStream,
    requests: Rc<RefCell<Vec<Vec<u8>>>>,
) -> BTreeMap<u16, u64> {
    let mut answered = BTreeMap::new();
    let mut answer = Vec::with_capacity(4096);
    loop {
        let Some(request) = requests.borrow_mut().pop() else { return answered };
        connection.write_all(&request).await.expect("the server reads");
        *answered.entry(read_answer(&mut connection, &mut answer).await).or_default() += 1;
    }
}

/// Reads one whole answer; its status.
async fn read_answer(connection: &mut DuplexStream, answer: &mut Vec<u8>) -> u16 {
    answer.clear();
    let mut expected = None;
    while expected.is_none_or(|length| answer.len() < length) {
        assert!(connection.read_buf(answer).await.expect("an answer") > 0, "the server hung up");
        if expected.is_none()
            && let Some(end) = memchr::memmem::find(answer, b"\r\n\r\n")
        {
            let head = str::from_utf8(&answer[..end]).expect("a head of ASCII text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            expected = Some(end + 4 + length);
        }
    }
    let status = answer.get(9..12).and_then(|status| str::from_utf8(status).ok());
    status.and_then(|status| status.parse().ok()).expect("a status")
}

/// Measures the time of requests as clients see it.
fn times(criterion: &mut Criterion, house: &mut House) {
    let mut group = criterion.benchmark_group("request");
    group.throughput(Throughput::Elements(REQUESTS));
    group.sampling_mode(SamplingMode::Flat).sample_size(10).warm_up_time(Duration::from_secs(1));
    for kind in [Kind::Submission, Kind::Entering, Kind::Status] {
        let door = kind.door(house);
        group.bench_function(format!("{} x 1,024", kind.name()), |bencher| {
            bencher.iter_custom(|count| {
                (0..count).map(|_| kind.run(house, &door, REQUESTS).wall).sum()
            });
        });
    }
    group.finish();
}

/// Prints the CPU time of each kind of request, also relative to an accepted submission. Every round measures all
/// kinds.
fn costs(house: &mut House, rounds: usize, requests: u64) {
    let doors = Kind::ALL.map(|kind| (kind, kind.door(house)));
    let mut took = Kind::ALL.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((kind, door), took) in doors.iter().zip(&mut took) {
            took.push(kind.run(house, door, requests));
        }
    }
    let median = |took: &[Took], of: fn(&Took) -> Duration| {
        let mut each: Vec<f64> = took.iter().map(|took| micros(of(took), requests)).collect();
        each.sort_by(f64::total_cmp);
        each[each.len() / 2]
    };
    let accepted = median(&took[0], |took| took.process);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "medians of {rounds} rounds of {requests} requests of each kind; /proc/loadavg: {}",
        load.trim()
    );
    println!(
        "µs CPU   of these the runtime's   requests a second and core   relative to first   answer"
    );
    for (kind, took) in Kind::ALL.iter().zip(&took) {
        let (process, thread) =
            (median(took, |took| took.process), median(took, |took| took.thread));
        println!(
            "{process:>6.1}   {thread:>22.1}   {:>26.0}   {:>17.2}   {}",
            1e6 / process,
            process / accepted,
            kind.name()
        );
        // A single round of few requests is not precise enough.
        let is_refusal = rounds == ROUNDS && kind.status() >= 400;
        assert!(
            !is_refusal || process / accepted <= REFUSAL_MAX,
            "a refusal takes more than {REFUSAL_MAX} of the CPU time of an accepted submission"
        );
    }
    let of = |wanted: Kind| {
        let place = Kind::ALL.iter().position(|kind| kind.name() == wanted.name());
        median(&took[place.unwrap_or_default()], |took| took.process)
    };
    println!(
        "the page of an application by the same answer of the API: {:.2}, goal {PAGE_MAX}",
        of(Kind::ReadingPage) / of(Kind::Reading)
    );
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn micros(took: Duration, requests: u64) -> f64 {
    took.as_secs_f64() * 1e6 / requests as f64
}

/// Elapsed time, CPU time of the process, and CPU time of the runtime's thread.
struct Took {
    wall: Duration,
    process: Duration,
    thread: Duration,
}

struct Watch {
    started: Instant,
    process: Duration,
    thread: Duration,
}

impl Watch {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            process: used(ClockId::ProcessCPUTime),
            thread: used(ClockId::ThreadCPUTime),
        }
    }

    fn took(&self) -> Took {
        Took {
            wall: self.started.elapsed(),
            process: used(ClockId::ProcessCPUTime).saturating_sub(self.process),
            thread: used(ClockId::ThreadCPUTime).saturating_sub(self.thread),
        }
    }
}

fn used(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).expect("time used is not negative")
}
