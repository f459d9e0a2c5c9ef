//! `surge drill`: starts a server, breaks it under load, and verifies afterwards that no receipt is lost or duplicated.

pub mod disk;
pub mod outages;
pub mod outcome;
pub mod sabotage;
pub mod slow;

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use clap::Args as ClapArgs;
use tempfile::TempDir;

use self::{
    disk::SmallDisk,
    outages::Outage,
    outcome::{Drilled, Found},
    sabotage::{Incident, Kind, LEAD, Scene},
};
use crate::{
    args::{duration, sportello_beside},
    clock,
    fault::Fault,
    interrupt::Watch,
    machine::Machine,
    mandates::OFFICE,
    orders::{IdentitySource, Orders},
    profile::{Offer, Profile},
    report::file,
    run::{self, Outcome},
    server::{self, Recipe, Server},
    summary::{self, About, Summary},
    wire::{target::Target, tls},
};

const RATE_MAX: u32 = 2000;
const CONNECTIONS: usize = 128;
/// Duration of the load after the last incident, to see a recovered server serve again.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Starts a server, breaks it under load, and verifies that no receipt is lost or duplicated
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  surge drill kill9 --times 5 --report drill.html
  surge drill full-disk            (as root, or with --disk DIR on a small file system)
  surge drill slow-disk --delay-ms 300
  surge drill upgrade --rate 200

Exit code 1 when a receipt is lost or duplicated, a reply reached another person, or the server did not recover; of an
upgrade also when anybody was refused a connection or could not finish.")]
pub struct DrillArgs {
    /// What happens to the server
    kind: Kind,
    /// The `sportello` program; by default the one in the directory of surge
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Sessions a second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..=i64::from(RATE_MAX)))]
    rate: u32,
    /// Number of incidents
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// How long the disk stays full or slow, and the pause between two incidents
    #[arg(long, value_name = "T", default_value = "4s", value_parser = duration)]
    every: Duration,
    /// slow-disk: additional duration of each sync, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    delay_ms: u64,
    /// full-disk: file system to mount
    #[arg(long, value_enum, default_value = "tmpfs", conflicts_with = "disk")]
    on: disk::Kind,
    /// full-disk: size of that file system, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(32..=1024))]
    disk_mib: u32,
    /// full-disk: a directory on a small file system of its own, instead of mounting one
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Resources of a drill, in the order in which they must be dropped: the server, then its disk, then the directory.
struct Stage {
    server: Server,
    disk: Option<SmallDisk>,
    recipe: Recipe,
    work: TempDir,
}

/// Carries out the drill; true when it passed.
///
/// # Errors
///
/// When it cannot be carried out; the text says what it needs.
pub fn carry_out(args: &DrillArgs) -> Result<bool, Fault> {
    let watch = Watch::on_ctrl_c(true)?;
    let started_at = clock::date_time();
    let mut stage = Stage::set(args)?;
    let orders = stage.orders(args)?;
    let (outcome, incidents, outages) = play(args, &mut stage, &orders, &watch)?;
    let back = !stage.server.has_ended();
    stage
        .server
        .stop()
        .map_err(|error| Fault::Needs(format!("cannot stop the server: {error}")))?;
    let receipts = stage.receipts();
    let verified = server::verify(&stage.recipe.program, &stage.recipe.data, &receipts)?;
    let about = About::of(&orders, started_at.clone(), &outcome);
    let summary = Summary::of(&outcome, &orders.profile, about);
    let drilled = Drilled {
        kind: args.kind.name(),
        started_at,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        build: summary::build(),
        machine: Machine::read(),
        found: Found::of(args.kind, &outcome, &verified, back),
        incidents,
        outages,
        outage_s_min: outages::shortest(args.rate.into()).as_secs_f64(),
        summary,
        verify: verified.words,
    };
    print!("{}", outcome::text(&drilled));
    if let Some(path) = &args.json {
        file::write_json(path, &drilled)?;
    }
    if let Some(path) = &args.report {
        file::write(path, outcome::page(&drilled))?;
    }
    Ok(drilled.found.passed && !outcome.interrupted)
}

