//! The log on standard error: a bounded queue, and one thread that writes.
//!
//! Only that thread waits for the reader of the log. A line is dropped and counted if the queue is full or the write
//! fails; the thread that logs it never blocks.

use std::{
    backtrace::Backtrace,
    io::{self, IsTerminal as _, Write},
    panic::{self, PanicHookInfo},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, Sender, bounded};
use tracing::level_filters::{LevelFilter, ParseLevelFilterError};

/// Lines that may wait to be written: less than 1 MB at the usual 200 bytes a line.
const LINES_MAX: usize = 4096;
/// Longest wait at the end of the process for lines that are still queued.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// The process has one standard error, and therefore one log.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

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
pub fn start(level: &str, as_json: bool) -> Result<(), LogFault> {
    let level: LevelFilter = level.parse()?;
    let log = Arc::new(Log::to(io::stderr())?);
    // The subscriber reports its own errors with `eprintln!`, which panics.
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false);
    let subscriber = subscriber.with_max_level(level).with_writer(Arc::clone(&log));
    if as_json {
        subscriber.json().try_init()?;
    } else {
        subscriber.with_ansi(io::stderr().is_terminal()).try_init()?;
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

/// Log lines lost since the start.
#[must_use]
pub fn lost() -> u64 {
    LOG.get().map_or(0, |log| log.lost.load(Ordering::Relaxed))
}

/// Waits until everything logged so far is written or lost, at most [`FLUSH_WAIT`].
pub fn flush() {
    if let Some(log) = LOG.get() {
        log.flush();
    }
}

/// Logs the place of a panic. Its message is logged only if it is a literal: a formatted one may contain personal data.
fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let panic = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("left out");
    let place = info.location().map(ToString::to_string);
    tracing::error!(thread, place, panic, backtrace = %Backtrace::capture(), "a thread panicked");
}

/// A queue of lines, and the thread that writes them.
struct Log {
    queue: Sender<Queued>,
    lost: Arc<AtomicU64>,
}

enum Queued {
    Line(Box<[u8]>),
    /// Answered when everything before it is written or lost.
    Flush(Sender<()>),
}

impl Log {
    fn to(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, entries) = bounded(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&entries, writer, &counted))?;
        Ok(Self { queue, lost })
    }

    fn line(&self, line: &[u8]) {
        if self.queue.try_send(Queued::Line(line.into())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (done, written) = bounded(1);
        if self.queue.send_timeout(Queued::Flush(done), FLUSH_WAIT).is_ok() {
            // After this time the remaining lines are given up.
            let _late = written.recv_timeout(FLUSH_WAIT);
        }
    }
}

fn write(entries: &Receiver<Queued>, mut writer: impl Write, lost: &AtomicU64) {
    for entry in entries {
        match entry {
            Queued::Line(line) => {
                if writer.write_all(&line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Queued::Flush(done) => {
                let _gone = done.try_send(());
            }
        }
    }
}

/// The subscriber passes one whole line to each write. A write always succeeds.
impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes every line into a channel, or fails where the line says so.
    struct Lines(Sender<Vec<u8>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if line == b"fail" {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_order_and_those_that_fail_are_counted() {
        let (lines, written) = bounded(3);
        let log = Log::to(Lines(lines)).unwrap();
        for line in ["one", "fail", "two"] {
            log.line(line.as_bytes());
        }
        log.flush();
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(log.lost.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_writer_that_waits_delays_nobody_and_lines_without_room_are_counted() {
        let (lines, unread) = bounded(0);
        let log = Log::to(Lines(lines)).unwrap();
        for _ in 0..LINES_MAX + 10 {
            log.line(b"line");
        }
        // One line may be in the writer's hands.
        assert!((9..=10).contains(&log.lost.load(Ordering::Relaxed)));
        log.flush();
        drop(unread);
    }
}
