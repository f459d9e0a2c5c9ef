//! The throughput of the ledger as it grows, compared with a plain append log that syncs as often, alternating in one
//! run.
//!
//! `cargo bench --bench ledger` writes 300,000 records; `-- --records 2400000` a campaign; `--decided` adds to every
//! batch the decisions on the batch before; `--directory DIR` chooses the disk; `-- --test` writes 3,000 records. The
//! log writes the same encrypted records with one `write` and one `fdatasync` a batch, and does nothing else.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use jiff::{Timestamp, civil::date};
use sportello::{
    application::{self, Application},
    civic::FiscalCode,
    ledger::{
        Position,
        book::{
            batch::Batch,
            change::Ruling,
            record::{Header, Turn},
            submission::{Disposition, Submission},
        },
        local::{
            Bookkeeper,
            sqlite::{self, Bounds, Opened},
        },
        proof::sha256,
        verify::Inspection,
    },
    schemes::{Campaign, Rules, Scheme},
    vault::{HouseKeys, Subject},
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// Records of a batch.
const BATCH: u64 = 256;
const RECORDS: u64 = 300_000;
const RECORDS_OF_A_TEST: u64 = 3_000;
/// Number of stages; each prints one line of the table.
const STAGES: u64 = 8;
/// The server's default settings.
const BOUNDS: Bounds = Bounds { wal_bytes_max: 32 << 20, readers_max: 2 };
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Goal for memory, bytes a record, checked with at least [`CAMPAIGN_RECORDS`].
const MEMORY_BYTES_MAX: u64 = 64;
/// Records of a campaign.
const CAMPAIGN_RECORDS: u64 = 2_400_000;

struct Options {
    records: u64,
    decided: bool,
    directory: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let options = Options::read()?;
    let place = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    let Opened { mut bookkeeper, mut checkpointer, .. } =
        sqlite::open(place.path(), CAMPAIGN, Arc::clone(&keys), BOUNDS)?;
    let over = AtomicBool::new(false);
    println!(
        "   records  ledger records/s  log records/s  ledger/log  ledger µs CPU/record  slowest ledger commit, ms"
    );
    let memory_before = thread::scope(|scope| {
        let checkpoints = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                thread::park_timeout(CHECKPOINT_EVERY);
                checkpointer.checkpoint().expect("a checkpoint goes well");
            }
        });
        let grown = grow(&mut bookkeeper, checkpoints.thread(), &keys, place.path(), &options);
        over.store(true, Ordering::Release);
        grown
    })?;
    // From the first stage to the last, only the index grows, in proportion to the records.
    let grown = options.records - options.records / STAGES;
    let memory = memory_bytes()?.saturating_sub(memory_before) / grown;
    drop(bookkeeper);
    let bytes = fs::metadata(sqlite::file_of(place.path(), CAMPAIGN))?.len() / options.records;
    println!("disk: {bytes} bytes a record; resident memory: {memory} bytes a record");
    // With fewer records, memory that does not grow with them would dominate.
    if options.records >= CAMPAIGN_RECORDS {
        assert!(memory <= MEMORY_BYTES_MAX, "a record takes {memory} bytes of memory");
    }
    let started = Instant::now();
    let opened = sqlite::open(place.path(), CAMPAIGN, Arc::clone(&keys), BOUNDS)?;
    println!("opening took {:.2} s", started.elapsed().as_secs_f64());
    drop(opened);
    let started = Instant::now();
    let inspection = Inspection::open(place.path(), CAMPAIGN, keys)?;
    assert_eq!(inspection.walk(|_| {}), Vec::<String>::new());
    println!("verifying took {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = Self { records: RECORDS, decided: false, directory: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--records" => options.records = value()?.parse().map_err(|_| "--records N")?,
                "--directory" => options.directory = Some(value()?.into()),
                "--decided" => options.decided = true,
                "--test" => options.records = RECORDS_OF_A_TEST,
                "--bench" => {}
                other => return Err(format!("unknown argument: {other}")),
            }
        }
        Ok(options)
    }
}

/// Measurements of one stage.
#[derive(Default)]
struct Stage {
    ledger: Duration,
    log: Duration,
    ledger_cpu: Duration,
    worst: Duration,
    records: u64,
}

