//! The list of an office that handed in 100,000 applications: the time to index them, and of a page at the beginning and in
//! the middle, with the mandates checked and the access recorded.
//!
//! `cargo bench --bench lists`; `-- --test` uses 1,000 applications.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::{
    error::Error,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{Timestamp, civil::date};
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    config::{Flags, Settings},
    identity::{
        Assurance, Office,
        demo::{Minter, made_up_mandate},
    },
    intake::{Asked, Entered, Intake, PAGE_APPLICATIONS_MAX, Parts, Proof},
    ledger::{
        Channel, ReceiptCode,
        book::{
            batch::Batch,
            record::Header,
            submission::{Disposition, Submission},
        },
        local::sqlite::{self, Bounds},
        proof::sha256,
    },
    metrics::Exporter,
    registry::{Silence, mandates::MandateFile},
    schemes::{Campaign, Rules, Scheme},
    session::scope::within,
    vault::HouseKeys,
};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// A morning of the offices' slice with ISCRO 2024 open.
const MORNING: Timestamp = Timestamp::constant(1_726_556_400, 0);
const APPLICATIONS: u64 = 100_000;
const APPLICATIONS_OF_A_TEST: u64 = 1_000;
/// Applications of a batch.
const BATCH: u64 = 256;
const BOUNDS: Bounds = Bounds { wal_bytes_max: 32 << 20, readers_max: 2 };
/// Clerks of the office: each may ask once a second.
const CLERKS: u64 = 101;
/// Applications in one answer.
const PAGE: usize = 100;

/// Writes a mandate for each of the people whose applications the office handed in.
fn write_mandates(place: &Path, office: &Office, people: u64) -> std::io::Result<PathBuf> {
    let registry = place.join("mandates.ndjson");
    let line = |n| made_up_mandate(office, None, CAMPAIGN, n) + "\n";
    fs::write(&registry, (0..people).map(line).collect::<String>())?;
    Ok(registry)
}

/// Settings of a server that all people enter at once, from one address.
const ALL_AT_ONCE: [(&str, &str); 2] = [
    ("SPORTELLO_GATE_PEOPLE_PER_SECOND", "10000000"),
    ("SPORTELLO_LIMITS_ENTER_BY_ADDRESS_BURST", "1000000"),
];

fn main() -> Outcome<()> {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let applications = if is_test { APPLICATIONS_OF_A_TEST } else { APPLICATIONS };
    let _exporter = Exporter::install()?;
    let place = tempfile::tempdir()?;
    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    let office = Office::parse("patronato-1").map_err(|_| "an office")?;
    let mut receipts = fill(&place.path().join("ledger"), &keys, &office, applications)?;
    receipts.sort();
    let minter = Minter::load_or_create(place.path())?;
    let registry = write_mandates(place.path(), &office, applications)?;
    let parts = Parts {
        clock: Clock::standing_at(MORNING),
        keys: Arc::clone(&keys),
        rules: Rules::builtin(),
        verifier: minter.verifier(),
        relying: sportello::identity::openid::RelyingParty::none(),
        certificates: None,
        registry: Arc::new(Silence),
        mandates: Some(MandateFile::open(&registry, Arc::clone(&keys))?),
        notice: None,
        beacon: None,
    };
    let settings = ALL_AT_ONCE.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::gather(None, settings.into_iter(), &Flags::default())?;
    let intake = Intake::open(&place.path().join("ledger"), parts, &settings.intake())?;
    // Opening was the first run.
    let runs = (0..applications / 10_000).map(|_| {
        let started = Instant::now();
        intake.index_filings();
        started.elapsed()
    });
    let slowest = runs.max().unwrap_or_default();
    println!("the slowest run of the index: {:.0} ms", slowest.as_secs_f64() * 1e3);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let middle = receipts.len() / 2;
    for (name, from) in [("the first page", 0), ("a page in the middle", middle)] {
        let after = from.checked_sub(1).map(|before| receipts[before]);
        let expected = &receipts[from..from + PAGE];
        let mut took = Vec::new();
        for clerk in 0..CLERKS {
            let identity = minter.mint(
                &FiscalCode::made_up(1_000_000 + from as u64 + clerk),
                Some(&office),
                Assurance::Level2,
                MORNING,
            );
            took.push(runtime.block_on(list(
                &intake,
                &identity,
                clerk + from as u64,
                after,
                expected,
            ))?);
        }
        took.sort();
        let at = |nth: usize| took[nth].as_secs_f64() * 1e6;
        println!(
            "{name}: median {:.0} µs, slowest {:.0} µs",
            at(took.len() / 2),
            at(took.len() - 1)
        );
    }
    println!("/proc/loadavg: {}", fs::read_to_string("/proc/loadavg")?.trim());
    intake.close("server: closed");
    drop(intake);
    let file = place.path().join("ledger/iscro-2024.filings");
    println!("the index: {} bytes a filing", fs::metadata(file)?.len() / applications);
    Ok(())
}

