//! A registry in a file, read anew while it is asked.

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

/// A registry in a file; see the [module](super) for its form.
///
/// Whoever replaces the file moves a complete one over it. A newer one is loaded beside the one that answers and takes
/// its place in one step; a broken one is refused as a whole, and what was known before goes on being known.
pub struct FileRegistry {
    path: PathBuf,
    secret: Secret,
    /// Guards the pointer alone, never a load; whoever asks keeps the people they asked.
    people: RwLock<Arc<People>>,
    /// The file that was read last, whether or not it was sound. Held while one is read, so that two never are.
    read: Mutex<Stamp>,
    /// How often other answers took the place of the first.
    edition: AtomicU64,
}

/// What tells one state of a file from another.
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
    /// Loads the file. The people in it are kept under hashes keyed with the secret, which should be random and last no
    /// longer than the process.
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

    /// Loads the file anew, if it is another than before, and returns how many people are known then. Whoever asks
    /// meanwhile gets the old answers.
    ///
    /// # Errors
    ///
    /// [`LoadFault`]: the old answers stay. The same broken file is refused once.
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

    /// How many people are known, and how many bytes that takes.
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
            Ok(Some(people)) => tracing::info!(people, "a newer registry answers"),
            Err(fault) => {
                tracing::error!(%fault, "a newer registry is refused; the old one answers");
            }
        }
    }
}

/// The state of the file when it was opened, and what was read.
fn read(path: &Path, secret: Secret) -> io::Result<(Stamp, Result<People, LoadFault>)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    // A line is rarely shorter than a row, so that this is room for all of them.
    let rows_expected = usize::try_from(stamp.bytes).unwrap_or_default() / ROW_BYTES;
    let input = BufReader::with_capacity(READ_BYTES, file);
    Ok((stamp, load::load(input, secret, rows_expected)))
}
