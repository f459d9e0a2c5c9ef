//! The CPU time of people who are not let in: their budget, what they have used, and who waits for a turn.

use std::{
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use super::door::Door;
use crate::clock::Stopwatch;

/// Longest time whose budget may be used at once.
const BURST_SECONDS: f64 = 0.2;
/// Connections whose handshake is expected or waits for its turn, if the budget would not allow more at once: from then
/// on none is accepted.
const UNSHAKEN_MIN: usize = 64;
/// A connection that sends nothing for this long does not count among the expected handshakes any more.
const EXPECTED_FOR: Duration = Duration::from_secs(1);
/// Part of the budget that requests get while handshakes wait, too.
const REQUESTS_FIRST: f64 = 0.75;
/// Part of the budget that people in the waiting room are asked to use for their polls.
const POLLS_SHARE: f64 = 0.5;
/// Number of measurements over which a cost is averaged.
const AVERAGED: f64 = 64.0;
/// CPU time that is assumed before any was measured, by [`Use`], seconds, and the weight of that assumption: the first
/// handshakes and requests of a process take many times as much as the others.
const COSTS_AT_FIRST: [f64; 3] = [500e-6, 40e-6, 200e-6];
const ASSUMED: f64 = 16.0;
/// One measurement counts as this many times the average at most: it may hold the time of an interrupt.
const OUTLIER: f64 = 3.0;

/// The budget of people who are not let in, shared by all runtimes.
pub struct Strangers {
    running: Stopwatch,
    budget: Mutex<Budget>,
    spent_ns: AtomicU64,
    entering_ns: AtomicU64,
    requests_inside: AtomicU64,
    requests: Queue,
    handshakes: Queue,
    door: Door,
}

/// The listener that a connection came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entrance {
    /// That of everybody.
    #[default]
    Public,
    /// That of people inside who have to reconnect.
    Inside,
}

/// What CPU time was used for by somebody without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Accepting a connection, or its handshake.
    Handshake,
    /// A request after which they are still outside.
    Request,
    /// The request with which they were let in.
    Entering,
}

/// Totals since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) strangers: Duration,
    pub(super) entering: Duration,
    pub(super) requests_inside: u64,
}

/// An accepted connection that has sent nothing yet; dropping it ends that.
pub struct Expected<'s> {
    strangers: &'s Strangers,
    period: u64,
}

#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    next: Notify,
}

/// Somebody in a queue, until this is dropped.
struct InQueue<'q>(&'q Queue);

struct Budget {
    /// CPU allowed, cores.
    cores: f64,
    /// CPU left at `at`, seconds.
    left: f64,
    at: Duration,
    /// By [`Use`].
    costs: [Average; 3],
    /// Connections that were accepted in a period of [`EXPECTED_FOR`] and have sent nothing yet, of the latest odd and
    /// the latest even one.
    expected: [(u64, usize); 2],
}

/// An average of the latest measurements, seconds.
#[derive(Clone, Copy)]
struct Average {
    value: f64,
    count: f64,
}

impl Strangers {
    pub(super) fn new() -> Self {
        let budget = Budget {
            cores: 0.0,
            left: 0.0,
            at: Duration::ZERO,
            costs: COSTS_AT_FIRST.map(|value| Average { value, count: ASSUMED }),
            expected: [(0, 0); 2],
        };
        Self {
            running: Stopwatch::start(),
            budget: Mutex::new(budget),
            spent_ns: AtomicU64::new(0),
            entering_ns: AtomicU64::new(0),
            requests_inside: AtomicU64::new(0),
            requests: Queue::default(),
            handshakes: Queue::default(),
            door: Door::default(),
        }
    }

    /// Sets the budget, cores.
    pub(super) fn allow(&self, cores: f64) {
        let mut budget = self.refilled();
        if budget.cores == 0.0 {
            budget.left = cores * BURST_SECONDS;
        }
        budget.cores = cores;
        drop(budget);
        self.door.allow(cores, self.running.elapsed());
    }

