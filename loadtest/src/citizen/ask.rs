//! Sends a request until it is answered: retries, waits, and how each reply is counted.

use std::{
    borrow::Cow,
    sync::PoisonError,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;

use super::{Session, Visit};
use crate::{
    clock, identity,
    tally::{Ending, Step},
    wire::{
        client::{ExchangeFault, Reply},
        connection::DialFault,
    },
};

/// Mean wait after a refusal without `Retry-After`, and after a broken connection.
const RETRY_WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// What to do after one attempt.
enum Turn {
    Answered(Reply),
    /// In the waiting room (202): ask again with this ticket after this wait. Neither a refusal nor a failed attempt.
    Waits {
        ticket: HeaderValue,
        wait: Duration,
    },
    Again {
        reason: String,
        wait: Duration,
        last: Ending,
    },
}

/// Why a request was not answered.
pub(super) enum Unanswered {
    /// The session is lost, and its citizen may enter again.
    SessionGone,
    /// The session is over.
    Ended(Ending),
}

impl From<Ending> for Unanswered {
    fn from(ending: Ending) -> Self {
        Self::Ended(ending)
    }
}

/// The reply to a person in the waiting room.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting<'b> {
    #[serde(borrow)]
    ticket: Cow<'b, str>,
    poll_after_seconds: u64,
}

#[derive(Deserialize)]
pub(super) struct Problem<'b> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'b, str>,
}

