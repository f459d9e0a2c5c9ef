//! What a drill found: receipts held, lost and doubled, how long nobody was served, what people saw.

use std::{
    fmt::{self, Write},
    io,
};

use serde::Serialize;

use super::{sabotage::Incident, server::Verified, silence::Silence};
use crate::{
    figures::grouped,
    machine::Machine,
    report::{html, plots},
    run::Outcome,
    summary::Summary,
};

/// Silences told one by one on the terminal; the report holds all.
const SILENCES_SHOWN: usize = 10;

/// What was proven.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Whether nothing was lost or doubled, nobody saw another's, and the server came back.
    pub passed: bool,
    /// Different receipts that people hold.
    pub receipts: u64,
    /// Applications in the ledger.
    pub accepted: u64,
    /// Receipts that the ledger does not hold.
    pub lost: u64,
    /// Applications beyond one a person, and receipt numbers that two people hold.
    pub doubled: u64,
    /// Applications in the ledger whose receipt never reached its person.
    pub unheard: u64,
    /// Replies that were another's.
    pub crossovers: u64,
    /// Whether `sportello verify` found the ledger whole.
    pub ledger_whole: bool,
    /// Whether the server was serving at the end.
    pub server_back: bool,
}

/// A drill in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// What happened to the server.
    pub kind: &'static str,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// The command line.
    pub command: String,
    /// Version and kind of this build.
    pub build: String,
    /// The machine.
    pub machine: Machine,
    /// What was proven.
    pub found: Found,
    /// What was done.
    pub incidents: Vec<Incident>,
    /// When nobody was served.
    pub silences: Vec<Silence>,
    /// The shortest that counts.
    pub silence_s_min: f64,
    /// What people saw.
    pub summary: Summary,
    /// The words of `sportello verify`.
    pub verify: String,
}

impl Found {
    /// What the run and the verification tell together.
    #[must_use]
    pub fn of(outcome: &Outcome, verified: &Verified, server_back: bool) -> Self {
        let tally = &outcome.tally;
        // Everybody applies once, under one key: whoever has no receipt may have one application
        // in the ledger that was never heard of, and whoever has one may not have another.
        let without = tally.offered.saturating_sub(tally.receipts);
        let unheard = verified.accepted.saturating_sub(verified.receipts);
        let doubled = unheard.saturating_sub(without) + outcome.receipts_doubled;
        let held = verified.whole && verified.lost == 0 && doubled == 0 && tally.crossed == 0;
        Self {
            // A drill in which nobody got a receipt proves nothing.
            passed: held && server_back && verified.receipts > 0,
            receipts: verified.receipts,
            accepted: verified.accepted,
            lost: verified.lost,
            doubled,
            unheard: unheard.min(without),
            crossovers: tally.crossed,
            ledger_whole: verified.whole,
            server_back,
        }
    }
}

