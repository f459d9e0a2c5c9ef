//! What the database holds of the claims, keys and positions of one batch: by it, the batch is decided as on one machine.

use std::collections::{HashMap, hash_map::Entry};

use tokio_postgres::Row;

use super::super::fault::Setback;
use crate::{
    ledger::{
        book::{
            change::{Change, State},
            decide::{APPLICATIONS_MAX, Claims, Uniqueness},
            record::Channel,
            submission::Submission,
        },
        fault::StorageFault,
        position::Position,
        proof::Digest,
    },
    vault::{Claim, KeyHash},
};

/// A record without its contents.
#[derive(Clone)]
pub(super) struct FoundRecord {
    pub(super) position: Position,
    claim: [u8; 16],
    key: [u8; 16],
    digest: Digest,
    of_canary: bool,
    pub(super) state: State,
    /// The changes that led to this state.
    steps: i16,
}

impl FoundRecord {
    /// Reads a row of one of the statements that find records.
    ///
    /// # Errors
    /// [`StorageFault::Damaged`] if it contradicts itself.
    pub(super) fn read(row: &Row) -> Result<Self, Setback> {
        Self::from_row(row)?.ok_or(Setback::Storage(StorageFault::Damaged))
    }

    fn from_row(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let (claim, key, digest): (&[u8], &[u8], &[u8]) =
            (row.try_get(1)?, row.try_get(3)?, row.try_get(4)?);
        let codes: Vec<i16> = row.try_get(5)?;
        let (position, channel): (i64, i16) = (row.try_get(0)?, row.try_get(2)?);
        let read = || {
            Some(Self {
                position: Position(u32::try_from(position).ok()?),
                claim: claim.try_into().ok()?,
                key: key.try_into().ok()?,
                digest: digest.try_into().ok()?,
                of_canary: channel == Channel::Canary as i16,
                state: state_after(&codes)?,
                steps: i16::try_from(codes.len()).ok()?,
            })
        };
        Ok(read())
    }
}

/// The state that stored changes lead to; `None` if they are damaged.
pub(in super::super) fn state_after(codes: &[i16]) -> Option<State> {
    codes.iter().try_fold(State::Waiting, |state, &code| {
        Some(state.after(Change::from_code(u8::try_from(code).ok()?)?))
    })
}

/// The records that a batch may concern.
pub(super) struct Found {
    records: Vec<FoundRecord>,
    /// Of each claim, the earliest first; as places in `records`.
    claims: HashMap<[u8; 16], Vec<usize>>,
    keys: HashMap<[u8; 16], usize>,
    positions: HashMap<Position, usize>,
    /// Records found, before those of the batch.
    stored: usize,
    next: Position,
}

impl Found {
    /// `rows`: in the order of claims, and the earliest of each claim first. New applications get positions from `next` on.
    pub(super) fn new(records: impl Iterator<Item = FoundRecord>, next: Position) -> Self {
        let mut found = Self {
            records: Vec::new(),
            claims: HashMap::new(),
            keys: HashMap::new(),
            positions: HashMap::new(),
            stored: 0,
            next,
        };
        records.for_each(|record| found.add(record));
        found.stored = found.records.len();
        found
    }

    fn add(&mut self, record: FoundRecord) {
        let place = self.records.len();
        // Several statements may find the same record.
        let Entry::Vacant(vacant) = self.positions.entry(record.position) else { return };
        vacant.insert(place);
        self.claims.entry(record.claim).or_default().push(place);
        self.keys.insert(record.key, place);
        self.records.push(record);
    }

    /// How many applications of its person come before a new one.
    pub(super) fn nth(&self, new: &Submission, position: Position) -> i16 {
        let places = self.claims.get(&new.claim.0).map_or(&[][..], Vec::as_slice);
        let before = places.iter().take_while(|&&place| self.records[place].position != position);
        i16::try_from(before.count()).unwrap_or(i16::MAX)
    }

    /// The changes of a stored application so far.
    pub(super) fn steps(&self, position: Position) -> i16 {
        self.stored(position).map_or(0, |record| record.steps)
    }

    /// Whether a stored application is the canary's.
    pub(super) fn is_of_canary(&self, position: Position) -> bool {
        self.stored(position).is_some_and(|record| record.of_canary)
    }

    fn stored(&self, position: Position) -> Option<&FoundRecord> {
        let place = *self.positions.get(&position)?;
        self.records.get(place).filter(|_| place < self.stored)
    }

    fn of_key(&self, KeyHash(key): KeyHash) -> Option<&FoundRecord> {
        self.keys.get(&key).map(|&place| &self.records[place])
    }

    fn of_claim(&self, Claim(claim): Claim) -> impl DoubleEndedIterator<Item = &FoundRecord> {
        self.claims.get(&claim).into_iter().flatten().map(|&place| &self.records[place])
    }
}

impl Claims for Found {
    fn admit(&mut self, submission: &Submission) -> Uniqueness {
        if let Some(record) = self.of_key(submission.key) {
            let same = record.digest == submission.digest && record.claim == submission.claim.0;
            let position = record.position;
            return if same { Uniqueness::Replayed(position) } else { Uniqueness::KeyReused };
        }
        let applications = self.of_claim(submission.claim).count();
        let latest = self.of_claim(submission.claim).next_back();
        match latest.map(|latest| (latest.position, latest.state)) {
            Some((position, state)) if state.stands() => Uniqueness::AlreadyApplied(position),
            _ if applications >= usize::from(APPLICATIONS_MAX) => Uniqueness::Exhausted,
            _ if !submission.may_be_new => Uniqueness::NotNew,
            _ => {
                let position = self.next;
                self.next = Position(position.0.saturating_add(1));
                self.add(FoundRecord {
                    position,
                    claim: submission.claim.0,
                    key: submission.key.0,
                    digest: submission.digest,
                    of_canary: submission.channel == Channel::Canary,
                    state: State::Drawn,
                    steps: 0,
                });
                Uniqueness::New(position)
            }
        }
    }

    fn state(&self, position: Position) -> Option<State> {
        self.stored(position).map(|record| record.state)
    }

    fn next(&self) -> Position {
        self.next
    }
}
