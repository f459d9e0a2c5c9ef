//! What a write-ahead log shows after a start may be in the kernel's memory alone.
//!
//! When a sync fails, the kernel forgets that the pages were never written and goes on showing them. A restart that took
//! such a commit for durable would put the next ones behind it, and a power cut would lose them all. So whatever a log
//! shows is written once more, over itself, and synced, before anything is built on it.
//!
//! Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const CHUNK_BYTES: usize = 1 << 20;

/// The log that belongs to a file.
pub(in crate::ledger) fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

/// Writes a log over itself and syncs it. Cut short, this leaves a log that is at least as whole as it was.
pub(super) fn write_again(log: &Path) -> io::Result<()> {
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
        let log = log_of(&directory.path().join("ledger.sqlite"));
        write_again(&log).unwrap();
        assert!(!log.exists());
        let contents: Vec<u8> = (0..3 * CHUNK_BYTES / 2).map(|at| at.to_le_bytes()[0]).collect();
        fs::write(&log, &contents).unwrap();
        write_again(&log).unwrap();
        assert_eq!(fs::read(&log).unwrap(), contents);
    }
}
