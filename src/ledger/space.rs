//! The room that is left on the disk: that it runs out is seen before it has.
//!
//! A write that meets a full disk poisons the ledger until a restart. So some room is kept in reserve: while less than
//! that is left, nothing new is taken in, and what was accepted can still be decided and withdrawn. Intake resumes by
//! itself when there is room again.

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

/// How often the file system is asked. A minute's worth of applications at full speed fits into the reserve many times.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The room on the file system under a directory. One thread looks, everybody reads what it saw.
#[derive(Debug)]
pub struct Space {
    directory: PathBuf,
    reserve_bytes: u64,
    free_bytes: AtomicU64,
    /// The file system does not tell: what it told last holds.
    mute: AtomicBool,
}

/// Looks every second, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Space {
    /// Looks for the first time.
    ///
    /// # Errors
    /// [`OpenFault::Directory`] when the file system does not tell.
    pub fn of(directory: &Path, reserve_bytes: u64) -> Result<Self, OpenFault> {
        let free_bytes = free_bytes(directory)
            .map_err(|source| OpenFault::Directory { path: directory.to_owned(), source })?;
        let space = Self {
            directory: directory.to_owned(),
            reserve_bytes,
            free_bytes: AtomicU64::new(free_bytes),
            mute: AtomicBool::new(false),
        };
        if space.short() {
            space.tell();
        }
        Ok(space)
    }

    /// Goes on looking in a thread of its own, for a file system may keep whoever asks waiting.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn watch(self: &Arc<Self>) -> io::Result<Watch> {
        let (stop, stopped) = bounded::<()>(0);
        let space = Arc::clone(self);
        let thread = thread::Builder::new().name("space".to_owned()).spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                space.look();
            }
        })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }

    /// Whether something new may be taken in.
    ///
    /// # Errors
    /// [`CommitFault::NoRoom`].
    pub fn admits(&self) -> Result<(), CommitFault> {
        if self.short() { Err(CommitFault::NoRoom) } else { Ok(()) }
    }

    /// Bytes that we may still write, as seen last.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that are kept free.
    #[must_use]
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// Whether less than the reserve is left.
    #[must_use]
    pub fn short(&self) -> bool {
        self.free_bytes() < self.reserve_bytes
    }

    fn look(&self) {
        let before = self.short();
        match free_bytes(&self.directory) {
            Ok(free) => {
                self.free_bytes.store(free, Ordering::Relaxed);
                self.mute.store(false, Ordering::Relaxed);
            }
            Err(fault) => {
                if !self.mute.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%fault, "the file system under the ledger does not tell how much room is left");
                }
            }
        }
        if self.short() != before {
            self.tell();
        }
    }

    fn tell(&self) {
        let (free, reserve) = (self.free_bytes(), self.reserve_bytes);
        let directory = self.directory.display();
        if self.short() {
            tracing::error!(%directory, free, reserve, "less room is left than ledger.disk_reserve_bytes: nothing new is taken in until there is");
        } else {
            tracing::info!(%directory, free, reserve, "there is room again: applications are taken in");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches the disk had panicked");
        }
    }
}

/// What others than the superuser may still write: file systems keep a part for that one.
fn free_bytes(directory: &Path) -> io::Result<u64> {
    let told = rustix::fs::statvfs(directory)?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_in_while_less_than_the_reserve_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let short = Space::of(directory.path(), u64::MAX).unwrap();
        assert_eq!(short.admits(), Err(CommitFault::NoRoom));
        assert!(short.free_bytes() > 0);
        let roomy = Space::of(directory.path(), 0).unwrap();
        assert_eq!(roomy.admits(), Ok(()));
        assert!(Space::of(&directory.path().join("missing"), 0).is_err());
    }

    #[test]
    fn intake_resumes_by_itself_and_a_mute_file_system_changes_nothing() {
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
            thread::sleep(LOOK_EVERY / 20);
        }
        drop(watch);
        assert!(!space_again.short());
        space = Arc::into_inner(space_again).unwrap();
        space.directory = directory.path().join("missing");
        space.look();
        assert!(!space.short());
    }
}
