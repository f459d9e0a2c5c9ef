//! The summary as text for the terminal: crossovers first, the verdict last.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use crate::{
    figures::{grouped, millis_text, real},
    summary::{LatencyRow, Summary},
};

/// Warning that must accompany the latencies of a closed loop.
pub(super) const CLOSED_LOOP_NOTE: &str = "Closed loop: each worker waits for its reply before it sends again. This \
measures throughput; it does not show how long citizens who arrive independently would wait.";

/// A summary as text.
#[derive(Debug)]
pub struct Text<'s>(pub &'s Summary);

impl Display for Text<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let summary = self.0;
        owners(summary, out)?;
        sessions(summary, out)?;
        latencies(summary, out)?;
        server(summary, out)?;
        verdict(summary, out)
    }
}

fn owners(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    let owners = &summary.owners;
    if owners.crossovers > 0 {
        writeln!(
            out,
            "CROSSOVERS: {} sessions got a reply of somebody else",
            grouped(owners.crossovers)
        )?;
    }
    for one in &owners.first {
        writeln!(out, "  at {}: {} {} instead of {}", one.step, one.what, one.found, one.expected)?;
    }
    if summary.receipts.doubled > 0 {
        writeln!(
            out,
            "DUPLICATE RECEIPTS: {} numbers were issued to two citizens",
            grouped(summary.receipts.doubled)
        )?;
    }
    Ok(())
}

fn sessions(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    let (about, sessions) = (&summary.about, &summary.sessions);
    writeln!(
        out,
        "{} ({}), {} loop, {}, at most {} connections, {:.1} s",
        about.profile,
        about.profile_about,
        about.r#loop,
        about.protocol,
        about.connections,
        about.elapsed_s
    )?;
    let total = |by_reason: &BTreeMap<String, u64>| by_reason.values().sum::<u64>();
    writeln!(out, "  offered    {:>12}", grouped(sessions.offered))?;
    writeln!(out, "  served     {:>12}", grouped(sessions.served))?;
    writeln!(
        out,
        "  refused    {:>12}{}",
        grouped(total(&sessions.refused)),
        reasons(&sessions.refused)
    )?;
    writeln!(
        out,
        "  failed     {:>12}{}",
        grouped(total(&sessions.failed)),
        reasons(&sessions.failed)
    )?;
    if sessions.abandoned > 0 {
        writeln!(out, "  gave up    {:>12}  as the profile asks", grouped(sessions.abandoned))?;
    }
    if sessions.unfinished + sessions.overflowed > 0 {
        writeln!(out, "  unfinished {:>12}", grouped(sessions.unfinished))?;
        writeln!(out, "  overflowed {:>12}", grouped(sessions.overflowed))?;
    }
    if !summary.retried.is_empty() {
        writeln!(
            out,
            "  retried    {:>12}{}",
            grouped(total(&summary.retried)),
            reasons(&summary.retried)
        )?;
    }
    waits(summary, out)?;
    conducts(summary, out)?;
    let receipts = &summary.receipts;
    writeln!(
        out,
        "  receipts   {:>12}  {:.1} a second; {:.2} % of those wanted within {} ms",
        grouped(receipts.count),
        receipts.per_s,
        100.0 * receipts.goodput,
        receipts.timely_ms
    )?;
    writeln!(
        out,
        "  owners     {:>12}  checks, {} crossovers",
        grouped(summary.owners.checked),
        grouped(summary.owners.crossovers)
    )
}

/// Waits: in the waiting room, and for a connection.
fn waits(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    if summary.told_to_wait > 0 {
        writeln!(
            out,
            "  waiting    {:>12}  replies that said to wait in the waiting room",
            grouped(summary.told_to_wait)
        )?;
    }
    if summary.connection_waits > 0 {
        writeln!(
            out,
            "  queued     {:>12}  requests waited for one of the {} connections; --connections sets more",
            grouped(summary.connection_waits),
            summary.about.connections
        )?;
    }
    Ok(())
}

