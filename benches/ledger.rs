//! What the ledger costs beside a plain append log with the same syncs, batch by batch in one run, and as it grows.
//!
//! `cargo bench --bench ledger` writes 300,000 records; `-- --records 2400000` a campaign; `--decided` lets every batch carry
//! the decisions on the one before; `--directory DIR` chooses the disk; `-- --test` writes a few. The log writes the same sealed
//! records with one `write` and one `fdatasync` a batch, decides nothing and forgets nothing.

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

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const BATCH: u64 = 256;
const RECORDS: u64 = 300_000;
const RECORDS_OF_A_TEST: u64 = 3_000;
/// Lines of the table.
const STAGES: u64 = 8;
/// As the server's settings come.
const BOUNDS: Bounds = Bounds { wal_bytes_max: 32 << 20, readers_max: 2 };
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// The goal for memory, bytes a record of a campaign of this size.
const MEMORY_BYTES_MAX: u64 = 64;
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
    println!("records        ledger/s    log/s    ratio   ledger us CPU   worst ms");
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
    // From the first stage to the last the tables of the index grow by as much as the records do, and nothing else grows.
    let grown = options.records - options.records / STAGES;
    let memory = memory_bytes()?.saturating_sub(memory_before) / grown;
    drop(bookkeeper);
    let bytes = fs::metadata(sqlite::file_of(place.path(), CAMPAIGN))?.len() / options.records;
    println!("disk: {bytes} bytes a record; memory: {memory} bytes a record");
    // Below that, what does not grow with the records weighs too much.
    if options.records >= CAMPAIGN_RECORDS {
        assert!(memory <= MEMORY_BYTES_MAX, "a record takes {memory} bytes of memory");
    }
    let started = Instant::now();
    let opened = sqlite::open(place.path(), CAMPAIGN, Arc::clone(&keys), BOUNDS)?;
    println!("opened again in {:.2} s", started.elapsed().as_secs_f64());
    drop(opened);
    let started = Instant::now();
    let inspection = Inspection::open(place.path(), CAMPAIGN, keys)?;
    assert_eq!(inspection.walk(|_| {}), Vec::<String>::new());
    println!("verified in {:.1} s", started.elapsed().as_secs_f64());
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
                other => return Err(format!("{other} is not known")),
            }
        }
        Ok(options)
    }
}

/// What one stage took.
#[derive(Default)]
struct Stage {
    ledger: Duration,
    log: Duration,
    ledger_cpu: Duration,
    worst: Duration,
    records: u64,
}

/// Writes all records; gives the memory that was in use after the first stage.
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

            // Each first in turn, so that neither always pays for what the other left to the disk.
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
        took.tell(next);
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

    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    fn tell(&self, total: u64) {
        let per_second = |took: Duration| self.records as f64 / took.as_secs_f64();
        let (ledger, log) = (per_second(self.ledger), per_second(self.log));
        println!(
            "{total:>10}    {ledger:>9.0} {log:>9.0}    {:>5.2}    {:>11.2}    {:>8.1}",
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

/// Time on a processor of this thread.
fn thread_cpu() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(Duration::from_nanos(nanoseconds))
}

/// Resident memory of this process.
fn memory_bytes() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0) * 1024)
}
