//! Files and directories that only their owner may read, created so that they survive a power cut.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Creates a file with mode 0600 atomically, and syncs it and its directory.
///
/// # Errors
/// The I/O error. `AlreadyExists` if the path exists; the existing file is unchanged.
pub fn write_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, contents)?;
    // `hard_link`, unlike `rename`, never replaces an existing file.
    fs::hard_link(&temporary, path)?;
    fs::remove_file(&temporary)?;
    sync_directory(parent_of(path))
}

/// Replaces a file atomically by one with mode 0600. After a crash there is either the old or the new file, complete.
///
/// # Errors
/// The I/O error; the old file is unchanged.
pub(crate) fn replace_private(path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = write_temporary(path, contents)?;
    fs::rename(&temporary, path)?;
    sync_directory(parent_of(path))
}

/// Writes and syncs `path.new` with mode 0600, and returns its path.
fn write_temporary(path: &Path, contents: &[u8]) -> io::Result<PathBuf> {
    let temporary = path.with_added_extension("new");
    // An interrupted start may have left one.
    if let Err(fault) = fs::remove_file(&temporary)
        && fault.kind() != io::ErrorKind::NotFound
    {
        return Err(fault);
    }
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    Ok(temporary)
}

/// Waits for the lock of the file at `path`: the file with `.lock` added to its name. It is released when the result is dropped,
/// or when the process ends in any way.
///
/// # Errors
/// The I/O error.
pub(crate) fn take_turn(path: &Path) -> io::Result<fs::File> {
    let lock = path.with_added_extension("lock");
    let mut options = fs::OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600).open(lock)?;
    lock.lock()?;
    Ok(lock)
}

/// The directory that contains `path`; `.` for a bare file name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Creates a directory and its missing parents with mode 0700, and syncs each new name in its parent directory.
///
/// The name of a directory that exists is synced as well: its creator may have been killed before it did so.
///
/// # Errors
/// The I/O error; `NotADirectory` if the path is something else.
pub fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return sync_name(path);
    }
    let parent = parent_of(path);
    if parent != Path::new(".") {
        private_directory(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        made => made?,
    }
    sync_directory(parent)
}

/// Whether users other than its owner may list, enter or write a directory, by its mode.
///
/// # Errors
/// The I/O error.
pub(crate) fn is_exposed(directory: &Path) -> io::Result<bool> {
    Ok(fs::metadata(directory)?.permissions().mode() & 0o077 != 0)
}

/// Syncs the directory that contains an existing `path`. A parent that we may not read is skipped: we created nothing
/// there.
///
/// # Errors
/// The I/O error.
pub fn sync_name(path: &Path) -> io::Result<()> {
    match sync_directory(parent_of(path)) {
        Err(fault) if fault.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

/// Syncs a directory, so that the names in it survive a power cut.
///
/// # Errors
/// The I/O error.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a/b");
        private_directory(&place).unwrap();
        private_directory(&place).unwrap();
        let path = place.join("key");
        fs::write(place.join("key.new"), "cut short").unwrap();
        write_private(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(write_private(&path, b"other").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
