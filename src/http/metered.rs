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

use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;

use super::holders::Held;
use crate::{
    clock::thread_cpu,
    gate::{
        admission::{Entrance, Strangers, Use},
        waiting::Waiter,
    },
    session::{CANARY_PAUSE_SECONDS_MAX, Kept, Session},
};

/// Where a connection came in, and whose it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Door {
    /// The listener.
    pub(super) entrance: Entrance,
    /// It is a proxy's, and many people share it.
    pub(super) is_shared: bool,
}

/// Who uses a connection: somebody with a session, or somebody outside.
#[derive(Default)]
pub(super) struct Standing {
    held: Arc<Held>,
    door: Door,
    /// A session was shown or opened.
    has_proved: Cell<bool>,
    refused: Notify,
    is_inside: Cell<bool>,
    /// The latest request opened a session, and its CPU time is not counted yet.
    has_entered: Cell<bool>,
    /// CPU time of its handshake, until it turns out to be that of somebody with a session.
    handshake: Cell<Duration>,
    /// The canary uses it, which comes back after its pause.
    is_canarys: Cell<bool>,
    /// The person on it who waits, and the time until they were asked to come back.
    waits: Cell<Option<(Waiter, Duration)>>,
    kept: RefCell<Option<Kept>>,
    /// The client's certificate and those of its issuers; empty where none is asked for.
    certificates: Vec<CertificateDer<'static>>,
}

impl Standing {
    /// The connection after a handshake that took this CPU time, in which the client proved to hold these certificates.
    pub(super) fn after(
        handshake: Duration,
        held: &Arc<Held>,
        door: Door,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Rc<Self> {
        let (held, handshake) = (Arc::clone(held), Cell::new(handshake));
        Rc::new(Self { held, door, handshake, certificates, ..Self::default() })
    }

    /// The client's certificate and those of its issuers; empty where none is asked for.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Where it came in.
    pub(super) fn entrance(&self) -> Entrance {
        self.door.entrance
    }

    /// Whether a session was shown or opened on it.
    pub(super) fn has_proved(&self) -> bool {
        self.has_proved.get()
    }

    /// A request was refused because it belongs to nobody inside. Returns whether the connection is closed after it: not
    /// a proxy's, on which people inside depend.
    pub(super) fn refuse(&self) -> bool {
        self.turned_outside();
        if !self.door.is_shared {
            self.refused.notify_one();
        }
        !self.door.is_shared
    }

    /// Waits until it has to be closed because a request was refused.
    pub(super) async fn refused(&self) {
        self.refused.notified().await;
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
        self.turned_inside(strangers, || true);
    }

    /// The handshake turns out to be no stranger's, if that `is_free`.
    fn turned_inside(&self, strangers: &Strangers, is_free: impl FnOnce() -> bool) {
        self.is_inside.set(true);
        self.has_proved.set(true);
        self.waits.set(None);
        let handshake = self.handshake.take();
        if !handshake.is_zero() && is_free() {
            strangers.refund(self.door.entrance, handshake);
        }
    }

    /// A request came with this session, which keeps a few connections open.
    pub(super) fn is_inside(&self, session: &Session, strangers: &Strangers) {
        self.turned_inside(strangers, || session.has_free_handshake());
        self.is_canarys.set(session.is_canary());
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

    /// Whether the canary uses it.
    pub(super) fn is_canarys(&self) -> bool {
        self.is_canarys.get()
    }

    /// Longest time for which it may be silent, `least` after the person on it was asked to come back. The canary comes
    /// back on the same connection, because in a surge a new one might be refused.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        if self.is_canarys() {
            return least + Duration::from_secs(CANARY_PAUSE_SECONDS_MAX.into());
        }
        least + self.waits.get().map_or(Duration::ZERO, |(_, time)| time)
    }
}

/// CPU time of a handshake. It is charged as it is used: a client that sends its first message and no other has cost
/// the signature.
struct Shaken<'s> {
    strangers: &'s Strangers,
    entrance: Entrance,
    took: Duration,
}

impl Shaken<'_> {
    fn add(&mut self, cpu: Duration) {
        self.took += cpu;
        self.strangers.used_by_handshake(self.entrance, cpu);
    }
}

impl Drop for Shaken<'_> {
    fn drop(&mut self) {
        self.strangers.learn(Use::Handshake, self.took);
    }
}

/// Performs a handshake, counts its CPU time, and returns it.
pub(super) async fn handshake<T>(
    strangers: &Strangers,
    entrance: Entrance,
    work: impl Future<Output = T>,
) -> (T, Duration) {
    let mut shaken = Shaken { strangers, entrance, took: Duration::ZERO };
    let mut work = pin!(work);
    let done = std::future::poll_fn(|context| {
        let before = thread_cpu();
        let polled = work.as_mut().poll(context);
        shaken.add(thread_cpu().saturating_sub(before));
        polled
    })
    .await;
    (done, shaken.took)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::admission::{Admission, Config};

    #[tokio::test]
    async fn a_handshake_that_never_ends_has_cost_what_it_took() {
        let config = Config { lag_ms_max: 10, strangers_cpu_percent_max: 20, people_per_second: 0 };
        let admission = Admission::new(config);
        let outside = || admission.state().cpu[0].1;
        let answered = async {
            let begun = thread_cpu();
            while thread_cpu().saturating_sub(begun) < Duration::from_millis(5) {}
            std::future::pending::<()>().await;
        };
        let shaking = handshake(admission.strangers(), Entrance::Public, answered);
        let ended = tokio::time::timeout(Duration::from_millis(1), shaking).await;
        assert!(ended.is_err() && outside() >= Duration::from_millis(5), "{:?}", outside());
    }
}
