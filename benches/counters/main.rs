//! What a visit costs at one, two and three counters on one database, and what idle counters cost.
//!
//! `cargo build --release -p surge && cargo bench --features postgres --bench counters`, as the superuser; `-- --rate N`
//! sets the applications a second of all counters together, `-- --test` runs it in short. The counters are whole servers on
//! hosts of their own, over HTTPS; one `surge` for each plays people from their entering until their decision is read.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![expect(clippy::unwrap_used, reason = "a benchmark ends where it cannot continue")]

#[expect(dead_code, reason = "the tests of counters use the rest of it")]
#[path = "../../tests/it/answer.rs"]
mod answer;
#[expect(dead_code, reason = "the tests of counters use the rest of it")]
#[path = "../../tests/counters/client.rs"]
mod client;
#[expect(dead_code, reason = "the tests of counters use the rest of it")]
#[path = "../../tests/counters/counter.rs"]
mod counter;
#[expect(dead_code, reason = "the tests of counters use the rest of it")]
#[path = "../../tests/counters/house.rs"]
mod house;

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use cluster::{Host, Setup, cpu_with_children};
use house::{COUNTERS, House};
use serde_json::Value;

/// The result of everything here.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Applications a second, at all counters together.
const RATE: u32 = 100;
/// All come from one address.
const SETTINGS: &str = "
    [limits]
    enter_by_address_per_second = 100000
    enter_by_address_burst = 100000
";
/// How long people come to each number of counters.
const EACH: Duration = Duration::from_secs(40);
/// Also a build without optimization serves so many.
const RATE_OF_A_TEST: u32 = 20;
const EACH_OF_A_TEST: Duration = Duration::from_secs(4);
/// Rounds over the numbers of counters; each figure is the median over them.
const ROUNDS: usize = 3;
/// Index of the host of those who apply.
const OUTSIDE: u8 = 30;
/// Judges decide within this after the last application.
const SETTLED: Duration = Duration::from_secs(3);

/// Those that only looked are counted, too.
const TRANSACTIONS: &str = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'sportello'";

/// CPU time and transactions until now.
#[derive(Clone, Copy)]
struct Used {
    counters: [Duration; COUNTERS],
    primary: Duration,
    standbys: Duration,
    /// Transactions of the primary.
    transactions: f64,
}

/// What one number of counters did in one round.
struct Measured {
    applications: f64,
    seconds: f64,
    /// Microseconds of CPU an application: counters with people, those without, the primary, the standbys.
    cpu_us: [f64; 4],
    /// Transactions of the primary, an application.
    transactions: f64,
    /// Milliseconds of a submission: p50 and p99.
    submit_ms: [f64; 2],
}

fn main() -> Outcome<()> {
    let (mut rate, mut each, mut rounds) = (RATE, EACH, ROUNDS);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rate" => rate = arguments.next().ok_or("--rate N")?.parse()?,
            "--test" => (rate, each, rounds) = (RATE_OF_A_TEST, EACH_OF_A_TEST, 1),
            "--bench" => {}
            other => return Err(format!("unknown argument: {other}").into()),
        }
    }
    let house = House::open(Setup { is_large: true, ..Setup::default() }, SETTINGS)?;
    let outside = house.cluster.network().host(OUTSIDE)?;
    let before = Used::read(&house)?;
    sleep(each);
    let idle = Used::read(&house)?.since(&before);
    let share = |cpu: Duration| cpu.as_secs_f64() / each.as_secs_f64() * 100.0;
    println!(
        "idle, % of a core: a counter {:.2}; the primary {:.2}; both standbys {:.2}; {:.1} transactions a second\n",
        share(idle.counters.iter().sum::<Duration>()) / 3.0,
        share(idle.primary),
        share(idle.standbys),
        idle.transactions / each.as_secs_f64(),
    );
    println!(
        "| counters with people | applications a second | CPU of these, µs an application | of the others | of the primary | of the standbys | transactions | a submission, p50, p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut found: [Vec<Measured>; COUNTERS] = Default::default();
    let mut skipped = 0;
    for _ in 0..rounds {
        for (busy, found) in (1..).zip(&mut found) {
            found.push(measure(&house, &outside, busy, (rate, each), &mut skipped)?);
            eprintln!("{busy} counters measured");
        }
    }
    for (busy, found) in (1..).zip(&found) {
        print(busy, found);
    }
    Ok(())
}

