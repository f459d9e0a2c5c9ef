//! The report of a search, as text, JSON and HTML.

use std::{
    fmt::{self, Formatter, Write},
    io,
};

use serde::Serialize;

use super::{
    finding::Finding,
    step::{Limits, StepFigures},
};
use crate::{
    figures::{grouped, millis_text},
    machine::Machine,
    report::{
        chart::{Axis, Line, draw, milliseconds},
        html,
    },
};

/// A search in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Capacity {
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// The command line.
    pub command: String,
    /// Version and kind of this build.
    pub build: String,
    /// The machine.
    pub machine: Machine,
    /// The profile, which says what each session does.
    pub profile: String,
    /// Limits that a rate must keep.
    pub limits: Limits,
    /// Result.
    pub finding: Finding,
    /// The steps in their order.
    pub steps: Vec<StepFigures>,
}

/// Header of the steps.
pub const HEAD: &str =
    "    rate  receipts/s  p50 ms  p99 ms  goodput  refused  lag ms  server  generator  commit ms";

/// A step as a line of the terminal.
#[must_use]
pub fn line(step: &StepFigures) -> String {
    let [rate, receipts, p50, p99, goodput, refused, lag, server, generator, commit] = cells(step);
    format!(
        "{rate:>8}{receipts:>12}{p50:>8}{p99:>8}{goodput:>9}{refused:>9}{lag:>8}{server:>8}{generator:>11}{commit:>11}  {}",
        step.broken_text()
    )
}

fn cells(step: &StepFigures) -> [String; 10] {
    [
        format!("{:.1}", step.rate),
        format!("{:.1}", step.receipts_per_s),
        millis_text(step.p50_submit_ms),
        millis_text(step.p99_submit_ms),
        format!("{:.3}", step.goodput),
        format!("{:.3}", step.refusals_share),
        millis_text(step.lag_p99_ms),
        step.server_cpu_s.map_or("-".to_owned(), |cpu_s| format!("{:.2}", step.cores(cpu_s))),
        format!("{:.2}", step.cores(step.generator_cpu_s)),
        step.commits.map_or("-".to_owned(), |commits| millis_text(commits.mean_ms())),
    ]
}

/// The result as text for the terminal.
#[must_use]
pub fn text(capacity: &Capacity) -> String {
    fmt::from_fn(|out| write_text(capacity, out)).to_string()
}

fn write_text(capacity: &Capacity, out: &mut Formatter<'_>) -> fmt::Result {
    let finding = &capacity.finding;
    if finding.partial {
        writeln!(out, "PARTIAL: the search was stopped before its end")?;
    }
    let rate = |rate: Option<f64>| rate.map_or("none".to_owned(), |rate| format!("{rate:.1}"));
    let (held, broke) = (rate(finding.held_rate), rate(finding.broke_rate));
    writeln!(out, "held {held} sessions a second, broke at {broke}")?;
    match finding.applications_per_s {
        Some(per_s) => writeln!(out, "capacity: {per_s:.1} applications a second")?,
        None => writeln!(out, "capacity: NONE CLAIMED")?,
    }
    writeln!(out, "limit: {}", finding.because)?;
    if !finding.day.is_empty() {
        writeln!(out, "day: {}", finding.day)?;
    }
    Ok(())
}

/// The search as an HTML page.
///
/// # Errors
///
/// When the plot cannot be drawn.
pub fn page(capacity: &Capacity) -> io::Result<String> {
    let plot = latency_by_rate(&capacity.steps)?;
    let mut page = String::with_capacity(32 * 1024);
    write_page(&mut page, capacity, &plot).map_err(io::Error::other)?;
    Ok(page)
}

fn write_page(page: &mut String, capacity: &Capacity, plot: &str) -> fmt::Result {
    let title = format!("surge: capacity, {}", capacity.started_at);
    html::begin_page(page, &title, &capacity.profile)?;
    let class =
        if capacity.finding.applications_per_s.is_some() { "verdict" } else { "verdict bad" };
    write!(page, "<div class=\"{class}\">")?;
    for line in text(capacity).lines() {
        write!(page, "{}<br>", html::escaped(line))?;
    }
    page.write_str("</div>\n")?;
    write!(page, "<h2>Steps</h2>\n<figure>{plot}</figure>\n")?;
    let head = [
        "rate",
        "receipts a second",
        "p50 ms",
        "p99 ms",
        "goodput",
        "refused share",
        "lag p99 ms",
        "server cores",
        "generator cores",
        "commit ms",
        "",
    ];
    html::table(page, "Short open-loop runs, in order", &head)?;
    for step in &capacity.steps {
        let [rate, rest @ ..] = cells(step);
        let broken = step.broken_text();
        let mut cells: Vec<&str> = rest.iter().map(String::as_str).collect();
        cells.push(&broken);
        html::row(page, &rate, &cells)?;
    }
    page.write_str("</tbody></table>\n<h2>When a rate holds</h2>\n")?;
    let limits = &capacity.limits;
    writeln!(
        page,
        "<p>The p99 of submissions is at most {} ms, at least a share of {} of the receipts wanted is timely, \
         requests refused or told to wait are at most a share of {} of the sessions offered, no session failed, \
         and the generator kept its schedule.</p>",
        limits.p99_submit_ms_max, limits.goodput_min, limits.refusals_share_max
    )?;
    let machine = &capacity.machine;
    writeln!(
        page,
        "<h2>Measured on</h2>\n<p><code>{}</code><br>{}<br>{} x {}, {}; {} sessions in total.</p>",
        html::escaped(&capacity.command),
        html::escaped(&capacity.build),
        machine.cores,
        html::escaped(&machine.cpu),
        html::escaped(&machine.kernel),
        grouped(capacity.steps.iter().map(|step| step.offered).sum()),
    )?;
    page.write_str("</body></html>\n")
}

/// Plot of the latency by offered rate, one point a step.
fn latency_by_rate(steps: &[StepFigures]) -> io::Result<String> {
    let mut sorted: Vec<&StepFigures> = steps.iter().collect();
    sorted.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let points = |value: &dyn Fn(&StepFigures) -> f64| -> Vec<(f64, f64)> {
        sorted.iter().map(|step| (step.rate, value(step).max(0.01).log10())).collect()
    };
    let lines = [
        Line { name: "submit p50", points: points(&|step| step.p50_submit_ms) },
        Line { name: "submit p99", points: points(&|step| step.p99_submit_ms) },
        Line { name: "generator's lag p99", points: points(&|step| step.lag_p99_ms) },
    ];
    let end = sorted.last().map_or(1.0, |step| step.rate) * 1.05;
    let label = |rate: &f64| format!("{rate:.0}");
    let x = Axis { name: "sessions a second", range: 0.0..end, labels_max: 11, label: &label };
    let y = milliseconds(&lines);
    draw("Latency by offered rate", &lines, &x, &y)
}
