//! Who uses a connection, and its CPU time, which is measured while nobody with a session uses it.
//!
//! The clock of a thread's CPU time is a system call, so people inside are not measured: what they use is the rest.

use std::{
    cell::{Cell, RefCell},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::holders::Held;
use crate::{
    clock::thread_cpu,
    gate::{
        admission::{Strangers, Use},
        waiting::Waiter,
    },
    session::{Kept, Session},
};

/// Who uses a connection: somebody with a session, or somebody outside.
#[derive(Default)]
pub(super) struct Standing {
    held: Arc<Held>,
    is_inside: Cell<bool>,
    /// The latest request opened a session, and its CPU time is not counted yet.
    has_entered: Cell<bool>,
    /// CPU time of its handshake, until it turns out to be that of somebody with a session.
    handshake: Cell<Duration>,
    /// The person on it who waits, and the time until they were asked to come back.
    waits: Cell<Option<(Waiter, Duration)>>,
    kept: RefCell<Option<Kept>>,
}

impl Standing {
    /// The connection after a handshake that took this CPU time.
    pub(super) fn after(handshake: Duration, held: &Arc<Held>) -> Rc<Self> {
        let (held, handshake) = (Arc::clone(held), Cell::new(handshake));
        Rc::new(Self { held, handshake, ..Self::default() })
    }

    /// A request came without a session.
    pub(super) fn turned_outside(&self) {
        self.is_inside.set(false);
        if self.kept.take().is_some() {
            self.held.keep(false);
        }
    }

    /// A request opened a session.
    pub(super) fn has_entered(&self, strangers: &Strangers) {
        self.has_entered.set(true);
        self.turned_inside(strangers);
    }

    /// The handshake turns out to be no stranger's.
    fn turned_inside(&self, strangers: &Strangers) {
        self.is_inside.set(true);
        self.waits.set(None);
        let handshake = self.handshake.take();
        if !handshake.is_zero() {
            strangers.refund(handshake);
        }
    }

    /// A request came with this session, which keeps a few connections open.
    pub(super) fn is_inside(&self, session: &Session, strangers: &Strangers) {
        self.turned_inside(strangers);
        let mut kept = self.kept.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.is_of(session)) {
            *kept = session.keep_connection();
            self.held.keep(kept.is_some());
        }
    }

    /// The person on it waits, and was asked to come back after this time.
    pub(super) fn waits(&self, waiter: Waiter, time: Duration) {
        self.waits.set(Some((waiter, time)));
    }

    /// The person on it who waits.
    pub(super) fn waiter(&self) -> Option<Waiter> {
        self.waits.get().map(|(waiter, _)| waiter)
    }

    /// Longest time for which it may be silent, `least` after the person on it was asked to come back.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        least + self.waits.get().map_or(Duration::ZERO, |(_, time)| time)
    }
}

/// Performs a handshake, counts its CPU time, and returns it.
pub(super) async fn handshake<T>(
    strangers: &Strangers,
    work: impl Future<Output = T>,
) -> (T, Duration) {
    let mut took = Duration::ZERO;
    let mut work = pin!(work);
    let done = std::future::poll_fn(|context| {
        let before = thread_cpu();
        let polled = work.as_mut().poll(context);
        took += thread_cpu().saturating_sub(before);
        polled
    })
    .await;
    strangers.used(Use::Handshake, took);
    (done, took)
}

/// Serves requests of a connection and counts the CPU time of people without a session.
pub(super) struct Metered<'s, F> {
    serving: F,
    standing: Rc<Standing>,
    strangers: &'s Strangers,
}

impl<'s, F> Metered<'s, F> {
    pub(super) fn new(serving: F, standing: &Rc<Standing>, strangers: &'s Strangers) -> Self {
        Self { serving, standing: Rc::clone(standing), strangers }
    }

    /// What serves the requests.
    pub(super) fn serving(&mut self) -> &mut F {
        &mut self.serving
    }

    pub(super) fn into_inner(self) -> F {
        self.serving
    }
}

impl<F: Future + Unpin> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.standing.is_inside.get() {
            return Pin::new(&mut self.serving).poll(context);
        }
        let before = thread_cpu();
        let polled = Pin::new(&mut self.serving).poll(context);
        let took = thread_cpu().saturating_sub(before);
        if self.standing.has_entered.take() {
            self.strangers.used(Use::Entering, took);
        } else if !self.standing.is_inside.get() {
            self.strangers.used(Use::Request, took);
        }
        polled
    }
}
