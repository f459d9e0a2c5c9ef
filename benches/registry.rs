//! A registry of five million people: time to load, memory, and time of a look-up.
//!
//! `cargo bench --bench registry`; `-- --test` uses 10,000 people.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufWriter, Write as _},
    path::Path,
    time::Instant,
};

use sportello::{
    civic::FiscalCode,
    registry::{FileRegistry, Registry as _},
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PEOPLE: u64 = 5_000_000;
const PEOPLE_OF_A_TEST: u64 = 10_000;
const QUESTIONS: u64 = 1_000_000;
/// The step between two people asked for, so that consecutive look-ups share no cache line.
const STRIDE: u64 = 2_654_435_761;
/// Goal for memory, bytes a row.
const ROW_BYTES_MAX: f64 = 40.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let people = if is_test { PEOPLE_OF_A_TEST } else { PEOPLE };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("registry.csv");
    write(&path, people)?;
    let file_bytes = path.metadata()?.len();

    let started = Instant::now();
    let registry = FileRegistry::open(&path, [7; 32])?;
    let seconds = started.elapsed().as_secs_f64();
    let (known, bytes) = registry.size();
    assert_eq!(known as u64, people);
    let row_bytes = per(bytes as u64, people);
    println!("load: {people} people from a file of {file_bytes} bytes in {seconds:.2} s");
    println!("memory: {row_bytes:.1} bytes a row");
    assert!(row_bytes <= ROW_BYTES_MAX, "a row takes {row_bytes} bytes");

    let asked: Vec<_> =
        (0..QUESTIONS).map(|n| FiscalCode::made_up(n * STRIDE % (2 * people))).collect();
    let started = Instant::now();
    let mut answered = 0_u64;
    for person in &asked {
        answered +=
            u64::from(black_box(registry.answers(person)).contributions_regular().is_some());
    }
    let nanoseconds = per(u64::try_from(started.elapsed().as_nanos())?, QUESTIONS);
    println!("look-up: {nanoseconds:.0} ns; {answered} of {QUESTIONS} people found");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print")]
fn per(total: u64, count: u64) -> f64 {
    total as f64 / count as f64
}

fn write(path: &Path, people: u64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "fiscalCode,contributionsRegular,2021,2022,2023")?;
    for n in 0..people {
        let (code, cents) = (FiscalCode::made_up(n), n % 97);
        let code = code.as_str();
        writeln!(file, "{code},{},{}.{cents:02},5000.00,3000.00", n % 10 != 0, n % 50_000)?;
    }
    writeln!(file, "end,{people}")?;
    file.flush()
}