/// Runs the load in one thread, measures outages in another, and breaks the server in this one.
fn play(
    args: &DrillArgs,
    stage: &mut Stage,
    orders: &Orders,
    watch: &Watch,
) -> Result<(Outcome, Vec<Incident>, Vec<Outage>), Fault> {
    let over = AtomicBool::new(false);
    let begin = clock::now();
    let shortest = outages::shortest(args.rate.into());
    thread::scope(|scope| {
        let load = scope.spawn(|| run::run(orders, watch));
        let outages = scope.spawn(|| outages::listen(&watch.live, begin, shortest, &over));
        let mut scene = Scene {
            server: &mut stage.server,
            disk: stage.disk.as_ref(),
            watch,
            begin,
            every: args.every,
            incidents: Vec::new(),
        };
        let sabotage = scene.play(args.kind, args.times, Duration::from_millis(args.delay_ms));
        let incidents = scene.incidents;
        if sabotage.is_err() {
            watch.stop.give();
        }
        let panicked = "a thread of the drill panicked, which is a bug of surge";
        let outcome = load.join().expect(panicked);
        over.store(true, Ordering::Relaxed);
        let outages = outages.join().expect(panicked);
        sabotage?;
        Ok((outcome?, incidents, outages))
    })
}

impl Stage {
    fn set(args: &DrillArgs) -> Result<Self, Fault> {
        let cannot = |error: io::Error| {
            Fault::Needs(format!("cannot create a temporary directory: {error}"))
        };
        let program = match &args.server {
            Some(program) => program.clone(),
            None => sportello_beside().map_err(cannot)?,
        };
        let work = TempDir::with_prefix("surge-drill-").map_err(cannot)?;
        let disk = match (args.kind, &args.disk) {
            (Kind::FullDisk, Some(at)) => Some(SmallDisk::given(at)?),
            (Kind::FullDisk, None) => {
                Some(SmallDisk::mount(args.on, &work.path().join("disk"), args.disk_mib)?)
            }
            _ => None,
        };
        let root = disk.as_ref().map_or(work.path(), SmallDisk::path);
        let recipe = Recipe {
            program,
            data: root.join("data"),
            log: work.path().join("server.log"),
            group: None,
            socket: (args.kind == Kind::Upgrade).then(public_socket).transpose().map_err(cannot)?,
        };
        let server = recipe.start().map_err(|fault| with_log(fault, &recipe.log))?;
        Ok(Self { server, disk, recipe, work })
    }

    fn receipts(&self) -> PathBuf {
        self.work.path().join("receipts.ndjson")
    }

    fn orders(&self, args: &DrillArgs) -> Result<Orders, Fault> {
        let profile = Profile::built_in("drill");
        let profile = profile.ok_or_else(|| Fault::Usage("no drill profile".to_owned()))?;
        let mut profile = profile.map_err(|faults| Fault::Usage(faults.to_string()))?;
        // A kill or an upgrade is over quickly; a full or slow disk stays so for `every`, followed by a pause of `every`.
        let acts = if matches!(args.kind, Kind::Kill9 | Kind::Upgrade) { 1 } else { 2 };
        let length = LEAD + args.every * (acts * args.times) + AFTERMATH;
        if let Offer::Open { curve, .. } = &mut profile.offer {
            *curve = curve.clone().lasting(length).with_peak(f64::from(args.rate));
        }
        let certificate = self.recipe.data.join("demo-cert.pem");
        let target = Target::parse(&format!("https://{}", self.server.public));
        Ok(Orders {
            target: Arc::new(target.map_err(Fault::Needs)?),
            tls: tls::client_config(
                tls::Trust::Roots(&certificate),
                true,
                tls::KeyExchange::PostQuantum,
            )
            .map_err(Fault::Needs)?,
            profile,
            closed_duration_max: None,
            connections: CONNECTIONS,
            threads: 1,
            identities: IdentitySource::Mint {
                program: self.recipe.program.clone(),
                data: self.recipe.data.clone(),
            },
            office: OFFICE.to_owned(),
            skip: 0,
            receipts: Some(self.receipts()),
            // It is down at times; `sportello verify` checks the ledger at the end instead.
            operator: None,
            sources: Vec::new(),
            closes: false,
            going_home: None,
            part: None,
        })
    }
}

/// A socket as a service manager makes it.
fn public_socket() -> io::Result<Arc<TcpListener>> {
    TcpListener::bind("127.0.0.1:0").map(Arc::new)
}

/// Adds the last lines of the server's log to a fault, because the log is deleted.
fn with_log(fault: Fault, log: &Path) -> Fault {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last: Vec<_> = text.lines().rev().take(3).collect();
    match last.as_slice() {
        [] => fault,
        lines => Fault::Needs(format!("{fault}\n  {}", lines.join("\n  "))),
    }
}
