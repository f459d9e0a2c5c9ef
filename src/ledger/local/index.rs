//! The in-memory index of a campaign: every claim, idempotency key and state, rebuilt from disk at start.
//!
//! A record takes 40 bytes and two slots of hash tables, about 56 bytes in all; a campaign of 24 million records takes
//! 1.4 GB and needs no index on disk. One mutex guards it. The committer holds it for microseconds a batch, readers for
//! less; nobody holds it across a system call or an await.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hashbrown::HashTable;

use super::super::{
    book::{
        change::{Change, State, Tally},
        decide::{APPLICATIONS_MAX, Claims, Uniqueness},
        record::Channel,
        submission::Submission,
    },
    position::Position,
    proof::Digest,
};
use crate::{
    schemes::Outcome,
    vault::{Claim, KeyHash},
};

/// Slots in a chunk. The index grows by chunks, so that existing slots are never copied.
const CHUNK_SLOTS: usize = 1 << 16;
/// Slots examined under one lock in a search for pending applications: some tens of microseconds.
const PENDING_LOOKED_AT_MAX: usize = 1 << 15;

/// The part of a body's digest that tells whether a repeated key came with the same body.
type Fingerprint = [u8; 7];

/// What the index holds of a record: 40 bytes without padding.
#[derive(Clone, Copy, Default)]
struct Slot {
    claim: [u8; 16],
    key: [u8; 16],
    fingerprint: Fingerprint,
    state: u8,
}

/// Claims, keys and states of one campaign.
#[derive(Default)]
pub(in crate::ledger) struct Index {
    chunks: Vec<Vec<Slot>>,
    /// Records below this position are durable; those above belong to the batch being written.
    committed: usize,
    claims: HashTable<u32>,
    keys: HashTable<u32>,
    /// The earlier applications, all withdrawn, of those who applied again; few do.
    replaced: HashMap<[u8; 16], Vec<u32>>,
    waiting: u64,
    /// Where the next draw starts.
    cursor: usize,
    tally: Tally,
}

impl Index {
    /// Restores a durable record at start, in the order of positions.
    pub(in crate::ledger) fn restore(
        &mut self,
        claim: Claim,
        key: KeyHash,
        digest: &Digest,
        channel: Channel,
    ) {
        let position = self.push(claim, key, fingerprint(digest), channel);
        self.set(position, State::Waiting);
        self.waiting += 1;
        self.committed = self.len();
        self.tally.accept(channel);
    }

    /// Leaves the positions up to `position` vacant: they were reserved and never written.
    pub(in crate::ledger) fn skip_to(&mut self, position: Position) {
        while self.len() < position.0 as usize {
            self.slots_for_one().push(Slot { state: VACANT, ..Slot::default() });
        }
        self.committed = self.len();
    }

    /// Moves each claim to the application that stands, if one does. Needed after a restore in another order than that of
    /// writing.
    pub(in crate::ledger) fn settle_claims(&mut self) {
        let Self { chunks, claims, replaced, .. } = self;
        let stands = |at: u32| decode(slot_at(chunks, at).state).stands();
        for (claim, earlier) in replaced {
            let of_claim = |&at: &u32| slot_at(chunks, at).claim == *claim;
            let Some(holder) = claims.find_mut(hash_of(claim), of_claim) else { continue };
            if let Some(place) = earlier.iter().position(|&at| stands(at)) {
                let standing = earlier.remove(place);
                earlier.push(std::mem::replace(holder, standing));
            }
        }
    }

    /// Marks the records of the written batch as durable.
    pub(in crate::ledger) fn commit(&mut self, channels: impl Iterator<Item = Channel>) {
        self.committed = self.len();
        channels.for_each(|channel| self.tally.accept(channel));
    }

    /// Applies a change that is durable.
    pub(in crate::ledger) fn apply(&mut self, position: Position, change: Change) {
        let before = self.state(position);
        if before == State::Waiting {
            self.waiting -= 1;
        }
        if !self.is_of_canary(position) {
            self.tally.count(before, change);
        }
        self.set(position, before.after(change));
    }

    /// Whether a record is the canary's.
    pub(in crate::ledger) fn is_of_canary(&self, position: Position) -> bool {
        self.slot(position).state & OF_CANARY != 0
    }

    /// Up to `most` pending applications at or after `from`, and the position to continue from; `None` at the end.
    pub(in crate::ledger) fn pending(
        &self,
        from: Position,
        most: usize,
    ) -> (Vec<Position>, Option<Position>) {
        let mut found = Vec::new();
        let end = self.committed.min(from.0 as usize + PENDING_LOOKED_AT_MAX);
        let mut at = from.0 as usize;
        while at < end && found.len() < most && self.tally.pending > 0 {
            if self.state(position_of(at)) == State::Decided(Outcome::Pending) {
                found.push(position_of(at));
            }
            at += 1;
        }
        let more = self.tally.pending > 0 && at < self.committed;
        (found, more.then(|| position_of(at)))
    }

