//! An overload run as text for the terminal.

use std::fmt::{self, Write};

use super::{
    figures::{PhaseFigures, ServerPhase, SurgeFigures},
    goals::Reached,
};
use crate::figures::{grouped, millis_text};

/// Most reasons listed for one phase.
const REASONS_SHOWN: usize = 8;

/// The phases of one run.
pub(super) fn surge(surge: &SurgeFigures) -> String {
    let mut text = String::new();
    write_surge(&mut text, surge).expect("writing into a string does not fail");
    text
}

fn write_surge(text: &mut String, surge: &SurgeFigures) -> fmt::Result {
    writeln!(
        text,
        "{:<9} {:>8} {:>7} {:>8} {:>7} {:>9} {:>5} {:>8} {:>8} {:>7}",
        "phase",
        "offered",
        "let in",
        "receipts",
        "goodput",
        "finished",
        "lost",
        "p50",
        "p99",
        "lag p99"
    )?;
    for phase in &surge.phases {
        writeln!(
            text,
            "{:<9} {:>7.1}/s {:>5.1}/s {:>6.1}/s {:>7.3} {:>8.2}% {:>5} {:>6}ms {:>6}ms {:>5}ms",
            phase.label,
            phase.offered_per_s,
            phase.let_in_per_s,
            phase.receipts_per_s,
            phase.goodput,
            100.0 * phase.finished_share,
            phase.lost,
            millis_text(phase.submit_p50_ms),
            millis_text(phase.submit_p99_ms),
            millis_text(phase.lag_p99_ms)
        )?;
    }
    for phase in &surge.phases {
        if let Some(one) = &phase.server {
            server(text, &phase.label, one)?;
        }
    }
    for phase in &surge.phases {
        again(text, phase)?;
    }
    let recovery = surge.recovery_s.map_or("not within the run".to_owned(), |s| format!("{s} s"));
    let slowdown = surge.slowdown().map_or("unknown".to_owned(), |times| format!("{times:.2}"));
    writeln!(
        text,
        "normal latency after: {recovery}; p99 of submitting by that before: {slowdown}; inside at the end: {}",
        grouped(surge.inside_at_end)
    )
}

fn server(text: &mut String, label: &str, one: &ServerPhase) -> fmt::Result {
    writeln!(
        text,
        "{label:<9} CPU for outside {:.1} %, entering {:.1} %, inside {:.1} %; cores {:.3} own, {:.3} kernel; \
         rate {:.1}, trim {:.2}; waiting {:.0}, sessions {:.0}, connections {:.0}; metrics p99 {} ms{}",
        100.0 * one.strangers_share,
        100.0 * one.entering_share,
        100.0 * one.inside_share,
        one.user_cores,
        one.system_cores,
        one.admission_rate,
        one.admission_trim,
        one.waiting,
        one.sessions,
        one.connections,
        millis_text(one.metrics_p99_ms),
        if one.metrics_failed == 0 {
            String::new()
        } else {
            format!(", {} failed", one.metrics_failed)
        }
    )
}

fn again(text: &mut String, phase: &PhaseFigures) -> fmt::Result {
    if phase.again.is_empty() {
        return Ok(());
    }
    let mut reasons: Vec<_> = phase.again.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let listed = reasons.iter().take(REASONS_SHOWN);
    let listed: Vec<_> =
        listed.map(|(reason, count)| format!("{reason} {}", grouped(**count))).collect();
    writeln!(text, "{:<9} tried again: {}", phase.label, listed.join(", "))
}

/// Whether the goals were reached.
pub(super) fn reached(reached: &Reached) -> String {
    let mut text = String::new();
    write_reached(&mut text, reached).expect("writing into a string does not fail");
    text
}

fn write_reached(text: &mut String, reached: &Reached) -> fmt::Result {
    for check in &reached.checks {
        let word = if check.holds { "ok" } else { "MISSED" };
        writeln!(
            text,
            "{word:<6} {:<42} {:.3} (goal {:.2})",
            check.name, check.measured, check.allowed
        )?;
    }
    for reason in &reached.invalid {
        writeln!(text, "INVALID: {reason}")?;
    }
    Ok(())
}
