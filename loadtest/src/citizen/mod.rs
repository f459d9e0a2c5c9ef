//! One citizen at the counter: enter, perhaps save a draft and ask for an estimate, submit, read,
//! leave; or give up on the way. Every reply is checked for its owner.

mod ask;
mod batch;
mod steps;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{Uri, header::HeaderValue};

use crate::{
    application::Form,
    clock,
    identity::{Identities, Identity},
    live::Live,
    owner::{Crossover, Owner},
    profile::{CitizenPlan, Mix, Role},
    receipts::Receipts,
    schedule::Chance,
    tally::{Ending, Step, Tally},
    wire::client::Client,
};

/// All that the citizens of one generator thread share.
pub struct Counter {
    clients: Clients,
    conduct: Conduct,
    receipts: Arc<Receipts>,
    live: Arc<Live>,
    people: People,
    chance: Mutex<Chance>,
    // Only this thread's tasks lock it, never across an await, so it is never contended.
    tally: Mutex<Tally>,
    paths: Paths,
}

/// Who comes: one identity a session, and one a line of a batch.
#[derive(Clone, Debug)]
pub struct People {
    /// Citizens, and the clients of intermediaries.
    pub citizens: Arc<Identities>,
    /// People at an intermediary's office; none in a run without intermediaries.
    pub offices: Option<Arc<Identities>>,
}

/// How citizens reach the server: over either version of HTTP, as far as the mix wants it.
pub struct Clients {
    /// HTTP/1.1.
    pub http1: Option<Client>,
    /// HTTP/2.
    pub http2: Option<Client>,
}

/// What every citizen of a run does.
#[derive(Clone, Debug)]
pub struct Conduct {
    /// What they fill in.
    pub form: Form,
    /// Who comes.
    pub mix: Mix,
    /// How they behave.
    pub plan: CitizenPlan,
    /// What is in time for a submission.
    pub timely: Duration,
    /// Seed of their roles, pauses and waits.
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
    // Kept only by citizens who enter again when their session is gone.
    identity: Option<Identity>,
}

struct Paths {
    login: Uri,
    session: Uri,
    draft: Uri,
    estimates: Uri,
    applications: Uri,
    batches: Uri,
}

/// One person at the counter.
pub struct Visit<'c> {
    counter: &'c Counter,
    client: &'c Client,
    role: Role,
    number: u64,
}

impl Clients {
    /// The client for a session over HTTP/2 or not.
    ///
    /// # Panics
    ///
    /// Never: a run has a client for every version its mix draws.
    #[must_use]
    pub fn of(&self, http2: bool) -> &Client {
        let wanted = if http2 { &self.http2 } else { &self.http1 };
        let any = wanted.as_ref().or(self.http1.as_ref()).or(self.http2.as_ref());
        any.expect("a run has one connection at least")
    }

    /// How often somebody had to wait because all connections were in use.
    #[must_use]
    pub fn connection_waits(&self) -> u64 {
        [&self.http1, &self.http2].into_iter().flatten().map(Client::connection_waits).sum()
    }
}

impl Counter {
    /// A counter whose citizens' doings are added to `tally`.
    ///
    /// # Panics
    ///
    /// Never: the paths are constants.
    pub fn new(
        clients: Clients,
        conduct: Conduct,
        people: People,
        receipts: Arc<Receipts>,
        live: Arc<Live>,
        tally: Tally,
    ) -> Self {
        let target = clients.of(false).target();
        let uri = |path| target.uri(path).expect("the contract's paths are paths");
        let paths = Paths {
            login: uri("/v1/sessions"),
            session: uri("/v1/session"),
            draft: uri("/v1/draft"),
            estimates: uri("/v1/estimates"),
            applications: uri("/v1/applications"),
            batches: uri("/v1/batches"),
        };
        let chance = Mutex::new(Chance::new(conduct.seed));
        let tally = Mutex::new(tally);
        Self { clients, conduct, receipts, live, people, chance, tally, paths }
    }

    /// The counts so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the citizens reach the server.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Who comes.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// What session `number` is.
    #[must_use]
    pub fn role(&self, number: u64) -> Role {
        self.conduct.mix.role(self.conduct.seed, number)
    }

    /// Counts session `number`, meant to start at `due`, as offered.
    pub fn offer(&self, number: u64, due: Instant) {
        let wanted = self.conduct.mix.receipts_wanted(self.role(number));
        self.tally().offer(due, wanted);
    }

    /// Whoever comes as session `number`; `None` when nobody is left.
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

    /// One whole visit of the citizen who was meant to come at `due`.
    ///
    /// `number` is the visit's place in the schedule.
    pub async fn visit(&self, identity: Identity, number: u64, due: Instant) {
        self.tally().lag.record(clock::now().saturating_duration_since(due));
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
        let ending = match self.visitor(client, number).walk_through(identity, due).await {
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

    /// Counts an owner check and ends the session at a crossover.
    fn own(&self, check: Result<(), Crossover>) -> Result<(), Ending> {
        let mut tally = self.tally();
        tally.owners_checked += 1;
        check.map_err(|crossover| {
            tally.crossover(crossover);
            Ending::Crossed
        })
    }

    /// Keeps a receipt; one whose number somebody else has is a crossover.
    fn keep(&self, step: Step, number: &str, body: &[u8]) -> Result<(), Ending> {
        if self.receipts.add(number, body) {
            return Ok(());
        }
        self.own(Err(Crossover {
            step: step.name(),
            what: "receipt",
            expected: "a number of one's own".to_owned(),
            found: "one that another citizen has".to_owned(),
        }))
    }
}

impl Visit<'_> {
    async fn walk_through(&self, identity: Identity, due: Instant) -> Result<(), Ending> {
        let mut session = self.enter(identity, due).await?;
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
            let location = self.submit(&mut session, clock::now()).await?;
            if self.counter.conduct.plan.polls_max > 0 {
                self.read_until_decided(&mut session, location.as_deref()).await?;
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