    /// Returns an application that the urn had no room for: it waits in the ledger.
    pub(in crate::ledger) fn put_back(&mut self, position: Position) {
        if self.state(position) == State::Drawn {
            self.set(position, State::Waiting);
            self.waiting += 1;
        }
    }

    /// Draws up to `most` waiting applications, starting where the last draw stopped. The order has no effect: a
    /// decision does not depend on when it is taken.
    pub(in crate::ledger) fn draw(&mut self, most: usize) -> Vec<Position> {
        let mut drawn = Vec::new();
        let mut looked = 0;
        while self.waiting > 0 && drawn.len() < most && looked < self.committed {
            self.cursor = (self.cursor + 1) % self.committed;
            looked += 1;
            let position = position_of(self.cursor);
            if self.state(position) == State::Waiting {
                self.set(position, State::Drawn);
                self.waiting -= 1;
                drawn.push(position);
            }
        }
        drawn
    }

    /// The state of a durable application; `None` if there is none at that position.
    pub(in crate::ledger) fn durable_state(&self, position: Position) -> Option<State> {
        let is_written = (position.0 as usize) < self.committed
            && self.slot(position).state & !OF_CANARY != VACANT;
        is_written.then(|| self.state(position))
    }

    /// The durable applications of a claim and their states, the earliest first.
    pub(in crate::ledger) fn of_claim(&self, claim: &Claim) -> Vec<(Position, State)> {
        let replaced = self.replaced.get(&claim.0).into_iter().flatten().copied().map(Position);
        let all = replaced.chain(self.by_claim(claim));
        all.filter_map(|position| Some((position, self.durable_state(position)?))).collect()
    }

    pub(in crate::ledger) fn tally(&self) -> Tally {
        self.tally
    }

    /// The number of records, including those being written.
    pub(in crate::ledger) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK_SLOTS + last.len())
    }

    fn push(
        &mut self,
        claim: Claim,
        key: KeyHash,
        fingerprint: Fingerprint,
        channel: Channel,
    ) -> Position {
        let position = position_of(self.len());
        let of_canary = if channel == Channel::Canary { OF_CANARY } else { 0 };
        let state = encode(State::Drawn) | of_canary;
        self.slots_for_one().push(Slot { claim: claim.0, key: key.0, fingerprint, state });
        let Self { chunks, claims, keys, replaced, .. } = self;
        let claim_at = |&at: &u32| hash_of(&slot_at(chunks, at).claim);
        let key_at = |&at: &u32| hash_of(&slot_at(chunks, at).key);
        // A withdrawn application may hold the claim: the new one replaces it.
        match claims.find_mut(hash_of(&claim.0), |&at| slot_at(chunks, at).claim == claim.0) {
            Some(holder) => {
                replaced.entry(claim.0).or_default().push(*holder);
                *holder = position.0;
            }
            None => {
                claims.insert_unique(hash_of(&claim.0), position.0, claim_at);
            }
        }
        keys.insert_unique(hash_of(&key.0), position.0, key_at);
        position
    }

    /// The chunk that has room for the next slot.
    fn slots_for_one(&mut self) -> &mut Vec<Slot> {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK_SLOTS) {
            self.chunks.push(Vec::with_capacity(CHUNK_SLOTS));
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last]
    }

    fn by_claim(&self, claim: &Claim) -> Option<Position> {
        let same = |&at: &u32| slot_at(&self.chunks, at).claim == claim.0;
        self.claims.find(hash_of(&claim.0), same).copied().map(Position)
    }

    fn by_key(&self, key: &KeyHash) -> Option<Position> {
        let same = |&at: &u32| slot_at(&self.chunks, at).key == key.0;
        self.keys.find(hash_of(&key.0), same).copied().map(Position)
    }

    fn replaced_of(&self, claim: &Claim) -> usize {
        self.replaced.get(&claim.0).map_or(0, Vec::len)
    }

    fn slot(&self, position: Position) -> &Slot {
        slot_at(&self.chunks, position.0)
    }

    fn state(&self, position: Position) -> State {
        decode(self.slot(position).state)
    }

    fn set(&mut self, position: Position, state: State) {
        let at = position.0 as usize;
        let slot = &mut self.chunks[at / CHUNK_SLOTS][at % CHUNK_SLOTS];
        slot.state = slot.state & OF_CANARY | encode(state);
    }
}