/// Unusual conduct and refused lines, which only some profiles have.
fn conducts(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    let conducts = &summary.conducts;
    let lines = [
        (
            conducts.cut_short,
            "closed the connection in the middle of an application, then submitted again",
        ),
        (conducts.impatient, "retried before Retry-After was over"),
        (conducts.entered_again, "entered again because their session was lost"),
    ];
    for (count, what) in lines.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  {:<10} {:>12}  {what}", "people", grouped(count))?;
    }
    let lines = &summary.receipts.lines_refused;
    if !lines.is_empty() {
        let count = lines.values().sum::<u64>();
        writeln!(out, "  lines refused {:>9}{}", grouped(count), reasons(lines))?;
    }
    Ok(())
}

fn reasons(by_reason: &BTreeMap<String, u64>) -> String {
    let listed: Vec<_> =
        by_reason.iter().map(|(reason, count)| format!("{reason}: {}", grouped(*count))).collect();
    if listed.is_empty() { String::new() } else { format!("  {}", listed.join(", ")) }
}

fn latencies(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    writeln!(
        out,
        "\n  {:<21}{:>12}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "ms", "count", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for row in summary.latencies.iter().chain([&summary.lag]) {
        latency_row(row, out)?;
    }
    if summary.about.r#loop == "closed" {
        writeln!(out, "  {CLOSED_LOOP_NOTE}")?;
    }
    let cpu = &summary.cpu;
    writeln!(
        out,
        "\n  CPU: generator {:.1} s, other processes {:.1} s, steal {:.1} s on {} cores",
        cpu.generator_s, cpu.others_s, cpu.steal_s, summary.about.machine.cores
    )?;
    let Some(server) = &summary.server_process else { return Ok(()) };
    writeln!(
        out,
        "  server process {}: CPU {:.1} s ({:.0} us a receipt), {:.1} MB written, {:.0} MB resident",
        server.pid,
        server.cpu_s,
        1e6 * server.cpu_s / real(summary.receipts.count.max(1)),
        real(server.written_bytes) / 1e6,
        real(server.resident_bytes) / 1e6,
    )
}

fn latency_row(row: &LatencyRow, out: &mut Formatter<'_>) -> fmt::Result {
    write!(out, "  {:<21}{:>12}", row.what, grouped(row.count))?;
    for ms in [row.p50_ms, row.p90_ms, row.p99_ms, row.p99_9_ms, row.max_ms] {
        write!(out, "{:>9}", millis_text(ms))?;
    }
    writeln!(out)
}

fn server(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    let Some(server) = &summary.server else { return Ok(()) };
    let balance = &server.balance;
    let sign = if balance.holds { "=" } else { "IS NOT" };
    writeln!(
        out,
        "  server: accepted {} {sign} decided {} + undecided {} + withdrawn before a decision {}",
        balance.accepted, balance.decided, balance.undecided, balance.withdrawn_before_decision
    )?;
    let commits = &server.commits;
    writeln!(
        out,
        "  server: {} commits, on average {:.2} ms and {:.1} records each",
        commits.count,
        commits.mean_ms(),
        commits.mean_records()
    )?;
    for (what, count) in &server.shed {
        writeln!(out, "  server: shed {count} requests, {what}")?;
    }
    Ok(())
}

fn verdict(summary: &Summary, out: &mut Formatter<'_>) -> fmt::Result {
    let verdict = &summary.verdict;
    for check in &verdict.checks {
        let held = if check.holds { "ok" } else { "FAILED" };
        writeln!(
            out,
            "  {:<20} {held}: measured {:.3}, allowed {:.3}",
            check.name, check.measured, check.allowed
        )?;
    }
    for ground in &verdict.invalid {
        writeln!(out, "INVALID: {ground}")?;
    }
    writeln!(out, "{}", if verdict.passed { "passed" } else { "FAILED" })
}
