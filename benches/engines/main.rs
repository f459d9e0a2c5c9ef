//! The ledger's engines in one run: files of one machine, and a database of three servers with one or more nodes.
//!
//! `cargo bench --features postgres --bench engines` prints by engine and size of a batch how many records a second become
//! durable, and what CPU they take; `-- --batch 256` looks at this size alone. `-- --growth 2400000` fills a ledger of each
//! engine while judges decide. All need the superuser and what tests/README.md names for clusters; `-- --test` runs either in
//! short. The database is as in service: TLS, checksums, the shipped settings, every commit on two of three servers.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

mod ground;
mod growth;
mod node;
mod sizes;

use ground::Ground;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The result of everything here.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let (mut growth, mut only, mut is_test) = (None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--growth" => growth = Some(arguments.next().ok_or("--growth N")?.parse::<u64>()?),
            "--batch" => only = Some(arguments.next().ok_or("--batch N")?.parse()?),
            "--test" => is_test = true,
            "--bench" => {}
            other => return Err(format!("unknown argument: {other}").into()),
        }
    }
    if let Some(records) = growth {
        return growth::run(&Ground::open()?, records);
    }
    sizes::run(&Ground::open()?, if is_test { &sizes::SHORT } else { &sizes::FULL }, only)?;
    // In ledgers of their own.
    if is_test { growth::run(&Ground::open()?, growth::RECORDS_OF_A_TEST) } else { Ok(()) }
}
