//! One citizen at the counter: enter, submit, read, leave, with every reply checked for its owner.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    application::Form,
    clock,
    identity::{self, Identity},
    live::Live,
    owner::{Crossover, Owner, check_login},
    profile::{CitizenPlan, ConnectionUse},
    receipts::Receipts,
    schedule::Chance,
    tally::{Ending, Step, Tally},
    wire::{
        client::{Client, ExchangeFault, Reply},
        connection::DialFault,
    },
};

/// The wait after a refusal that names none, and after a broken connection.
const RETRY_WAIT_DEFAULT: Duration = Duration::from_secs(1);

/// All that the citizens of one generator thread share.
pub struct Counter {
    /// How they reach the server.
    pub client: Client,
    conduct: Conduct,
    receipts: Arc<Receipts>,
    live: Arc<Live>,
    chance: Mutex<Chance>,
    // Only this thread's tasks lock it, never across an await, so it is never contended.
    tally: Mutex<Tally>,
    login_uri: Uri,
    session_uri: Uri,
    applications_uri: Uri,
}

/// What every citizen of a run does.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// What they fill in.
    pub form: Form,
    /// How they behave.
    pub plan: CitizenPlan,
    /// What is in time for a submission.
    pub timely: Duration,
    /// Seed of their waits.
    pub seed: u64,
    /// Part of each idempotency key: people who applied in an earlier run must be told so (409),
    /// not served their old receipt again, which would measure nothing.
    pub run: i64,
}

/// An open session and whose it is.
#[derive(Clone, Debug)]
pub struct Session {
    owner: Owner,
    bearer: HeaderValue,
}

/// What a request under way came to.
enum Turn {
    Answered(Reply),
    Again { reason: String, wait: Duration, last: Ending },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login<'b> {
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(borrow)]
    subject: Cow<'b, str>,
    #[serde(borrow)]
    subject_tag: Cow<'b, str>,
}

#[derive(Deserialize)]
struct Receipt<'b> {
    #[serde(borrow)]
    receipt: Cow<'b, str>,
}

#[derive(Deserialize)]
struct Problem<'b> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'b, str>,
}

impl Counter {
    /// A counter whose citizens' doings are added to `tally`.
    ///
    /// # Panics
    ///
    /// Never: the paths are constants.
    pub fn new(
        client: Client,
        conduct: Conduct,
        receipts: Arc<Receipts>,
        live: Arc<Live>,
        tally: Tally,
    ) -> Self {
        let uri = |path| client.target().uri(path).expect("the contract's paths are paths");
        let [login_uri, session_uri, applications_uri] =
            ["/v1/sessions", "/v1/session", "/v1/applications"].map(uri);
        let chance = Mutex::new(Chance::new(conduct.seed));
        let tally = Mutex::new(tally);
        Self {
            client,
            conduct,
            receipts,
            live,
            chance,
            tally,
            login_uri,
            session_uri,
            applications_uri,
        }
    }

    /// The counts so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One whole visit of the citizen who was meant to come at `due`.
    ///
    /// `number` is the visit's place in the schedule.
    pub async fn visit(&self, identity: Identity, number: u64, due: Instant) {
        self.tally().lag.record(clock::now().saturating_duration_since(due));
        self.start();
        let ending = match self.walk_through(identity, number, due).await {
            Ok(()) => Ending::Served,
            Err(ending) => ending,
        };
        self.end(&ending, due);
    }

    /// Shows that a session started.
    pub fn start(&self) {
        self.live.start();
    }

    /// Counts the end of a session that was meant to start at `due`.
    pub fn end(&self, ending: &Ending, due: Instant) {
        self.tally().end(ending, due, clock::now());
        self.live.end(ending);
    }

