//! A bounded queue of lines, and the one thread that writes them.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::limit::{Limits, SECOND};
use crate::clock::Stopwatch;

/// Lines that may wait to be written: less than 1 MB at the usual 200 bytes a line.
const LINES_MAX: usize = 4096;
/// Longest wait at the end of the process for lines that are still queued.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// A queue of lines, and the thread that writes them.
pub(super) struct Queue {
    lines: Sender<Queued>,
    lost: Arc<AtomicU64>,
    limits: Arc<Limits>,
}

enum Queued {
    Line(Box<[u8]>),
    /// Lines begin to be left out: it is said after a second how many.
    LeftOut,
    /// Answered when everything before it is written or lost.
    Flush(Sender<()>),
}

impl Queue {
    pub(super) fn to(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, entries) = bounded(LINES_MAX);
        let (lost, limits) = (Arc::new(AtomicU64::new(0)), Arc::new(Limits::default()));
        let (counted, limited) = (Arc::clone(&lost), Arc::clone(&limits));
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&entries, writer, &counted, &limited))?;
        Ok(Self { lines, lost, limits })
    }

    pub(super) fn line(&self, line: &[u8]) {
        if self.lines.try_send(Queued::Line(line.into())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether an event may be logged, by the bound of its kind.
    pub(super) fn admits(&self, event: &tracing::Event<'_>) -> bool {
        let admitted = self.limits.admits(event);
        if admitted.begins_to_leave_out {
            // A full queue has its own counter.
            let _full = self.lines.try_send(Queued::LeftOut);
        }
        admitted.is_logged
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn flush(&self) {
        self.limits.report();
        let (done, written) = bounded(1);
        if self.lines.send_timeout(Queued::Flush(done), FLUSH_WAIT).is_ok() {
            // After this time the remaining lines are given up.
            let _late = written.recv_timeout(FLUSH_WAIT);
        }
    }
}

fn write(entries: &Receiver<Queued>, mut writer: impl Write, lost: &AtomicU64, limits: &Limits) {
    let mut report_at = None;
    loop {
        let entry = match report_at {
            None => entries.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => entries.recv_deadline(deadline),
        };
        match entry {
            Ok(Queued::Line(line)) => {
                if writer.write_all(&line).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok(Queued::LeftOut) => {
                report_at = report_at.or_else(|| Some(Stopwatch::start().deadline(SECOND)));
            }
            Ok(Queued::Flush(done)) => {
                let _gone = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if report_at.is_some_and(|deadline| Stopwatch::start().is_at(deadline)) {
            report_at = None;
            limits.report();
        }
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
        let log = Queue::to(Lines(lines)).unwrap();
        for line in ["one", "fail", "two"] {
            log.line(line.as_bytes());
        }
        log.flush();
        assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(log.lost(), 1);
    }

    #[test]
    fn a_writer_that_waits_delays_nobody_and_lines_without_room_are_counted() {
        let (lines, unread) = bounded(0);
        let log = Queue::to(Lines(lines)).unwrap();
        for _ in 0..LINES_MAX + 10 {
            log.line(b"line");
        }
        // One line may be in the writer's hands.
        assert!((9..=10).contains(&log.lost()));
        log.flush();
        drop(unread);
    }
}
