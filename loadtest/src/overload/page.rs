//! An overload run as an HTML page, with what happened second by second.

use std::{
    fmt::{self, Write},
    io,
};

use super::{
    moments::Moment,
    report::{Overload, RunReport},
    text,
};
use crate::{
    figures::real_len,
    report::{
        chart::{Axis, Line, draw, highest, milliseconds},
        html,
    },
};

/// What is shown as the smallest value on a logarithmic axis.
const LOG_MIN: f64 = 1.0;

/// The page.
///
/// # Errors
///
/// When a plot cannot be drawn.
pub(super) fn page(overload: &Overload) -> io::Result<String> {
    let plots: io::Result<Vec<_>> = overload.runs.iter().map(plots).collect();
    let mut page = String::with_capacity(256 * 1024);
    write_page(&mut page, overload, &plots?).map_err(io::Error::other)?;
    Ok(page)
}

fn write_page(page: &mut String, overload: &Overload, plots: &[[String; 4]]) -> fmt::Result {
    let title = format!("surge: overload, {}", overload.started_at);
    html::begin_page(page, &title, &overload.about)?;
    let class = if overload.reached.passed { "verdict" } else { "verdict bad" };
    writeln!(
        page,
        "<pre class=\"{class}\">{}</pre>",
        html::escaped(&text::reached(&overload.reached))
    )?;
    for ((number, run), plots) in (1..).zip(&overload.runs).zip(plots) {
        writeln!(page, "<h2>Run {number}</h2>")?;
        writeln!(page, "<pre>{}</pre>", html::escaped(&text::surge(&run.figures)))?;
        for plot in plots {
            writeln!(page, "<figure>{plot}</figure>")?;
        }
    }
    writeln!(
        page,
        "<h2>Measured on</h2>\n<p><code>{}</code><br>{}<br>{} x {}, {}</p>",
        html::escaped(&overload.command),
        html::escaped(&overload.build),
        overload.machine.cores,
        html::escaped(&overload.machine.cpu),
        html::escaped(&overload.machine.kernel)
    )?;
    page.write_str("</body></html>\n")
}

/// People a second; people inside and waiting; latency; CPU.
fn plots(run: &RunReport) -> io::Result<[String; 4]> {
    let line = |name, value: &dyn Fn(&Moment) -> Option<f64>| {
        let seconds = run.seconds.iter().enumerate();
        let points = seconds.filter_map(|(place, one)| Some((real_len(place) + 0.5, value(one)?)));
        Line { name, points: points.collect() }
    };
    let log = |value: Option<f64>, least: f64| value.map(|value| value.max(least).log10());
    let people = [
        line("offered", &|one| log(Some(one.counted(|one| one.offered)), LOG_MIN)),
        line("let in", &|one| log(Some(one.counted(|one| one.let_in)), LOG_MIN)),
        line("finished", &|one| log(Some(one.counted(|one| one.finished)), LOG_MIN)),
    ];
    let places = [
        line("inside", &|one| log(Some(one.counted(|one| one.inside)), LOG_MIN)),
        line("in the waiting room", &|one| log(one.told(|server| server.waiting), LOG_MIN)),
        line("connections", &|one| log(one.told(|server| server.connections), LOG_MIN)),
    ];
    let latency = [
        line("submit p50", &|one| log(one.submit_p50_ms, 0.01)),
        line("submit p99", &|one| log(one.submit_p99_ms, 0.01)),
        line("GET /metrics", &|one| log(one.told(|server| server.metrics_ms), 0.01)),
        line("generator's lag p99", &|one| log(Some(one.lag_p99_ms), 0.01)),
    ];
    let cpu = [
        line("people outside", &|one| one.told(|server| server.cores[0])),
        line("entering", &|one| one.told(|server| server.cores[1])),
        line("people inside", &|one| one.told(|server| server.cores[2])),
        line("all, own code", &|one| one.told(|server| server.user_cores)),
        line("all, kernel", &|one| one.told(|server| server.system_cores)),
    ];
    let seconds = |value: &f64| format!("{value:.0}");
    let end = real_len(run.seconds.len()).max(1.0);
    let x = || Axis { name: "seconds", range: 0.0..end, labels_max: 11, label: &seconds };
    let cores = |value: &f64| format!("{value:.2}");
    let top = highest(&cpu).max(0.01) * 1.4;
    let y = Axis { name: "cores", range: 0.0..top, labels_max: 8, label: &cores };
    Ok([
        draw("People a second over time", &people, &x(), &counts("a second", &people))?,
        draw("People over time", &places, &x(), &counts("people", &places))?,
        draw("Latency over time", &latency, &x(), &milliseconds(&latency))?,
        draw("CPU by purpose over time", &cpu, &x(), &y)?,
    ])
}

/// A logarithmic axis of counts from 1.
fn counts(name: &'static str, lines: &[Line]) -> Axis<'static> {
    let label = &|exponent: &f64| format!("{:.0}", 10_f64.powf(*exponent));
    Axis { name, range: 0.0..highest(lines).max(1.0).ceil(), labels_max: 8, label }
}
