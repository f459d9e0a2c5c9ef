//! Sends a volley: lines are opened, each takes its turns, and the first fault ends it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    requests::Requests,
    steps::Steps,
    tally::{Tally, Told},
    turns::{Turn, Turns},
};
use crate::{
    clock,
    command::Fault,
    wire::{
        client::{ExchangeFault, Reply},
        connection::Dialer,
        line::Line,
    },
};

/// A reply that takes longer is a fault.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Before the first start of a schedule, so that all lines are in the queue by then.
const LEAD: Duration = Duration::from_millis(50);
/// Connections opened at once before the first request; a server bounds its handshakes too.
const DIALS_MAX: usize = 64;
/// Bytes of a bad reply that are shown.
const SHOWN_BYTES_MAX: usize = 300;

/// What to send, and how.
pub(super) struct Sending {
    pub(super) requests: Requests,
    pub(super) dialer: Dialer,
    /// A second; as fast as they are answered without it.
    pub(super) rate: Option<f64>,
    pub(super) connections: usize,
    /// At once on each connection over HTTP/2; HTTP/1.1 without it.
    pub(super) streams: Option<usize>,
    /// Whether connections are kept from one request to the next.
    pub(super) kept: bool,
}

impl Sending {
    /// Sends all, and gives the figures.
    ///
    /// # Errors
    ///
    /// The first connection that did not come about, or the first request that got no good answer.
    pub(super) async fn play(self, steps: Steps) -> Result<Told, Fault> {
        let group = self.dialer.handshake().await.map_err(ExchangeFault::Dial);
        let group = group.map_err(|fault| self.fault("the first handshake", fault.name()))?;
        let key_exchange = group.map(|group| format!("{group:?}")).unwrap_or_default();
        let sending = Arc::new(self);
        let lines = sending.lines().await?;
        steps.done("connected").await?;
        let lead = if sending.rate.is_some() { LEAD } else { Duration::ZERO };
        let begin = clock::now() + lead;
        let turns = Arc::new(Turns::new(begin, sending.requests.count(), sending.rate));
        let tally = Arc::new(Mutex::new(Tally::new(begin)));
        let mut workers = JoinSet::new();
        for line in lines {
            let (sending, turns, tally) =
                (Arc::clone(&sending), Arc::clone(&turns), Arc::clone(&tally));
            workers.spawn(async move { sending.work(line, &turns, &tally).await });
        }
        // Until the last step is done the lines stay open.
        let mut lines = Vec::new();
        while let Some(worker) = workers.join_next().await {
            lines.push(ended(worker)?);
        }
        steps.done("answered").await?;
        drop(lines);
        let told = tally.lock().unwrap_or_else(PoisonError::into_inner).told(key_exchange);
        Ok(told)
    }

    /// Every line open, or as many places for a connection that each request opens itself.
    async fn lines(self: &Arc<Self>) -> Result<Vec<Option<Line>>, Fault> {
        if !self.kept {
            return Ok((0..self.connections).map(|_| None).collect());
        }
        let dials = Arc::new(Semaphore::new(DIALS_MAX));
        let mut dialing = JoinSet::new();
        for _ in 0..self.connections {
            let (sending, dials) = (Arc::clone(self), Arc::clone(&dials));
            dialing.spawn(async move {
                // Never closed; without a permit it would be one dial too many, no more.
                let _permit = dials.acquire().await.ok();
                sending.dial().await
            });
        }
        let mut lines = Vec::new();
        while let Some(dialed) = dialing.join_next().await {
            let dialed = ended(dialed.map(|dialed| {
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

    /// Takes turns on `line` until there are none, and gives it back.
    async fn work(
        &self,
        mut line: Option<Line>,
        turns: &Turns,
        tally: &Mutex<Tally>,
    ) -> Result<Option<Line>, Fault> {
        while let Some(turn) = turns.take().await {
            let outcome = self.shoot(&mut line, turn).await;
            let name = || format!("request {}", turn.number);
            let reply = outcome.map_err(|fault| self.fault(&name(), fault.name()))?;
            let bytes = match reply {
                None => 0,
                Some(reply) if reply.status.is_success() => reply.head_bytes + reply.body.len(),
                Some(reply) => {
                    let shown = &reply.body[..reply.body.len().min(SHOWN_BYTES_MAX)];
                    let said = format!("{} {}", reply.status, String::from_utf8_lossy(shown));
                    return Err(self.fault(&name(), &said));
                }
            };
            tally.lock().unwrap_or_else(PoisonError::into_inner).answer(turn, bytes);
        }
        Ok(line)
    }

    /// One request on `line`, or on a connection of its own without one; no reply to a handshake alone.
    async fn shoot(
        &self,
        line: &mut Option<Line>,
        turn: Turn,
    ) -> Result<Option<Reply>, ExchangeFault> {
        let Some(request) = self.requests.get(turn.number) else {
            let handshake = tokio::time::timeout(REPLY_WAIT_MAX, self.dialer.handshake()).await;
            handshake.map_err(|_| ExchangeFault::Late)?.map_err(ExchangeFault::Dial)?;
            return Ok(None);
        };
        if let Some(line) = line {
            return line.exchange(request, REPLY_WAIT_MAX).await.map(Some);
        }
        let mut own = self.dial().await?;
        let own = own.first_mut().ok_or(ExchangeFault::Broken)?;
        own.exchange(request, REPLY_WAIT_MAX).await.map(Some)
    }

    fn fault(&self, what: &str, why: &str) -> Fault {
        let addr = self.dialer.target().addr;
        Fault::Needs(format!(
            "{what} at {addr}: {why}. A volley takes nothing but 2xx: see that the server runs, that its limits are wide \
             enough, and that no session of the file was used before"
        ))
    }
}

/// What a task gave; a panic in it goes on here.
fn ended<T>(outcome: Result<Result<T, Fault>, tokio::task::JoinError>) -> Result<T, Fault> {
    match outcome {
        Ok(given) => given,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
