//! One run from its orders to its summary: the only wiring.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::runtime;

use crate::{
    application::Campaign,
    citizen::People,
    clock, figures,
    generators::Generators,
    identity::{Identities, IdentityFault},
    interrupt::Watch,
    machine::{CpuClock, CpuUse},
    operator::{Operator, Samples},
    preflight::{self, PreflightFault},
    process::{Process, ProcessUse},
    profile::{Offer, Profile},
    receipts::Receipts,
    tally::Tally,
    wire::{client::Client, connection::Dialer, target::Target},
};

/// How long the server may take to decide what it accepted before its books are read.
const AT_REST_WAIT_MAX: Duration = Duration::from_secs(30);
const AT_REST_POLL: Duration = Duration::from_millis(500);

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The server.
    pub target: Arc<Target>,
    /// How it is trusted.
    pub tls: ClientConfig,
    /// The profile, with rate, duration and speed already applied.
    pub profile: Profile,
    /// A bound on the closed loop's time.
    pub closed_duration_max: Option<Duration>,
    /// Connections over all threads.
    pub connections: usize,
    /// Generator threads.
    pub threads: usize,
    /// Where identities come from.
    pub identities: IdentitySource,
    /// Identities left out before the first, because an earlier run used them.
    pub skip: u64,
    /// Where receipts are kept.
    pub receipts: Option<PathBuf>,
    /// The operator listener to read figures from.
    pub operator: Option<Operator>,
}

