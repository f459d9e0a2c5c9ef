//! What the ledger knows by heart: every claim, idempotency key and state, rebuilt from disk at start.
//!
//! An entry takes 41 bytes and two slots of a hash table, about 56 bytes a record in all; a campaign of 24 million
//! fits into 1.4 GB and needs no index on disk. One mutex guards it: the committer holds it for microseconds a batch,
//! readers for less, and nobody across a system call or an await.

use hashbrown::HashTable;

use super::{
    Position,
    engine::{Change, Submission},
    proof::Digest,
    record::Channel,
    seal::{Claim, KeyHash},
};
use crate::schemes::Outcome;

/// Entries a chunk; growing never copies what is there.
const CHUNK_ENTRIES: usize = 1 << 16;
/// Entries looked at under one lock when pending ones are looked for: some tens of microseconds.
const PENDING_LOOKED_AT_MAX: usize = 1 << 15;

/// Where an application stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Durable, and nobody is deciding it: it waits in the ledger.
    Waiting,
    /// In the urn or in a judge's hands.
    Drawn,
    /// Decided.
    Decided(Outcome),
    /// Withdrawn by its person, before or after a decision.
    Withdrawn(Option<Outcome>),
    /// Erased, by law or order; whether it had been withdrawn before, so that the person may apply again.
    Erased {
        /// See above.
        withdrawn: bool,
    },
}

impl State {
    /// Its word in answers and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting | Self::Drawn => "received",
            Self::Decided(_) => "decided",
            Self::Withdrawn(_) | Self::Erased { .. } => "withdrawn",
        }
    }

    /// Whether it keeps its person from applying again.
    #[must_use]
    pub fn stands(self) -> bool {
        !matches!(self, Self::Withdrawn(_) | Self::Erased { withdrawn: true })
    }
}

/// The counts behind the balance `accepted = decided + undecided + withdrawn before a decision`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted, by [`Channel`].
    pub accepted: [u64; Channel::ALL.len()],
    /// Decided for the first time, by [`Outcome`], whether withdrawn later or not.
    pub decided: [u64; Outcome::ALL.len()],
    /// Pending first and decided again, by the later [`Outcome`].
    pub revised: [u64; Outcome::ALL.len()],
    /// Pending now: decided so, not decided again, not withdrawn.
    pub pending: u64,
    /// Withdrawn before a decision.
    pub withdrawn_undecided: u64,
    /// Withdrawn after a decision.
    pub withdrawn_decided: u64,
}

impl Tally {
    /// Accepted, neither decided nor withdrawn.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        let accepted: u64 = self.accepted.iter().sum();
        let decided: u64 = self.decided.iter().sum();
        accepted.saturating_sub(decided + self.withdrawn_undecided)
    }
}

/// What the index says to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    New(Position),
    /// The same key and the same body came before.
    Replayed(Position),
    /// The same key came before with another body.
    KeyReused,
    /// This person has applied in this campaign and has not withdrawn.
    AlreadyApplied(Position),
}

/// What is kept of a body's digest: a key that comes again comes with the same body, or not.
type Fingerprint = [u8; 7];

/// Forty bytes, with nothing between them.
#[derive(Clone, Copy)]
struct Entry {
    claim: [u8; 16],
    key: [u8; 16],
    fingerprint: Fingerprint,
    state: u8,
}

/// Claims, keys and states of one campaign.
#[derive(Default)]
pub(super) struct Index {
    chunks: Vec<Vec<Entry>>,
    /// Entries up to here are durable; those behind it belong to the batch being written.
    committed: usize,
    claims: HashTable<u32>,
    keys: HashTable<u32>,
    waiting: u64,
    /// Where the next draw starts to look.
    cursor: usize,
    tally: Tally,
}

impl Index {
    /// Takes a submission in, unless it was there before. New entries count only after [`commit`](Self::commit); a batch
    /// that fails to be written poisons the ledger, so they are never taken back.
    pub(super) fn admit(&mut self, submission: &Submission) -> Standing {
        let fingerprint = fingerprint(&submission.digest);
        if let Some(position) = self.by_key(&submission.key) {
            let entry = self.entry(position);
            let same = entry.fingerprint == fingerprint && entry.claim == submission.claim.0;
            return if same { Standing::Replayed(position) } else { Standing::KeyReused };
        }
        match self.by_claim(&submission.claim) {
            Some(position) if self.state(position).stands() => Standing::AlreadyApplied(position),
            _ => Standing::New(self.push(submission.claim, submission.key, fingerprint)),
        }
    }

    /// Restores a durable entry at start, in order of positions.
    pub(super) fn restore(
        &mut self,
        claim: Claim,
        key: KeyHash,
        digest: &Digest,
        channel: Channel,
    ) {
        let position = self.push(claim, key, fingerprint(digest));
        self.set(position, State::Waiting);
        self.waiting += 1;
        self.committed = self.len();
        self.tally.accepted[channel as usize] += 1;
    }

    /// Makes the entries of the written batch count.
    pub(super) fn commit(&mut self, channels: impl Iterator<Item = Channel>) {
        self.committed = self.len();
        for channel in channels {
            self.tally.accepted[channel as usize] += 1;
        }
    }