    /// Counts CPU time of somebody without a session.
    pub fn used(&self, what: Use, cpu: Duration) {
        self.learn(what, cpu);
        self.charge(what, cpu);
    }

    /// Counts CPU time of a handshake that is under way; [`learn`](Self::learn) its whole time at its end.
    pub fn used_by_handshake(&self, entrance: Entrance, cpu: Duration) {
        self.charge(Use::Handshake, cpu);
        if entrance == Entrance::Inside {
            self.door.used(cpu, self.running.elapsed());
        }
    }

    /// Averages the CPU time of something that is done.
    pub fn learn(&self, what: Use, cpu: Duration) {
        self.refilled().costs[what as usize].add(cpu.as_secs_f64());
    }

    fn charge(&self, what: Use, cpu: Duration) {
        let mut budget = self.refilled();
        match what {
            Use::Entering => self.entering_ns.fetch_add(nanos(cpu), Ordering::Relaxed),
            Use::Handshake | Use::Request => {
                budget.left -= cpu.as_secs_f64();
                self.spent_ns.fetch_add(nanos(cpu), Ordering::Relaxed)
            }
        };
    }

    /// Returns the cost of the handshake of somebody who proved to have a session, or was given one.
    pub fn refund(&self, entrance: Entrance, handshake: Duration) {
        if entrance == Entrance::Inside {
            self.door.refund(handshake, self.running.elapsed());
        }
        self.refilled().left += handshake.as_secs_f64();
        self.spent_ns.fetch_sub(nanos(handshake), Ordering::Relaxed);
        self.entering_ns.fetch_add(nanos(handshake), Ordering::Relaxed);
    }

    /// Counts a request of somebody with a session.
    pub fn served_inside(&self) {
        self.requests_inside.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until there is CPU time for a request without a session, for `patience` at most; whether there is.
    pub async fn turn_of_request(&self, patience: Duration) -> bool {
        timeout(patience, self.turn(&self.requests)).await.is_ok()
    }

    /// Waits until there is CPU time for a handshake of this client.
    pub async fn turn_of_handshake(&self, entrance: Entrance, client: IpAddr) {
        match entrance {
            Entrance::Public => self.turn(&self.handshakes).await,
            Entrance::Inside => self.door.turn(client, self.running.elapsed()).await,
        }
    }

    async fn turn(&self, queue: &Queue) {
        if queue.waiting.load(Ordering::Relaxed) > 0 || self.refilled().left <= 0.0 {
            let _waiting = queue.enter();
            queue.next.notified().await;
        }
    }

    /// Whether handshakes wait for CPU time.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.handshakes.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether one more connection may be accepted.
    #[must_use]
    pub fn may_accept(&self) -> bool {
        let period = self.period();
        let budget = self.refilled();
        let unshaken =
            self.handshakes.waiting.load(Ordering::Relaxed) + budget.expected_since(period);
        unshaken < UNSHAKEN_MIN.max(budget.affords(Use::Handshake, 1.0))
    }

    /// Counts an accepted connection until it sends something.
    #[must_use]
    pub fn expect(&self) -> Expected<'_> {
        let period = self.period();
        self.refilled().expect(period);
        Expected { strangers: self, period }
    }

    /// Calls those for whom there is CPU time. Call it every few milliseconds while anybody waits.
    pub fn call_next(&self) {
        if self.door.is_awaited() {
            let [handshake, ..] = self.costs();
            self.door.call_next(handshake, self.running.elapsed());
        }
        let requests = self.requests.waiting.load(Ordering::Relaxed);
        let handshakes = self.handshakes.waiting.load(Ordering::Relaxed);
        if requests + handshakes == 0 {
            return;
        }
        let budget = self.refilled();
        let share = if handshakes == 0 { 1.0 } else { REQUESTS_FIRST };
        let called = requests.min(budget.affords(Use::Request, share));
        let left = 1.0 - budget.share_of(Use::Request, called);
        let shaken = handshakes.min(budget.affords(Use::Handshake, left));
        drop(budget);
        (0..called).for_each(|_| self.requests.next.notify_one());
        (0..shaken).for_each(|_| self.handshakes.next.notify_one());
    }