fn print(busy: usize, found: &[Measured]) {
    let median = |value: &dyn Fn(&Measured) -> f64| {
        let mut values: Vec<f64> = found.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [own, others, primary, standbys] = [0, 1, 2, 3].map(|at| median(&|one| one.cpu_us[at]));
    println!(
        "| {busy} | {:.0} | {own:.0} | {others:.0} | {primary:.0} | {standbys:.0} | {:.2} | {:.1}, {:.1} |",
        median(&|one| one.applications / one.seconds),
        median(&|one| one.transactions),
        median(&|one| one.submit_ms[0]),
        median(&|one| one.submit_ms[1]),
    );
}

impl Used {
    fn read(house: &House) -> Outcome<Self> {
        let of = |name| house.cluster.node(name).cpu();
        Ok(Self {
            counters: house
                .counters
                .each_ref()
                .map(|counter| counter.pid().map_or(Duration::ZERO, cpu_with_children)),
            primary: of("a")?,
            standbys: of("b")? + of("c")?,
            transactions: house.sql("a", TRANSACTIONS).parse()?,
        })
    }

    fn since(&self, before: &Self) -> Self {
        let mut counters = self.counters;
        for (cpu, before) in counters.iter_mut().zip(before.counters) {
            *cpu = cpu.saturating_sub(before);
        }
        Self {
            counters,
            primary: self.primary.saturating_sub(before.primary),
            standbys: self.standbys.saturating_sub(before.standbys),
            transactions: self.transactions - before.transactions,
        }
    }
}

/// Lets people come to `busy` of the counters in equal parts.
fn measure(
    house: &House,
    outside: &Host,
    busy: usize,
    (rate, each): (u32, Duration),
    skipped: &mut u64,
) -> Outcome<Measured> {
    let of_one = f64::from(rate) / f64::from(u32::try_from(busy)?);
    let before = Used::read(house)?;
    let started = Instant::now();
    let mut playing = Vec::new();
    for at in 0..busy {
        playing.push(play(house, outside, at, (of_one, each), *skipped)?);
        // More than ever come at a rate drawn by lot, to however many counters.
        *skipped += 2 * u64::from(rate) * each.as_secs() + 100;
    }
    let mut reports = Vec::new();
    for (mut surge, report) in playing {
        let status = surge.wait()?;
        let report: Value = serde_json::from_str(&fs::read_to_string(&report)?)?;
        // In a test nothing counts but that everybody was served, however slow the build is.
        let (verdict, sessions) = (&report["verdict"], &report["sessions"]);
        let is_test = each == EACH_OF_A_TEST;
        let is_good =
            if is_test { sessions["served"] == sessions["offered"] } else { status.success() };
        if !is_good {
            return Err(format!("surge ended with {status}: {verdict}; {sessions}").into());
        }
        reports.push(report);
    }
    let seconds = started.elapsed().as_secs_f64();
    sleep(SETTLED);
    let used = Used::read(house)?.since(&before);
    let applications: f64 =
        reports.iter().filter_map(|report| report["receipts"]["count"].as_f64()).sum();
    let us = |cpu: Duration| cpu.as_secs_f64() * 1e6 / applications;
    let (own, others) = used.counters.split_at(busy);
    let worst = |what: &str| {
        let values = reports.iter().filter_map(|report| {
            let rows = report["latencies"].as_array()?;
            rows.iter().find(|row| row["what"] == "submit")?[what].as_f64()
        });
        values.fold(0.0, f64::max)
    };
    Ok(Measured {
        applications,
        seconds,
        cpu_us: [
            us(own.iter().sum()),
            us(others.iter().sum()),
            us(used.primary),
            us(used.standbys),
        ],
        transactions: used.transactions / applications,
        submit_ms: ["p50_ms", "p99_ms"].map(worst),
    })
}

/// Starts a `surge` at one counter; it writes the report whose path is returned.
fn play(
    house: &House,
    outside: &Host,
    at: usize,
    (rate, each): (f64, Duration),
    skip: u64,
) -> Outcome<(Child, std::path::PathBuf)> {
    let surge = Path::new(env!("CARGO_BIN_EXE_sportello")).with_file_name("surge");
    if !surge.exists() {
        return Err("there is no surge: cargo build --release -p surge".into());
    }
    let report = house.place().join(format!("report-{at}.json"));
    let mut command = outside.command(&surge.to_string_lossy());
    command.args(["--target", house.door.url(at), "--profile", "steady"]);
    command.args(["--rate", &rate.to_string(), "--duration", &format!("{}s", each.as_secs())]);
    command.args(["--skip", &skip.to_string()]);
    command.arg("--data").arg(house.place().join("identities"));
    command.arg("--ca").arg(house.place().join("authority.crt"));
    command.arg("--json").arg(&report);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    Ok((command.spawn()?, report))
}
