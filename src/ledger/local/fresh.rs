//! The newest records of a campaign in memory, sealed as they are stored.
//!
//! People read their application again and again until it is decided, and hardly ever afterwards. Answers from here spare
//! a hand-over to a thread that may wait for the disk. What is here is durable, and opens only for its subject, as from
//! the disk.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::ledger::{
    book::{batch::Batch, decide::Plan, record::Turn},
    position::Position,
};

/// Sealed bytes kept: those of 8,000 applications, which is some seconds of a surge on one core. A decision comes within
/// milliseconds.
const FRESH_BYTES_MAX: usize = 8 << 20;

/// The newest records, shared by the bookkeeper and the readers.
#[derive(Default)]
pub(in crate::ledger) struct FreshRecords(Mutex<Window>);

/// A record and its latest decision.
#[derive(Clone)]
pub(super) struct FreshRecord {
    pub(super) sealed: Arc<[u8]>,
    pub(super) decision: Option<(Turn, Arc<[u8]>)>,
}

/// Records of adjacent positions.
#[derive(Default)]
struct Window {
    first: usize,
    records: VecDeque<FreshRecord>,
    bytes: usize,
}

impl FreshRecords {
    /// Takes over a batch that is durable. Call it before the index shows the batch: an application that is shown as
    /// decided has its decision here, too.
    pub(super) fn take_over(&self, batch: &Batch, plan: &Plan<'_>) {
        let mut window = self.lock();
        for (position, submission) in (plan.first.0..).zip(&plan.fresh) {
            window.push(Position(position), &submission.record);
        }
        for (ruling, change) in batch.rulings.iter().zip(&plan.rulings) {
            if change.is_some() {
                window.decide(ruling.position, ruling.turn, &ruling.decision);
            }
        }
        if plan.erasures.iter().any(Option::is_some) {
            *window = Window::default();
        }
        window.evict(FRESH_BYTES_MAX);
    }

    /// The record at a position; `None` if it is not among the newest.
    pub(super) fn find(&self, position: Position) -> Option<FreshRecord> {
        self.lock().at(position).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn push(&mut self, position: Position, sealed: &[u8]) {
        if position.0 as usize != self.first + self.records.len() {
            *self = Self { first: position.0 as usize, ..Self::default() };
        }
        self.bytes += sealed.len();
        self.records.push_back(FreshRecord { sealed: sealed.into(), decision: None });
    }

    fn decide(&mut self, position: Position, turn: Turn, sealed: &[u8]) {
        let Some(record) = self.at(position) else { return };
        let replaced = record.decision.replace((turn, sealed.into()));
        let freed = replaced.map_or(0, |(_, sealed)| sealed.len());
        self.bytes = self.bytes + sealed.len() - freed;
    }

    fn evict(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let Some(FreshRecord { sealed, decision }) = self.records.pop_front()
        {
            self.first += 1;
            self.bytes -= sealed.len() + decision.map_or(0, |(_, sealed)| sealed.len());
        }
    }

    fn at(&mut self, position: Position) -> Option<&mut FreshRecord> {
        self.records.get_mut((position.0 as usize).checked_sub(self.first)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leave_when_the_bytes_are_used_up() {
        let mut window = Window::default();
        for position in 7..10 {
            window.push(Position(position), &[0; 100]);
        }
        window.decide(Position(8), Turn::First, &[1; 50]);
        window.decide(Position(8), Turn::Again, &[2; 30]);
        assert_eq!(window.bytes, 330);
        window.evict(329);
        assert!(window.at(Position(7)).is_none() && window.at(Position(10)).is_none());
        let (turn, decision) = window.at(Position(8)).unwrap().decision.clone().unwrap();
        assert_eq!((turn, &*decision), (Turn::Again, [2; 30].as_slice()));
        // What is no longer here is decided on the disk only.
        window.decide(Position(7), Turn::First, &[3; 30]);
        window.evict(100);
        assert_eq!((window.bytes, window.records.len()), (100, 1));
    }

    #[test]
    fn a_gap_between_positions_starts_anew() {
        let mut window = Window::default();
        window.push(Position(3), b"three");
        window.push(Position(9), b"nine");
        assert!(window.at(Position(3)).is_none());
        assert_eq!(&*window.at(Position(9)).unwrap().sealed, b"nine");
    }
}
