//! Entering and leaving: who may enter now, who waits, and which session a token opens.

use std::{fmt::Display, net::IpAddr, sync::Arc};

use futures_util::future::join;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use tokio::time::sleep;

use super::{
    opening::Intake,
    ticket::{self, Ends, Ticket},
};
use crate::{
    gate::{
        leases::Lease,
        limits::TooOften,
        schedule::Window,
        spread::Pace,
        waiting::{Asking, JOINS_LAST, Waiter, Waiting},
    },
    identity::{Audience, Identity, certificate::CertificateFault, token::TokenFault},
    ledger::{
        audit::{Action, QueueFull},
        fault::Untraced,
        journal::{Claimed, OutOfReach},
    },
    session::{
        Session,
        sessions::{NotOpened, Opening},
        visit::Visit,
    },
    vault::Subject,
};

/// How long a ticket is valid if the time slice has no end in sight.
const TICKET_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// What becomes of a person who may enter.
pub enum Entered {
    /// They are let in, with this token and session.
    In(String, Arc<Session>),
    /// They were inside already: the same session with a fresh token.
    Again(String, Arc<Session>),
    /// The counter is full: they wait.
    Waiting(Place),
}

/// The place of a person who waits, and the ticket with which they ask again.
pub struct Place {
    /// Who they are to the waiting room.
    pub waiter: Waiter,
    /// What they may know.
    pub waiting: Waiting,
    /// Valid for this person and visit.
    pub ticket: String,
}

/// Who asks, in which visit.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The visit.
    pub visit: &'a str,
    /// What proves who they are.
    pub proof: Proof<'a>,
    /// The address that the request came from; `None` if many people share it, as behind a proxy.
    pub from: Option<IpAddr>,
}

/// What proves who somebody is.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// An identity token, or a ticket of the visit.
    Token(&'a str),
    /// An identity that was verified already: somebody signed in at an identity provider.
    OpenId(&'a Identity),
    /// The certificate of a card or of an office's system, whose key the client holds.
    Certificate {
        /// It, and those of its issuers.
        chain: &'a [CertificateDer<'static>],
        /// The fiscal code of the clerk whom the office's system names.
        clerk: Option<&'a str>,
    },
}

/// Why a person may not enter now.
#[derive(Debug)]
pub enum EnterFault {
    /// The token does not prove who they are.
    Token(TokenFault),
    /// The certificate does not, either.
    Certificate(CertificateFault),
    /// The visit is not a name that a visit may have.
    VisitTooShort,
    /// The visit is another identity's, or its session has ended.
    VisitTaken,
    /// The time slice of their audience is closed.
    WindowClosed {
        /// When it opens next.
        opens_at: Timestamp,
        /// How long until they come back: until the opening or later; `None` if it never opens.
        wait: Option<SignedDuration>,
    },
    /// The slice has just opened, many were refused before, and their turn to come in has not come yet.
    NotYourTurn {
        /// How long until it comes.
        wait: SignedDuration,
    },
    /// They asked too often.
    TooOften(TooOften),
    /// The counter and the waiting room are full.
    Full,
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
    /// It is not known whether other nodes have let them in, or will know that this one has.
    OutOfReach(OutOfReach),
}

