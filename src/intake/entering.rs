//! Entering and leaving: who may go in now, who waits, whose session it is.

use std::{fmt::Display, net::IpAddr, sync::Arc};

use jiff::Timestamp;

use super::opening::Intake;
use crate::{
    gate::{
        limits::TooOften,
        schedule::Window,
        waiting::{Asking, Waiting},
    },
    identity::{Audience, Identity, token::TokenFault},
    session::{Session, Whose},
};

/// What becomes of a person who may enter.
pub enum Entered {
    /// They are inside, with this token and session.
    In(String, Arc<Session>),
    /// The counter is full: they wait.
    Waiting(Waiting),
}

/// Why a person may not enter now.
#[derive(Debug)]
pub enum EnterFault {
    /// The token does not prove who they are.
    Token(TokenFault),
    /// The time slice of their audience is closed.
    WindowClosed {
        /// When it opens next.
        opens_at: Timestamp,
        /// When they asked.
        now: Timestamp,
    },
    /// They asked too often.
    TooOften(TooOften),
    /// The counter and the waiting room are full.
    Full,
    /// The runtime is overloaded; people inside go first.
    Behind,
}

impl Intake {
    /// Lets a person in, or puts them into the waiting room. Checks their identity, their time slice, their rate and their turn, in
    /// this order. If the runtime `is_behind`, people who are not yet waiting are refused before their identity is verified, because
    /// that is the most expensive step; a person who was called goes in.
    ///
    /// # Errors
    /// [`EnterFault`].
    pub fn enter(&self, token: &str, from: IpAddr, is_behind: bool) -> Result<Entered, EnterFault> {
        self.limits.enter_from(from).map_err(EnterFault::TooOften)?;
        let now = self.clock.now();
        if let Some((audience, place)) = self.waiting.known(token, self.free(), now) {
            self.in_slice(audience, now)?;
            return Ok(Entered::Waiting(place));
        }
        if is_behind && !self.waiting.has_called(token) {
            return Err(EnterFault::Behind);
        }
        let real_now = self.clock.real();
        let identity = self.verifier.verify(token, real_now).map_err(EnterFault::Token)?;
        self.in_slice(identity.audience(), now)?;
        let person = self.keys.subject(&identity.fiscal_code);
        self.limits.enter_as(person).map_err(EnterFault::TooOften)?;
        let valid_for = identity.valid_until.duration_since(real_now);
        let asking = Asking {
            person,
            fiscal_code: identity.fiscal_code,
            audience: identity.audience(),
            token,
            valid_until: now.saturating_add(valid_for).unwrap_or(Timestamp::MAX),
        };
        if let Some((token, session)) = self.seat(&identity, &asking, now) {
            self.trail.entered(session.who());
            return Ok(Entered::In(token, session));
        }
        match self.waiting.wait(&asking, now) {
            Some(place) => Ok(Entered::Waiting(place)),
            None => Err(EnterFault::Full),
        }
    }

    /// How many people may go in now.
    fn free(&self) -> usize {
        self.leases.free().min(self.sessions.free())
    }

    fn in_slice(&self, audience: Audience, now: Timestamp) -> Result<(), EnterFault> {
        match self.schedule.window(audience, now) {
            Window::Open { .. } => Ok(()),
            Window::Closed { opens_at } => Err(EnterFault::WindowClosed { opens_at, now }),
        }
    }

    /// Opens a session for a person whose turn it is.
    fn seat(
        &self,
        identity: &Identity,
        asking: &Asking<'_>,
        now: Timestamp,
    ) -> Option<(String, Arc<Session>)> {
        let person = asking.person;
        let lease = if self.waiting.turn_of(person, asking.audience, self.free(), now) {
            self.leases.take()
        } else {
            None
        };
        let lease = lease.or_else(|| self.sessions.hand_over(person))?;
        let subject = identity.office.as_deref().map_or(person, |office| self.keys.office(office));
        let opened = self.sessions.open(identity, Whose { subject, person }, lease, now).ok()?;
        self.waiting.entered(person, asking.audience);
        Some(opened)
    }

    /// The session that a token opens; `None` if it is unknown or over.
    #[must_use]
    pub fn recognise(&self, token: &str) -> Option<Arc<Session>> {
        self.sessions.find(token, self.clock.now())
    }

    /// Counts a request of a session against its person's rate limit.
    ///
    /// # Errors
    /// [`TooOften`]: refuse the request.
    pub fn limit(&self, session: &Session) -> Result<(), TooOften> {
        self.limits.session_of(session.person)
    }

    /// Ends the session that a token opens, if there is one.
    pub fn leave(&self, token: &str) {
        self.sessions.close(token);
    }

    /// Ends expired sessions, evicts unused rate limits, and advances the waiting room. Call it every second or two.
    pub fn tidy(&self) {
        let now = self.clock.now();
        self.limits.tidy();
        self.sessions.sweep(now);
        self.waiting.tidy(self.free(), now);
    }

    /// Draws the round of the waiting room that is closed, if there is one. May wait for the disk. Call it every second
    /// or two, and when a round was closed.
    pub fn draw_lots(&self) {
        let note = |what: &dyn Display| self.trail.control(&format!("waiting room: {what}"));
        let (now, real_now) = (self.clock.now(), self.clock.real());
        if let Err(fault) = self.waiting.draw(self.free(), now, real_now, note) {
            tracing::error!(%fault, "a round cannot be drawn, so people keep waiting; it is tried again");
        }
    }

    /// Sets what is called when a round of the waiting room was closed.
    pub fn on_round_closed(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.waiting.on_closed(wake);
    }
}