    /// The change that `change` amounts to now, or nothing if it came too late: decided once, and once again if that left it
    /// pending; withdrawn once; erased once it is settled.
    pub(super) fn permits(&self, position: Position, change: Change) -> Option<Change> {
        match (self.durable_state(position)?, change) {
            (State::Waiting | State::Drawn, Change::Decided(_))
            | (State::Decided(_) | State::Withdrawn(_), Change::Erased) => Some(change),
            (State::Decided(Outcome::Pending), Change::Revised(outcome)) => {
                (outcome != Outcome::Pending).then_some(change)
            }
            (State::Waiting | State::Drawn, Change::Withdrawn(_)) => Some(Change::Withdrawn(None)),
            (State::Decided(outcome), Change::Withdrawn(_)) => {
                Some(Change::Withdrawn(Some(outcome)))
            }
            _ => None,
        }
    }

    /// Applies a change that is durable.
    pub(super) fn apply(&mut self, position: Position, change: Change) {
        let before = self.state(position);
        match before {
            State::Waiting => self.waiting -= 1,
            State::Decided(Outcome::Pending) => self.tally.pending -= 1,
            _ => {}
        }
        let after = match change {
            Change::Decided(outcome) => {
                self.tally.decided[outcome as usize] += 1;
                State::Decided(outcome)
            }
            Change::Revised(outcome) => {
                self.tally.revised[outcome as usize] += 1;
                State::Decided(outcome)
            }
            Change::Withdrawn(decided) => {
                match decided {
                    Some(_) => self.tally.withdrawn_decided += 1,
                    None => self.tally.withdrawn_undecided += 1,
                }
                State::Withdrawn(decided)
            }
            Change::Erased => State::Erased { withdrawn: !before.stands() },
        };
        if after == State::Decided(Outcome::Pending) {
            self.tally.pending += 1;
        }
        self.set(position, after);
    }

    /// Up to `most` pending applications at or after `from`, and where to go on; nothing when the end was reached.
    pub(super) fn pending(&self, from: Position, most: usize) -> (Vec<Position>, Option<Position>) {
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

    /// Gives an application back that the urn had no room for: it waits in the ledger.
    pub(super) fn put_back(&mut self, position: Position) {
        if self.state(position) == State::Drawn {
            self.set(position, State::Waiting);
            self.waiting += 1;
        }
    }

    /// Takes up to `most` waiting applications out, from where the last draw stopped. The order means nothing: what a
    /// decision says does not depend on when it is taken.
    pub(super) fn draw(&mut self, most: usize) -> Vec<Position> {
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

    /// The state of a durable application, or nothing if there is none at that position.
    pub(super) fn durable_state(&self, position: Position) -> Option<State> {
        ((position.0 as usize) < self.committed).then(|| self.state(position))
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Records in all, those being written included; the next position.
    pub(super) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK_ENTRIES + last.len())
    }

    fn push(&mut self, claim: Claim, key: KeyHash, fingerprint: Fingerprint) -> Position {
        let position = position_of(self.len());
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK_ENTRIES) {
            self.chunks.push(Vec::with_capacity(CHUNK_ENTRIES));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            let state = encode(State::Drawn);
            chunk.push(Entry { claim: claim.0, key: key.0, fingerprint, state });
        }
        let Self { chunks, claims, keys, .. } = self;
        let claim_at = |&at: &u32| hash_of(&entry_at(chunks, at).claim);
        let key_at = |&at: &u32| hash_of(&entry_at(chunks, at).key);
        // A withdrawn application may hold the claim: the newer one takes its place.
        match claims.find_mut(hash_of(&claim.0), |&at| entry_at(chunks, at).claim == claim.0) {
            Some(holder) => *holder = position.0,
            None => {
                claims.insert_unique(hash_of(&claim.0), position.0, claim_at);
            }
        }
        keys.insert_unique(hash_of(&key.0), position.0, key_at);
        position
    }

    fn by_claim(&self, claim: &Claim) -> Option<Position> {
        let same = |&at: &u32| entry_at(&self.chunks, at).claim == claim.0;
        self.claims.find(hash_of(&claim.0), same).copied().map(Position)
    }

    fn by_key(&self, key: &KeyHash) -> Option<Position> {
        let same = |&at: &u32| entry_at(&self.chunks, at).key == key.0;
        self.keys.find(hash_of(&key.0), same).copied().map(Position)
    }

    fn entry(&self, position: Position) -> &Entry {
        entry_at(&self.chunks, position.0)
    }

    fn state(&self, position: Position) -> State {
        decode(self.entry(position).state)
    }

    fn set(&mut self, position: Position, state: State) {
        let at = position.0 as usize;
        self.chunks[at / CHUNK_ENTRIES][at % CHUNK_ENTRIES].state = encode(state);
    }
}

fn entry_at(chunks: &[Vec<Entry>], at: u32) -> &Entry {
    &chunks[at as usize / CHUNK_ENTRIES][at as usize % CHUNK_ENTRIES]
}

/// The engine refuses batches past `u32::MAX` records before they come here.
fn position_of(at: usize) -> Position {
    Position(u32::try_from(at).unwrap_or(u32::MAX))
}

fn fingerprint(digest: &Digest) -> Fingerprint {
    let mut short = Fingerprint::default();
    short.copy_from_slice(&digest[..size_of::<Fingerprint>()]);
    short
}

/// Keyed hashes are uniform already: their first word serves as the table's hash.
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
