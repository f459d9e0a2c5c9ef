//! The progress line of a running run.

use std::{
    io::{IsTerminal, stderr},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{figures::grouped, tally::Ending};

/// Counts that the generator threads update, for the progress line and for drills; the report uses the tally.
#[derive(Debug, Default)]
pub struct Live {
    started: AtomicU64,
    entered: AtomicU64,
    ended: AtomicU64,
    receipts: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    crossed: AtomicU64,
}

impl Live {
    /// Receipts so far.
    #[must_use]
    pub fn receipts(&self) -> u64 {
        self.receipts.load(Ordering::Relaxed)
    }

    /// Counts a started session.
    pub fn start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an opened session.
    pub fn enter(&self) {
        self.entered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a receipt.
    pub fn receipt(&self) {
        self.receipts.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an ended session.
    pub fn end(&self, ending: &Ending) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        let counter = match ending {
            Ending::Served | Ending::Abandoned => return,
            Ending::Refused(_) => &self.refused,
            Ending::Failed(_) => &self.failed,
            Ending::Crossed => &self.crossed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Interval between two updates of the line.
pub const REDRAW: Duration = Duration::from_millis(200);

/// The progress line on standard error; hidden when that is not a terminal.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A line for a run of `sessions`.
    #[must_use]
    pub fn of(sessions: u64) -> Self {
        let bar =
            if stderr().is_terminal() { ProgressBar::new(sessions) } else { ProgressBar::hidden() };
        let template = "{elapsed:>4} {bar:30} {percent:>3}%  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Shows the current counts.
    pub fn draw(&self, live: &Live) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (started, ended) = (read(&live.started), read(&live.ended));
        self.0.set_position(ended);
        let mut text = format!(
            "in progress {}, entered {}, receipts {}, refused {}, failed {}",
            grouped(started.saturating_sub(ended)),
            grouped(read(&live.entered)),
            grouped(read(&live.receipts)),
            grouped(read(&live.refused)),
            grouped(read(&live.failed)),
        );
        let crossed = read(&live.crossed);
        if crossed > 0 {
            text.insert_str(0, &format!("CROSSOVERS {}, ", grouped(crossed)));
        }
        self.0.set_message(text);
    }

    /// Removes the line.
    pub fn finish(self) {
        self.0.finish_and_clear();
    }
}
