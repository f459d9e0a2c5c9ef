//! Handshakes at the listener for people inside: their part of the strangers' budget, and whose turn it is.
//!
//! Before the first request nobody can tell whether a handshake is that of somebody inside. So each counts as a
//! stranger's, and is given back when a session is shown: people inside use nothing up. Where strangers have used up
//! their part, the clients who wait take turns, so that one client cannot keep out another.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    ops::Bound::{Excluded, Unbounded},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

/// Part of the strangers' budget that handshakes here may take. The rest is left for newcomers at the public listener,
/// however many strangers come here.
pub(super) const DOOR_SHARE: f64 = 0.25;
/// Longest time whose part may be used at once: a handshake is given back a round trip after it was made, and people
/// who reconnect together must not wait for that.
const BURST_SECONDS: f64 = 1.0;

/// Names somebody who waits: their client, and their number in the order of arrival.
type Key = (IpAddr, u64);

/// The budget of these handshakes and their queue, shared by all runtimes.
#[derive(Default)]
pub(super) struct Door(Mutex<State>);

#[derive(Default)]
struct State {
    /// CPU allowed, cores.
    cores: f64,
    /// CPU left at `at`, seconds.
    left: f64,
    at: Duration,
    waiting: BTreeMap<Key, Arc<Notify>>,
    next_number: u64,
    /// The client who was called last; the next one in the order of addresses follows.
    called: Option<IpAddr>,
}

/// Somebody in the queue, until this is dropped.
struct Waiting<'d> {
    door: &'d Door,
    key: Key,
    called: Arc<Notify>,
}

impl Door {
    /// Sets the strangers' budget, cores, of which this is a part.
    pub(super) fn allow(&self, strangers_cores: f64, now: Duration) {
        let mut state = self.refilled(now);
        let is_first = state.cores == 0.0;
        state.cores = DOOR_SHARE * strangers_cores;
        if is_first {
            state.left = state.cores * BURST_SECONDS;
        }
    }

    /// Counts CPU time of a handshake.
    pub(super) fn used(&self, cpu: Duration, now: Duration) {
        self.refilled(now).left -= cpu.as_secs_f64();
    }

    /// Returns that of somebody who proved to have a session.
    pub(super) fn refund(&self, cpu: Duration, now: Duration) {
        self.refilled(now).left += cpu.as_secs_f64();
    }

    /// Waits until there is CPU time for a handshake of this client.
    pub(super) async fn turn(&self, client: IpAddr, now: Duration) {
        let waiting = self.enter(client, now);
        if let Some(waiting) = waiting {
            waiting.called.notified().await;
        }
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Calls those for whom there is CPU time, if a handshake takes `cost` seconds: one of each client in turn.
    pub(super) fn call_next(&self, cost: f64, now: Duration) {
        let mut state = self.refilled(now);
        let mut left = state.left;
        while left > 0.0
            && let Some(called) = state.pop()
        {
            called.notify_one();
            left -= cost;
        }
    }

    fn enter(&self, client: IpAddr, now: Duration) -> Option<Waiting<'_>> {
        let mut state = self.refilled(now);
        if state.waiting.is_empty() && state.left > 0.0 {
            return None;
        }
        let (key, called) = ((client, state.next_number), Arc::new(Notify::new()));
        state.next_number += 1;
        state.waiting.insert(key, Arc::clone(&called));
        Some(Waiting { door: self, key, called })
    }

    fn refilled(&self, now: Duration) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let more = state.cores * now.saturating_sub(state.at).as_secs_f64();
        state.left = (state.left + more).min(state.cores * BURST_SECONDS);
        state.at = now;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The one who has waited longest, of the client who follows the one that was called last.
    fn pop(&mut self) -> Option<Arc<Notify>> {
        let after = self.called.map_or(Unbounded, |client| Excluded((client, u64::MAX)));
        let next = self.waiting.range((after, Unbounded)).next().map(|(key, _)| *key);
        let key = next.or_else(|| self.waiting.keys().next().copied())?;
        self.called = Some(key.0);
        self.waiting.remove(&key)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.door.lock().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;

    const SHAKEN: Duration = Duration::from_millis(1);
    const NOW: Duration = Duration::ZERO;

    fn client(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test]
    async fn a_client_who_knocks_a_hundred_times_holds_up_no_other() {
        LocalSet::new()
            .run_until(async {
                let (door, came) = (Rc::new(Door::default()), Rc::new(RefCell::new(Vec::new())));
                door.allow(1e-9, NOW);
                door.used(SHAKEN, NOW);
                for last in [1; 100].into_iter().chain([7, 5]) {
                    let (door, came) = (Rc::clone(&door), Rc::clone(&came));
                    spawn_local(async move {
                        door.turn(client(last), NOW).await;
                        came.borrow_mut().push(last);
                    });
                }
                yield_now().await;
                door.call_next(SHAKEN.as_secs_f64(), NOW);
                yield_now().await;
                assert!(came.borrow().is_empty() && door.is_awaited(), "nothing is left");
                door.refund(6 * SHAKEN, NOW);
                // No more is left than may be used at once.
                door.lock().left = 5.0 * SHAKEN.as_secs_f64();
                door.lock().cores = 1.0;
                door.call_next(SHAKEN.as_secs_f64(), NOW);
                yield_now().await;
                assert_eq!(came.borrow()[..], [1, 5, 7, 1, 1]);
            })
            .await;
    }

    #[test]
    fn who_gives_up_leaves_the_queue() {
        let door = Door::default();
        let first = door.enter(client(1), NOW).expect("nothing is allowed yet");
        let second = door.enter(client(1), NOW).expect("likewise");
        drop(first);
        assert!(door.is_awaited());
        drop(second);
        assert!(!door.is_awaited());
    }
}
