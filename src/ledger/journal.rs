//! The journal: what a restart must know of sessions, of seats in the waiting room, and of daily quotas.
//!
//! Nothing in it is a record of the ledger, and nothing is needed for longer than two days. It holds keyed hashes of
//! people and visits, no names.

pub(super) mod encoding;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, ready};
use jiff::{Timestamp, civil::Date};
use tokio::sync::oneshot;

use crate::{civic::ProvedBy, vault::Subject};

/// One change, as it is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was opened in a visit, or reopened without an event of its opening.
    Opened(Opened),
    /// The session of a visit has a token of this generation; older ones are over.
    Renewed {
        /// The keyed hash of the visit.
        visit: Subject,
        /// The generation.
        generation: u32,
    },
    /// The session of a visit holds no lease any more: it was used, or handed over.
    LeaseGone {
        /// The keyed hash of the visit.
        visit: Subject,
    },
    /// The session of a visit was woken at another node than before, or its lease was taken back there: that node holds its
    /// lease now, and counts it. Of several nodes the one with the greatest turn does.
    Moved {
        /// The keyed hash of the visit.
        visit: Subject,
        /// How often it moved, then 32 random bits: two nodes may move it at the same time.
        turn: u64,
    },
    /// The session of a visit is over.
    Ended {
        /// The keyed hash of the visit.
        visit: Subject,
    },
    /// A person took a seat in the waiting room.
    Joined(Joined),
    /// Everybody of this round up to this number, and of every round before it, was called.
    Called {
        /// The index of the round.
        round: u64,
        /// The number, mixed with the beacon if there is one.
        number: [u8; 8],
    },
    /// A person entered, or lost their seat.
    Left(Seated),
    /// A person who has a seat asked at another node, which waits for them from now on. Of many nodes only.
    SeatMoved(Seated),
    /// Nobody joins this round any more. Of many nodes only.
    Closed {
        /// The index of the round.
        round: u64,
    },
    /// This round was drawn. Of many nodes only.
    Drawn {
        /// The index of the round.
        round: u64,
    },
    /// What a node reports of its waiting room. Of many nodes only.
    Reported(Report),
    /// An application of an office was accepted.
    Counted {
        /// The office.
        office: Subject,
        /// Its clerk.
        clerk: Subject,
        /// The day, Europe/Rome.
        day: Date,
    },
}

/// A session that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The keyed hash of the visit.
    pub visit: Subject,
    /// Who is logged in.
    pub person: Subject,
    /// Whose data it may see.
    pub subject: Subject,
    /// When it began, in whole seconds.
    pub began_at: Timestamp,
    /// What proved who is logged in.
    pub proved_by: ProvedBy,
    /// When it is over at the latest, in whole seconds.
    pub expires_at: Timestamp,
    /// The generation of its token.
    pub generation: u32,
}

/// Who has a seat, as far as a seat is found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seated {
    /// Half of the person's keyed hash.
    pub person: [u8; 8],
    /// Whether they wait for an office.
    pub for_office: bool,
}

/// The one entry that a seat gives: whose it is, and the round in which they were called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatEntry {
    /// Whose.
    pub who: Seated,
    /// The index of the round.
    pub round: u64,
}

/// What became of the claim of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody had claimed it.
    Now,
    /// It was claimed before for the same visit, perhaps at a node that is gone.
    Before,
    /// Its person was let in in another visit.
    Elsewhere,
}

/// A person who took a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Who.
    pub who: Seated,
    /// The index of the round.
    pub round: u64,
    /// Their number in it, not mixed with a beacon.
    pub number: [u8; 8],
}

/// What a node reports, about once a second while anybody waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many more people could be called for it; below zero if too many were.
    pub spare: i32,
    /// How many people enter there, thousandths of a person a second.
    pub entering_per_kilosecond: u32,
    /// The round and the number up to which it knew people to be called then.
    pub reached: (u64, [u8; 8]),
}

