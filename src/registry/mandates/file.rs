//! The registry of mandates in a file, which may grow or be replaced while the server runs.

use std::path::Path;
use std::sync::Arc;

use super::super::live_file::{LiveFile, Opened};
use super::{MandateTable, MandatesFault, load};
use crate::vault::HouseKeys;

/// A registry of mandates in a file; see the [module](super) for the format.
///
/// Append whole lines, or replace the file by renaming a complete one over it. A changed file is loaded while the old
/// mandates are in force, then takes effect at once; a file with any fault is refused as a whole and the old mandates
/// stay. An unfinished last line is left out until it is whole.
pub struct MandateFile {
    keys: Arc<HouseKeys>,
    file: LiveFile<MandateTable>,
}

impl MandateFile {
    /// Loads the file.
    ///
    /// # Errors
    ///
    /// [`MandatesFault`]: correct the file.
    pub fn open(path: &Path, keys: Arc<HouseKeys>) -> Result<Self, MandatesFault> {
        let file = LiveFile::open(path, |Opened { input, .. }| load(input, &keys))?;
        Ok(Self { keys, file })
    }

    /// Loads the file again if it has changed; `None` if it has not.
    ///
    /// # Errors
    ///
    /// [`MandatesFault`]: the old mandates stay. The same faulty file is reported once.
    pub fn reload(&self) -> Result<Option<Arc<MandateTable>>, MandatesFault> {
        self.file.reload(|Opened { input, .. }| load(input, &self.keys))
    }

    /// The mandates that were loaded last.
    #[must_use]
    pub fn current(&self) -> Arc<MandateTable> {
        self.file.current()
    }
}
