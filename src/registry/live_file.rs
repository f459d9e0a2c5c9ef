//! A file that may be replaced while the server runs: what was read last stays until a newer file is whole.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::live::Live;

/// Bytes read from the file at a time.
const READ_BYTES: usize = 1 << 20;

/// What a file held when it was loaded last, and whether it has changed since.
pub(crate) struct LiveFile<T> {
    path: PathBuf,
    current: Live<T>,
    /// The file that was read last, valid or not. Locked during a load, so that there is only one at a time.
    read: Mutex<Stamp>,
}

/// A file that was opened for loading, and its size at that time.
pub(crate) struct Opened {
    pub(crate) input: BufReader<File>,
    pub(crate) bytes: u64,
}

/// Identifies a state of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl<T> LiveFile<T> {
    /// Loads the file for the first time.
    ///
    /// # Errors
    ///
    /// Those of `load`, and of opening the file.
    pub(crate) fn open<F: From<io::Error>>(
        path: &Path,
        load: impl FnOnce(Opened) -> Result<T, F>,
    ) -> Result<Self, F> {
        let (stamp, opened) = opened(path)?;
        let current = Live::new(load(opened)?);
        Ok(Self { path: path.to_owned(), current, read: Mutex::new(stamp) })
    }

    /// Loads the file again if it has changed; `None` if it has not. Look-ups in the meantime get the old contents.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open): the old contents stay. The same faulty file is reported once.
    pub(crate) fn reload<F: From<io::Error>>(
        &self,
        load: impl FnOnce(Opened) -> Result<T, F>,
    ) -> Result<Option<Arc<T>>, F> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if Stamp::of(&fs::metadata(&self.path)?) == *last {
            return Ok(None);
        }
        let (stamp, opened) = opened(&self.path)?;
        *last = stamp;
        let _before = self.current.replace(load(opened)?);
        Ok(Some(self.current()))
    }

    /// What was loaded last.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.keep()
    }
}

fn opened(path: &Path) -> io::Result<(Stamp, Opened)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let input = BufReader::with_capacity(READ_BYTES, file);
    Ok((stamp, Opened { input, bytes: stamp.bytes }))
}
