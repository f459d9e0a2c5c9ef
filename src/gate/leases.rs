//! Completion leases: everybody who has entered can finish.
//!
//! Entering takes a lease, and a lease reserves a place in the commit queue. Dropping it returns it, so it is returned
//! in every case: submission, log-out, expiry, a time-out, a lost connection, a panic.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use metrics::Gauge;

use crate::metrics as list;

/// All leases of this node; a cheap handle, all clones share the same leases.
#[derive(Clone)]
pub struct Leases(Arc<Pool>);

struct Pool {
    leases_max: usize,
    held: AtomicUsize,
    held_gauge: Gauge,
    free_gauge: Gauge,
}

/// One lease: its holder can finish. Dropping it returns it.
pub struct Lease(Arc<Pool>);

impl Leases {
    /// `leases_max` leases, all of them free.
    #[must_use]
    pub fn new(leases_max: usize) -> Self {
        let pool = Pool {
            leases_max,
            held: AtomicUsize::new(0),
            held_gauge: list::LEASES.gauge(&["held"]),
            free_gauge: list::LEASES.gauge(&["free"]),
        };
        pool.publish(0);
        Self(Arc::new(pool))
    }

    /// Takes a lease; `None` if all are held.
    #[must_use]
    pub fn take(&self) -> Option<Lease> {
        let more = |held: usize| (held < self.0.leases_max).then_some(held + 1);
        let before = self.0.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        self.0.publish(before + 1);
        Some(Lease(Arc::clone(&self.0)))
    }

    /// Takes a lease, also if all are held: for somebody who was promised one before a restart. Until as many are
    /// returned, nobody else gets one.
    #[must_use]
    pub fn take_beyond(&self) -> Lease {
        let before = self.0.held.fetch_add(1, Ordering::AcqRel);
        self.0.publish(before + 1);
        Lease(Arc::clone(&self.0))
    }

    /// How many leases are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.leases_max.saturating_sub(self.held())
    }

    /// How many leases are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Lease(..)")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let before = self.0.held.fetch_sub(1, Ordering::AcqRel);
        self.0.publish(before - 1);
    }
}

impl Pool {
    #[expect(clippy::cast_precision_loss, reason = "leases are far fewer than 2^52")]
    fn publish(&self, held: usize) {
        self.held_gauge.set(held as f64);
        self.free_gauge.set(self.leases_max.saturating_sub(held) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_returned_also_by_a_panic() {
        let leases = Leases::new(2);
        let first = leases.take().unwrap();
        let second = leases.take().unwrap();
        assert!(leases.take().is_none());
        drop(first);
        assert_eq!(leases.held(), 1);
        let panicked = std::thread::spawn(move || {
            let _second = second;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(leases.held(), 0);
    }

    #[test]
    fn a_lease_beyond_the_bound_is_made_up_for_before_anybody_else_gets_one() {
        let leases = Leases::new(1);
        let promised = [leases.take_beyond(), leases.take_beyond()];
        assert_eq!((leases.held(), leases.free()), (2, 0));
        let [first, second] = promised;
        drop(first);
        assert!(leases.take().is_none());
        drop(second);
        assert!(leases.take().is_some());
    }
}