impl Intake {
    /// Lets a person in, or puts them into the waiting room. Checks their identity, whether the visit is theirs, their
    /// time slice, their rate and their turn, in this order.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub async fn enter(&self, asked: Asked<'_>) -> Result<Entered, EnterFault> {
        let entered = self.enter_now(asked).await?;
        let kept = match entered {
            Entered::In(_, ref session) if session.is_canary() => Ok(()),
            Entered::In(..) => {
                // People come unevenly; their visits begin evenly.
                let pause = sleep(self.admission.pause());
                if self.journal.is_shared() {
                    // No other node admits a token before it knows the session.
                    join(pause, self.journal.kept()).await.1
                } else {
                    pause.await;
                    Ok(())
                }
            }
            // Only then the old token is over for good.
            Entered::Again(..) => self.journal.kept().await,
            Entered::Waiting(_) => Ok(()),
        };
        // The session stays open: who asks again in the same visit gets a token of it.
        kept.map_err(EnterFault::OutOfReach)?;
        Ok(entered)
    }

    /// What becomes of a person, not kept yet.
    async fn enter_now(&self, asked: Asked<'_>) -> Result<Entered, EnterFault> {
        if !matches!(asked.proof, Proof::Token(token) if self.is_of_canary(token)) {
            self.limits.load().enter_from(asked.from).map_err(EnterFault::TooOften)?;
        }
        let visit = Visit::parse(asked.visit).ok_or(EnterFault::VisitTooShort)?;
        let now = self.clock.now();
        let Proved { identity, asking, ticket, ends_at } = self.prove(&visit, asked, now)?;
        if let Some(entered) = self.enter_canary(&visit, &identity, now) {
            return entered;
        }
        if self.sessions.knows(&visit) {
            self.catch_up().await?;
            let (token, session) = self.renew_as(&visit, &identity, asking.person, now)?;
            return Ok(Entered::Again(token, session));
        }
        let slice_end = self.slice_end(&asking, now)?;
        let fresh = |round| {
            let ends = Ends { ticket: slice_end.min(ends_at), proof: ends_at };
            ticket::issue(&self.keys, &visit, &identity, (round, ends))
        };
        if let Some(ticket) = ticket
            && let Some(waiting) =
                self.waiting.known(asking.person, asking.audience, &self.supply(), now)
        {
            let waiting = self.told(waiting);
            let lasting = ticket.lasting(now, slice_end.min(ends_at));
            let ticket = lasting.unwrap_or_else(|| fresh(waiting.round));
            let place = Place { waiter: asking.waiter(), waiting, ticket };
            return Ok(Entered::Waiting(place));
        }
        self.limits.load().enter_as(asking.person).map_err(EnterFault::TooOften)?;
        self.is_their_turn(&asking, now)?;
        let seat_ends_at = self.schedule.past(slice_end).min(ends_at);
        if self.journal.is_shared() {
            // Another node may have let them in: in this visit, whose answer they lost, or in another one.
            // And nobody joins a round that has been closed for long.
            self.catch_up().await?;
            if !self.journal.has_read_within(JOINS_LAST) {
                return Err(EnterFault::OutOfReach(OutOfReach));
            }
            if self.sessions.knows(&visit) {
                let (token, session) = self.renew_as(&visit, &identity, asking.person, now)?;
                return Ok(Entered::Again(token, session));
            }
        }
        if let Some(lease) = self.lease_for(&asking, now)? {
            let is_first = self.claim(&asking, &visit).await?;
            let expires_at = self.sessions.expiry(now).min(seat_ends_at);
            let opening = self.opening(&identity, &visit, expires_at);
            if let Some(entered) = self.open_session(opening, &asking, lease, is_first)? {
                return Ok(entered);
            }
        }
        let round = ticket.map(|ticket| ticket.round);
        let waiting = self.waiting.wait(&asking, round, &self.supply(), now);
        let waiting = self.told(waiting.ok_or(EnterFault::Full)?);
        let ticket = fresh(waiting.round);
        Ok(Entered::Waiting(Place { waiter: asking.waiter(), waiting, ticket }))
    }

    /// Gives a person who is inside a fresh token; `None` if the visit has no open session. Then no identity is checked:
    /// nobody else knows a visit, so a stranger costs a look-up. For the same reason no rate by address applies.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub async fn renew(
        &self,
        asked: Asked<'_>,
    ) -> Result<Option<(String, Arc<Session>)>, EnterFault> {
        let visit = Visit::parse(asked.visit).ok_or(EnterFault::VisitTooShort)?;
        self.catch_up().await?;
        if !self.sessions.has_open(&visit) {
            return Ok(None);
        }
        let now = self.clock.now();
        let Proved { identity, asking, .. } = self.prove(&visit, asked, now)?;
        let renewed = self.renew_as(&visit, &identity, asking.person, now)?;
        self.journal.kept().await.map_err(EnterFault::OutOfReach)?;
        Ok(Some(renewed))
    }

    /// Learns what other nodes have noted so far. Without it, a session that was renewed at another node a moment ago would
    /// get a token of the same generation here, and whichever of the two was used first would hold.
    async fn catch_up(&self) -> Result<(), EnterFault> {
        if self.journal.is_shared() {
            self.journal.caught_up().await.map_err(EnterFault::OutOfReach)?;
        }
        Ok(())
    }

    fn renew_as(
        &self,
        visit: &Visit,
        identity: &Identity,
        person: Subject,
        now: Timestamp,
    ) -> Result<(String, Arc<Session>), EnterFault> {
        self.limits.load().enter_as(person).map_err(EnterFault::TooOften)?;
        let renewed = self.sessions.renew(self.opening(identity, visit, now), now);
        renewed.ok_or(EnterFault::VisitTaken)
    }

    /// The place of a person who waits, or was called and has not entered yet; `None` if they have none.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub fn place(&self, asked: Asked<'_>) -> Result<Option<Place>, EnterFault> {
        let Some((visit, proved)) = self.prove_waiting(asked)? else { return Ok(None) };
        let (Proved { identity, asking, ticket, ends_at }, now) = (proved, self.clock.now());
        let until = self.slice_end(&asking, now)?.min(ends_at);
        let waiting = self.waiting.look(asking.person, asking.audience, &self.supply(), now);
        let ends = Ends { ticket: until, proof: ends_at };
        let issue = |round| ticket::issue(&self.keys, &visit, &identity, (round, ends));
        Ok(waiting.map(|waiting| {
            let lasting = ticket.and_then(|ticket| ticket.lasting(now, until));
            let ticket = lasting.unwrap_or_else(|| issue(waiting.round));
            Place { waiter: asking.waiter(), waiting: self.told(waiting), ticket }
        }))
    }

    /// Frees the seat of a person who waits; whether they had one.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub fn give_up(&self, asked: Asked<'_>) -> Result<bool, EnterFault> {
        let proved = self.prove_waiting(asked)?;
        Ok(proved.is_some_and(|(_, Proved { asking, .. })| {
            self.waiting.give_up(asking.person, asking.audience)
        }))
    }

    /// Notes that the connection of a person who waits was closed.
    pub fn has_gone(&self, waiter: Waiter) {
        self.waiting.has_gone(waiter);
    }

    /// Who asks about their place; `None` if nobody waits.
    fn prove_waiting<'a>(
        &self,
        asked: Asked<'a>,
    ) -> Result<Option<(Visit, Proved<'a>)>, EnterFault> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        self.limits.load().enter_from(asked.from).map_err(EnterFault::TooOften)?;
        let visit = Visit::parse(asked.visit).ok_or(EnterFault::VisitTooShort)?;
        let proved = self.prove(&visit, asked, self.clock.now())?;
        Ok(Some((visit, proved)))
    }

    fn prove<'a>(
        &self,
        visit: &Visit,
        asked: Asked<'a>,
        now: Timestamp,
    ) -> Result<Proved<'a>, EnterFault> {
        let (identity, ticket, ends_at) = match asked.proof {
            Proof::OpenId(identity) => (identity.clone(), None, Timestamp::MAX),
            Proof::Token(token) => {
                if let Some((identity, ticket)) = ticket::open(&self.keys, visit, token, now) {
                    (identity, Some(ticket), ticket.proof_ends_at)
                } else {
                    let verified = self.verifier.verify(token, self.clock.real());
                    (verified.map_err(EnterFault::Token)?, None, Timestamp::MAX)
                }
            }
            Proof::Certificate { chain, clerk } => {
                let real_now = self.clock.real();
                let certificates = self.certificates.as_ref();
                let untrusted = EnterFault::Certificate(CertificateFault::Untrusted);
                let verified = certificates.ok_or(untrusted)?.verify(chain, clerk, real_now);
                let identity = verified.map_err(EnterFault::Certificate)?;
                let left = identity.valid_until.duration_since(real_now);
                (identity, None, now.saturating_add(left).unwrap_or(Timestamp::MAX))
            }
        };
        let asking = Asking {
            person: self.keys.subject(&identity.fiscal_code),
            fiscal_code: identity.fiscal_code,
            audience: identity.audience(),
        };
        Ok(Proved { identity, asking, ticket, ends_at })
    }

    /// When the slice of a person's audience ends, or a ticket at the latest.
    fn slice_end(&self, asking: &Asking, now: Timestamp) -> Result<Timestamp, EnterFault> {
        match self.schedule.window(asking.audience, now) {
            Window::Open { until: Some(until) } => Ok(until),
            Window::Open { until: None } => {
                Ok(now.saturating_add(TICKET_LASTS).unwrap_or(Timestamp::MAX))
            }
            Window::Closed { opens_at } if opens_at == Timestamp::MAX => {
                Err(EnterFault::WindowClosed { opens_at, wait: None })
            }
            Window::Closed { opens_at } => {
                let pace = Pace {
                    per_second: self.admission.arrivals_per_second(),
                    longest: self.schedule.spread_max(),
                };
                let who = (asking.audience, &asking.fiscal_code);
                let wait = self.spread.refuse(who, opens_at, pace).duration_since(now);
                Err(EnterFault::WindowClosed { opens_at, wait: Some(wait) })
            }
        }
    }

    /// Checks that a person does not come before their turn in an opening that is spread.
    fn is_their_turn(&self, asking: &Asking, now: Timestamp) -> Result<(), EnterFault> {
        match self.spread.turn_of((asking.audience, &asking.fiscal_code), now) {
            Some(turn) => Err(EnterFault::NotYourTurn { wait: turn.duration_since(now) }),
            None => Ok(()),
        }
    }

    /// A lease for a person whose turn it is, or the one that they hold already, unless their entry cannot be recorded; `None`
    /// if it is not, or none is free.
    fn lease_for(&self, asking: &Asking, now: Timestamp) -> Result<Option<Lease>, EnterFault> {
        self.space.admits_events().map_err(EnterFault::Untraced)?;
        let (person, audience) = (asking.person, asking.audience);
        let is_turn = self.waiting.turn_of(person, audience, &self.supply(), now);
        let lease = if is_turn { self.lease() } else { None };
        Ok(lease.or_else(|| self.sessions.hand_over(person, audience)))
    }

    /// Claims the one entry that the seat gives on which a person was called, if they were; whether it was not claimed before.
    /// Nothing is open until that is known: a claim may be lost, and another visit may make it.
    async fn claim(&self, asking: &Asking, visit: &Visit) -> Result<bool, EnterFault> {
        let Some(entry) = self.waiting.called(asking.person) else { return Ok(true) };
        let claimed = self.journal.claim_entry(entry, self.keys.visit(visit.as_str())).await;
        match claimed.map_err(EnterFault::OutOfReach)? {
            Claimed::Now => Ok(true),
            // Perhaps by a node that is gone and has opened nothing.
            Claimed::Before => self.catch_up().await.map(|()| false),
            Claimed::Elsewhere => {
                self.waiting.leave(asking.person);
                Err(EnterFault::VisitTaken)
            }
        }
    }

    /// Opens a session for a person who has a lease; `None` if there is no room for it.
    fn open_session(
        &self,
        opening: Opening<'_>,
        asking: &Asking,
        lease: Lease,
        is_first: bool,
    ) -> Result<Option<Entered>, EnterFault> {
        let person = asking.person;
        // What they hold in the other audience, for whichever offices, goes to somebody else.
        for other in Audience::ALL.into_iter().filter(|other| *other != asking.audience) {
            while self.sessions.hand_over(person, other).is_some() {}
        }
        let renew = || {
            let renewed = self.sessions.renew(opening, opening.began_at);
            renewed.ok_or(EnterFault::VisitTaken)
        };
        match self.sessions.open(opening, lease) {
            Ok((token, session)) => {
                self.waiting.entered(person);
                self.trail
                    .note_soon(Action::Entered, person, self.who(&session), None)
                    .unwrap_or_else(QueueFull::lost);
                if is_first {
                    return Ok(Some(Entered::In(token, session)));
                }
                // The other node may open one in this moment: then this is the newer token.
                let (token, session) = renew()?;
                Ok(Some(Entered::Again(token, session)))
            }
            Err(NotOpened::Full) => Ok(None),
            // The same request came twice at once, and the other one has opened it.
            Err(NotOpened::Taken(lease)) => {
                let (token, session) = renew()?;
                session.keep(lease);
                Ok(Some(Entered::Again(token, session)))
            }
        }
    }

    fn opening<'a>(
        &self,
        identity: &'a Identity,
        visit: &'a Visit,
        expires_at: Timestamp,
    ) -> Opening<'a> {
        let [began_at, real_now] = [self.clock.now(), self.clock.real()];
        Opening { identity, visit, began_at, expires_at, real_now }
    }

    /// Ends expired sessions, evicts unused rate limits, and advances the waiting room. Call it every second or two.
    pub fn tidy(&self) {
        let now = self.clock.now();
        self.limits.load().tidy();
        self.sessions.sweep(now);
        self.journal.attend(!self.sessions.is_empty());
        self.found.tidy(now);
        self.waiting.tidy(&self.supply(), now);
    }

    /// Draws the round of the waiting room that is closed, if there is one. May wait for the disk. Call it every second
    /// or two, and when a round was closed.
    pub fn draw_lots(&self) {
        let note = |what: &dyn Display| self.trail.control(&format!("waiting room: {what}"));
        let (now, real_now) = (self.clock.now(), self.clock.real());
        if let Err(fault) = self.waiting.draw(&self.supply(), now, real_now, note) {
            tracing::error!(%fault, "a round cannot be drawn, so people keep waiting; it is tried again");
        }
    }

    /// Sets what is called when a round of the waiting room was closed.
    pub fn on_round_closed(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.waiting.on_closed(wake);
    }
}

/// A person whose identity is verified.
struct Proved<'a> {
    identity: Identity,
    asking: Asking,
    /// The ticket that proved it, if it was one.
    ticket: Option<Ticket<'a>>,
    /// When a certificate that proved it, perhaps for the ticket, ends; tokens prove it for longer than they last.
    ends_at: Timestamp,
}
