//! Processes lines on every core and keeps their order.
//!
//! A fixed number of parcels circulates: the reader fills one with whole lines, a worker adds the output, the writer
//! restores the order, writes, and returns the parcel to the reader. The reader waits for an empty parcel, so memory is
//! bounded whatever the input.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use crossbeam::channel::{Receiver, Sender, bounded};

use super::lines::{Block, Lines};
use crate::application::HeaderFault;

/// Parcels for each worker: one being worked on, one waiting for it, two with the reader and the writer.
const PARCELS_PER_WORKER: usize = 4;

/// The work on each line.
pub(in crate::cli) trait LineHandler: Sync {
    /// Appends the output for a line as zero or more whole lines. False if the line is bad.
    fn handle(&self, number: u64, line: &[u8], output: &mut Vec<u8>) -> bool;
}

/// The amount of work done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Done {
    pub(in crate::cli) bytes: u64,
    pub(in crate::cli) lines: u64,
    pub(in crate::cli) bad: u64,
}

/// The failure of one side.
#[derive(Debug)]
pub(in crate::cli) enum Fault {
    Input(io::Error),
    Header(HeaderFault),
    Output(io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(fault) => write!(f, "input: {fault}"),
            Self::Header(fault) => fault.fmt(f),
            Self::Output(fault) => write!(f, "standard output: {fault}"),
        }
    }
}

/// Some lines of the input, and their output once they are processed.
struct Parcel {
    /// Its number in the input, from 0.
    number: u64,
    /// The number of its first line.
    first_line: u64,
    block: Block,
    output: Vec<u8>,
    /// Bad lines in it.
    bad: u64,
}

/// A parcel, or the panic of its worker.
type Worked = Result<Parcel, Box<dyn Any + Send>>;

/// Handles every line, numbered from `first_line`, and calls `watch` with the total after each parcel.
///
/// # Errors
///
/// [`Fault::Input`] after everything read before is written; [`Fault::Output`] at once.
pub(in crate::cli) fn run(
    lines: Lines<impl Read + Send>,
    first_line: u64,
    handler: &impl LineHandler,
    output: impl Write,
    watch: impl FnMut(Done),
) -> Result<Done, Fault> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let parcels = workers * PARCELS_PER_WORKER;
    let (empty_in, empty) = bounded(parcels);
    let (full_in, full) = bounded(parcels);
    let (worked_in, worked) = bounded(parcels);
    for _ in 0..parcels {
        let parcel =
            Parcel { number: 0, first_line: 0, block: Block::new(), output: Vec::new(), bad: 0 };
        // Cannot fail: the channel has room for all, and the receiver exists.
        let _sent = empty_in.send(parcel);
    }
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(lines, first_line, &empty, &full_in));
        for _ in 0..workers {
            let (full, worked_in) = (full.clone(), worked_in.clone());
            scope.spawn(move || work(handler, &full, &worked_in));
        }
        drop((full, worked_in));
        let written = write(worked, &empty_in, output, watch);
        // If the writer failed, this ends the reader that waits for an empty parcel.
        drop(empty_in);
        let done = written.map_err(Fault::Output)?;
        reader.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(Fault::Input)?;
        Ok(done)
    })
}

fn read(
    mut lines: Lines<impl Read>,
    first_line: u64,
    empty: &Receiver<Parcel>,
    full: &Sender<Parcel>,
) -> io::Result<()> {
    let mut next_line = first_line;
    for number in 0.. {
        let Ok(mut parcel) = empty.recv() else { break };
        if !lines.fill(&mut parcel.block)? {
            break;
        }
        (parcel.number, parcel.first_line) = (number, next_line);
        next_line += parcel.block.lines;
        if full.send(parcel).is_err() {
            break;
        }
    }
    Ok(())
}

fn work(handler: &impl LineHandler, full: &Receiver<Parcel>, worked: &Sender<Worked>) {
    for mut parcel in full {
        // A panic is passed to the writer, which would otherwise wait for this parcel for ever.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            parcel.output.clear();
            parcel.bad = 0;
            for (number, line) in (parcel.first_line..).zip(parcel.block.lines()) {
                if !handler.handle(number, line, &mut parcel.output) {
                    parcel.bad += 1;
                }
            }
            parcel
        }));
        if worked.send(outcome).is_err() {
            return;
        }
    }
}

fn write(
    worked: Receiver<Worked>,
    empty: &Sender<Parcel>,
    mut output: impl Write,
    mut watch: impl FnMut(Done),
) -> io::Result<Done> {
    let mut done = Done::default();
    // Parcels that were processed before an earlier one; bounded, because the number of parcels is fixed.
    let mut early = BTreeMap::new();
    let mut next = 0;
    for outcome in worked {
        let parcel = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        early.insert(parcel.number, parcel);
        while let Some(parcel) = early.remove(&next) {
            output.write_all(&parcel.output)?;
            next += 1;
            done.bytes += parcel.block.bytes().len() as u64;
            done.lines += parcel.block.lines;
            done.bad += parcel.bad;
            watch(done);
            // Fails once the reader has ended.
            let _gone = empty.send(parcel);
        }
        output.flush()?;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats each line with its number; one that begins with `!` is bad, one with `?` panics.
    struct Echo;

    impl LineHandler for Echo {
        fn handle(&self, number: u64, line: &[u8], output: &mut Vec<u8>) -> bool {
            assert!(!line.starts_with(b"?"), "a bug");
            output.extend_from_slice(format!("{number} ").as_bytes());
            output.extend_from_slice(line);
            output.push(b'\n');
            !line.starts_with(b"!")
        }
    }

    /// Accepts a number of bytes, then fails.
    struct Closing(usize);

    impl Write for Closing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn many(lines: u64) -> String {
        (1..=lines)
            .map(|line| if line % 1_000 == 0 { "!bad\n".to_owned() } else { format!("{line}\n") })
            .collect()
    }

    #[test]
    fn a_long_input_comes_out_in_order_with_its_bad_lines_counted() {
        let input = many(200_000);
        let mut output = Vec::new();
        let mut watched = 0;
        let done =
            run(Lines::new(input.as_bytes()), 1, &Echo, &mut output, |done| watched = done.lines)
                .unwrap();
        assert_eq!(done, Done { bytes: input.len() as u64, lines: 200_000, bad: 200 });
        assert_eq!(watched, 200_000);
        let output = String::from_utf8(output).unwrap();
        let numbered = (1..).zip(input.lines()).map(|(number, line)| format!("{number} {line}"));
        assert!(output.lines().eq(numbered));
    }

    #[test]
    fn a_reader_that_has_gone_ends_the_run() {
        let input = many(500_000);
        let fault =
            run(Lines::new(input.as_bytes()), 1, &Echo, Closing(100_000), |_| ()).unwrap_err();
        assert!(matches!(fault, Fault::Output(_)), "{fault}");
    }

    #[test]
    fn an_input_that_fails_is_told_after_what_was_read() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("torn cable"))
            }
        }
        let mut output = Vec::new();
        let input = Lines::new(io::Read::chain(&b"one\n"[..], Failing));
        let fault = run(input, 1, &Echo, &mut output, |_| ()).unwrap_err();
        assert_eq!(fault.to_string(), "input: torn cable");
        assert_eq!(output, b"1 one\n");
    }

    #[test]
    #[should_panic(expected = "a bug")]
    fn a_bug_in_a_worker_ends_the_run_instead_of_hanging_it() {
        let input = format!("{}?\n{}", many(100_000), many(100_000));
        let _never = run(Lines::new(input.as_bytes()), 1, &Echo, io::sink(), |_| ());
    }
}
