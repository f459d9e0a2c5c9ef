//! One run, from its orders to its outcome: connects all parts.

use std::{io, sync::Arc, thread, time::Duration};

use crate::{
    application::Campaign,
    citizen::People,
    clock,
    fault::RunFault,
    figures,
    generators::Generators,
    identity::Identities,
    interrupt::Watch,
    machine::{CpuClock, CpuUse},
    mandates::entrust,
    operator::{Operator, Samples},
    orders::{IdentitySource, Orders},
    preflight,
    process::{Process, ProcessUse},
    profile::{Offer, Profile},
    receipts::Receipts,
    runtime::one_thread,
    tally::Tally,
    wire::{client::Client, connection::Dialer},
};

/// Longest wait for the server to decide all that it accepted, before its balance is read.
const AT_REST_WAIT_MAX: Duration = Duration::from_secs(30);
const AT_REST_POLL: Duration = Duration::from_millis(500);

/// Result of a run.
#[derive(Debug)]
pub struct Outcome {
    /// All counts.
    pub tally: Tally,
    /// Time from the first intended start to the last ending.
    pub elapsed: Duration,
    /// CPU time used during `played`.
    pub cpu: CpuUse,
    /// How long the generators ran, a little longer than `elapsed`.
    pub played: Duration,
    /// Receipt numbers that two citizens got.
    pub receipts_doubled: u64,
    /// The server's metrics before and after, if an operator listener was given.
    pub server: Option<(Samples, Samples)>,
    /// What the server's process used, if it runs on this machine.
    pub server_process: Option<ProcessUse>,
    /// The campaign applied for.
    pub campaign: Campaign,
    /// Identities of citizens used, for a next run to skip.
    pub citizens_used: u64,
    /// True when the run was stopped before its end.
    pub interrupted: bool,
}

/// Carries out `orders`; `watch` observes the run and may stop it.
///
/// # Errors
///
/// When the run cannot start; nothing was offered then. The receipts file and the operator listener may also fail at
/// the end.
pub fn run(orders: &Orders, watch: &Watch) -> Result<Outcome, RunFault> {
    let dialer = Dialer::new(Arc::clone(&orders.target), &orders.tls)
        .coming_from(orders.sources.clone())
        .waiting_at_most(orders.profile.citizen.connect_wait_max);
    let runtime = one_thread().map_err(RunFault::Runtime)?;
    let profile = &orders.profile;
    let campaign = runtime.block_on(async {
        let http2 = profile.mix.http2_share >= 1.0;
        let client = Client::new(dialer.clone(), 1, http2, profile.citizen.reply_wait_max);
        preflight::open_campaign(&client, profile.mix.slice, profile.length()).await
    })?;
    let starts = match &profile.offer {
        Offer::Open { curve, spacing } => curve.starts(*spacing, profile.seed),
        Offer::Closed { .. } => Vec::new(),
    };
    let sessions = match profile.offer {
        Offer::Open { .. } => match orders.part {
            Some(part) => part.own_starts(starts.len(), orders.threads) as u64,
            None => starts.len() as u64,
        },
        Offer::Closed { sessions } => u64::from(sessions),
    };
    let (people, citizens_used) = people(orders, sessions, campaign)?;
    let receipts = Arc::new(open_receipts(orders)?);
    let before = match &orders.operator {
        Some(operator) => Some(runtime.block_on(operator.samples()).map_err(RunFault::Operator)?),
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
            let after = runtime.block_on(at_rest(operator)).map_err(RunFault::Operator)?;
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

/// Identities for `sessions`: citizens, a client for every line of a batch, people at offices; and how many citizens.
fn people(orders: &Orders, sessions: u64, campaign: Campaign) -> Result<(People, u64), RunFault> {
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
            let office = Some(orders.office.as_str());
            let offices = (by_offices > 0).then(|| mint(office, 0, by_offices));
            if by_offices > 0 {
                let places = (program.as_path(), data.as_path());
                thread::sleep(entrust(places, &orders.office, campaign, skip, needed)?);
            }
            (mint(None, skip, needed)?, offices.transpose()?)
        }
    };
    let people = People { citizens: Arc::new(citizens), offices: offices.map(Arc::new) };
    Ok((people, needed))
}

fn open_receipts(orders: &Orders) -> Result<Receipts, RunFault> {
    match &orders.receipts {
        Some(path) => Receipts::in_file(path)
            .map_err(|source| RunFault::Receipts { path: path.clone(), source }),
        None => Ok(Receipts::default()),
    }
}

/// The server's metrics at rest: once nothing is undecided, or after the longest wait.
async fn at_rest(operator: &Operator) -> io::Result<Samples> {
    let give_up = clock::now() + AT_REST_WAIT_MAX;
    let mut before = None;
    loop {
        let samples = operator.samples().await?;
        let balance = samples.balance();
        // The server reads its counters one by one: a balance that does not hold counts only when read twice.
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

    /// Receipts in time, as a share of those wanted.
    #[must_use]
    pub fn goodput(&self) -> f64 {
        figures::share(self.tally.timely, self.tally.wanted)
    }
}
