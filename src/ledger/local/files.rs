//! Our `SQLite` files: readable by their owner only, marked as ours, synced on every commit.

use std::{fs, io, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{super::fault::OpenFault, sqlite_fault::store_error, wal};
use crate::private_files::{parent_of, private_directory, sync_directory};

/// Bytes of a page; it holds about six records.
pub(in crate::ledger) const PAGE_BYTES: u32 = 8192;

/// How long a connection waits for a lock that another connection holds.
pub(in crate::ledger) const BUSY_WAIT: Duration = Duration::from_secs(5);

/// A kind of `SQLite` file: the numbers that identify it, and its tables.
pub(in crate::ledger) struct FileFormat {
    /// `PRAGMA application_id`: marks the file as ours.
    pub(in crate::ledger) application_id: i32,
    /// `PRAGMA user_version`: the version of its tables.
    pub(in crate::ledger) version: i32,
    /// SQL that creates the tables.
    pub(in crate::ledger) schema: &'static str,
}

impl FileFormat {
    /// Opens a file for its only writer, and creates it if it is missing. A file of another kind or version is not
    /// changed.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn open(
        &self,
        directory: &Path,
        path: &Path,
    ) -> Result<Connection, OpenFault> {
        Self::open_one_of(std::slice::from_ref(self), directory, path)
    }

    /// As [`open`](Self::open), in the version that the file is of; a missing one is created in the first. Nothing opens the
    /// file before its log is rewritten: after a failed sync the log may hold what is not on the disk, and a connection that
    /// ends would copy it into the file.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn open_one_of(
        versions: &[Self],
        directory: &Path,
        path: &Path,
    ) -> Result<Connection, OpenFault> {
        let store = |source| store_error(path, source);
        let directory_fault = |source| OpenFault::Directory { path: directory.to_owned(), source };
        let log = wal::wal_of(path);
        if !path.exists() && fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            // SQLite would create an empty file and discard the log.
            let what = "the file is missing, but its write-ahead log is there".to_owned();
            return Err(OpenFault::Damaged { path: path.to_owned(), what });
        }
        wal::rewrite(&log).map_err(directory_fault)?;
        // SQLite gives the log the permissions of its file.
        private_file(path).map_err(directory_fault)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(store)?;
        connection.busy_timeout(BUSY_WAIT).map_err(store)?;
        let format = Self::which(versions, &connection);
        let fresh = format.examine(&connection, path)?;
        prepare(&connection).map_err(store)?;
        if fresh {
            format.make(&connection).map_err(store)?;
        }
        // The file and its log exist now; sync their names, so that they survive a power cut.
        sync_directory(directory).map_err(directory_fault)?;
        Ok(connection)
    }

    /// The one of several versions of a kind that an open file is of; the first if it is of none of them.
    fn which<'v>(versions: &'v [Self], connection: &Connection) -> &'v Self {
        let version =
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
        let is_it = |format: &&Self| version.as_ref().is_ok_and(|it| *it == format.version);
        versions.iter().find(is_it).unwrap_or(&versions[0])
    }

    /// The version of a kind that a file is of, the first if it is none of them; `None` if it is of another kind.
    pub(in crate::ledger) fn of(
        versions: &'static [Self],
        path: &Path,
    ) -> rusqlite::Result<Option<&'static Self>> {
        let connection = reading(path)?;
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok((id == versions[0].application_id).then(|| Self::which(versions, &connection)))
    }

    /// Opens a file for reading while its writer may be running; `None` if there is none.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn look(&self, path: &Path) -> Result<Option<Connection>, OpenFault> {
        Self::look_one_of(std::slice::from_ref(self), path)
    }

    /// As [`look`](Self::look), in the version that the file is of.
    ///
    /// # Errors
    /// [`OpenFault`].
    pub(in crate::ledger) fn look_one_of(
        versions: &[Self],
        path: &Path,
    ) -> Result<Option<Connection>, OpenFault> {
        if !path.exists() {
            return Ok(None);
        }
        let connection = reading(path).map_err(|source| store_error(path, source))?;
        Self::which(versions, &connection).examine(&connection, path)?;
        Ok(Some(connection))
    }

    /// Whether the file is new; an error if it is of another kind or version.
    fn examine(&self, connection: &Connection, path: &Path) -> Result<bool, OpenFault> {
        let store = |source| store_error(path, source);
        let foreign = |what| OpenFault::Foreign { path: path.to_owned(), what };
        let pragma = |name: &str| {
            connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(store)
        };
        let tables: u32 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(store)?;
        match (tables, pragma("application_id")?, pragma("user_version")?) {
            (0, 0, 0) => Ok(true),
            (_, id, _) if id != self.application_id => {
                Err(foreign("it is not a file of this program".to_owned()))
            }
            (_, _, version) if version != self.version => Err(foreign(format!(
                "its version is {version}, this release reads {}",
                self.version
            ))),
            _ => Ok(false),
        }
    }

    fn make(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { application_id, version, schema } = self;
        connection.execute_batch(&format!(
            "BEGIN; {schema}; PRAGMA application_id = {application_id}; PRAGMA user_version = {version}; COMMIT;"
        ))
    }
}

/// A connection that writes nothing. It is opened read-write, because readers share the log's index with the writer.
pub(in crate::ledger) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!("journal_mode is {mode}")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Rows are appended, so a small cache suffices; a large one was measured to cost CPU time.
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.pragma_update(None, "cache_spill", "OFF")?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(())
}

/// Opens a file with mode 0600, and creates it if it is missing.
fn private_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Removes a file, its log and the log's index. The file goes first: an interruption leaves a log alone, which is never
/// opened as a ledger, instead of a ledger without its end.
///
/// # Errors
/// The I/O error; a missing file is no error.
pub(in crate::ledger) fn remove(path: &Path) -> io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        match fs::remove_file(format!("{}{end}", path.display())) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    sync_directory(parent_of(path))
}

/// Locks the file that commands write while a server runs, and waits for other commands. Dropping the lock file
/// releases it.
///
/// # Errors
/// The I/O error.
pub(in crate::ledger) fn lock_commands(directory: &Path) -> io::Result<fs::File> {
    let lock = private_file(&directory.join("commands.lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Creates the ledgers' directory and locks it for this process; dropping the file releases it.
///
/// # Errors
/// [`OpenFault::InUse`] if another process has locked it, [`OpenFault::Directory`] if it cannot be created.
pub fn take_directory(directory: &Path) -> Result<fs::File, OpenFault> {
    let fault = |source: io::Error| OpenFault::Directory { path: directory.to_owned(), source };
    private_directory(directory).map_err(fault)?;
    let lock = private_file(&directory.join("lock")).map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(OpenFault::InUse { path: directory.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(fault(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: FileFormat =
        FileFormat { application_id: 7, version: 1, schema: "CREATE TABLE t (a)" };

    #[test]
    fn a_file_of_another_kind_or_version_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file.sqlite");
        let open = |format: &FileFormat| format.open(directory.path(), &path);
        drop(open(&FORMAT).unwrap());
        drop(open(&FORMAT).unwrap());
        let before = fs::read(&path).unwrap();
        for other in
            [FileFormat { version: 2, ..FORMAT }, FileFormat { application_id: 8, ..FORMAT }]
        {
            assert!(matches!(open(&other), Err(OpenFault::Foreign { .. })));
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_directory_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let taken = take_directory(directory.path()).unwrap();
        assert!(matches!(take_directory(directory.path()), Err(OpenFault::InUse { .. })));
        drop(taken);
        assert!(take_directory(directory.path()).is_ok());
    }
}