    /// Polls a second for which the budget has CPU time.
    pub(super) fn polls_per_second(&self) -> f64 {
        let budget = self.refilled();
        POLLS_SHARE * budget.cores / budget.cost(Use::Request)
    }

    /// Average CPU times, by [`Use`], seconds.
    pub(super) fn costs(&self) -> [f64; 3] {
        self.refilled().costs.map(|cost| cost.value)
    }

    /// Average CPU time of entering, with its handshake.
    pub(super) fn enter_cost(&self) -> Duration {
        let [handshake, _, entering] = self.costs();
        seconds(handshake + entering)
    }

    pub(super) fn spent(&self) -> Spent {
        Spent {
            strangers: Duration::from_nanos(self.spent_ns.load(Ordering::Relaxed)),
            entering: Duration::from_nanos(self.entering_ns.load(Ordering::Relaxed)),
            requests_inside: self.requests_inside.load(Ordering::Relaxed),
        }
    }

    fn period(&self) -> u64 {
        self.running.elapsed().as_secs() / EXPECTED_FOR.as_secs()
    }

    fn refilled(&self) -> MutexGuard<'_, Budget> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.refill(self.running.elapsed());
        budget
    }
}

impl Budget {
    fn refill(&mut self, now: Duration) {
        let most = self.cores * BURST_SECONDS;
        let more = self.cores * now.saturating_sub(self.at).as_secs_f64();
        self.left = (self.left + more).min(most);
        self.at = now;
    }

    fn cost(&self, what: Use) -> f64 {
        self.costs[what as usize].value
    }

    /// How many of these a share of the budget affords: at least one while anything is left, because costs vary.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of people"
    )]
    fn affords(&self, what: Use, share: f64) -> usize {
        if self.left <= 0.0 { 0 } else { (self.left * share / self.cost(what)).ceil() as usize }
    }

    /// The share of what is left that `count` of these take.
    #[expect(clippy::cast_precision_loss, reason = "a number of people")]
    fn share_of(&self, what: Use, count: usize) -> f64 {
        if self.left <= 0.0 { 1.0 } else { (count as f64 * self.cost(what) / self.left).min(1.0) }
    }

    fn expect(&mut self, period: u64) {
        let slot = self.slot(period);
        if slot.0 != period {
            *slot = (period, 0);
        }
        slot.1 += 1;
    }

    fn slot(&mut self, period: u64) -> &mut (u64, usize) {
        &mut self.expected[usize::from(period % 2 == 1)]
    }

    fn expected_since(&self, period: u64) -> usize {
        let lately = self.expected.iter().filter(|(of, _)| of + 1 >= period);
        lately.map(|(_, count)| count).sum()
    }
}

impl Average {
    fn add(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(AVERAGED);
        self.value += (value.min(OUTLIER * self.value) - self.value) / self.count;
    }
}

