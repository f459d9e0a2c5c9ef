//! The plots of a run's report.

use std::io;

use super::chart::{Axis, Line, draw, highest, milliseconds};
use crate::{
    figures::{self, real_len},
    summary::Summary,
    tally::Stretch,
};

/// Most nines shown: 99.999 %.
const NINES_MAX: f64 = 5.0;

/// Sessions offered, receipts, unserved sessions and refusals a second, over the run.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn over_time(summary: &Summary) -> io::Result<String> {
    let per_s = |count: u64| figures::real(count) / summary.stretch_s;
    let over_time = |value: &dyn Fn(usize) -> u64| -> Vec<(f64, f64)> {
        let places = 0..summary.timeline.len();
        places
            .map(|place| ((real_len(place) + 0.5) * summary.stretch_s, per_s(value(place))))
            .collect()
    };
    let lines = [
        Line { name: "offered", points: over_time(&|place| summary.timeline[place].offered) },
        Line { name: "receipts", points: over_time(&|place| summary.timeline[place].receipts) },
        Line { name: "unserved", points: over_time(&|place| summary.timeline[place].unserved) },
        Line { name: "refusals", points: over_time(&|place| summary.timeline[place].refusals) },
    ];
    let end = real_len(summary.timeline.len()).max(1.0) * summary.stretch_s;
    let x = Axis {
        name: "seconds",
        range: 0.0..end,
        labels_max: 11,
        label: &|value| format!("{value:.0}"),
    };
    // Leaves room above the lines for the legend.
    let top = highest(&lines).max(1.0) * 1.4;
    let y = Axis {
        name: "a second",
        range: 0.0..top,
        labels_max: 8,
        label: &|value| format!("{value:.0}"),
    };
    draw("Sessions a second over time", &lines, &x, &y)
}

/// Latency of submissions over the run, on a logarithmic axis.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn latency_over_time(summary: &Summary) -> io::Result<String> {
    let over_time = |value: &dyn Fn(&Stretch) -> u64| -> Vec<(f64, f64)> {
        let with_any = summary.timeline.iter().enumerate().filter(|(_, one)| one.receipts > 0);
        with_any
            .map(|(place, one)| {
                let seconds = (real_len(place) + 0.5) * summary.stretch_s;
                (seconds, figures::millis(value(one)).max(0.01).log10())
            })
            .collect()
    };
    let lines = [
        Line { name: "submit p50", points: over_time(&|one| one.submit_p50_us) },
        Line { name: "submit p99", points: over_time(&|one| one.submit_p99_us) },
    ];
    let end = real_len(summary.timeline.len()).max(1.0) * summary.stretch_s;
    let seconds = |value: &f64| format!("{value:.0}");
    let x = Axis { name: "seconds", range: 0.0..end, labels_max: 11, label: &seconds };
    let y = milliseconds(&lines);
    draw("Latency of submissions over time", &lines, &x, &y)
}

/// Latency by quantile, on logarithmic axes.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn latency_curves(summary: &Summary) -> io::Result<String> {
    let rows = summary.latencies.iter();
    let lines = rows.map(|row| Line { name: row.what, points: by_nines(&row.curve) });
    curves("Latency by quantile", &lines.collect::<Vec<_>>())
}

/// Latency of submissions by quantile, for two runs.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn two_curves(first: &[(f64, f64)], second: &[(f64, f64)]) -> io::Result<String> {
    let lines = [
        Line { name: "first", points: by_nines(first) },
        Line { name: "second", points: by_nines(second) },
    ];
    curves("Latency of submissions by quantile, both runs", &lines)
}

/// A curve of shares and milliseconds, transformed for logarithmic axes.
fn by_nines(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    curve.iter().map(|&(share, ms)| (nines(share), ms.max(0.01).log10())).collect()
}

fn curves(name: &str, lines: &[Line]) -> io::Result<String> {
    let label = |nines: &f64| {
        let decimals = if *nines < 2.5 { 0 } else { 3 };
        let text = format!("{:.decimals$}", 100.0 * (1.0 - 10_f64.powf(-nines)));
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        format!("{text} %")
    };
    let x = Axis { name: "quantile", range: 0.0..NINES_MAX, labels_max: 6, label: &label };
    let y = milliseconds(lines);
    draw(name, lines, &x, &y)
}

fn nines(share: f64) -> f64 {
    if share >= 1.0 { NINES_MAX } else { (-(1.0 - share).log10()).min(NINES_MAX) }
}
