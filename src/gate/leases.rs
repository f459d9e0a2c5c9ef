//! Completion leases: who was let in can finish.
//!
//! Entering takes a lease, and a lease is a reserved place in the commit queue. It is returned when it is dropped, so every
//! way out returns it: submission, log-out, expiry, a time-out, a lost connection, a panic.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use metrics::Gauge;

use crate::metrics as list;

/// The counter's leases; cheap to clone, the same for all who hold a copy.
#[derive(Clone)]
pub struct Leases(Arc<Pool>);

struct Pool {
    most: usize,
    held: AtomicUsize,
    held_gauge: Gauge,
    free_gauge: Gauge,
}

/// The promise that its holder can finish. Dropping it returns it.
pub struct Lease(Arc<Pool>);

impl Leases {
    /// As many leases as there are reserved places.
    #[must_use]
    pub fn new(leases_max: usize) -> Self {
        let pool = Pool {
            most: leases_max,
            held: AtomicUsize::new(0),
            held_gauge: list::LEASES.gauge(&["held"]),
            free_gauge: list::LEASES.gauge(&["free"]),
        };
        pool.show(0);
        Self(Arc::new(pool))
    }

    /// Takes a lease, or nothing when all are held: the one who asks has to wait outside.
    #[must_use]
    pub fn take(&self) -> Option<Lease> {
        let more = |held: usize| (held < self.0.most).then_some(held + 1);
        let before = self.0.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        self.0.show(before + 1);
        Some(Lease(Arc::clone(&self.0)))
    }

    /// Leases that are free now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.0.most.saturating_sub(self.held())
    }

    /// Leases held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Acquire)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let before = self.0.held.fetch_sub(1, Ordering::AcqRel);
        self.0.show(before - 1);
    }
}

impl Pool {
    #[expect(clippy::cast_precision_loss, reason = "leases are far fewer than 2^52")]
    fn show(&self, held: usize) {
        self.held_gauge.set(held as f64);
        self.free_gauge.set((self.most - held) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_comes_back_on_every_way_out() {
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
}