impl Queue {
    fn enter(&self) -> InQueue<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        InQueue(self)
    }
}

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let mut budget = self.strangers.refilled();
        let slot = budget.slot(self.period);
        if slot.0 == self.period {
            slot.1 -= 1;
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value.max(0.0))
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;

    const SHAKEN: Duration = Duration::from_millis(1);
    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// A budget that is used up, and grows by nothing that a test could notice.
    fn used_up() -> Rc<Strangers> {
        let strangers = Strangers::new();
        strangers.allow(1e-9);
        strangers.used(Use::Handshake, SHAKEN);
        Rc::new(strangers)
    }

    #[tokio::test]
    async fn people_outside_wait_when_the_budget_is_used_up_and_requests_go_first() {
        LocalSet::new()
            .run_until(async {
                let (strangers, came) = (used_up(), Rc::new(RefCell::new(Vec::new())));
                for number in 0..2 {
                    let (strangers, came) = (Rc::clone(&strangers), Rc::clone(&came));
                    spawn_local(async move {
                        strangers.turn_of_handshake(Entrance::Public, CLIENT).await;
                        came.borrow_mut().push(("handshake", number));
                        assert!(strangers.turn_of_request(Duration::from_secs(9)).await);
                        came.borrow_mut().push(("request", number));
                    });
                }
                yield_now().await;
                strangers.call_next();
                yield_now().await;
                assert!(came.borrow().is_empty(), "nothing is left: {came:?}");
                // Something is left, which one handshake uses up.
                strangers.refund(Entrance::Public, 2 * SHAKEN);
                strangers.call_next();
                strangers.used(Use::Handshake, SHAKEN);
                yield_now().await;
                assert_eq!(came.borrow()[..], [("handshake", 0)]);
                // Something is left again: the handshake that has waited for longer comes after the request.
                strangers.refund(Entrance::Public, 2 * SHAKEN);
                strangers.call_next();
                yield_now().await;
                assert_eq!(came.borrow()[..], [("handshake", 0), ("request", 0)]);
            })
            .await;
    }

    #[tokio::test]
    async fn who_waits_for_too_long_is_told_so() {
        let strangers = used_up();
        assert!(!strangers.turn_of_request(Duration::from_millis(1)).await);
        strangers.refund(Entrance::Public, 2 * SHAKEN);
        assert!(strangers.turn_of_request(Duration::from_millis(1)).await);
    }

    #[test]
    fn no_more_connections_are_accepted_than_handshakes_are_affordable() {
        let strangers = used_up();
        let expected: Vec<_> = (0..UNSHAKEN_MIN)
            .map(|_| {
                assert!(strangers.may_accept());
                strangers.expect()
            })
            .collect();
        assert!(!strangers.may_accept());
        drop(expected);
        assert!(strangers.may_accept());
        // Connections that send nothing keep nobody out for longer than a second or two.
        let silent: Vec<_> = (0..UNSHAKEN_MIN).map(|_| strangers.expect()).collect();
        let later = strangers.period() + 2;
        assert_eq!(strangers.refilled().expected_since(later), 0);
        drop(silent);
    }

    #[test]
    fn a_large_budget_accepts_as_many_as_it_affords_at_once() {
        let strangers = Strangers::new();
        strangers.allow(1.0);
        let mut expected = Vec::new();
        while strangers.may_accept() {
            expected.push(strangers.expect());
        }
        assert_eq!(expected.len(), 400, "a fifth of a second of handshakes that take 0.5 ms");
    }

    #[test]
    fn a_handshake_of_somebody_inside_is_no_strangers() {
        let strangers = used_up();
        strangers.used(Use::Request, SHAKEN);
        strangers.used(Use::Entering, 3 * SHAKEN);
        strangers.refund(Entrance::Public, SHAKEN);
        let Spent { strangers: outside, entering, .. } = strangers.spent();
        assert_eq!((outside, entering), (SHAKEN, 4 * SHAKEN));
    }

    #[tokio::test]
    async fn the_other_door_is_no_way_round_the_budget_and_does_not_wait_for_it() {
        let strangers = used_up();
        let turn = strangers.turn_of_handshake(Entrance::Inside, CLIENT);
        assert!(timeout(SHAKEN, turn).await.is_ok(), "the public door's debt is none of its");
        let before = strangers.refilled().left;
        strangers.used_by_handshake(Entrance::Inside, SHAKEN);
        let charged = before - strangers.refilled().left;
        assert!((charged - SHAKEN.as_secs_f64()).abs() < 1e-6, "both pay: {charged}");
        let turn = strangers.turn_of_handshake(Entrance::Inside, CLIENT);
        assert!(timeout(SHAKEN, turn).await.is_err(), "its own part is used up");
        strangers.refund(Entrance::Inside, SHAKEN);
        let turn = strangers.turn_of_handshake(Entrance::Inside, CLIENT);
        assert!(timeout(SHAKEN, turn).await.is_ok(), "people inside use nothing up");
    }
}