impl Claims for Index {
    /// New records count only after [`commit`](Index::commit). If their batch cannot be written the ledger is poisoned,
    /// so they are never removed again.
    fn admit(&mut self, submission: &Submission) -> Uniqueness {
        let fingerprint = fingerprint(&submission.digest);
        if let Some(position) = self.by_key(&submission.key) {
            let slot = self.slot(position);
            let same = slot.fingerprint == fingerprint && slot.claim == submission.claim.0;
            return if same { Uniqueness::Replayed(position) } else { Uniqueness::KeyReused };
        }
        match self.by_claim(&submission.claim) {
            Some(position) if self.state(position).stands() => Uniqueness::AlreadyApplied(position),
            Some(_) if self.replaced_of(&submission.claim) + 1 >= usize::from(APPLICATIONS_MAX) => {
                Uniqueness::Exhausted
            }
            _ if !submission.may_be_new => Uniqueness::NotNew,
            _ => {
                let Submission { claim, key, channel, .. } = *submission;
                Uniqueness::New(self.push(claim, key, fingerprint, channel))
            }
        }
    }

    fn state(&self, position: Position) -> Option<State> {
        self.durable_state(position)
    }

    fn next(&self) -> Position {
        position_of(self.len())
    }
}

/// Locks the index. A panic while it was held leaves it usable: the committer's panic has poisoned the ledger.
pub(in crate::ledger) fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

fn slot_at(chunks: &[Vec<Slot>], at: u32) -> &Slot {
    &chunks[at as usize / CHUNK_SLOTS][at as usize % CHUNK_SLOTS]
}

/// The bookkeeper refuses batches that would exceed `u32::MAX` records.
fn position_of(at: usize) -> Position {
    Position(u32::try_from(at).unwrap_or(u32::MAX))
}

fn fingerprint(digest: &Digest) -> Fingerprint {
    let mut short = Fingerprint::default();
    short.copy_from_slice(&digest[..size_of::<Fingerprint>()]);
    short
}

/// Keyed hashes are uniformly distributed, so their first word serves as the table's hash.
fn hash_of(bytes: &[u8; 16]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

const DECIDED: u8 = 0x10;
const WITHDRAWN: u8 = 0x20;
const WITHDRAWN_DECIDED: u8 = 0x30;
const ERASED: u8 = 0x40;
const ERASED_WITHDRAWN: u8 = 0x50;
/// There is no record at this position.
const VACANT: u8 = 0x60;
/// The record is the canary's, whatever its state.
const OF_CANARY: u8 = 0x80;

fn encode(state: State) -> u8 {
    match state {
        State::Waiting => 0,
        State::Drawn => 1,
        State::Decided(outcome) => DECIDED | outcome as u8,
        State::Withdrawn(None) => WITHDRAWN,
        State::Withdrawn(Some(outcome)) => WITHDRAWN_DECIDED | outcome as u8,
        State::Erased { withdrawn: false } => ERASED,
        State::Erased { withdrawn: true } => ERASED_WITHDRAWN,
    }
}

fn decode(byte: u8) -> State {
    let byte = byte & !OF_CANARY;
    let outcome = Outcome::ALL[usize::from(byte & 3)];
    match byte & 0xf0 {
        DECIDED => State::Decided(outcome),
        WITHDRAWN => State::Withdrawn(None),
        WITHDRAWN_DECIDED => State::Withdrawn(Some(outcome)),
        ERASED => State::Erased { withdrawn: false },
        ERASED_WITHDRAWN => State::Erased { withdrawn: true },
        _ if byte == 0 => State::Waiting,
        _ => State::Drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_that_stands_holds_its_claim_in_whatever_order_all_were_restored() {
        let (one, two) = (Claim([1; 16]), Claim([2; 16]));
        let mut index = Index::default();
        for (key, claim) in (1..).zip([one, two, one, two]) {
            index.restore(claim, KeyHash([key; 16]), &[key; 32], Channel::Citizen);
        }
        // Several nodes wrote them: the one at the later position was withdrawn, and then the earlier one accepted.
        for withdrawn in [2, 1].map(Position) {
            index.apply(withdrawn, Change::Withdrawn(None));
        }
        index.settle_claims();
        let holders = [one, two].map(|claim| index.by_claim(&claim));
        assert_eq!(holders, [Some(Position(0)), Some(Position(3))]);
        for claim in [one, two] {
            let holder = index.by_claim(&claim).unwrap();
            assert!(Index::state(&index, holder).stands(), "they could apply again");
            assert_eq!((index.of_claim(&claim).len(), index.replaced_of(&claim)), (2, 1));
        }
    }
}
