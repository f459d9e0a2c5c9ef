//! A registry in a file, which can be replaced while the server runs.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::Registry;
use super::load::{self, LoadFault};
use super::people::{People, ROW_BYTES, Secret};
use crate::civic::FiscalCode;
use crate::schemes::Answers;

/// Bytes read from the file at a time.
const READ_BYTES: usize = 1 << 20;

/// A registry in a file; see the [module](super) for the format.
///
/// Replace the file by renaming a complete one over it. A newer file is loaded while the old answers are served, then
/// takes effect at once; a file with any fault is refused as a whole and the old answers stay.
pub struct FileRegistry {
    path: PathBuf,
    secret: Secret,
    /// The lock guards the pointer only and is never held during a load or a look-up.
    people: RwLock<Arc<People>>,
    /// The file that was read last, valid or not. Locked during a load, so that there is only one at a time.
    read: Mutex<Stamp>,
    /// The number of reloads that succeeded.
    edition: AtomicU64,
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

impl FileRegistry {
    /// Loads the file. People are stored under hashes keyed with `secret`, which should be random and live no longer than
    /// the process.
    ///
    /// # Errors
    ///
    /// [`LoadFault`]: correct the file.
    pub fn open(path: &Path, secret: [u8; 32]) -> Result<Self, LoadFault> {
        let secret = Secret(secret);
        let (stamp, people) = read(path, secret)?;
        let people = RwLock::new(Arc::new(people?));
        Ok(Self {
            path: path.to_owned(),
            secret,
            people,
            read: Mutex::new(stamp),
            edition: AtomicU64::new(0),
        })
    }

    /// Loads the file again if it has changed, and returns the number of people; `None` if it has not changed. Look-ups in
    /// the meantime get the old answers.
    ///
    /// # Errors
    ///
    /// [`LoadFault`]: the old answers stay. The same faulty file is reported once.
    pub fn reload(&self) -> Result<Option<usize>, LoadFault> {
        let mut last = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if Stamp::of(&fs::metadata(&self.path)?) == *last {
            return Ok(None);
        }
        let (stamp, people) = read(&self.path, self.secret)?;
        *last = stamp;
        let people = Arc::new(people?);
        let count = people.len();
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people;
        self.edition.fetch_add(1, Ordering::Release);
        Ok(Some(count))
    }

    /// The number of people, and the bytes of memory that they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let people = self.people();
        (people.len(), people.bytes())
    }

    fn people(&self) -> Arc<People> {
        Arc::clone(&self.people.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Registry for FileRegistry {
    fn answers(&self, person: &FiscalCode) -> Answers {
        self.people().answers(person)
    }

    fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    fn refresh(&self) {
        match self.reload() {
            Ok(None) => {}
            Ok(Some(people)) => tracing::info!(people, "registry reloaded"),
            Err(fault) => {
                tracing::error!(%fault, "registry not reloaded: the file has faults; the old answers stay");
            }
        }
    }
}

/// Loads a file, and returns its state at the time of opening too.
fn read(path: &Path, secret: Secret) -> io::Result<(Stamp, Result<People, LoadFault>)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    // A line is rarely shorter than a row, so this is room for all rows.
    let rows_expected = usize::try_from(stamp.bytes).unwrap_or_default() / ROW_BYTES;
    let input = BufReader::with_capacity(READ_BYTES, file);
    Ok((stamp, load::load(input, secret, rows_expected)))
}
