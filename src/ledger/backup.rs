//! A copy of the ledgers, taken while a server writes them; a second run adds what has been written since.
//!
//! Ledgers, revocations, mandates that were given by telephone, messages of providers and the trail only grow, so the copy is a prefix of them,
//! read in short transactions that delay nobody. Drafts are replaced and removed, so they are copied as a whole. Secrets are not copied: keep them elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
    slice,
};

use rusqlite::Connection;

use super::{
    audit::{
        MessageRow, TrailRow,
        stored::{self, Stored as _},
    },
    fault::{OpenFault, StoreError},
    local::{
        drafts,
        files::{FileFormat, take_directory},
        revocations, sqlite, telephone,
    },
};

/// What was copied of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The file's name.
    pub file: String,
    /// Rows that were added to the copy.
    pub rows: u64,
}

/// Why the copy is missing or not up to date. What was copied before remains complete.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// A file of the copy cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenFault),
    /// The directory cannot be read.
    #[error("{path}: {source}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// The store reported an error.
    #[error("{file}: {source}")]
    Store {
        /// Which file.
        file: String,
        /// What it reported.
        source: StoreError,
    },
    /// The copy belongs to another ledger.
    #[error(
        "{file}: the existing copy is not an earlier state of this file: choose an empty directory"
    )]
    Diverged {
        /// Which file.
        file: String,
    },
}

/// Copies what the file lacks from the attached schema `source`, reports progress in rows, and returns the number of
/// rows; `None` if the file is not an earlier state of the source.
pub(super) type Copy = fn(&Connection, &mut dyn FnMut(u64)) -> rusqlite::Result<Option<u64>>;

/// The versions of one kind of file, the usual one first.
type Versions = &'static [FileFormat];

/// What is copied, in this order: a draft that becomes an application meanwhile is in both copies rather than in
/// neither, and the trail covers everything copied before it.
const KINDS: [(Versions, Copy); 6] = [
    (slice::from_ref(&drafts::FORMAT), drafts::copy),
    (slice::from_ref(&revocations::FORMAT), revocations::copy),
    (slice::from_ref(&telephone::FORMAT), telephone::copy),
    (&sqlite::FORMATS, sqlite::copy),
    (MessageRow::FORMATS, stored::copy::<MessageRow>),
    (TrailRow::FORMATS, stored::copy::<TrailRow>),
];

/// Copies what `to` lacks of the ledgers, trail, drafts, revocations, telephone mandates and messages in `from`. Calls `progress` with
/// a file's name and its rows so far.
///
/// # Errors
/// [`BackupFault`].
pub fn copy(
    from: &Path,
    to: &Path,
    mut progress: impl FnMut(&str, u64),
) -> Result<Vec<Copied>, BackupFault> {
    let _taken = take_directory(to)?;
    let mut copied = Vec::new();
    let files = files(from)?;
    for (versions, copy) in KINDS {
        for file in &files {
            let store = |source: rusqlite::Error| BackupFault::Store {
                file: file.clone(),
                source: source.into(),
            };
            let source = from.join(file);
            let Some(format) = FileFormat::of(versions, &source).map_err(store)? else { continue };
            let target = format.open(to, &to.join(file))?;
            target.execute("ATTACH ?1 AS source", [source.to_string_lossy()]).map_err(store)?;
            let rows = copy(&target, &mut |rows| progress(file, rows)).map_err(store)?;
            let rows = rows.ok_or_else(|| BackupFault::Diverged { file: file.clone() })?;
            copied.push(Copied { file: file.clone(), rows });
        }
    }
    Ok(copied)
}

/// The names of the stores in a directory, sorted.
fn files(directory: &Path) -> Result<Vec<String>, BackupFault> {
    let fault = |source| BackupFault::Directory { path: directory.to_owned(), source };
    let mut names = Vec::new();
    for file in fs::read_dir(directory).map_err(fault)? {
        let name = file.map_err(fault)?.file_name().into_string().unwrap_or_default();
        if name.ends_with(".sqlite") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
