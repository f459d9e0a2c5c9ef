//! One run from its orders to its summary: the only wiring.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use tokio::{runtime, sync::Barrier};

use crate::{
    application::Form,
    citizen::{Conduct, Counter},
    clock, closed_loop, figures,
    identity::{Identities, IdentityFault},
    live::{Live, Progress, REDRAW},
    machine::{CpuClock, CpuUse},
    open_loop,
    operator::{Operator, Samples},
    preflight::{self, CampaignYear, PreflightFault},
    profile::{Offer, Profile},
    receipts::Receipts,
    tally::Tally,
    wire::{client::Client, connection::Dialer, target::Target},
};

/// Between the last preparation and the first start, so that the first sessions do not lag.
const LEAD: Duration = Duration::from_millis(200);
/// How long the server may take to decide what it accepted before its books are read.
const AT_REST_WAIT_MAX: Duration = Duration::from_secs(30);
const AT_REST_POLL: Duration = Duration::from_millis(500);
/// A closed loop without `--duration` ends when its sessions have submitted, at the latest then.
const CLOSED_DURATION_DEFAULT: Duration = Duration::from_hours(1);

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The server.
    pub target: Arc<Target>,
    /// How it is trusted and which HTTP is spoken.
    pub tls: ClientConfig,
    /// HTTP/2 instead of HTTP/1.1.
    pub http2: bool,
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
    File(PathBuf),
    /// Made by the `sportello` program with the demo key in a data directory.
    Mint {
        /// The program.
        program: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
}

/// What a run brought.
#[derive(Debug)]
pub struct Outcome {
    /// All that was counted.
    pub tally: Tally,
    /// From the first intended start to the last ending.
    pub elapsed: Duration,
    /// CPU time meanwhile.
    pub cpu: CpuUse,
    /// Receipt numbers that two citizens got.
    pub receipts_doubled: u64,
    /// The server's figures before and after, if it was asked.
    pub server: Option<(Samples, Samples)>,
    /// The campaign applied for.
    pub year: CampaignYear,
}

