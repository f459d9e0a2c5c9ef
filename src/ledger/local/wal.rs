//! Rewriting a write-ahead log at start: its contents may exist only in the kernel's page cache.
//!
//! After a failed sync the kernel marks the pages clean although they were never written, and still returns them to
//! readers. A restart that took such a commit for durable would append to it, and a power cut would lose everything
//! since. So the log is rewritten in place and synced before it is used.
//!
//! Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const CHUNK_BYTES: usize = 1 << 20;

/// The write-ahead log of a file.
pub(in crate::ledger) fn wal_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

/// Rewrites a log in place and syncs it. An interruption leaves a log that is at least as complete as before.
pub(super) fn rewrite(log: &Path) -> io::Result<()> {
    let file = match fs::OpenOptions::new().read(true).write(true).open(log) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            return file.sync_all();
        }
        file.write_all_at(&chunk[..count], at)?;
        at += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_written_again_as_it_was_and_one_that_is_missing_is_fine() {
        let directory = tempfile::tempdir().unwrap();
        let log = wal_of(&directory.path().join("ledger.sqlite"));
        rewrite(&log).unwrap();
        assert!(!log.exists());
        let contents: Vec<u8> = (0..3 * CHUNK_BYTES / 2).map(|at| at.to_le_bytes()[0]).collect();
        fs::write(&log, &contents).unwrap();
        rewrite(&log).unwrap();
        assert_eq!(fs::read(&log).unwrap(), contents);
    }
}
