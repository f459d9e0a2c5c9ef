//! A million mandates of a hundred offices: time to load, memory, and time of the check that an office may act under one.
//!
//! `cargo bench --bench mandates`; `-- --test` uses 10,000.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufWriter, Write as _},
    path::Path,
    sync::Arc,
    time::Instant,
};

use jiff::civil::date;
use sportello::{
    identity::{
        Office,
        demo::{made_up_mandate, mandate_reference},
    },
    registry::mandates::MandateFile,
    schemes::{Campaign, Scheme},
    vault::HouseKeys,
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
const MANDATES: u64 = 1_000_000;
const MANDATES_OF_A_TEST: u64 = 10_000;
const OFFICES: u64 = 100;
const CHECKS: u64 = 1_000_000;
/// The step between two mandates that are checked, so that consecutive checks share no cache line.
const STRIDE: u64 = 2_654_435_761;
/// Goal for memory, bytes a mandate.
const MANDATE_BYTES_MAX: f64 = 128.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let mandates = if is_test { MANDATES_OF_A_TEST } else { MANDATES };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("mandates.ndjson");
    let offices = (0..OFFICES).map(|n| Office::parse(&format!("patronato-{n}")));
    let offices = offices.collect::<Result<Vec<_>, _>>().map_err(|_| "an office")?;
    write(&path, mandates, &offices)?;
    let file_bytes = path.metadata()?.len();

    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    let started = Instant::now();
    let table = MandateFile::open(&path, Arc::clone(&keys))?.current();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(table.len() as u64, mandates);
    let bytes = per(table.bytes() as u64, mandates);
    println!("load: {mandates} mandates from a file of {file_bytes} bytes in {seconds:.2} s");
    println!("memory: {bytes:.1} bytes a mandate");
    assert!(bytes <= MANDATE_BYTES_MAX, "a mandate takes {bytes} bytes");

    let day = date(2024, 9, 16);
    let asked: Vec<_> = (0..CHECKS)
        .map(|n| {
            // Every other one is of another office.
            let n = n * STRIDE % mandates;
            let (own, other) = (of(&offices, n), of(&offices, n + 1));
            let office = if n.is_multiple_of(2) { own } else { other };
            (keys.office(office.as_str()), mandate_reference(own, CAMPAIGN, n))
        })
        .collect();
    let started = Instant::now();
    let mut held = 0_u64;
    for (office, reference) in &asked {
        let mandate = table.named(*office, black_box(reference));
        held += u64::from(mandate.is_some_and(|mandate| mandate.holds_on(day)));
    }
    let nanoseconds = per(u64::try_from(started.elapsed().as_nanos())?, CHECKS);
    println!("check: {nanoseconds:.0} ns; {held} of {CHECKS} hold");
    assert!((CHECKS / 3..=2 * CHECKS / 3).contains(&held));
    Ok(())
}

/// The office of a mandate.
fn of(offices: &[Office], n: u64) -> &Office {
    &offices[usize::try_from(n % OFFICES).unwrap_or_default()]
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print")]
fn per(total: u64, count: u64) -> f64 {
    total as f64 / count as f64
}

fn write(path: &Path, mandates: u64, offices: &[Office]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for n in 0..mandates {
        writeln!(file, "{}", made_up_mandate(of(offices, n), None, CAMPAIGN, n))?;
    }
    file.flush()
}
