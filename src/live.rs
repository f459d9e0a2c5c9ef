//! A value that is replaced while others read it: what a reload of settings or of a file changes.

use std::{fmt, ops::Deref, sync::Arc};

use arc_swap::ArcSwap;

/// A value in force, shared by all threads. Reading takes no lock, so it may be read at every request; whoever reads
/// while it is replaced gets the old value or the new one, whole.
pub struct Live<T>(ArcSwap<T>);

impl<T> Live<T> {
    /// Puts the first value in force.
    pub fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    /// The value in force, for one short use: do not keep it across an await.
    pub fn load(&self) -> impl Deref<Target = Arc<T>> + use<T> {
        self.0.load()
    }

    /// The value in force, to be kept.
    pub fn keep(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Puts another value in force, and returns the one before.
    pub fn replace(&self, newer: T) -> Arc<T> {
        self.0.swap(Arc::new(newer))
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Live").field(&*self.load()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn readers_see_whole_values_and_never_an_older_one_again() {
        let (live, done) = (Live::new((0_u64, 0_u64)), AtomicBool::new(false));
        let kept = live.keep();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut latest = 0;
                    while !done.load(Ordering::Relaxed) {
                        let (one, same) = **live.load();
                        assert_eq!(one, same);
                        assert!(one >= latest, "{one} after {latest}");
                        latest = one;
                    }
                });
            }
            for n in 1..=10_000 {
                assert_eq!(*live.replace((n, n)), (n - 1, n - 1), "the value before");
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!((*kept, **live.load()), ((0, 0), (10_000, 10_000)));
    }
}
