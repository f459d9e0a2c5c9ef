//! Commands that work line by line: a file or standard input in, standard output out, in the same order, on every core.

mod lines;
mod pipeline;
mod progress;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use self::progress::Progress;
pub(super) use self::{
    lines::{LINE_BYTES_MAX, Lines},
    pipeline::{Done, Fault, Judge, run},
};
use super::{Exit, complain};

/// A file or standard input, whichever a command was given.
pub(super) type Input = Box<dyn Read + Send>;

/// Runs a command's work on a file, or on standard input if there is none, and shows its progress.
///
/// `work` calls its second argument after each part that is done. It returns how much that was, or why it stopped.
pub(super) fn on_input(
    file: Option<PathBuf>,
    work: impl FnOnce(Lines<Input>, &mut dyn FnMut(Done)) -> Result<Done, String>,
) -> Exit {
    let (input, bytes): (Input, _) = match file {
        None => (Box::new(io::stdin()), None),
        Some(path) => match open(&path) {
            Ok((file, bytes)) => (Box::new(file), bytes),
            Err(fault) => {
                complain(format_args!("{}: {fault}", path.display()));
                return Exit::Usage;
            }
        },
    };
    let mut progress = Progress::start(bytes);
    match work(Lines::new(input), &mut |done| progress.advance(done)) {
        Ok(done) => {
            progress.end(done);
            if done.bad == 0 {
                return Exit::Done;
            }
            complain(format_args!(
                "{} bad {}; each is reported in its place in the output",
                done.bad,
                if done.bad == 1 { "line" } else { "lines" }
            ));
        }
        Err(complaint) => complain(complaint),
    }
    Exit::Faults
}

/// A file, and its length if it is a regular one.
fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, about.is_file().then_some(about.len())))
}
