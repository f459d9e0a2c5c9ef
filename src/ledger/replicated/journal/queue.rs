//! What waits to be written: rows that are not full yet, or wait for the database.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

use crate::{
    clock::Stopwatch,
    ledger::journal::{Event, encoding::encode_framed},
};

/// Bytes of the events of one row, from which another row begins: two hundred openings. A node reads a thousand rows at once.
const ROW_BYTES_MAX: usize = 16 << 10;
/// Bytes of events that wait while the database is away: each of three million sessions ends. Beyond it the journal of this
/// node takes nothing more until a restart; what waits is still written.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Waiters for what was noted. One more is refused: while the database is away, nobody enters.
const WAITERS_MAX: usize = 65_536;

/// What waits, in the order in which it was noted.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    /// The first has the number after `taken`.
    rows: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The number of the last row that was taken to be written.
    taken: i64,
    /// The number of the last row that is durable.
    kept: i64,
    waiters: VecDeque<Waiter>,
    is_closed: bool,
    has_overflowed: bool,
}

/// Somebody who waits until a row is durable.
struct Waiter {
    number: i64,
    since: Stopwatch,
    reply: oneshot::Sender<()>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It waits.
    Waits,
    /// It is the first one that finds no room.
    Overflowed,
    /// Nothing more is taken.
    Refused,
}

impl Queue {
    /// Appends an event.
    pub(super) fn note(&self, event: &Event) -> Noted {
        let mut waiting = self.lock();
        if waiting.is_closed || waiting.has_overflowed {
            return Noted::Refused;
        }
        if waiting.bytes >= QUEUE_BYTES_MAX {
            waiting.has_overflowed = true;
            // What they wait for may have room still, but nothing is promised any more.
            waiting.waiters.clear();
            return Noted::Overflowed;
        }
        let is_first = waiting.rows.is_empty();
        if waiting.rows.back().is_none_or(|row| row.len() >= ROW_BYTES_MAX) {
            waiting.rows.push_back(Vec::new());
        }
        let row = waiting.rows.back_mut().expect("it was pushed above");
        let before = row.len();
        encode_framed(event, row);
        let more = row.len() - before;
        waiting.bytes += more;
        drop(waiting);
        if is_first {
            self.wake.notify_one();
        }
        Noted::Waits
    }

    /// Completes when everything that was noted before is durable; with an error if that will not be known.
    pub(super) fn synced(&self) -> oneshot::Receiver<()> {
        let (reply, waiter) = oneshot::channel();
        let mut waiting = self.lock();
        let last = waiting.last();
        if waiting.has_overflowed {
            return waiter;
        }
        if last <= waiting.kept {
            let _gone: Result<(), ()> = reply.send(());
            return waiter;
        }
        if waiting.waiters.len() >= WAITERS_MAX {
            waiting.waiters.retain(|waiter| !waiter.reply.is_closed());
        }
        if waiting.waiters.len() < WAITERS_MAX && !waiting.is_closed {
            waiting.waiters.push_back(Waiter { number: last, since: Stopwatch::start(), reply });
        }
        waiter
    }

    /// The next row and its number, once there is one; `None` when it was closed and everything was taken.
    pub(super) async fn next(&self) -> Option<(i64, Vec<u8>)> {
        loop {
            {
                let mut waiting = self.lock();
                if let Some(row) = waiting.rows.pop_front() {
                    waiting.bytes -= row.len();
                    waiting.taken += 1;
                    return Some((waiting.taken, row));
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    /// Whether more waits than one row takes, or nothing more comes.
    pub(super) fn is_pressing(&self) -> bool {
        let waiting = self.lock();
        waiting.rows.len() > 1 || waiting.is_closed
    }

    /// The row of this number is durable, and so are those before it.
    pub(super) fn is_kept(&self, number: i64) {
        let mut waiting = self.lock();
        waiting.kept = number;
        let left = waiting.waiters.partition_point(|waiter| waiter.number <= number);
        for waiter in waiting.waiters.drain(..left) {
            let _gone: Result<(), ()> = waiter.reply.send(());
        }
    }

    /// Answers who has waited for longer than that with an error.
    pub(super) fn give_up(&self, patience: Duration) {
        self.lock().waiters.retain(|waiter| waiter.since.elapsed() < patience);
    }

    /// Takes nothing more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wake.notify_one();
    }

    /// Nothing more is written: who waits is answered with an error.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        waiting.waiters.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The number of the last row that something was noted in.
    fn last(&self) -> i64 {
        self.taken + i64::try_from(self.rows.len()).unwrap_or(i64::MAX - self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Subject;

    fn ended(n: u8) -> Event {
        Event::Ended { visit: Subject([n; 16]) }
    }

    fn next(queue: &Queue) -> Option<i64> {
        let next = futures_util::FutureExt::now_or_never(queue.next());
        next.flatten().map(|(number, _)| number)
    }

    #[test]
    fn a_waiter_is_answered_when_its_row_and_all_before_it_are_durable() {
        let queue = Queue::default();
        assert_eq!(queue.synced().try_recv(), Ok(()), "nothing was noted");
        assert_eq!(queue.note(&ended(1)), Noted::Waits);
        let mut first = queue.synced();
        assert_eq!(next(&queue), Some(1));
        let mut late = queue.synced();
        assert!(late.try_recv().is_err(), "it is being written");
        assert_eq!(queue.note(&ended(2)), Noted::Waits);
        let mut second = queue.synced();
        queue.give_up(Duration::from_mins(1));
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        queue.is_kept(1);
        assert!(first.try_recv().is_ok() && late.try_recv().is_ok());
        assert!(second.try_recv().is_err());
        assert_eq!(next(&queue), Some(2));
        queue.close();
        assert_eq!(queue.note(&ended(3)), Noted::Refused);
        queue.is_kept(2);
        assert!(second.try_recv().is_ok());
        assert_eq!(next(&queue), None);

        // While the database is away nobody waits for ever.
        let queue = Queue::default();
        queue.note(&ended(1));
        let waiter = queue.synced();
        queue.give_up(Duration::ZERO);
        assert!(waiter.blocking_recv().is_err());
        assert_eq!(next(&queue), Some(1), "and it is written nevertheless");
    }

    #[test]
    fn what_finds_no_room_is_refused_for_good_and_what_waits_is_still_written() {
        let queue = Queue::default();
        let mut waits = 0_u64;
        while queue.note(&ended(1)) == Noted::Waits {
            waits += 1;
        }
        assert!(waits * 19 >= QUEUE_BYTES_MAX as u64);
        assert_eq!(queue.note(&ended(1)), Noted::Refused, "said once");
        let mut rows = 0;
        while let Some(number) = next(&queue) {
            rows += 1;
            assert_eq!(number, rows);
            queue.is_kept(number);
        }
        assert!(rows > 1000);
        assert!(queue.synced().try_recv().is_err(), "nothing is promised any more");
        assert_eq!(queue.note(&ended(1)), Noted::Refused);
    }
}
