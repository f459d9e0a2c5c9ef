//! Line-by-line commands: from a file or standard input to standard output, in the same order, on every core.

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
    pipeline::{Done, Fault, LineHandler, run},
};
use super::{Exit, complain, written};

/// A file or standard input.
pub(super) type Input = Box<dyn Read + Send>;

/// Runs `work` on the file, or on standard input without one, shows its progress and reports its errors.
///
/// `work` calls its second argument after each part done, and returns the total.
pub(super) fn on_input(
    file: Option<PathBuf>,
    work: impl FnOnce(Lines<Input>, &mut dyn FnMut(Done)) -> Result<Done, Fault>,
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
        Err(Fault::Output(fault)) => return written(Err(fault)),
        Err(fault) => complain(fault),
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
