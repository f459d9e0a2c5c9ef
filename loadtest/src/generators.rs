//! The generator threads: each plays its share of the schedule on one core.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, sync::Barrier};

use crate::{
    application::{Campaign, Form},
    citizen::{Clients, Conduct, Counter, People},
    clock, closed_loop,
    fault::RunFault,
    interrupt::Watch,
    live::{Progress, REDRAW},
    open_loop,
    orders::Orders,
    profile::Offer,
    receipts::Receipts,
    runtime::one_thread,
    tally::Tally,
    wire::{client::Client, connection::Dialer},
};

/// Time from the last preparation to the first start, so that the first sessions do not lag.
const LEAD: Duration = Duration::from_millis(200);
/// Longest duration of a closed loop without `--duration`; it ends earlier when all sessions have submitted.
const CLOSED_DURATION_DEFAULT: Duration = Duration::from_hours(1);

/// The threads that play the citizens.
pub(crate) struct Generators<'o> {
    pub(crate) orders: &'o Orders,
    pub(crate) watch: &'o Watch,
    pub(crate) dialer: Dialer,
    pub(crate) campaign: Campaign,
    pub(crate) run: i64,
    pub(crate) starts: Vec<Duration>,
    pub(crate) people: People,
    pub(crate) receipts: Arc<Receipts>,
}

impl Generators<'_> {
    /// Plays the whole schedule; returns the merged counts and the time from the first start to the last ending.
    pub(crate) fn play(&self, sessions: u64) -> Result<(Tally, Duration), RunFault> {
        let threads = self.orders.threads;
        let live = &self.watch.live;
        let all_entered = Arc::new(Barrier::new(threads));
        let begin = self.begin();
        let runtimes: Result<Vec<_>, _> = (0..threads).map(|_| one_thread()).collect();
        let runtimes = runtimes.map_err(RunFault::Runtime)?;
        let tallies: Vec<Tally> = thread::scope(|scope| {
            let play_one = |(number, runtime): (usize, Runtime)| {
                let counter = Arc::new(self.counter(begin));
                let all_entered = Arc::clone(&all_entered);
                scope.spawn(move || {
                    runtime.block_on(self.play_part(number, &counter, begin, all_entered));
                    // Cancels the sessions that outlasted the drain: they are not counted any more.
                    drop(runtime);
                    let mut tally = counter.tally().clone();
                    tally.connection_waits = counter.clients().connection_waits();
                    tally
                })
            };
            let players: Vec<_> = runtimes.into_iter().enumerate().map(play_one).collect();
            let progress = Progress::of(sessions);
            while players.iter().any(|player| !player.is_finished()) {
                progress.draw(live);
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

    /// The first start: soon, or when all processes begin.
    fn begin(&self) -> Instant {
        let common = self.orders.part.map(|part| clock::instant_of(part.begin_ms));
        common.unwrap_or_else(|| clock::now() + LEAD)
    }

    fn length(&self) -> Duration {
        match &self.orders.profile.offer {
            Offer::Open { curve, .. } => Duration::from_secs_f64(curve.duration_s()),
            Offer::Closed { .. } => Duration::from_secs(1),
        }
    }

    fn counter(&self, begin: Instant) -> Counter {
        let Orders { profile, threads, connections, .. } = self.orders;
        let (http1, http2) = profile.mix.connections_split(connections.div_ceil(*threads));
        let client = |connections: usize, use_http2| {
            let reply_wait_max = profile.citizen.reply_wait_max;
            let new = || Client::new(self.dialer.clone(), connections, use_http2, reply_wait_max);
            (connections > 0).then(new)
        };
        let clients = Clients { http1: client(http1, false), http2: client(http2, true) };
        let conduct = Conduct {
            form: Form::of(self.campaign),
            mix: profile.mix.clone(),
            plan: profile.citizen.clone(),
            timely: Duration::from_millis(profile.thresholds.timely_ms),
            seed: profile.seed,
            run: self.run,
            office: self.orders.office.clone(),
            campaign: self.campaign,
            going_home: self.orders.going_home.map(|after| begin + after),
            closing: self.orders.closes.then(|| begin + self.length()),
        };
        let tally = Tally::new(begin, self.length());
        let live = Arc::clone(&self.watch.live);
        let receipts = Arc::clone(&self.receipts);
        Counter::new(clients, conduct, self.people.clone(), receipts, live, tally)
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
                let (number, of) = self.orders.part.map_or((0, 1), |part| (part.number, part.of));
                let (thread, threads) = (number * threads + thread, of * threads);
                let share = open_loop::Share { starts: &self.starts, thread, threads };
                let drain_max = self.orders.profile.drain_max;
                open_loop::play(counter, share, begin, drain_max, &self.watch.stop).await;
            }
            Offer::Closed { sessions } => {
                let sessions = (sessions as usize).div_ceil(threads);
                let connections = self.orders.connections.div_ceil(threads);
                let http2 = self.orders.profile.mix.http2_share >= 1.0;
                let client = counter.clients().of(http2);
                let share = closed_loop::Share {
                    sessions,
                    first_number: (thread * sessions) as u64,
                    workers: client.exchanges_max(connections),
                    duration_max: self
                        .orders
                        .closed_duration_max
                        .unwrap_or(CLOSED_DURATION_DEFAULT),
                    all_entered,
                    stop: self.watch.stop.clone(),
                };
                closed_loop::play(counter, share).await;
            }
        }
    }
}
