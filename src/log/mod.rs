//! The log on standard error: a bounded queue, and one thread that writes.
//!
//! Only that thread waits for the reader of the log. A line is dropped and counted if the queue is full or the write
//! fails; the thread that logs it never blocks. A line that is logged while a [request](crate::trace) is under way names it.

mod limit;
mod lines;
mod queue;

use std::{
    backtrace::Backtrace,
    env,
    io::{self, IsTerminal as _, Write},
    panic::{self, PanicHookInfo},
    sync::{Arc, OnceLock},
    thread,
};

use rustix::fs::fstat;
use tracing::{
    Level,
    level_filters::{LevelFilter, ParseLevelFilterError},
};
use tracing_subscriber::fmt::format::{Format, JsonFields};

pub use self::limit::EVIDENCE;
use self::{
    lines::{Lines, with_severity},
    queue::Queue,
};

/// The process has one standard error, and therefore one log.
static LOG: OnceLock<Arc<Queue>> = OnceLock::new();

/// Why the log does not start.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The system gave no thread.
    #[error("cannot start the log's thread: {0}")]
    Thread(#[from] io::Error),
    /// There is no such level.
    #[error("log.level: {0}")]
    Level(#[from] ParseLevelFilterError),
    /// This process has a log already.
    #[error("cannot start the log: {0}")]
    Set(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Starts the log of this process, which also logs panics. `level` is the least severity that is logged.
///
/// # Errors
/// [`LogFault`].
pub fn start(level: &str, is_json: bool) -> Result<(), LogFault> {
    let level: LevelFilter = level.parse()?;
    let queue = Arc::new(Queue::to(io::stderr())?);
    let is_journal = is_journal();
    // The subscriber reports its own errors with `eprintln!`, which panics.
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false);
    let subscriber = subscriber.with_max_level(level).with_writer(Arc::clone(&queue));
    let log = Arc::clone(&queue);
    if is_json {
        let lines = Lines { format: Format::default().json(), is_json, is_journal, queue };
        subscriber.fmt_fields(JsonFields::new()).event_format(lines).try_init()?;
    } else if is_journal {
        let format = Format::default().without_time().with_ansi(false);
        subscriber.event_format(Lines { format, is_json, is_journal, queue }).try_init()?;
    } else {
        let is_terminal = io::stderr().is_terminal();
        let format = Format::default().with_ansi(is_terminal);
        let subscriber = subscriber.with_ansi(is_terminal);
        subscriber.event_format(Lines { format, is_json, is_journal, queue }).try_init()?;
    }
    panic::set_hook(Box::new(log_panic));
    let _log = LOG.get_or_init(|| log);
    Ok(())
}

/// Writes a message to standard error, through the log if it was started. A failed write is ignored.
pub fn message(text: &str) {
    let line = format!("{text}\n");
    match LOG.get() {
        Some(log) => log.line(line.as_bytes()),
        None => {
            let _unwritten = io::stderr().write_all(line.as_bytes());
        }
    }
}

/// Writes what has failed to standard error likewise, as an error where that is systemd's journal.
pub fn complaint(text: &str) {
    if is_journal() { message(&with_severity(text, Level::ERROR)) } else { message(text) }
}

/// Log lines lost since the start.
#[must_use]
pub fn lost() -> u64 {
    LOG.get().map_or(0, |log| log.lost())
}

/// Waits until everything logged so far is written or lost, a second or two at most.
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}

/// Whether standard error is systemd's journal: `JOURNAL_STREAM` names its device and inode (`systemd.exec(5)`). A process
/// may have inherited the variable and write elsewhere.
fn is_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    let named = named.split_once(':').and_then(|(device, inode)| {
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    });
    named.is_some_and(|named| fstat(io::stderr()).is_ok_and(|it| (it.st_dev, it.st_ino) == named))
}

/// Logs the place of a panic. Its message is logged only if it is a literal: a formatted one may contain personal data.
fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let panic = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("left out");
    let place = info.location().map(ToString::to_string);
    tracing::error!(thread, place, panic, backtrace = %Backtrace::capture(), "a thread panicked");
}

/// The subscriber passes one whole line to each write. A write always succeeds.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