impl Problem<'_> {
    /// Last part of the problem's type, such as `busy`.
    pub(super) fn slug(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

impl Visit<'_> {
    /// Sends `request` within the session until it is answered; enters again when the session is lost, if the profile
    /// says so.
    pub(super) async fn ask_within(
        &self,
        step: Step,
        session: &mut Session,
        request: impl Fn(&Session) -> Request<Full<Bytes>>,
    ) -> Result<Reply, Ending> {
        for _ in 0..=self.counter.conduct.plan.retries_max {
            match self.ask(step, Some(session), |_| request(session)).await {
                Ok(reply) => return Ok(reply),
                Err(Unanswered::Ended(ending)) => return Err(ending),
                Err(Unanswered::SessionGone) => {}
            }
            let Some(identity) = session.identity.clone() else { break };
            self.counter.tally().entered_again += 1;
            *session = self.enter(identity, clock::now()).await?;
        }
        Err(Ending::Failed(format!("{} 401 unauthenticated", step.name())))
    }

    /// Sends `request` until it is answered, within the retries and waits of the profile. Waits in the waiting room as
    /// long as it is asked to; each later request is made with the latest ticket.
    pub(super) async fn ask(
        &self,
        step: Step,
        session: Option<&Session>,
        request: impl Fn(Option<&HeaderValue>) -> Request<Full<Bytes>>,
    ) -> Result<Reply, Unanswered> {
        let plan = &self.counter.conduct.plan;
        let mut retries = 0;
        let mut ticket = None;
        loop {
            if step == Step::Enter {
                self.counter.stay_outside_after_closing().await;
            }
            let sent = clock::now();
            let outcome = self.client.exchange(request(ticket.as_ref())).await;
            match self.turn(step, session, sent, outcome)? {
                Turn::Answered(reply) => return Ok(reply),
                Turn::Waits { ticket: new, wait } => {
                    ticket = Some(new);
                    tokio::time::sleep(wait).await;
                }
                Turn::Again { reason, wait, last } => {
                    if retries == plan.retries_max || wait > plan.retry_wait_max {
                        return Err(last.into());
                    }
                    retries += 1;
                    self.counter.tally().again(clock::now(), step != Step::Enter, &reason);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn turn(
        &self,
        step: Step,
        session: Option<&Session>,
        sent: Instant,
        outcome: Result<Reply, ExchangeFault>,
    ) -> Result<Turn, Unanswered> {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(fault) => return Ok(self.broken(fault)?),
        };
        self.counter.tally().reply(step, reply.status);
        if let Some(session) = session {
            let tag = reply.subject_tag.as_ref();
            self.counter.own(session.owner.check_tag(step.name(), reply.status, tag))?;
        }
        if reply.status == StatusCode::ACCEPTED {
            return Ok(self.waits(&reply)?);
        }
        // Forms are answered with the page to go to.
        if reply.status.is_success() || reply.status == StatusCode::SEE_OTHER {
            return Ok(Turn::Answered(reply));
        }
        let reason = problem(&reply);
        let refused = Ending::Refused(reason.clone());
        match reply.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let now = clock::now();
                let latency = now.saturating_duration_since(sent);
                self.counter.tally().refused_request(now, latency);
                let wait = self.wait_told(reply.retry_after);
                Ok(Turn::Again { reason, wait, last: refused })
            }
            StatusCode::UNAUTHORIZED if session.is_some_and(|own| own.identity.is_some()) => {
                Err(Unanswered::SessionGone)
            }
            // A closed window (403) and an earlier application (409) are correct answers, not failures.
            StatusCode::FORBIDDEN => Err(refused.into()),
            StatusCode::CONFLICT if step != Step::Enter => Err(refused.into()),
            // Among them a visit that is taken (409): no other client can have made it.
            _ => Err(Ending::Failed(format!("{} {reason}", step.name())).into()),
        }
    }

    /// Obeys the waiting room.
    fn waits(&self, reply: &Reply) -> Result<Turn, Ending> {
        let waiting: Waiting<'_> = understood(reply)?;
        let ticket = identity::bearer(&waiting.ticket)
            .ok_or_else(|| Ending::Failed("ticket does not fit into a header".to_owned()))?;
        let wait = self.wait_told(Some(Duration::from_secs(waiting.poll_after_seconds)));
        Ok(Turn::Waits { ticket, wait })
    }

    /// Tries a broken exchange again, as a citizen would: the idempotency key makes that safe.
    fn broken(&self, fault: ExchangeFault) -> Result<Turn, Ending> {
        let reason = fault.name().to_owned();
        let last = match fault {
            ExchangeFault::Dial(DialFault::Tls) => return Err(Ending::Failed(reason)),
            // A server at its limit refuses before TLS, where a refusal costs least.
            ExchangeFault::Dial(_) => Ending::Refused(reason.clone()),
            ExchangeFault::Broken | ExchangeFault::Late => Ending::Failed(reason.clone()),
        };
        Ok(Turn::Again { reason, wait: self.own_wait(), last })
    }

    /// A request under the session, to the path `part` below its own.
    pub(super) fn under(
        &self,
        session: &Session,
        method: Method,
        part: &str,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let uri = session.paths.uri(self.client.target(), part);
        authorized(&session.bearer, method, uri, body)
    }

    /// The wait that the reply asks for; impatient citizens shorten it.
    fn wait_told(&self, told: Option<Duration>) -> Duration {
        let impatient_wait = self.counter.conduct.mix.impatient_wait;
        match told {
            Some(told) if self.role.impatient && told > impatient_wait => {
                self.counter.tally().impatient += 1;
                impatient_wait
            }
            Some(told) => told,
            None => self.own_wait(),
        }
    }

    /// The wait when the server named none; jittered, so that citizens refused together do not return together.
    fn own_wait(&self) -> Duration {
        let mut chance = self.counter.chance.lock().unwrap_or_else(PoisonError::into_inner);
        RETRY_WAIT_DEFAULT.mul_f64(0.5 + chance.uniform())
    }
}

pub(super) fn authorized(
    bearer: &HeaderValue,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request.headers_mut().insert(AUTHORIZATION, bearer.clone());
    request
}

pub(super) fn understood<'b, T: Deserialize<'b>>(reply: &'b Reply) -> Result<T, Ending> {
    serde_json::from_slice(&reply.body)
        .map_err(|_| Ending::Failed("reply is not the JSON of the contract".to_owned()))
}

/// Status and problem slug, such as `503 busy`.
fn problem(reply: &Reply) -> String {
    let problem: Option<Problem<'_>> = serde_json::from_slice(&reply.body).ok();
    match problem {
        Some(problem) => format!("{} {}", reply.status.as_u16(), problem.slug()),
        None => reply.status.as_u16().to_string(),
    }
}