/// A node, as the journal knows it: one start of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub NonZeroU32);

/// Other nodes, or the store that they share, cannot be reached in time. It is not known what they noted, or whether they
/// will learn what was noted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal of all nodes cannot be reached in time")]
pub struct OutOfReach;

/// Where changes are noted, in their order.
///
/// A change is lost if the process is killed within some milliseconds of it, or the power fails within about a second,
/// unless [`synced`](Self::synced) or [`kept`](Self::kept) was awaited. A change that was noted later is never kept without an
/// earlier one of the same node.
pub trait Journal: Send + Sync {
    /// Notes a change. Waits for nothing.
    fn note(&self, event: Event);

    /// Completes when everything that was noted before is on disk. It completes with an error if the journal has failed:
    /// then the next start remembers nothing of it, so that no session that has ended is opened again.
    fn synced(&self) -> oneshot::Receiver<()>;

    /// Completes when everything that was noted before is kept, so that it may be promised. A journal of one machine that
    /// has failed keeps nothing, and so promises everything.
    ///
    /// # Errors
    /// [`OutOfReach`]: promise nothing; what was noted is written as soon as that is possible.
    fn kept(&self) -> BoxFuture<'_, Result<(), OutOfReach>> {
        let synced = self.synced();
        Box::pin(async {
            let _failed = synced.await;
            Ok(())
        })
    }

    /// Whether other nodes read it, and note in it.
    fn is_shared(&self) -> bool {
        false
    }

    /// Calls `learn` with every change that another node notes from now on, soon after it is noted. The changes of one node
    /// come in their order, on one thread at a time; `learn` waits for nothing. Only the first call counts, and a journal of
    /// one machine never calls it.
    fn follow(&self, learn: Box<dyn Fn(Node, Event) + Send + Sync>) {
        drop(learn);
    }

    /// Whether everything that other nodes had noted so long ago was learned. Always, of one machine.
    fn has_read_within(&self, _last: Duration) -> bool {
        true
    }

    /// Claims the one entry that a seat of a round gives, for a visit.
    ///
    /// # Errors
    /// [`OutOfReach`]: it may have been claimed; let nobody in, and claim it again for the same visit.
    fn claim_entry(
        &self,
        _entry: SeatEntry,
        _visit: Subject,
    ) -> BoxFuture<'_, Result<Claimed, OutOfReach>> {
        Box::pin(ready(Ok(Claimed::Now)))
    }

    /// Completes when everything that other nodes have kept before was learned.
    ///
    /// # Errors
    /// [`OutOfReach`].
    fn caught_up(&self) -> BoxFuture<'_, Result<(), OutOfReach>> {
        Box::pin(ready(Ok(())))
    }

    /// Says whether anybody is inside here: then what others note is wanted soon.
    fn attend(&self, _is_anybody_inside: bool) {}

    /// Writes what was noted, and ends.
    fn close(&self);
}

/// A journal that keeps nothing: every restart begins anew.
#[derive(Clone, Copy, Debug)]
pub struct Forgetful;

impl Forgetful {
    /// As a shared journal.
    #[must_use]
    pub fn shared() -> Arc<dyn Journal> {
        Arc::new(Self)
    }
}

impl Journal for Forgetful {
    fn note(&self, _event: Event) {}

    fn synced(&self) -> oneshot::Receiver<()> {
        oneshot::channel().1
    }

    fn close(&self) {}
}

/// A journal in memory, for tests: what it was told can be taken in again.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Noted {
    events: std::sync::Mutex<Vec<Event>>,
    is_shared: bool,
}

#[cfg(test)]
impl Noted {
    /// One that other nodes read.
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self { is_shared: true, ..Self::default() })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.events.lock().unwrap().clear();
    }
}

#[cfg(test)]
impl Journal for Noted {
    fn note(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    fn synced(&self) -> oneshot::Receiver<()> {
        Forgetful.synced()
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn close(&self) {}
}