/// A clerk with a new session lists a page, which must be the expected one.
async fn list(
    intake: &Intake,
    identity: &str,
    visit: u64,
    after: Option<ReceiptCode>,
    expected: &[ReceiptCode],
) -> Outcome<Duration> {
    let visit = format!("{visit:0>22}");
    let asked = Asked {
        visit: &visit,
        proof: Proof::Token(identity),
        from: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let Ok(Entered::In(token, _)) = intake.enter(asked).await else {
        return Err("no session".into());
    };
    let session = intake.recognise(&token).await?.ok_or("a session")?;
    let took = within(&session, async |scope| {
        let started = Instant::now();
        let listed = intake.applications(scope, after, PAGE_APPLICATIONS_MAX).await;
        let took = started.elapsed();
        let listed = listed.ok().and_then(|listed| scope.open(listed))?;
        let receipts: Vec<_> = listed.applications.iter().map(|one| one.receipt).collect();
        (receipts == expected).then_some(took)
    });
    took.await.ok_or_else(|| "the page is not the expected one".into())
}

/// Writes the ledger; the receipts.
fn fill(
    directory: &Path,
    keys: &Arc<HouseKeys>,
    office: &Office,
    applications: u64,
) -> Outcome<Vec<ReceiptCode>> {
    sportello::private_files::private_directory(directory)?;
    let mut opened = sqlite::open(directory, CAMPAIGN, Arc::clone(keys), BOUNDS)?;
    let text = application::example(&FiscalCode::made_up(0), CAMPAIGN.year);
    let parsed = application::parse(text.as_bytes(), Rules::builtin()).map_err(|_| "an example")?;
    let principal = keys.office(office.as_str());
    let submission = |n| {
        let subject = keys.subject(&FiscalCode::made_up(n));
        let (channel, received_on) = (Channel::Intermediary, date(2024, 9, 16));
        let header = Header { channel, received_on, subject, principal, actor: principal };
        let key = keys.key_hash(subject, b"chosen", b"key");
        let bytes = text.as_bytes();
        Submission::sealed(keys, &header, key, sha256(bytes), bytes, parsed.clone())
    };
    let mut receipts = Vec::new();
    for first in (0..applications).step_by(usize::try_from(BATCH)?) {
        let people = first..applications.min(first + BATCH);
        let submissions = people.map(submission).collect();
        let batch = Batch { submissions, at: Timestamp::UNIX_EPOCH, ..Batch::default() };
        for disposition in opened.bookkeeper.write(&batch)?.dispositions {
            let Disposition::Accepted(position, ..) = disposition else {
                return Err("everybody applies once".into());
            };
            receipts.push(ReceiptCode::of(keys, CAMPAIGN, position));
        }
        opened.bookkeeper.tidy()?;
    }
    Ok(receipts)
}
