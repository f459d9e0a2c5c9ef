//! Who holds the open connections of all runtimes, and whose give way when there is no room.
//!
//! Each client has a share of all connections. A newcomer takes the place of a resting connection: without room, of the
//! largest holder, if that one holds more; at the end of its share, of its own. So one client that holds everything
//! keeps out nobody else, and in a crowd in which everybody holds the same nobody is put out.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::shares::{Key, Shares};

/// Holders that are searched for a resting connection, so that the time for a newcomer is bounded.
const HOLDERS_SEARCHED_MAX: usize = 8;

/// One open connection, as the others see it. Only its own runtime writes its counts.
#[derive(Default)]
pub(super) struct Held {
    closing: CancellationToken,
    under_way: AtomicU64,
    /// A request was begun since the last search for a resting connection.
    used: AtomicBool,
    /// Somebody with a session uses it: it is not closed for others.
    kept: AtomicBool,
}

impl Held {
    /// A connection that is to be closed when `draining` is cancelled.
    fn until(draining: &CancellationToken) -> Self {
        Self { closing: draining.child_token(), ..Self::default() }
    }

    /// Cancelled when the connection has to be closed.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Requests under way.
    pub(super) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Counts a request, or a part of one.
    pub(super) fn begin(&self) {
        self.under_way.store(self.under_way() + 1, Ordering::Relaxed);
        self.used.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.under_way.store(self.under_way() - 1, Ordering::Relaxed);
    }

    /// Sets whether it is kept when others need room.
    pub(super) fn keep(&self, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// Whether it was used lately; `None` if it stays open.
    fn claim(&self) -> Option<bool> {
        let used = self.used.swap(false, Ordering::Relaxed);
        let stays = self.under_way() > 0 || self.kept.load(Ordering::Relaxed);
        (!stays).then_some(used)
    }
}

/// All open connections.
pub(super) struct Holders {
    connections_max: usize,
    share: usize,
    shares: Mutex<Shares<Arc<Held>>>,
}

/// The place of an open connection, which dropping it frees.
pub(super) struct Place {
    holders: Arc<Holders>,
    key: Key,
    held: Arc<Held>,
}

impl Holders {
    /// No connection is open. One client may hold `share_percent` of `connections_max`, at least one.
    pub(super) fn new(connections_max: usize, share_percent: usize) -> Self {
        let share = (connections_max.saturating_mul(share_percent) / 100).max(1);
        Self { connections_max, share, shares: Mutex::default() }
    }

    /// The place of a new connection; `None` if no other one gives way for it. Only the share of a client that
    /// `is_limited` is bounded.
    pub(super) fn admit(
        self: &Arc<Self>,
        client: IpAddr,
        is_limited: bool,
        draining: &CancellationToken,
    ) -> Option<Place> {
        let mut shares = self.lock();
        let own = shares.size_of(client);
        if is_limited && own >= self.share {
            shares.give_way(Some(client), |held| held.claim())?.closing.cancel();
        } else if shares.size() >= self.connections_max {
            let larger: Vec<_> = shares.largest(own + 2).take(HOLDERS_SEARCHED_MAX).collect();
            let mut holders = larger.into_iter().chain([client]);
            let closed =
                holders.find_map(|holder| shares.give_way(Some(holder), |held| held.claim()));
            closed?.closing.cancel();
        }
        let held = Arc::new(Held::until(draining));
        let key = shares.insert(client, Arc::clone(&held));
        Some(Place { holders: Arc::clone(self), key, held })
    }

    fn lock(&self) -> MutexGuard<'_, Shares<Arc<Held>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Its client.
    pub(super) fn client(&self) -> IpAddr {
        self.key.0
    }

    /// Its connection.
    pub(super) fn held(&self) -> &Arc<Held> {
        &self.held
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.holders.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holders(connections_max: usize, share_percent: usize) -> Arc<Holders> {
        Arc::new(Holders::new(connections_max, share_percent))
    }

    fn admit(holders: &Arc<Holders>, client: u8) -> Option<Place> {
        holders.admit([192, 0, 2, client].into(), true, &CancellationToken::new())
    }

    fn open(places: &[Place]) -> Vec<bool> {
        places.iter().map(|place| !place.held.closing.is_cancelled()).collect()
    }

    #[test]
    fn strangers_take_the_places_of_the_largest_holder_until_nobody_holds_more() {
        let holders = holders(6, 100);
        let places: Vec<_> = (0..6).map(|_| admit(&holders, 1).unwrap()).collect();
        places[0].held.begin();
        let strangers: Vec<_> = (0..5).filter_map(|_| admit(&holders, 2)).collect();
        assert_eq!(open(&places), [true, false, false, false, true, true]);
        assert_eq!(open(&strangers), [false, false, true, true, true], "then of its own");
        let other = [admit(&holders, 3).unwrap()];
        assert_eq!(open(&other), [true]);
        assert_eq!(holders.lock().size(), 6);
        drop((places, strangers, other));
        assert_eq!(holders.lock().size(), 0);
    }

    #[test]
    fn nobody_is_put_out_where_all_hold_the_same_or_have_requests_under_way() {
        let holders = holders(2, 100);
        let same = [admit(&holders, 1).unwrap(), admit(&holders, 2).unwrap()];
        assert!(admit(&holders, 3).is_none());
        assert_eq!(open(&same), [true, true]);
        drop(same);
        let busy = [admit(&holders, 1).unwrap(), admit(&holders, 1).unwrap()];
        for place in &busy {
            place.held.begin();
        }
        assert!(admit(&holders, 3).is_none());
        busy[1].held.end();
        assert!(admit(&holders, 3).is_some());
        assert_eq!(open(&busy), [true, false]);
    }

    #[test]
    fn connections_of_people_inside_do_not_give_way_to_strangers() {
        let holders = holders(3, 100);
        let places: Vec<_> = (0..3).map(|_| admit(&holders, 1).unwrap()).collect();
        places[0].held.keep(true);
        places[1].held.keep(true);
        let _stranger = admit(&holders, 2).unwrap();
        assert_eq!(open(&places), [true, true, false]);
        assert!(admit(&holders, 3).is_none(), "the rest is kept, or no larger holder's");
        places[1].held.keep(false);
        assert!(admit(&holders, 3).is_some());
        assert_eq!(open(&places), [true, false, false]);
    }

    #[test]
    fn a_client_stays_within_its_share_and_the_one_unused_for_longest_gives_way() {
        let holders = holders(10, 35);
        let places: Vec<_> = (0..4).map(|_| admit(&holders, 1).unwrap()).collect();
        assert_eq!(open(&places), [false, true, true, true]);
        places[1].held.begin();
        places[1].held.end();
        let _next = admit(&holders, 1).unwrap();
        assert_eq!(open(&places), [false, true, false, true]);
        let exempt = (0..9).map(|_| {
            holders.admit([127, 0, 0, 1].into(), false, &CancellationToken::new()).is_some()
        });
        assert_eq!(exempt.filter(|admitted| *admitted).count(), 9);
    }
}
