//! The urn: a bounded, unordered hand-off from the committer to the judges.
//!
//! It consists of several lock-free queues; each `put` and each `draw` picks one at random, so that the order of arrival is
//! lost. A full urn returns the item without blocking; the item stays in the ledger until a judge fetches it there.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crossbeam::{
    channel::{Receiver, Sender, bounded},
    queue::ArrayQueue,
};

/// The most items drawn at a time.
pub const DRAW_MAX: usize = 64;
/// Queues inside the urn; more queues leave less of the order of arrival.
const SHARDS: usize = 64;

/// A bounded, unordered hand-off.
pub struct Urn<T> {
    shards: Vec<ArrayQueue<T>>,
    /// State of the generator that picks a shard; a race on it only makes it less predictable.
    dice: AtomicU64,
    bell: (Sender<()>, Receiver<()>),
}

impl<T> Urn<T> {
    /// An urn for `items_max` items, rounded up to a multiple of its shards.
    #[must_use]
    pub fn new(items_max: usize, seed: u64) -> Self {
        let shard_items = items_max.div_ceil(SHARDS).max(1);
        Self {
            shards: (0..SHARDS).map(|_| ArrayQueue::new(shard_items)).collect(),
            dice: AtomicU64::new(seed | 1),
            bell: bounded(SHARDS),
        }
    }

    /// Puts an item in. Wakes nobody; see [`ring`](Self::ring).
    ///
    /// # Errors
    /// The item itself if the urn is full: keep it.
    pub fn put(&self, item: T) -> Result<(), T> {
        let start = self.roll();
        let mut item = item;
        for offset in 0..SHARDS {
            match self.shards[(start + offset) % SHARDS].push(item) {
                Ok(()) => return Ok(()),
                Err(back) => item = back,
            }
        }
        Err(item)
    }

    /// Wakes one waiting judge for every [`DRAW_MAX`] items or part of them.
    pub fn ring(&self, items: usize) {
        for _ in 0..items.div_ceil(DRAW_MAX) {
            // A full channel means that enough judges are being woken already.
            let _rung = self.bell.0.try_send(());
        }
    }

    /// Draws up to `most` items, each from a queue picked at random; fewer if the urn runs empty.
    #[must_use]
    pub fn draw(&self, most: usize) -> Vec<T> {
        let mut drawn = Vec::new();
        while drawn.len() < most {
            let start = self.roll();
            let item = (0..SHARDS).find_map(|offset| self.shards[(start + offset) % SHARDS].pop());
            match item {
                Some(item) => drawn.push(item),
                None => break,
            }
        }
        drawn
    }

    /// Blocks until [`ring`](Self::ring) is called, for `at_most` at the longest.
    pub fn wait(&self, at_most: Duration) {
        let _rung = self.bell.1.recv_timeout(at_most);
    }

    /// The number of items inside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(ArrayQueue::len).sum()
    }

    /// How many more items it has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.shards.iter().map(|shard| shard.capacity() - shard.len()).sum()
    }

    /// Whether the urn is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(ArrayQueue::is_empty)
    }

    /// The shard to try first, by xorshift: hides the order of arrival, protects no secret.
    fn roll(&self) -> usize {
        let mut dice = self.dice.load(Ordering::Relaxed);
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        self.dice.store(dice, Ordering::Relaxed);
        usize::try_from(dice >> 32).unwrap_or_default() % SHARDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_once_and_not_in_its_order() {
        let urn = Urn::new(1000, 42);
        for item in 0..1000 {
            urn.put(item).unwrap();
        }
        let drawn = urn.draw(2000);
        let rising = drawn.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "{rising} of 999 neighbours rise");
        let mut sorted = drawn;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert!(urn.is_empty());
    }

    #[test]
    fn a_full_urn_gives_the_item_back() {
        let urn = Urn::new(SHARDS, 42);
        for item in 0..SHARDS {
            urn.put(item).unwrap();
        }
        assert_eq!(urn.put(77), Err(77));
        assert_eq!((urn.len(), urn.room()), (SHARDS, 0));
        assert_eq!(urn.draw(1).len(), 1);
        assert_eq!(urn.room(), 1);
    }
}