    async fn walk_through(
        &self,
        identity: Identity,
        number: u64,
        due: Instant,
    ) -> Result<(), Ending> {
        let own;
        let client = match self.conduct.plan.connection {
            ConnectionUse::Shared => &self.client,
            ConnectionUse::Own => {
                own = self.client.alone().await;
                &own
            }
        };
        let session = self.enter(client, identity, due).await?;
        let location = self.submit(client, &session, number, clock::now()).await?;
        if self.conduct.plan.polls_max > 0 {
            self.read_until_decided(client, &session, location.as_deref()).await?;
        }
        if self.conduct.plan.leave {
            self.ask(client, Step::Leave, Some(&session), || {
                under(&session, Method::DELETE, self.session_uri.clone(), Bytes::new())
            })
            .await?;
        }
        Ok(())
    }

    /// Opens a session, counted from `due`.
    ///
    /// # Errors
    ///
    /// How the session ended instead.
    pub async fn enter(
        &self,
        client: &Client,
        identity: Identity,
        due: Instant,
    ) -> Result<Session, Ending> {
        let reply = self.ask(client, Step::Enter, None, || {
            let mut request = Request::new(Full::new(Bytes::new()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.login_uri.clone();
            request.headers_mut().insert(AUTHORIZATION, identity.bearer.clone());
            request
        });
        let reply = reply.await?;
        let login: Login<'_> = understood(&reply)?;
        let bearer = identity::bearer(&login.token);
        let subject_tag = HeaderValue::from_str(&login.subject_tag).ok();
        let (Some(bearer), Some(subject_tag)) = (bearer, subject_tag) else {
            return Err(Ending::Failed("a session token or tag that fits no header".to_owned()));
        };
        let owner = Owner { code: identity.code, subject_tag };
        self.own(check_login(&owner.code, &login.subject))?;
        if reply.subject_tag.is_some() {
            self.own(owner.check_tag("enter", reply.status, reply.subject_tag.as_ref()))?;
        }
        self.tally().enter.record(clock::now().saturating_duration_since(due));
        self.live.enter();
        Ok(Session { owner, bearer })
    }

    /// Hands in the application, counted from `asked`, and keeps the receipt; gives its address.
    ///
    /// # Errors
    ///
    /// How the session ended instead.
    pub async fn submit(
        &self,
        client: &Client,
        session: &Session,
        number: u64,
        asked: Instant,
    ) -> Result<Option<String>, Ending> {
        let body = self.conduct.form.filled_for(&session.owner.code);
        let key = HeaderValue::try_from(format!("surge-{:x}-{number:x}", self.conduct.run));
        let key = key.map_err(|_| Ending::Failed("an idempotency key of no form".to_owned()))?;
        let reply = self.ask(client, Step::Submit, Some(session), || {
            let uri = self.applications_uri.clone();
            let mut request = under(session, Method::POST, uri, body.clone());
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert("idempotency-key", key.clone());
            request
        });
        let reply = reply.await?;
        let now = clock::now();
        let receipt: Receipt<'_> = understood(&reply)?;
        if !self.receipts.add(&receipt.receipt, &reply.body) {
            let crossover = Crossover {
                step: "submit",
                what: "receipt",
                expected: "a number of one's own".to_owned(),
                found: "one that another citizen has".to_owned(),
            };
            self.own(Err(crossover))?;
        }
        self.tally().receipt(now, now.saturating_duration_since(asked), self.conduct.timely);
        self.live.receipt();
        Ok(reply.location)
    }

    async fn read_until_decided(
        &self,
        client: &Client,
        session: &Session,
        location: Option<&str>,
    ) -> Result<(), Ending> {
        let uri = location.and_then(|path| self.client.target().uri(path));
        let uri = uri.ok_or_else(|| Ending::Failed("a receipt without a Location".to_owned()))?;
        for _ in 0..self.conduct.plan.polls_max {
            let asked = clock::now();
            let reply = self.ask(client, Step::Read, Some(session), || {
                under(session, Method::GET, uri.clone(), Bytes::new())
            });
            let reply = reply.await?;
            let application: Value = understood(&reply)?;
            self.own(session.owner.check_application(&application))?;
            let decided = application.get("state").and_then(Value::as_str) == Some("decided");
            self.tally().read(clock::now().saturating_duration_since(asked), decided);
            if decided {
                return Ok(());
            }
            tokio::time::sleep(self.conduct.plan.poll_wait).await;
        }
        Err(Ending::Failed("not decided within the polls of the profile".to_owned()))
    }

    /// Sends what `request` makes until it is answered, within the profile's retries and waits.
    async fn ask(
        &self,
        client: &Client,
        step: Step,
        session: Option<&Session>,
        request: impl Fn() -> Request<Full<Bytes>>,
    ) -> Result<Reply, Ending> {
        let mut retries = 0;
        loop {
            let sent = clock::now();
            let outcome = client.exchange(request()).await;
            match self.turn(step, session, sent, outcome)? {
                Turn::Answered(reply) => return Ok(reply),
                Turn::Again { reason, wait, last } => {
                    if retries == self.conduct.plan.retries_max
                        || wait > self.conduct.plan.retry_wait_max
                    {
                        return Err(last);
                    }
                    retries += 1;
                    self.tally().retried.count(&reason);
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
    ) -> Result<Turn, Ending> {
        let reply = match outcome {
            Ok(reply) => reply,
            Err(fault) => return self.broken(fault),
        };
        self.tally().reply(step, reply.status);
        if let Some(session) = session {
            let tag = reply.subject_tag.as_ref();
            self.own(session.owner.check_tag(step.name(), reply.status, tag))?;
        }
        let reason = match reply.status {
            StatusCode::ACCEPTED => "202 waiting".to_owned(),
            status if status.is_success() => return Ok(Turn::Answered(reply)),
            _ => problem(&reply),
        };
        let refused = Ending::Refused(reason.clone());
        match reply.status {
            StatusCode::ACCEPTED
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE => {
                self.tally().refusal.record(clock::now().saturating_duration_since(sent));
                let wait = reply.retry_after.unwrap_or_else(|| self.own_wait());
                Ok(Turn::Again { reason, wait, last: refused })
            }
            // A closed window and an earlier application are answers, not faults of the server.
            StatusCode::FORBIDDEN | StatusCode::CONFLICT => Err(refused),
            _ => Err(Ending::Failed(format!("{} {reason}", step.name()))),
        }
    }

    /// A broken exchange is tried again as a citizen would: the idempotency key makes that safe.
    fn broken(&self, fault: ExchangeFault) -> Result<Turn, Ending> {
        let reason = fault.name().to_owned();
        let last = match fault {
            ExchangeFault::Dial(DialFault::Tls) => return Err(Ending::Failed(reason)),
            // At its limit a server refuses before TLS, where it costs it least.
            ExchangeFault::Dial(_) => Ending::Refused(reason.clone()),
            ExchangeFault::Broken | ExchangeFault::Late => Ending::Failed(reason.clone()),
        };
        Ok(Turn::Again { reason, wait: self.own_wait(), last })
    }

    /// The wait when the server named none; spread, so that those turned away together do not return together.
    fn own_wait(&self) -> Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        RETRY_WAIT_DEFAULT.mul_f64(0.5 + chance.uniform())
    }

    /// Counts an owner check and ends the session at a crossover.
    fn own(&self, check: Result<(), Crossover>) -> Result<(), Ending> {
        let mut tally = self.tally();
        tally.owners_checked += 1;
        check.map_err(|crossover| {
            tally.crossover(crossover);
            Ending::Crossed
        })
    }
}

fn under(session: &Session, method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    request.headers_mut().insert(AUTHORIZATION, session.bearer.clone());
    request
}

fn understood<'b, T: Deserialize<'b>>(reply: &'b Reply) -> Result<T, Ending> {
    serde_json::from_slice(&reply.body)
        .map_err(|_| Ending::Failed("a reply that is not the contract's JSON".to_owned()))
}

/// Status and problem slug, as in `503 busy`.
fn problem(reply: &Reply) -> String {
    let problem: Option<Problem<'_>> = serde_json::from_slice(&reply.body).ok();
    let slug = problem.as_ref().and_then(|problem| problem.kind.rsplit(':').next());
    match slug {
        Some(slug) => format!("{} {slug}", reply.status.as_u16()),
        None => reply.status.as_u16().to_string(),
    }
}
