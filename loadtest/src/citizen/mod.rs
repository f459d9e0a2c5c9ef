//! One citizen's visit: enter, perhaps save a draft and ask for an estimate, submit, read, leave; or give up. Some come by
//! the pages instead.
//!
//! Every reply is checked for its owner.

mod answers;
mod ask;
mod batch;
mod html;
mod pages;
mod paths;
mod steps;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use hyper::header::HeaderValue;

use self::paths::{Paths, Visits};
use crate::{
    application::{Campaign, Form},
    clock,
    identity::{Identities, Identity},
    live::Live,
    owner::{Crossover, Owner, check_digest},
    profile::{CitizenPlan, Mix, Role},
    receipts::Receipts,
    schedule::Chance,
    tally::{Ending, Step, Tally},
    wire::{client::Client, target::Target},
};

/// Within how many milliseconds all those go home who do: closing a hundred thousand connections at once would keep the
/// generator from its schedule.
const GOING_HOME_MS: u64 = 3000;

/// What the citizens of one generator thread share.
pub struct Counter {
    clients: Clients,
    conduct: Conduct,
    receipts: Arc<Receipts>,
    live: Arc<Live>,
    people: People,
    // Locked by the tasks of this thread only, never across an await, so none is ever contended.
    chance: Mutex<Chance>,
    visits: Mutex<Visits>,
    tally: Mutex<Tally>,
    /// Where the server has those inside reconnect; resolved once.
    inside: OnceLock<Result<Arc<Target>, String>>,
}

/// Identities of a run: one for each session and for each line of a batch.
#[derive(Clone, Debug)]
pub struct People {
    /// Citizens, also as clients of intermediaries.
    pub citizens: Arc<Identities>,
    /// People at an intermediary's office; `None` in a run without intermediaries.
    pub offices: Option<Arc<Identities>>,
}

/// Clients for the versions of HTTP that the mix asks for.
pub struct Clients {
    /// HTTP/1.1.
    pub http1: Option<Client>,
    /// HTTP/2.
    pub http2: Option<Client>,
}

/// What the citizens of a run do.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// The application that they submit.
    pub form: Form,
    /// Kinds of sessions.
    pub mix: Mix,
    /// How they behave.
    pub plan: CitizenPlan,
    /// Longest latency of a timely submission.
    pub timely: Duration,
    /// Seed of roles, pauses and waits.
    pub seed: u64,
    /// Number of the run, part of each idempotency key: whoever applied in an earlier run must get 409, not the old
    /// receipt again, which would measure nothing.
    pub run: i64,
    /// The intermediaries' office.
    pub office: String,
    /// The campaign that the clients' mandates cover.
    pub campaign: Campaign,
    /// When people outside stop asking to be let in; `None`: never.
    pub closing: Option<Instant>,
    /// When people who came earlier and are still outside go home; `None`: never.
    pub going_home: Option<Instant>,
}

/// An open session, its owner and its paths.
#[derive(Clone)]
pub struct Session {
    owner: Owner,
    paths: Paths,
    bearer: HeaderValue,
    // Kept only for citizens who enter again when their session is lost.
    identity: Option<Identity>,
}

/// One session in progress.
pub struct Visit<'c> {
    counter: &'c Counter,
    client: &'c Client,
    role: Role,
    number: u64,
}

impl Clients {
    /// The client for a session over HTTP/2, or over HTTP/1.1.
    ///
    /// # Panics
    ///
    /// Never: a run has a client for every version of HTTP in its mix.
    #[must_use]
    pub fn of(&self, http2: bool) -> &Client {
        let wanted = if http2 { &self.http2 } else { &self.http1 };
        let any = wanted.as_ref().or(self.http1.as_ref()).or(self.http2.as_ref());
        any.expect("a run has one connection at least")
    }

    /// Number of requests that waited because all connections were in use.
    #[must_use]
    pub fn connection_waits(&self) -> u64 {
        [&self.http1, &self.http2].into_iter().flatten().map(Client::connection_waits).sum()
    }
}

impl Counter {
    /// A counter that adds its counts to `tally`.
    #[must_use]
    pub fn new(
        clients: Clients,
        conduct: Conduct,
        people: People,
        receipts: Arc<Receipts>,
        live: Arc<Live>,
        tally: Tally,
    ) -> Self {
        let chance = Mutex::new(Chance::new(conduct.seed));
        let (visits, tally) = (Mutex::new(Visits::new()), Mutex::new(tally));
        let inside = OnceLock::new();
        Self { clients, conduct, receipts, live, people, chance, visits, tally, inside }
    }

    /// Counts so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients of the citizens.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Identities of the run.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Role of session `number`.
    #[must_use]
    pub fn role(&self, number: u64) -> Role {
        self.conduct.mix.role(self.conduct.seed, number)
    }

    /// Counts session `number`, scheduled for `due`, as offered.
    pub fn offer(&self, number: u64, due: Instant) {
        let wanted = self.conduct.mix.receipts_wanted(self.role(number));
        self.tally().offer(due, wanted);
    }

    /// The identity for session `number`; `None` when all are used.
    #[must_use]
    pub fn next_in_line(&self, number: u64) -> Option<Identity> {
        let role = self.role(number);
        let offices = self.people.offices.as_ref().filter(|_| role.intermediary);
        offices.unwrap_or(&self.people.citizens).draw()
    }

    /// The visit of session `number` over `client`.
    pub fn visitor<'c>(&'c self, client: &'c Client, number: u64) -> Visit<'c> {
        Visit { counter: self, client, role: self.role(number), number }
    }

