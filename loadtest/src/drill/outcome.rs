//! The result of a drill: receipts lost and duplicated, outages, and what citizens saw.

use std::{
    fmt::{self, Write},
    io,
};

use serde::Serialize;

use super::{
    outages::Outage,
    sabotage::{Incident, Kind},
};
use crate::{
    figures::grouped,
    machine::Machine,
    report::{html, plots},
    run::Outcome,
    server::Verified,
    summary::Summary,
    wire::{client::ExchangeFault, connection::DialFault},
};

/// Most outages listed on the terminal; the report lists all.
const OUTAGES_SHOWN: usize = 10;

/// What the drill verified.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// True when nothing was lost or duplicated, no reply reached another person, and the server recovered.
    pub passed: bool,
    /// Distinct receipts that citizens hold.
    pub receipts: u64,
    /// Applications in the ledger.
    pub accepted: u64,
    /// Receipts that are missing from the ledger.
    pub lost: u64,
    /// Applications beyond one a person, and receipt numbers issued to two people.
    pub doubled: u64,
    /// Applications in the ledger whose receipt never reached the citizen; not a loss.
    pub unheard: u64,
    /// Replies that belonged to somebody else.
    pub crossovers: u64,
    /// True when `sportello verify` found the ledger intact.
    pub ledger_whole: bool,
    /// True when the server was running at the end.
    pub server_back: bool,
}

/// A drill in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// Kind of incident.
    pub kind: &'static str,
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// The command line.
    pub command: String,
    /// Version and kind of this build.
    pub build: String,
    /// The machine.
    pub machine: Machine,
    /// What the drill verified.
    pub found: Found,
    /// Incidents.
    pub incidents: Vec<Incident>,
    /// Outages.
    #[serde(rename = "silences")]
    pub outages: Vec<Outage>,
    /// Shortest outage that counts, in seconds.
    #[serde(rename = "silence_s_min")]
    pub outage_s_min: f64,
    /// The run, as citizens saw it.
    pub summary: Summary,
    /// Output of `sportello verify`.
    pub verify: String,
}

impl Found {
    /// Combines the counts of the run with the result of `sportello verify`.
    #[must_use]
    pub fn of(kind: Kind, outcome: &Outcome, verified: &Verified, server_back: bool) -> Self {
        let tally = &outcome.tally;
        // Each citizen applies once, under one key. Without a receipt there may still be one application in the ledger;
        // with a receipt there must not be another.
        let without = tally.offered.saturating_sub(tally.receipts);
        let unheard = verified.accepted.saturating_sub(verified.receipts);
        let doubled = unheard.saturating_sub(without) + outcome.receipts_doubled;
        let held = verified.whole && verified.lost == 0 && doubled == 0 && tally.crossed == 0;
        // An upgrade is planned: it must refuse nobody a connection, and cost nobody their visit.
        let unreached = ExchangeFault::Dial(DialFault::Tcp).name();
        let reached = !tally.retried.by_reason().contains_key(unreached);
        let finished = kind != Kind::Upgrade || reached && tally.served == tally.offered;
        Self {
            // A drill without any receipt verifies nothing.
            passed: held && finished && server_back && verified.receipts > 0,
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

/// The result as text for the terminal.
#[must_use]
pub fn text(drilled: &Drilled) -> String {
    let (found, sessions) = (&drilled.found, &drilled.summary.sessions);
    let mut text = String::new();
    if drilled.summary.about.partial {
        text.push_str("PARTIAL: the drill was stopped before its end\n");
    }
    let counted = |by_reason: &std::collections::BTreeMap<String, u64>| {
        let listed =
            by_reason.iter().map(|(reason, count)| format!("{reason}: {}", grouped(*count)));
        let listed: Vec<_> = listed.collect();
        if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
    };
    let outage_s = drilled.outages.iter().fold(0.0, |sum, outage| sum + outage.lasted_s);
    let each = drilled.outages.iter().take(OUTAGES_SHOWN);
    let each: Vec<_> = each.map(|outage| format!("{:.2} s", outage.lasted_s)).collect();
    let more = drilled.outages.len().saturating_sub(OUTAGES_SHOWN);
    let submit = drilled.summary.latencies.iter().find(|row| row.what == "submit");
    let (p50, p99) = submit.map_or((0.0, 0.0), |row| (row.p50_ms, row.p99_ms));
    let lines = [
        format!("{} drill, {} incidents", drilled.kind, drilled.incidents.len()),
        format!(
            "  receipts held  {:>10}  lost {}, duplicated {}, crossovers {}",
            grouped(found.receipts),
            found.lost,
            found.doubled,
            found.crossovers
        ),
        format!(
            "  in the ledger  {:>10}  {} without a receipt at the citizen; {}",
            grouped(found.accepted),
            found.unheard,
            if found.ledger_whole { "intact" } else { "NOT INTACT" }
        ),
        format!(
            "  outages        {outage_s:>8.2} s  periods of at least {:.2} s without a receipt: {}",
            drilled.outage_s_min,
            match more {
                0 if each.is_empty() => "none".to_owned(),
                0 => each.join(", "),
                more => format!("{}, and {more} more", each.join(", ")),
            }
        ),
        format!(
            "  sessions       {:>10}  served {}, failed {} ({}), refused {} ({}), unfinished {}",
            grouped(sessions.offered),
            grouped(sessions.served),
            grouped(sessions.failed.values().sum()),
            counted(&sessions.failed),
            grouped(sessions.refused.values().sum()),
            counted(&sessions.refused),
            sessions.unfinished
        ),
        format!(
            "  citizens saw   retries {}; entered again {}; submit p50 {p50:.0} ms, p99 {p99:.0} ms",
            counted(&drilled.summary.retried),
            drilled.summary.conducts.entered_again
        ),
        if found.server_back { String::new() } else { "  the server DID NOT RECOVER".to_owned() },
        (if found.passed { "passed" } else { "FAILED" }).to_owned(),
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

/// The result as an HTML page.
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
    html::table(page, "Incidents", &["", "at s", "duration s"])?;
    for one in &drilled.incidents {
        let cells = [format!("{:.1}", one.at_s), format!("{:.2}", one.lasted_s)];
        html::row(page, &one.what, &[&cells[0], &cells[1]])?;
    }
    page.write_str("</tbody></table>\n")?;
    html::table(page, "Outages", &["from s", "duration s"])?;
    for one in &drilled.outages {
        html::row(page, &format!("{:.1}", one.begun_s), &[&format!("{:.2}", one.lasted_s)])?;
    }
    page.write_str("</tbody></table>\n<h2>Over time</h2>\n")?;
    for plot in plots {
        writeln!(page, "<figure>{plot}</figure>")?;
    }
    writeln!(
        page,
        "<h2>Output of <code>sportello verify</code></h2>\n<pre>{}</pre>\n<p><code>{}</code><br>{}<br>{} x {}, {}</p>",
        html::escaped(&drilled.verify),
        html::escaped(&drilled.command),
        html::escaped(&drilled.build),
        drilled.machine.cores,
        html::escaped(&drilled.machine.cpu),
        html::escaped(&drilled.machine.kernel)
    )?;
    page.write_str("</body></html>\n")
}
