//! Programs and waits, each with a bound.

use std::{
    io::{Read as _, Seek as _},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{Fault, clock};

/// Time between two looks of a wait.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Time after which a wait says what it is waiting for, and how often it repeats that.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Longest run of a program that changes the machine: a namespace, a mount, a signal.
pub(crate) const TOOL_MAX: Duration = Duration::from_secs(10);

/// Milliseconds of a tick of proc(5), the same on all Linux systems of today.
const MS_A_TICK: u64 = 10;

/// Waits until `look` finds something.
///
/// # Errors
///
/// [`Fault::TimedOut`] after `bound`; `look` is asked once more at that moment.
pub fn until<T>(
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Result<T, Fault> {
    let begun = clock::now();
    let mut told = TELL_EVERY;
    loop {
        let is_over = begun.elapsed() >= bound;
        if let Some(found) = look() {
            return Ok(found);
        }
        if is_over {
            return Err(Fault::TimedOut { what: what.to_owned(), bound });
        }
        if begun.elapsed() >= told {
            eprintln!("    {:>5.1} s waiting until {what}", begun.elapsed().as_secs_f64());
            told += TELL_EVERY;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Runs a program to its end, and returns what it printed.
///
/// # Errors
///
/// If it cannot be started, is not done within `bound` (it is killed then), or fails: with its standard error.
pub(crate) fn run(command: &mut Command, bound: Duration) -> Result<String, Fault> {
    let what = format!("{command:?}");
    let file = || tempfile::tempfile().map_err(Fault::io("temporary file"));
    let (mut out, mut err) = (file()?, file()?);
    let clone = |file: &std::fs::File| file.try_clone().map_err(Fault::io("temporary file"));
    command.stdin(Stdio::null()).stdout(clone(&out)?).stderr(clone(&err)?);
    let mut child = command.spawn().map_err(Fault::io(what.as_str()))?;
    let ended = until(&what, bound, || child.try_wait().transpose());
    let status = match ended {
        Ok(status) => status.map_err(Fault::io(what.as_str()))?,
        Err(late) => {
            // It may have ended in this moment: both calls may fail, and the fault is the same.
            let _killed = child.kill();
            let _status = child.wait();
            return Err(late);
        }
    };
    let mut text = String::new();
    let said = if status.success() { &mut out } else { &mut err };
    said.rewind()
        .and_then(|()| said.read_to_string(&mut text))
        .map_err(Fault::io("temporary file"))?;
    let text = text.trim_end().to_owned();
    if status.success() { Ok(text) } else { Err(Fault::failed(what, format!("{status}: {text}"))) }
}

/// Runs a tool of the system to its end.
pub(crate) fn tool(program: &str, arguments: &[&str]) -> Result<String, Fault> {
    run(Command::new(program).args(arguments), TOOL_MAX)
}

/// CPU time of a process and of its children that have ended; nothing if it has ended itself.
///
/// # Panics
///
/// Where `/proc` is not as proc(5) describes it.
#[must_use]
pub fn cpu_with_children(pid: u32) -> Duration {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return Duration::ZERO;
    };
    // The name in parentheses may contain anything; the fields after it are numbers.
    let fields = stat.rsplit(')').next().expect("a last part").split_whitespace();
    // utime, stime, cutime and cstime, fields 14 to 17.
    let ticks = fields.skip(11).take(4).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * MS_A_TICK)
}