/// Why a run did not come about or its figures are not whole.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// The server is not ready for it.
    #[error(transparent)]
    Preflight(#[from] PreflightFault),
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

/// Carries out `orders`.
///
/// # Errors
///
/// Before anything was offered, but for a receipts file or an operator that fails at the end.
pub fn run(orders: &Orders) -> Result<Outcome, RunFault> {
    let dialer = Dialer::new(Arc::clone(&orders.target), orders.tls.clone());
    let office = one_thread()?;
    let reply_wait_max = orders.profile.citizen.reply_wait_max;
    let year = office.block_on(async {
        let client = Client::new(dialer.clone(), 1, orders.http2, reply_wait_max);
        preflight::open_campaign(&client).await
    })?;
    let starts = match &orders.profile.offer {
        Offer::Open { curve, spacing } => curve.starts(*spacing, orders.profile.seed),
        Offer::Closed { .. } => Vec::new(),
    };
    let needed = match orders.profile.offer {
        Offer::Open { .. } => starts.len() as u64,
        Offer::Closed { sessions } => u64::from(sessions),
    };
    let skip = orders.skip;
    let identities = Arc::new(match &orders.identities {
        IdentitySource::File(path) => Identities::in_file(path, skip, needed)?,
        IdentitySource::Mint { program, data } => Identities::minted(program, data, skip, needed)?,
    });
    let receipts = Arc::new(open_receipts(orders)?);
    let before = match &orders.operator {
        Some(operator) => Some(office.block_on(operator.samples()).map_err(RunFault::Operator)?),
        None => None,
    };

    let cpu_before = CpuClock::read();
    let run = clock::stamp();
    let generators = Generators { orders, dialer, year, run, starts, identities, receipts };
    let (tally, elapsed) = generators.play(needed)?;
    let cpu = CpuClock::read().since(cpu_before);

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
    Ok(Outcome { tally, elapsed, cpu, receipts_doubled, server, year })
}

fn one_thread() -> Result<runtime::Runtime, RunFault> {
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

/// The threads that play the citizens.
struct Generators<'o> {
    orders: &'o Orders,
    dialer: Dialer,
    year: CampaignYear,
    run: i64,
    starts: Vec<Duration>,
    identities: Arc<Identities>,
    receipts: Arc<Receipts>,
}

impl Generators<'_> {
    /// Plays the whole offer; gives the merged counts and the time to the last ending.
    fn play(&self, sessions: u64) -> Result<(Tally, Duration), RunFault> {
        let threads = self.orders.threads;
        let live = Arc::new(Live::default());
        let all_entered = Arc::new(Barrier::new(threads));
        let begin = clock::now() + LEAD;
        let runtimes: Vec<_> = (0..threads).map(|_| one_thread()).collect::<Result<_, _>>()?;
        let tallies: Vec<Tally> = thread::scope(|scope| {
            let play_one = |(number, office): (usize, runtime::Runtime)| {
                let counter = Arc::new(self.counter(begin, Arc::clone(&live)));
                let all_entered = Arc::clone(&all_entered);
                scope.spawn(move || {
                    office.block_on(self.play_part(number, &counter, begin, all_entered));
                    // What is still under way after the drain ends here and counts no more.
                    drop(office);
                    let mut tally = counter.tally().clone();
                    tally.connection_waits = counter.client.connection_waits();
                    tally
                })
            };
            let players: Vec<_> = runtimes.into_iter().enumerate().map(play_one).collect();
            let progress = Progress::of(sessions);
            while players.iter().any(|player| !player.is_finished()) {
                progress.draw(&live);
                thread::sleep(REDRAW);
            }
            progress.finish();
            let panicked = "a generator thread panicked, which is a bug of surge";
            players.into_iter().map(|player| player.join().expect(panicked)).collect()
        });
        let mut whole = Tally::new(begin, self.length());
        let mut first = None::<Instant>;
        let mut last = begin;
        for tally in tallies {
            let tally_begin = tally.timeline.begin();
            first = Some(first.map_or(tally_begin, |known| known.min(tally_begin)));
            last = last.max(tally.last_ending);
            whole.merge(tally);
        }
        Ok((whole, last.saturating_duration_since(first.unwrap_or(begin))))
    }

    fn length(&self) -> Duration {
        match &self.orders.profile.offer {
            Offer::Open { curve, .. } => Duration::from_secs_f64(curve.duration_s()),
            Offer::Closed { .. } => Duration::from_secs(1),
        }
    }

    fn counter(&self, begin: Instant, live: Arc<Live>) -> Counter {
        let Orders { profile, http2, threads, connections, .. } = self.orders;
        let connections = connections.div_ceil(*threads);
        let reply_wait_max = profile.citizen.reply_wait_max;
        let client = Client::new(self.dialer.clone(), connections, *http2, reply_wait_max);
        let conduct = Conduct {
            form: Form::for_year(self.year),
            plan: profile.citizen.clone(),
            timely: Duration::from_millis(profile.thresholds.timely_ms),
            seed: profile.seed,
            run: self.run,
        };
        let tally = Tally::new(begin, self.length());
        Counter::new(client, conduct, Arc::clone(&self.receipts), live, tally)
    }

    async fn play_part(
        &self,
        thread: usize,
        counter: &Arc<Counter>,
        begin: Instant,
        all_entered: Arc<Barrier>,
    ) {
        let threads = self.orders.threads;
        match self.orders.profile.offer {
            Offer::Open { .. } => {
                let share = open_loop::Share { starts: &self.starts, thread, threads };
                let drain_max = self.orders.profile.drain_max;
                open_loop::play(counter, &self.identities, share, begin, drain_max).await;
            }
            Offer::Closed { sessions } => {
                let sessions = (sessions as usize).div_ceil(threads);
                let connections = self.orders.connections.div_ceil(threads);
                let share = closed_loop::Share {
                    sessions,
                    first_number: (thread * sessions) as u64,
                    workers: counter.client.exchanges_max(connections),
                    duration_max: self
                        .orders
                        .closed_duration_max
                        .unwrap_or(CLOSED_DURATION_DEFAULT),
                    all_entered,
                };
                closed_loop::play(counter, &self.identities, share).await;
            }
        }
    }
}

impl Outcome {
    /// Receipts a second over the whole run.
    #[must_use]
    pub fn receipts_per_s(&self) -> f64 {
        figures::per_second(self.tally.receipts, self.elapsed)
    }
}
