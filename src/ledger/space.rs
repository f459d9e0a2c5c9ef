//! Free disk space: new applications are refused before the disk is full.
//!
//! A write to a full disk poisons the ledger until a restart. So a reserve is kept free: while less than the reserve is
//! free, nothing new is accepted, but accepted applications are still decided, shown and can be withdrawn. Each of these
//! accesses writes to the audit trail, so the last part of the reserve is kept from the trail: while less than that is
//! free, nobody enters and nothing is shown or withdrawn, because it could not be recorded, and only decisions are
//! written. Everything resumes by itself when there is space again.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};

use super::fault::{CommitFault, OpenFault, Untraced};

/// Interval at which free space is measured. The default reserve, 1 GiB, is far more than is written in between.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// The part of the reserve, at most 1/4, that the audit trail may not use: however small the reserve, most of it is for
/// people who look at what they submitted.
const LAST_PART: u64 = 4;

/// Free space on the file system that holds a directory. One thread measures it, all others read the result.
#[derive(Debug)]
pub struct Space {
    directory: PathBuf,
    reserve_bytes: u64,
    /// The part of the reserve that is kept from the audit trail.
    last_bytes: u64,
    free_bytes: AtomicU64,
    /// Whether the last measurement failed; the one before it holds.
    measuring_failed: AtomicBool,
}

/// The thread that measures every second, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Space {
    /// Measures the free space for the first time, and logs if it is below the reserve. `last_bytes` of the reserve, at
    /// most a quarter, are kept from the audit trail.
    ///
    /// # Errors
    /// [`OpenFault::Directory`] if the free space cannot be measured: check the directory.
    pub fn of(directory: &Path, reserve_bytes: u64, last_bytes: u64) -> Result<Self, OpenFault> {
        let free_bytes = free_bytes(directory)
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let space = Self {
            directory: directory.to_owned(),
            reserve_bytes,
            last_bytes: last_bytes.min(reserve_bytes / LAST_PART),
            free_bytes: AtomicU64::new(free_bytes),
            measuring_failed: AtomicBool::new(false),
        };
        if space.short() {
            space.log();
        }
        Ok(space)
    }

    /// Starts a thread that measures, because the call to the file system may block.
    ///
    /// # Errors
    /// The I/O error if no thread can be started.
    pub fn watch(self: &Arc<Self>) -> io::Result<Watch> {
        let (stop, stopped) = bounded::<()>(0);
        let space = Arc::clone(self);
        let thread = thread::Builder::new().name("space".to_owned()).spawn(move || {
            while stopped.recv_timeout(MEASURE_EVERY) == Err(RecvTimeoutError::Timeout) {
                space.measure();
            }
        })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }

    /// Whether new applications may be accepted.
    ///
    /// # Errors
    /// [`CommitFault::NoRoom`]: refuse them, and let the client come back later.
    pub fn admits(&self) -> Result<(), CommitFault> {
        if self.short() { Err(CommitFault::NoRoom) } else { Ok(()) }
    }

    /// Whether the audit trail may grow by events.
    ///
    /// # Errors
    /// [`Untraced`]: refuse what would have to be recorded, and let the client come back later.
    pub fn admits_events(&self) -> Result<(), Untraced> {
        if self.nearly_full() { Err(Untraced) } else { Ok(()) }
    }

    /// Free space at the last measurement, bytes.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// The reserve, bytes.
    #[must_use]
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Whether less than the reserve is free.
    #[must_use]
    pub fn short(&self) -> bool {
        self.free_bytes() < self.reserve_bytes
    }

    /// Whether less is free than what is kept from the audit trail.
    fn nearly_full(&self) -> bool {
        self.free_bytes() < self.last_bytes
    }

    fn measure(&self) {
        let before = (self.short(), self.nearly_full());
        match free_bytes(&self.directory) {
            Ok(free) => {
                self.free_bytes.store(free, Ordering::Relaxed);
                self.measuring_failed.store(false, Ordering::Relaxed);
            }
            Err(fault) => {
                if !self.measuring_failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%fault, "the free disk space of the ledger cannot be measured: the last measurement holds");
                }
            }
        }
        if (self.short(), self.nearly_full()) != before {
            self.log();
        }
    }

    fn log(&self) {
        let (free, reserve) = (self.free_bytes(), self.reserve_bytes);
        let directory = self.directory.display();
        if self.nearly_full() {
            let last = self.last_bytes;
            tracing::error!(%directory, free, last, "the disk is nearly full: nobody enters and nothing is shown, because the audit trail has no room; accepted applications are still decided");
        } else if self.short() {
            tracing::error!(%directory, free, reserve, "free disk space is below ledger.disk_reserve_bytes: new applications are refused until there is more");
        } else {
            tracing::info!(%directory, free, reserve, "there is enough free disk space again: new applications are accepted");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that measures free disk space panicked and has ended");
        }
    }
}

/// Free space for users other than root, for whom file systems reserve a part.
fn free_bytes(directory: &Path) -> io::Result<u64> {
    let measured = rustix::fs::statvfs(directory)?;
    Ok(measured.f_bavail.saturating_mul(measured.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_accepted_while_less_than_the_reserve_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let short = Space::of(directory.path(), u64::MAX, 0).unwrap();
        assert_eq!(short.admits(), Err(CommitFault::NoRoom));
        assert!(short.free_bytes() > 0);
        let roomy = Space::of(directory.path(), 0, u64::MAX).unwrap();
        assert_eq!(roomy.admits(), Ok(()));
        assert!(Space::of(&directory.path().join("missing"), 0, 0).is_err());
    }

    #[test]
    fn the_last_part_of_the_reserve_is_kept_from_the_audit_trail() {
        let directory = tempfile::tempdir().unwrap();
        for (reserve, last, refused_below) in
            [(4000, 100, 100), (4000, 4000, 1000), (0, 100, 0), (u64::MAX, 256, 256)]
        {
            let space = Space::of(directory.path(), reserve, last).unwrap();
            space.free_bytes.store(refused_below, Ordering::Relaxed);
            assert_eq!(space.admits_events(), Ok(()), "{reserve}, {last}");
            if refused_below > 0 {
                assert!(space.short(), "nothing new is accepted long before");
                space.free_bytes.store(refused_below - 1, Ordering::Relaxed);
                assert_eq!(space.admits_events(), Err(Untraced), "{reserve}, {last}");
            }
        }
    }

    #[test]
    fn intake_resumes_by_itself_and_a_failed_measurement_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut space = Space::of(directory.path(), 1, 0).unwrap();
        space.free_bytes.store(0, Ordering::Relaxed);
        assert!(space.short());
        let space_again = Arc::new(space);
        let watch = space_again.watch().unwrap();
        for _ in 0..100 {
            if !space_again.short() {
                break;
            }
            thread::sleep(MEASURE_EVERY / 20);
        }
        drop(watch);
        assert!(!space_again.short());
        space = Arc::into_inner(space_again).unwrap();
        space.directory = directory.path().join("missing");
        space.measure();
        assert!(!space.short());
    }
}