/// Writes all records; the resident memory after the first stage, bytes.
fn grow(
    bookkeeper: &mut Bookkeeper,
    checkpoints: &Thread,
    keys: &HouseKeys,
    directory: &Path,
    options: &Options,
) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let text = application::example(&FiscalCode::made_up(0), 2024);
    let application =
        application::parse(text.as_bytes(), Rules::builtin()).map_err(|_| "example")?;
    let decision = Rules::builtin().decide(&application.facts, date(2024, 9, 16));
    let json = decision.to_json();
    let mut before: Vec<(Position, Subject)> = Vec::new();
    let (mut next, mut memory_before) = (0, 0);
    for stage in 1..=STAGES {
        let mut took = Stage::default();
        let log_path = directory.join("log");
        let mut log = File::create(&log_path)?;
        while next < options.records * stage / STAGES {
            let people = next..next + BATCH;
            next += BATCH;
            let mut batch = Batch { at: Timestamp::UNIX_EPOCH, ..Batch::default() };
            batch.submissions =
                people.map(|n| submission(keys, n, text.as_bytes(), &application)).collect();
            for (position, subject) in before.drain(..).filter(|_| options.decided) {
                let decision =
                    keys.seal_decision(CAMPAIGN, subject, (position, Turn::First), &json);
                let outcome = sportello::schemes::Outcome::Granted;
                batch.rulings.push(Ruling { position, turn: Turn::First, outcome, decision });
            }
            let bytes: Vec<u8> =
                batch.submissions.iter().flat_map(|submission| submission.record.clone()).collect();

            // Log and ledger are first in turn, so that neither always pays for the other's pending writes.
            if (next / BATCH).is_multiple_of(2) {
                took.write_log(&mut log, &bytes)?;
            }
            let dispositions = took.write_ledger(bookkeeper, checkpoints, &batch)?;
            if !(next / BATCH).is_multiple_of(2) {
                took.write_log(&mut log, &bytes)?;
            }
            before.extend(dispositions.iter().map(|disposition| match disposition {
                Disposition::Accepted(position, _, subject) => (*position, *subject),
                _ => panic!("everybody applies once"),
            }));
            took.records += BATCH;
        }
        fs::remove_file(&log_path)?;
        took.print(next);
        if stage == 1 {
            memory_before = memory_bytes()?;
        }
    }
    Ok(memory_before)
}

impl Stage {
    fn write_ledger(
        &mut self,
        bookkeeper: &mut Bookkeeper,
        checkpoints: &Thread,
        batch: &Batch,
    ) -> Result<Vec<Disposition>, Box<dyn std::error::Error + Send + Sync>> {
        let (started, cpu) = (Instant::now(), thread_cpu()?);
        let written = bookkeeper.write(batch)?;
        if bookkeeper.tidy()? {
            checkpoints.unpark();
        }
        let took = started.elapsed();
        self.ledger_cpu += thread_cpu()?.saturating_sub(cpu);
        self.ledger += took;
        self.worst = self.worst.max(took);
        Ok(written.dispositions)
    }

    fn write_log(&mut self, log: &mut File, bytes: &[u8]) -> io::Result<()> {
        let started = Instant::now();
        log.write_all(bytes)?;
        log.sync_data()?;
        self.log += started.elapsed();
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    /// Prints the stage as one line of the table.
    fn print(&self, total: u64) {
        let per_second = |took: Duration| self.records as f64 / took.as_secs_f64();
        let (ledger, log) = (per_second(self.ledger), per_second(self.log));
        println!(
            "{total:>10}  {ledger:>16.0}  {log:>13.0}  {:>10.2}  {:>20.2}  {:>25.1}",
            ledger / log,
            self.ledger_cpu.as_secs_f64() * 1e6 / self.records as f64,
            self.worst.as_secs_f64() * 1e3,
        );
    }
}

fn submission(keys: &HouseKeys, n: u64, bytes: &[u8], application: &Application) -> Submission {
    let subject = keys.subject(&FiscalCode::made_up(n));
    let header = Header::of_citizen(subject, date(2024, 9, 16));
    let key = keys.key_hash(subject, b"chosen", b"key");
    Submission::sealed(keys, &header, key, sha256(bytes), bytes, application.clone())
}

/// CPU time of this thread.
fn thread_cpu() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of this process, bytes.
fn memory_bytes() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0) * 1024)
}