    /// Carries out session `number` of the schedule, from entering to leaving; it was scheduled for `due`.
    pub async fn visit(&self, identity: Identity, number: u64, due: Instant) {
        self.tally().start(due, clock::now().saturating_duration_since(due));
        self.start();
        let role = self.role(number);
        let shared = self.clients.of(role.http2);
        let own;
        let client = if role.own_connection {
            own = shared.alone().await;
            &own
        } else {
            shared
        };
        let visit = self.visitor(client, number);
        let served = if role.pages {
            // On the heap, so that the many who do not come by the pages take no more memory.
            let by_pages = async {
                let signing_in = Box::pin(visit.sign_in(identity, due));
                let entered = self.outside(number, due, signing_in).await;
                self.served(entered, |browser| visit.follow(browser)).await
            };
            Box::pin(by_pages).await
        } else {
            let entered = self.outside(number, due, visit.enter(identity, due)).await;
            self.served(entered, |session| visit.finish(session)).await
        };
        self.end(&served, due);
    }

    /// Everything after entering, which `finish` does; how the session ended.
    async fn served<S>(
        &self,
        entered: Result<S, Ending>,
        finish: impl AsyncFnOnce(S) -> Result<(), Ending>,
    ) -> Ending {
        let session = match entered {
            Ok(session) => session,
            Err(ending) => return ending,
        };
        self.tally().let_in(clock::now());
        let ending = finish(session).await.err().unwrap_or(Ending::Served);
        self.tally().leave(&ending, clock::now());
        ending
    }

    /// Waits until somebody is let in, or until they go home.
    async fn outside<S>(
        &self,
        number: u64,
        due: Instant,
        entering: impl Future<Output = Result<S, Ending>>,
    ) -> Result<S, Ending> {
        match self.conduct.going_home.filter(|&at| due < at) {
            Some(at) => {
                let at = at + Duration::from_millis(number % GOING_HOME_MS);
                let entered = tokio::time::timeout_at(at.into(), entering).await;
                entered.unwrap_or_else(|_| Err(Ending::Refused("went home".to_owned())))
            }
            None => entering.await,
        }
    }

    /// People inside.
    pub fn inside(&self) -> u64 {
        let tally = self.tally();
        tally.let_in - tally.left
    }

    /// True once people outside have stopped asking.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.conduct.closing.is_some_and(|closing| clock::now() >= closing)
    }

    /// Returns at once while people may ask to be let in; afterwards never. Their connections stay open until the run
    /// ends, so that the server does not have to close them all while the last people inside finish.
    async fn stay_outside_after_closing(&self) {
        if self.is_closed() {
            std::future::pending::<()>().await;
        }
    }

    /// Counts a started session in the progress line.
    pub fn start(&self) {
        self.live.start();
    }

    /// Counts the end of a session that was scheduled for `due`.
    pub fn end(&self, ending: &Ending, due: Instant) {
        self.tally().end(ending, due, clock::now());
        self.live.end(ending);
    }

    /// Counts an owner check; a crossover ends the session.
    fn own(&self, check: Result<(), Crossover>) -> Result<(), Ending> {
        let mut tally = self.tally();
        tally.owners_checked += 1;
        check.map_err(|crossover| {
            tally.crossover(crossover);
            Ending::Crossed
        })
    }

    /// Keeps the receipt with `number` and `digest`, as the server sent it in `body` for the application `sent`. Another
    /// digest than that of `sent`, or a number that another citizen has, is a crossover.
    fn keep(
        &self,
        step: Step,
        number: &str,
        digest: Option<&str>,
        body: &[u8],
        sent: &[u8],
    ) -> Result<(), Ending> {
        if !number.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'-') {
            return Err(Ending::Failed("receipt number does not fit into a path".to_owned()));
        }
        let new = self.receipts.add(number, body);
        self.own(check_digest(step.name(), sent, digest))?;
        if new {
            return Ok(());
        }
        self.own(Err(Crossover {
            step: step.name(),
            what: "receipt",
            expected: "a number of its own".to_owned(),
            found: "the number of another citizen".to_owned(),
        }))
    }
}

impl Visit<'_> {
    /// Has a person whose connection is their own reconnect at `inside` from now on, if the server has named it.
    fn reconnect_at(&self, inside: Option<&str>) -> Result<(), Ending> {
        if !self.role.own_connection {
            return Ok(());
        }
        let resolve = |url: &str| {
            let target = self.counter.inside.get_or_init(|| Target::parse(url).map(Arc::new));
            target.clone().map_err(Ending::Failed)
        };
        self.client.reconnect_at(inside.map(resolve).transpose()?);
        Ok(())
    }

    /// Everything after entering.
    async fn finish(&self, mut session: Session) -> Result<(), Ending> {
        self.think().await;
        if self.role.abandons {
            return Err(Ending::Abandoned);
        }
        if self.role.intermediary {
            self.hand_in_batch(&mut session).await?;
        } else {
            if self.role.drafts {
                self.save_draft(&mut session).await?;
                self.think().await;
            }
            if self.role.estimates {
                self.ask_estimate(&mut session).await?;
                self.think().await;
            }
            let receipt = self.submit(&mut session, clock::now()).await?;
            if self.counter.conduct.plan.polls_max > 0 {
                let code = session.owner.code.clone();
                self.read_until_decided(&code, &mut session, &receipt).await?;
            }
        }
        if self.counter.conduct.plan.leave {
            self.think().await;
            self.leave(&mut session).await?;
        }
        Ok(())
    }

    async fn think(&self) {
        let pause = {
            let chance = &self.counter.chance;
            let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
            self.counter.conduct.mix.think.pause(&mut chance)
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}
