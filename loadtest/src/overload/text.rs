//! An overload run as text for the terminal.

use std::fmt::{self, Write};

use super::{
    figures::{PhaseFigures, ServerPhase, SurgeFigures},
    goals::Reached,
};
use crate::figures::{grouped, millis_text, real};

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
        "capacity {:.1}/s; normal latency after: {recovery}; p99 of submitting by that before: {slowdown}; \
         inside at the end: {}; CPU: generator {:.1} s, everything else {:.1} s, steal {:.1} s; \
         server resident {:.0} MB",
        surge.capacity,
        grouped(surge.inside_at_end),
        surge.generator_cpu_s,
        surge.others_cpu_s,
        surge.steal_s,
        real(surge.server_resident_bytes.unwrap_or_default()) / 1e6
    )
}

fn server(text: &mut String, label: &str, one: &ServerPhase) -> fmt::Result {
    let shares = one.cpu_shares.map_or("by purpose unknown".to_owned(), |shares| {
        let [outside, entering, inside] = shares.map(|share| 100.0 * share);
        format!("outside {outside:.1} %, entering {entering:.1} %, inside {inside:.1} %")
    });
    writeln!(
        text,
        "{label:<9} CPU {shares}; cores {:.3} own, {:.3} kernel; \
         rate {:.1}, trim {:.2}; waiting {:.0}, sessions {:.0}, connections {:.0}; metrics p99 {} ms{}, console {} ms{}",
        one.user_cores,
        one.system_cores,
        one.admission_rate,
        one.admission_trim,
        one.waiting,
        one.sessions,
        one.connections,
        millis_text(one.metrics_p99_ms),
        failed(one.metrics_failed),
        millis_text(one.console_p99_ms),
        failed(one.console_failed)
    )
}

fn failed(count: u64) -> String {
    if count == 0 { String::new() } else { format!(", {count} failed") }
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

/// Whether the goals were reached, by the medians of all runs.
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
