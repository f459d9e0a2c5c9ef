//! The report as a self-contained HTML page.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    io,
};

use super::{plots, text::CLOSED_LOOP_NOTE};
use crate::{
    figures::{grouped, millis_text, real},
    summary::{LatencyRow, ServerFigures, Summary},
    verdict::Verdict,
};

const STYLE: &str = include_str!("report.css");

/// The page for `summary`.
///
/// # Errors
///
/// When a plot cannot be drawn.
pub fn page(summary: &Summary) -> io::Result<String> {
    let plots = Plots {
        over_time: plots::over_time(summary)?,
        latency_over_time: plots::latency_over_time(summary)?,
        curves: plots::latency_curves(summary)?,
    };
    let mut page = String::with_capacity(64 * 1024);
    write_page(&mut page, summary, &plots).map_err(io::Error::other)?;
    Ok(page)
}

struct Plots {
    over_time: String,
    latency_over_time: String,
    curves: String,
}

/// Begins a page with its head and first paragraph; escapes `title` and `about`.
pub(crate) fn begin_page(page: &mut String, title: &str, about: &str) -> fmt::Result {
    let title = escaped(title);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n\
         <p>{}</p>\n",
        escaped(about)
    )
}

fn write_page(page: &mut String, summary: &Summary, plots: &Plots) -> fmt::Result {
    let about = &summary.about;
    let title = format!("surge: {}, {}", about.profile, about.started_at);
    begin_page(page, &title, &about.profile_about)?;
    verdict(page, summary)?;
    sessions(page, summary)?;
    let Plots { over_time, latency_over_time, curves } = plots;
    write!(page, "<h2>Over time</h2>\n<figure>{over_time}</figure>\n")?;
    writeln!(page, "<figure>{latency_over_time}</figure>")?;
    latencies(page, summary, curves)?;
    if let Some(server) = &summary.server {
        server_figures(page, server)?;
    }
    ground(page, summary)?;
    page.write_str("</body></html>\n")
}

fn verdict(page: &mut String, summary: &Summary) -> fmt::Result {
    let Verdict { passed, invalid, checks, .. } = &summary.verdict;
    if summary.about.partial {
        page.write_str("<p class=\"bad\">Partial: the run was stopped before its end.</p>\n")?;
    }
    let (class, word) = if *passed { ("verdict", "Passed") } else { ("verdict bad", "Failed") };
    write!(page, "<div class=\"{class}\"><strong>{word}.</strong> ")?;
    let owners = &summary.owners;
    write!(
        page,
        "{} owner checks, {} crossovers, {} duplicate receipts.",
        grouped(owners.checked),
        grouped(owners.crossovers),
        grouped(summary.receipts.doubled)
    )?;
    for reason in invalid {
        write!(page, "<br><strong>Invalid:</strong> {}", escaped(reason))?;
    }
    page.write_str("</div>\n")?;
    if !owners.first.is_empty() {
        table(page, "The first crossovers", &["step", "what", "expected", "found"])?;
        for one in &owners.first {
            row(page, one.step, &[one.what, &one.expected, &one.found])?;
        }
        page.write_str("</tbody></table>\n")?;
    }
    table(page, "Thresholds of the profile", &["threshold", "allowed", "measured", ""])?;
    for check in checks {
        let held = if check.holds { "ok" } else { "failed" };
        let figures = [format!("{:.3}", check.allowed), format!("{:.3}", check.measured)];
        row(page, check.name, &[&figures[0], &figures[1], held])?;
    }
    page.write_str("</tbody></table>\n")
}

fn sessions(page: &mut String, summary: &Summary) -> fmt::Result {
    let sessions = &summary.sessions;
    page.write_str("<h2>Sessions</h2>\n")?;
    table(page, "Sessions by ending", &["", "sessions", "by reason"])?;
    let total = |by_reason: &BTreeMap<String, u64>| grouped(by_reason.values().sum());
    row(page, "offered", &[&grouped(sessions.offered), ""])?;
    row(page, "served", &[&grouped(sessions.served), ""])?;
    row(page, "refused", &[&total(&sessions.refused), &reasons(&sessions.refused)])?;
    row(page, "failed", &[&total(&sessions.failed), &reasons(&sessions.failed)])?;
    row(page, "crossed", &[&grouped(sessions.crossed), ""])?;
    row(page, "gave up, as the profile asks", &[&grouped(sessions.abandoned), ""])?;
    row(page, "unfinished", &[&grouped(sessions.unfinished), ""])?;
    row(page, "not started", &[&grouped(sessions.overflowed), ""])?;
    row(page, "requests retried", &[&total(&summary.retried), &reasons(&summary.retried)])?;
    row(
        page,
        "replies that said to wait in the waiting room",
        &[&grouped(summary.told_to_wait), ""],
    )?;
    row(page, "requests that waited for a connection", &[&grouped(summary.connection_waits), ""])?;
    let conducts = &summary.conducts;
    for (name, count) in [
        (
            "closed the connection in the middle of an application, then submitted again",
            conducts.cut_short,
        ),
        ("retried before Retry-After was over", conducts.impatient),
        ("entered again because the session was lost", conducts.entered_again),
    ] {
        row(page, name, &[&grouped(count), ""])?;
    }
    page.write_str("</tbody></table>\n")?;
    let receipts = &summary.receipts;
    if !receipts.lines_refused.is_empty() {
        let lines = &receipts.lines_refused;
        writeln!(page, "<p>Lines of batches refused: {}.</p>", escaped(&reasons(lines)))?;
    }
    writeln!(
        page,
        "<p>{} receipts, {:.1} a second; {:.2} % of those wanted arrived within {} ms \
         of the request. {} sessions read their decision.</p>",
        grouped(receipts.count),
        receipts.per_s,
        100.0 * receipts.goodput,
        receipts.timely_ms,
        grouped(receipts.decided)
    )?;
    table(page, "Replies", &["step", "status", "count"])?;
    for status in &summary.statuses {
        row(page, status.step, &[&status.status.to_string(), &grouped(status.count)])?;
    }
    page.write_str("</tbody></table>\n")
}

