//! Reads the server's metrics, console and CPU time four times a second, on a thread of its own.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{
    clock,
    operator::{Operator, Samples},
    process::{Process, ProcessClock},
};

/// Often enough that the 99th percentile of a minute is not its worst reading.
const EVERY: Duration = Duration::from_millis(250);
/// Longest pause after which the probe sees that the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One reading.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// When the metrics were asked for.
    pub(super) at: Instant,
    /// How long the page took, or how long the attempt that failed.
    pub(super) took: Duration,
    /// The same of the console; `None` if it did not come.
    pub(super) console_took: Option<Duration>,
    /// The page; `None` if it did not come.
    pub(super) samples: Option<Samples>,
    /// CPU time of the server's process.
    pub(super) process: Option<ProcessClock>,
}

/// Reads until the run is over; a reading that takes too long delays the next.
pub(super) fn listen(
    runtime: &Runtime,
    operator: &Operator,
    process: Option<Process>,
    mut is_over: impl FnMut() -> bool,
) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut due = clock::now();
    while !is_over() {
        let now = clock::now();
        if now < due {
            thread::sleep(LOOK_EVERY.min(due - now));
            continue;
        }
        due = now.max(due + EVERY);
        readings.push(read(runtime, operator, process));
    }
    readings
}

fn read(runtime: &Runtime, operator: &Operator, process: Option<Process>) -> Reading {
    let at = clock::now();
    let page: io::Result<Samples> = runtime.block_on(operator.samples());
    let came = clock::now();
    let console = runtime.block_on(operator.console());
    let console_took = clock::now().saturating_duration_since(came);
    Reading {
        at,
        took: came.saturating_duration_since(at),
        console_took: console.ok().map(|()| console_took),
        samples: page.ok(),
        process: process.map(Process::read),
    }
}
