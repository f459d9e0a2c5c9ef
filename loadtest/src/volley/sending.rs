//! Sends a volley: opens the lines, lets each take its turns, and ends at the first fault.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    requests::Requests,
    steps::Steps,
    tally::{Figures, Tally},
    turns::{Turn, Turns},
    visits::Failed,
};
use crate::{
    clock,
    fault::Fault,
    wire::{
        client::{ExchangeFault, Reply},
        connection::Dialer,
        line::Line,
    },
};

/// Longest wait for a reply or a handshake; a longer one is a fault.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Time before the first start of a schedule, so that all lines are in the queue by then.
const LEAD: Duration = Duration::from_millis(50);
/// Concurrent handshakes before the first request; servers bound theirs too.
const DIALS_MAX: usize = 64;
/// Bytes of an unexpected reply that are shown.
const SHOWN_BYTES_MAX: usize = 300;

/// What to send, and how.
pub(super) struct Sending {
    pub(super) requests: Requests,
    pub(super) dialer: Dialer,
    /// Requests a second; as fast as they are answered without a rate.
    pub(super) rate: Option<f64>,
    pub(super) connections: usize,
    /// Concurrent requests on each HTTP/2 connection; `None` for HTTP/1.1.
    pub(super) streams: Option<usize>,
}

impl Sending {
    /// Sends all requests and returns the figures.
    ///
    /// # Errors
    ///
    /// The first connection that failed, or the first request without a 2xx reply.
    pub(super) async fn play(self, steps: Steps) -> Result<Figures, Fault> {
        let group = self.dialer.handshake().await.map_err(ExchangeFault::Dial);
        let group = group.map_err(|fault| self.fault("the first handshake", fault.name()))?;
        let key_exchange = group.map(|group| format!("{group:?}")).unwrap_or_default();
        let sending = Arc::new(self);
        let lines = sending.lines().await?;
        steps.done("connected").await?;
        let lead = if sending.rate.is_some() { LEAD } else { Duration::ZERO };
        let begin = clock::now() + lead;
        let turns = Arc::new(sending.turns(begin));
        let tally = Arc::new(Mutex::new(Tally::new(begin)));
        let mut workers = JoinSet::new();
        for line in lines {
            let (sending, turns, tally) =
                (Arc::clone(&sending), Arc::clone(&turns), Arc::clone(&tally));
            workers.spawn(async move { sending.work(line, &turns, &tally).await });
        }
        // The lines stay open until the last step is done.
        let mut lines = Vec::new();
        while let Some(worker) = workers.join_next().await {
            lines.push(joined(worker)?);
        }
        steps.done("answered").await?;
        drop(lines);
        let figures = tally.lock().unwrap_or_else(PoisonError::into_inner).figures(key_exchange);
        Ok(figures)
    }

    fn turns(&self, begin: Instant) -> Turns {
        let count = self.requests.count();
        match self.rate {
            Some(rate) if self.requests.visits().is_some() => Turns::by_chance(begin, count, rate),
            rate => Turns::new(begin, count, rate),
        }
    }

    /// A line for each worker, all open; `None` for each when they open connections of their own.
    async fn lines(self: &Arc<Self>) -> Result<Vec<Option<Line>>, Fault> {
        if self.requests.open_connections() {
            return Ok((0..self.connections).map(|_| None).collect());
        }
        let dials = Arc::new(Semaphore::new(DIALS_MAX));
        let mut dialing = JoinSet::new();
        for _ in 0..self.connections {
            let (sending, dials) = (Arc::clone(self), Arc::clone(&dials));
            dialing.spawn(async move {
                // The semaphore is never closed; without a permit there would be one dial too many, no more.
                let _permit = dials.acquire().await.ok();
                sending.dial().await
            });
        }
        let mut lines = Vec::new();
        while let Some(dialed) = dialing.join_next().await {
            let dialed = joined(dialed.map(|dialed| {
                let number = lines.len();
                dialed.map_err(|fault| self.fault(&format!("connection {number}"), fault.name()))
            }))?;
            lines.extend(dialed.into_iter().map(Some));
        }
        Ok(lines)
    }

    async fn dial(&self) -> Result<Vec<Line>, ExchangeFault> {
        let dialed = match self.streams {
            None => Line::over_http1(&self.dialer).await.map(|line| vec![line]),
            Some(streams) => Line::over_http2(&self.dialer, streams).await,
        };
        dialed.map_err(ExchangeFault::Dial)
    }

    /// Takes turns until none is left, and gives the line back.
    async fn work(
        &self,
        mut line: Option<Line>,
        turns: &Turns,
        tally: &Mutex<Tally>,
    ) -> Result<Option<Line>, Fault> {
        while let Some(turn) = turns.take().await {
            if let Some(visits) = self.requests.visits() {
                let visited = visits.play(turn.number, &self.dialer, REPLY_WAIT_MAX).await;
                let visited = visited.transpose().map_err(|failed| self.failed(turn, failed))?;
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(visited) = visited {
                    tally.leave(turn, &visited);
                }
                continue;
            }
            let outcome = self.shoot(line.as_mut(), turn).await;
            let name = || format!("request {}", turn.number);
            let reply = outcome.map_err(|fault| self.fault(&name(), fault.name()))?;
            let bytes = match reply {
                None => 0,
                Some(reply) if reply.status.is_success() => reply.head_bytes + reply.body.len(),
                Some(reply) => return Err(self.fault(&name(), &shown(&reply))),
            };
            tally.lock().unwrap_or_else(PoisonError::into_inner).answer(turn, bytes);
        }
        Ok(line)
    }

    /// Sends one request on `line`, or makes a handshake, which has no reply.
    async fn shoot(
        &self,
        line: Option<&mut Line>,
        turn: Turn,
    ) -> Result<Option<Reply>, ExchangeFault> {
        if let (Some(line), Some(request)) = (line, self.requests.get(turn.number)) {
            return line.exchange(request, REPLY_WAIT_MAX).await.map(Some);
        }
        let handshake = tokio::time::timeout(REPLY_WAIT_MAX, self.dialer.handshake()).await;
        handshake.map_err(|_| ExchangeFault::Late)?.map_err(ExchangeFault::Dial)?;
        Ok(None)
    }

    fn failed(&self, turn: Turn, failed: Failed) -> Fault {
        match failed {
            Failed::Exchange(fault) => self.fault(&format!("visit {}", turn.number), fault.name()),
            Failed::Refused(kind, reply) => {
                let what = format!("visit {}, {}", turn.number, kind.name());
                self.fault(&what, &shown(&reply))
            }
        }
    }

    fn fault(&self, what: &str, why: &str) -> Fault {
        let addr = self.dialer.target().addr;
        Fault::Needs(format!(
            "{what} at {addr}: {why}. A volley ends at the first reply that is not 2xx: check that the server runs, \
             that its limits are wide enough, and that no session in the file was used before"
        ))
    }
}

/// Status and the beginning of a reply.
fn shown(reply: &Reply) -> String {
    let shown = &reply.body[..reply.body.len().min(SHOWN_BYTES_MAX)];
    format!("{} {}", reply.status, String::from_utf8_lossy(shown))
}

/// The result of a task; a panic in it continues here.
fn joined<T>(outcome: Result<Result<T, Fault>, tokio::task::JoinError>) -> Result<T, Fault> {
    match outcome {
        Ok(given) => given,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
