//! A registry in a file, which can be replaced while the server runs.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Registry;
use super::live_file::{LiveFile, Opened};
use super::load::{LoadFault, load as load_rows};
use super::people::{People, ROW_BYTES, Secret};
use crate::civic::FiscalCode;
use crate::schemes::Answers;

/// A registry in a file; see the [module](super) for the format.
///
/// Replace the file by renaming a complete one over it. A newer file is loaded while the old answers are served, then
/// takes effect at once; a file with any fault is refused as a whole and the old answers stay.
pub struct FileRegistry {
    secret: Secret,
    file: LiveFile<People>,
    /// The number of reloads that succeeded.
    edition: AtomicU64,
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
        let file = LiveFile::open(path, |opened| load(opened, secret))?;
        Ok(Self { secret, file, edition: AtomicU64::new(0) })
    }

    /// Loads the file again if it has changed, and returns the number of people; `None` if it has not changed. Look-ups in
    /// the meantime get the old answers.
    ///
    /// # Errors
    ///
    /// [`LoadFault`]: the old answers stay. The same faulty file is reported once.
    pub fn reload(&self) -> Result<Option<usize>, LoadFault> {
        let newer = self.file.reload(|opened| load(opened, self.secret))?;
        Ok(newer.map(|people| {
            self.edition.fetch_add(1, Ordering::Release);
            people.len()
        }))
    }

    /// The number of people, and the bytes of memory that they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let people = self.file.current();
        (people.len(), people.bytes())
    }
}

impl Registry for FileRegistry {
    fn answers(&self, person: &FiscalCode) -> Answers {
        self.file.current().answers(person)
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

fn load(Opened { input, bytes }: Opened, secret: Secret) -> Result<People, LoadFault> {
    // A line is rarely shorter than a row, so this is room for all rows.
    let rows_expected = usize::try_from(bytes).unwrap_or_default() / ROW_BYTES;
    load_rows(input, secret, rows_expected)
}
