//! A copy of the ledgers, taken beside a server that writes them, and brought up to date by taking it again.
//!
//! Ledgers and trail only grow, so a copy is a prefix: what stood in them at one moment, row by row, in short reads that hold
//! up nobody. Drafts are replaced and removed, so they are copied whole. Secrets are not copied: they belong elsewhere.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{
    audit, drafts,
    engine::OpenFault,
    engines::{
        files::{Form, take_directory},
        sqlite,
    },
};

/// What was copied of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The file's name.
    pub file: String,
    /// Rows that the copy lacked.
    pub rows: u64,
}

/// Why there is no copy, or none that is up to date. What was copied before stays whole.
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
        /// What the system said.
        source: io::Error,
    },
    /// The store refused.
    #[error("{file}: {source}")]
    Store {
        /// Which file.
        file: String,
        /// What the store said.
        source: rusqlite::Error,
    },
    /// The copy is of something else.
    #[error("{file}: the copy is not an earlier state of it: choose an empty directory")]
    Diverged {
        /// Which file.
        file: String,
    },
}

/// Copies from the attached schema `source` what the file lacks, tells the rows as they come, and returns how many they were;
/// nothing if the file is no earlier state of the source.
pub(super) type Copy = fn(&Connection, &mut dyn FnMut(u64)) -> rusqlite::Result<Option<u64>>;

/// What is copied, in this order: a draft that becomes an application meanwhile is in both rather than in neither, and the trail
/// covers what was copied before it.
const KINDS: [(&Form, Copy); 3] =
    [(&drafts::FORM, drafts::copy), (&sqlite::FORM, sqlite::copy), (&audit::FORM, audit::copy)];

/// Copies what `to` lacks of the ledgers, trail and drafts in `from`. `progress` is told each file's name and the rows copied
/// so far.
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
    for (form, copy) in KINDS {
        for file in &files {
            let store = |source| BackupFault::Store { file: file.clone(), source };
            let source = from.join(file);
            if !form.is_of(&source).map_err(store)? {
                continue;
            }
            let target = form.open(to, &to.join(file))?;
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