/// Where identities come from.
#[derive(Clone, Debug)]
pub enum IdentitySource {
    /// A file of `code<TAB>token` lines.
    File {
        /// Citizens.
        citizens: PathBuf,
        /// People at an intermediary's office, for a profile that has some.
        offices: Option<PathBuf>,
    },
    /// Made by the `sportello` program with the demo key in a data directory.
    Mint {
        /// The program.
        program: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
}

/// The office whose people surge mints.
const OFFICE: &str = "surge";

/// What a run brought.
#[derive(Debug)]
pub struct Outcome {
    /// All that was counted.
    pub tally: Tally,
    /// From the first intended start to the last ending.
    pub elapsed: Duration,
    /// CPU time while the generators played, and how long that was: a little more than `elapsed`.
    pub cpu: CpuUse,
    /// The time that the CPU figures are of.
    pub played: Duration,
    /// Receipt numbers that two citizens got.
    pub receipts_doubled: u64,
    /// The server's figures before and after, if it was asked.
    pub server: Option<(Samples, Samples)>,
    /// The server's process, if it runs on this machine.
    pub server_process: Option<ProcessUse>,
    /// The campaign applied for.
    pub campaign: Campaign,
    /// How many citizens' identities were used, for a next run to skip.
    pub citizens_used: u64,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
}

/// Why a run did not come about or its figures are not whole.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The server is not ready for it.
    #[error(transparent)]
    Preflight(#[from] PreflightFault),
    /// Intermediaries are wanted and there is nobody to play them.
    #[error(
        "the profile plays intermediaries: make their identities with \
         `sportello mint --office ID --count N > offices.tsv` and give `--office-tokens offices.tsv`"
    )]
    NoOffices,
    /// There are not enough identities.
    #[error(transparent)]
    Identities(#[from] IdentityFault),
    /// The receipts file fails.
    #[error("cannot keep receipts in {path}: {source}")]
    Receipts {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operator listener does not answer.
    #[error("cannot read the operator's metrics: {0}; leave --operator out to do without")]
    Operator(io::Error),
    /// The system gives no runtime.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}

/// Carries out `orders`; `watch` sees it go on and may stop it.
///
/// # Errors
///
/// Before anything was offered, but for a receipts file or an operator that fails at the end.
pub fn run(orders: &Orders, watch: &Watch) -> Result<Outcome, RunFault> {
    let dialer = Dialer::new(Arc::clone(&orders.target), &orders.tls);
    let office = one_thread()?;
    let profile = &orders.profile;
    let campaign = office.block_on(async {
        let http2 = profile.mix.http2_share >= 1.0;
        let client = Client::new(dialer.clone(), 1, http2, profile.citizen.reply_wait_max);
        preflight::open_campaign(&client, profile.mix.slice, profile.length()).await
    })?;
    let starts = match &profile.offer {
        Offer::Open { curve, spacing } => curve.starts(*spacing, profile.seed),
        Offer::Closed { .. } => Vec::new(),
    };
    let sessions = match profile.offer {
        Offer::Open { .. } => starts.len() as u64,
        Offer::Closed { sessions } => u64::from(sessions),
    };
    let (people, citizens_used) = people(orders, sessions)?;
    let receipts = Arc::new(open_receipts(orders)?);
    let before = match &orders.operator {
        Some(operator) => Some(office.block_on(operator.samples()).map_err(RunFault::Operator)?),
        None => None,
    };

    let process = Process::listening_at(orders.target.addr);
    let (cpu_before, process_before) = (CpuClock::read(), process.map(Process::read));
    let (run, begun) = (clock::stamp(), clock::now());
    let generators = Generators { orders, watch, dialer, campaign, run, starts, people, receipts };
    let (tally, elapsed) = generators.play(sessions)?;
    let cpu = CpuClock::read().since(cpu_before);
    let played = clock::now().saturating_duration_since(begun);
    let server_process = process.zip(process_before).map(|(one, before)| one.used_since(before));

    let receipts_doubled = generators.receipts.close().map_err(|source| {
        let path = orders.receipts.clone().unwrap_or_default();
        RunFault::Receipts { path, source }
    })?;
    let server = match (&orders.operator, before) {
        (Some(operator), Some(before)) => {
            let after = office.block_on(at_rest(operator)).map_err(RunFault::Operator)?;
            Some((before, after))
        }
        _ => None,
    };
    let interrupted = watch.stop.is_given();
    Ok(Outcome {
        tally,
        elapsed,
        cpu,
        played,
        receipts_doubled,
        server,
        server_process,
        campaign,
        citizens_used,
        interrupted,
    })
}

/// Whoever the sessions need: citizens, clients for every line of a batch, people at offices.
fn people(orders: &Orders, sessions: u64) -> Result<(People, u64), RunFault> {
    let Profile { mix, seed, .. } = &orders.profile;
    let by_offices = (0..sessions).filter(|&number| mix.role(*seed, number).intermediary).count();
    let by_offices = by_offices as u64;
    let needed = sessions - by_offices + by_offices * u64::from(mix.batch_lines);
    let skip = orders.skip;
    let (citizens, offices) = match &orders.identities {
        IdentitySource::File { citizens, offices } => {
            let offices = match (by_offices, offices) {
                (0, _) => None,
                (_, None) => return Err(RunFault::NoOffices),
                (_, Some(path)) => Some(Identities::in_file(path, 0, by_offices)?),
            };
            (Identities::in_file(citizens, skip, needed)?, offices)
        }
        IdentitySource::Mint { program, data } => {
            let mint =
                |office, skip, needed| Identities::minted(program, data, office, skip, needed);
            let offices = (by_offices > 0).then(|| mint(Some(OFFICE), 0, by_offices));
            (mint(None, skip, needed)?, offices.transpose()?)
        }
    };
    let people = People { citizens: Arc::new(citizens), offices: offices.map(Arc::new) };
    Ok((people, needed))
}

pub(crate) fn one_thread() -> Result<runtime::Runtime, RunFault> {
    runtime::Builder::new_current_thread().enable_all().build().map_err(RunFault::Runtime)
}

fn open_receipts(orders: &Orders) -> Result<Receipts, RunFault> {
    match &orders.receipts {
        Some(path) => Receipts::in_file(path)
            .map_err(|source| RunFault::Receipts { path: path.clone(), source }),
        None => Ok(Receipts::default()),
    }
}

/// The server's figures once nothing waits for its decision and nothing moves, or as they stand after the wait.
async fn at_rest(operator: &Operator) -> io::Result<Samples> {
    let give_up = clock::now() + AT_REST_WAIT_MAX;
    let mut before = None;
    loop {
        let samples = operator.samples().await?;
        let balance = samples.balance();
        // Counters are read one by one: books that do not balance are believed only the second time.
        let at_rest =
            balance.undecided < 0.5 && (balance.holds || before.as_ref() == Some(&balance));
        if at_rest || clock::now() > give_up {
            return Ok(samples);
        }
        before = Some(balance);
        tokio::time::sleep(AT_REST_POLL).await;
    }
}

impl Outcome {
    /// Receipts a second over the whole run.
    #[must_use]
    pub fn receipts_per_s(&self) -> f64 {
        figures::per_second(self.tally.receipts, self.elapsed)
    }
}