fn latencies(page: &mut String, summary: &Summary, curves: &str) -> fmt::Result {
    page.write_str("<h2>Latencies</h2>\n<p>")?;
    page.write_str(if summary.about.r#loop == "closed" {
        CLOSED_LOOP_NOTE
    } else {
        "Open loop: starts were fixed before the run. The latencies of entering and of the whole session \
         count from the intended start, that of a submission from its first request; all include waits and retries."
    })?;
    page.write_str("</p>\n")?;
    let head = ["", "count", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"];
    table(page, "Milliseconds", &head)?;
    for one in summary.latencies.iter().chain([&summary.lag]) {
        latency_row(page, one)?;
    }
    write!(page, "</tbody></table>\n<figure>{curves}</figure>\n")
}

fn latency_row(page: &mut String, one: &LatencyRow) -> fmt::Result {
    let ms = [one.p50_ms, one.p90_ms, one.p99_ms, one.p99_9_ms, one.max_ms].map(millis_text);
    let [p50, p90, p99, p99_9, max] = &ms;
    row(page, one.what, &[&grouped(one.count), p50, p90, p99, p99_9, max])
}

fn server_figures(page: &mut String, server: &ServerFigures) -> fmt::Result {
    let balance = &server.balance;
    page.write_str("<h2>Metrics of the server</h2>\n")?;
    writeln!(
        page,
        "<p{}>accepted {} {} decided {} + undecided {} + withdrawn before a decision {}</p>",
        if balance.holds { "" } else { " class=\"bad\"" },
        balance.accepted,
        if balance.holds { "=" } else { "is not" },
        balance.decided,
        balance.undecided,
        balance.withdrawn_before_decision
    )?;
    let commits = &server.commits;
    writeln!(
        page,
        "<p>{} commits, on average {:.2} ms and {:.1} records each.</p>",
        commits.count,
        commits.mean_ms(),
        commits.mean_records()
    )?;
    table(page, "Requests shed by the server", &["class and reason", "count"])?;
    for (what, count) in &server.shed {
        row(page, what, &[&format!("{count}")])?;
    }
    page.write_str("</tbody></table>\n")?;
    page.write_str("<details><summary>All changes during the run</summary>\n")?;
    table(page, "Metrics", &["sample", "change"])?;
    for (sample, change) in &server.changed {
        row(page, sample, &[&format!("{change}")])?;
    }
    page.write_str("</tbody></table></details>\n")
}

fn ground(page: &mut String, summary: &Summary) -> fmt::Result {
    let (about, cpu) = (&summary.about, &summary.cpu);
    page.write_str("<h2>Measured on</h2>\n")?;
    table(page, "Run, build and machine", &["", ""])?;
    let facts = [
        ("command", about.command.clone()),
        ("build", about.build.clone()),
        (
            "loop",
            format!(
                "{}, {}, at most {} connections",
                about.r#loop, about.protocol, about.connections
            ),
        ),
        ("campaign", about.campaign.clone()),
        ("duration", format!("{:.1} s", about.elapsed_s)),
        ("processor", format!("{} x {}", about.machine.cores, about.machine.cpu)),
        ("kernel", about.machine.kernel.clone()),
        (
            "CPU time during the run",
            format!(
                "generator {:.1} s, other processes {:.1} s, steal {:.1} s",
                cpu.generator_s, cpu.others_s, cpu.steal_s
            ),
        ),
    ];
    let process = summary.server_process.map(|server| {
        let receipts = real(summary.receipts.count.max(1));
        let fact = format!(
            "CPU {:.1} s ({:.0} us a receipt), {:.1} MB written, {:.0} MB resident",
            server.cpu_s,
            1e6 * server.cpu_s / receipts,
            real(server.written_bytes) / 1e6,
            real(server.resident_bytes) / 1e6
        );
        ("server process", fact)
    });
    for (name, fact) in facts.iter().chain(&process) {
        writeln!(
            page,
            "<tr><td>{name}</td><td class=\"words\"><code>{}</code></td></tr>",
            escaped(fact)
        )?;
    }
    page.write_str("</tbody></table>\n")
}

pub(crate) fn table(page: &mut String, caption: &str, head: &[&str]) -> fmt::Result {
    write!(page, "<table><caption>{caption}</caption><thead><tr>")?;
    for name in head {
        write!(page, "<th scope=\"col\">{name}</th>")?;
    }
    page.write_str("</tr></thead><tbody>\n")
}

pub(crate) fn row(page: &mut String, name: &str, cells: &[&str]) -> fmt::Result {
    write!(page, "<tr><td>{}</td>", escaped(name))?;
    for cell in cells {
        write!(page, "<td>{}</td>", escaped(cell))?;
    }
    page.write_str("</tr>\n")
}

fn reasons(by_reason: &BTreeMap<String, u64>) -> String {
    let listed: Vec<_> =
        by_reason.iter().map(|(reason, count)| format!("{reason}: {}", grouped(*count))).collect();
    listed.join(", ")
}

/// Escapes text from outside, such as a problem slug of the server, for HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_a_server_says_cannot_become_markup() {
        assert_eq!(escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