/// The outcome for the terminal.
#[must_use]
pub fn text(drilled: &Drilled) -> String {
    let (found, sessions) = (&drilled.found, &drilled.summary.sessions);
    let mut text = String::new();
    if drilled.summary.about.partial {
        text.push_str("PARTIAL: stopped before its end\n");
    }
    let counted = |by_reason: &std::collections::BTreeMap<String, u64>| {
        let listed =
            by_reason.iter().map(|(reason, count)| format!("{reason}: {}", grouped(*count)));
        let listed: Vec<_> = listed.collect();
        if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    };
    let silent = drilled.silences.iter().fold(0.0, |sum, silence| sum + silence.lasted_s);
    let each = drilled.silences.iter().take(SILENCES_SHOWN);
    let each: Vec<_> = each.map(|silence| format!("{:.2} s", silence.lasted_s)).collect();
    let more = drilled.silences.len().saturating_sub(SILENCES_SHOWN);
    let submit = drilled.summary.latencies.iter().find(|row| row.what == "submit");
    let (p50, p99) = submit.map_or((0.0, 0.0), |row| (row.p50_ms, row.p99_ms));
    let lines = [
        format!("{} drill, {} acts", drilled.kind, drilled.incidents.len()),
        format!(
            "  receipts held  {:>10}  lost {}, doubled {}, crossovers {}",
            grouped(found.receipts),
            found.lost,
            found.doubled,
            found.crossovers
        ),
        format!(
            "  in the ledger  {:>10}  {} never heard of by their people; {}",
            grouped(found.accepted),
            found.unheard,
            if found.ledger_whole { "whole" } else { "NOT WHOLE" }
        ),
        format!(
            "  nobody served  {silent:>8.2} s  without a receipt for {:.2} s or more: {}",
            drilled.silence_s_min,
            match more {
                0 if each.is_empty() => "never".to_owned(),
                0 => each.join(", "),
                more => format!("{}, and {more} times more", each.join(", ")),
            }
        ),
        format!(
            "  people         {:>10}  served {}, failed {} ({}), refused {} ({}), unfinished {}",
            grouped(sessions.offered),
            grouped(sessions.served),
            grouped(sessions.failed.values().sum()),
            counted(&sessions.failed),
            grouped(sessions.refused.values().sum()),
            counted(&sessions.refused),
            sessions.unfinished
        ),
        format!(
            "  they saw       retried {}; entered again {}; submit p50 {p50:.0} ms, p99 {p99:.0} ms",
            counted(&drilled.summary.retried),
            drilled.summary.conducts.entered_again
        ),
        if found.server_back { String::new() } else { "  the server DID NOT COME BACK".to_owned() },
        (if found.passed { "passed" } else { "NOT PASSED" }).to_owned(),
    ];
    for line in lines.iter().filter(|line| !line.is_empty()) {
        text.push_str(line);
        text.push('\n');
    }
    if !found.ledger_whole {
        text.push_str(&drilled.verify);
    }
    text
}

/// The outcome as an HTML page.
///
/// # Errors
///
/// When a plot cannot be drawn.
pub fn page(drilled: &Drilled) -> io::Result<String> {
    let plots = [plots::over_time(&drilled.summary)?, plots::latency_over_time(&drilled.summary)?];
    let mut page = String::with_capacity(64 * 1024);
    write_page(&mut page, drilled, &plots).map_err(io::Error::other)?;
    Ok(page)
}

fn write_page(page: &mut String, drilled: &Drilled, plots: &[String]) -> fmt::Result {
    let title = format!("surge: drill {}, {}", drilled.kind, drilled.started_at);
    html::begin_page(page, &title, &drilled.summary.about.profile_about)?;
    let class = if drilled.found.passed { "verdict" } else { "verdict bad" };
    writeln!(page, "<pre class=\"{class}\">{}</pre>", html::escaped(&text(drilled)))?;
    html::table(page, "What was done", &["", "at s", "lasted s"])?;
    for one in &drilled.incidents {
        let cells = [format!("{:.1}", one.at_s), format!("{:.2}", one.lasted_s)];
        html::row(page, &one.what, &[&cells[0], &cells[1]])?;
    }
    page.write_str("</tbody></table>\n")?;
    html::table(page, "When nobody was served", &["from s", "for s"])?;
    for one in &drilled.silences {
        html::row(page, &format!("{:.1}", one.begun_s), &[&format!("{:.2}", one.lasted_s)])?;
    }
    page.write_str("</tbody></table>\n<h2>Over time</h2>\n")?;
    for plot in plots {
        writeln!(page, "<figure>{plot}</figure>")?;
    }
    writeln!(
        page,
        "<h2>Verified</h2>\n<pre>{}</pre>\n<p><code>{}</code><br>{}<br>{} x {}, {}</p>",
        html::escaped(&drilled.verify),
        html::escaped(&drilled.command),
        html::escaped(&drilled.build),
        drilled.machine.cores,
        html::escaped(&drilled.machine.cpu),
        html::escaped(&drilled.machine.kernel)
    )?;
    page.write_str("</body></html>\n")
}
