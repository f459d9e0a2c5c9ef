//! The tokio runtimes of surge: single-threaded, one per generator thread.

use std::io;

use tokio::runtime;

/// A runtime that runs on the thread that blocks on it.
///
/// # Errors
///
/// When the system has no file descriptor left for it.
pub(crate) fn one_thread() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}
