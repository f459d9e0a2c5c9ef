//! Free disk space: new applications are refused before the disk is full.
//!
//! A write to a full disk poisons the ledger until a restart. So a reserve is kept free: while less than the reserve is
//! free, nothing new is accepted, but accepted applications are still decided and can be withdrawn. Intake resumes by
//! itself when there is space again.

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

use super::fault::{CommitFault, OpenFault};

/// Interval at which free space is measured. The default reserve, 1 GiB, is far more than is written in between.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Free space on the file system that holds a directory. One thread measures it, all others read the result.
#[derive(Debug)]
pub struct Space {
    directory: PathBuf,
    reserve_bytes: u64,
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
    /// Measures the free space for the first time, and logs if it is below the reserve.
    ///
    /// # Errors
    /// [`OpenFault::Directory`] if the free space cannot be measured: check the directory.
    pub fn of(directory: &Path, reserve_bytes: u64) -> Result<Self, OpenFault> {
        let free_bytes = free_bytes(directory)
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let space = Self {
            directory: directory.to_owned(),
            reserve_bytes,
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

    fn measure(&self) {
        let before = self.short();
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
        if self.short() != before {
            self.log();
        }
    }

    fn log(&self) {
        let (free, reserve) = (self.free_bytes(), self.reserve_bytes);
        let directory = self.directory.display();
        if self.short() {
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
        let short = Space::of(directory.path(), u64::MAX).unwrap();
        assert_eq!(short.admits(), Err(CommitFault::NoRoom));
        assert!(short.free_bytes() > 0);
        let roomy = Space::of(directory.path(), 0).unwrap();
        assert_eq!(roomy.admits(), Ok(()));
        assert!(Space::of(&directory.path().join("missing"), 0).is_err());
    }

    #[test]
    fn intake_resumes_by_itself_and_a_failed_measurement_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut space = Space::of(directory.path(), 1).unwrap();
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
