//! A comparison as text and as HTML.

use std::{
    fmt::{self, Formatter, Write},
    io,
};

use super::comparison::{Comparison, Row};
use crate::report::{html, plots, read::RunFile};

/// The comparison as text for the terminal.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    fmt::from_fn(|out| write_text(comparison, out)).to_string()
}

fn write_text(comparison: &Comparison, out: &mut Formatter<'_>) -> fmt::Result {
    let (a, b) = (&comparison.first.about, &comparison.second.about);
    writeln!(
        out,
        "first:  {} {}, {}\nsecond: {} {}, {}",
        a.started_at, a.profile, a.protocol, b.started_at, b.profile, b.protocol
    )?;
    for warning in &comparison.warnings {
        writeln!(out, "WARNING: {warning}")?;
    }
    writeln!(out, "{:<28}{:>12}{:>12}{:>9}", "", "first", "second", "ratio")?;
    for row in &comparison.rows {
        let [first, second, ratio, word] = cells(row);
        writeln!(out, "{:<28}{first:>12}{second:>12}{ratio:>9}  {word}", row.name)?;
    }
    writeln!(out, "{}", if comparison.passed { "passed" } else { "FAILED" })?;
    Ok(())
}

fn cells(row: &Row) -> [String; 4] {
    let figure = |value: f64| {
        if value.fract().abs() < f64::EPSILON {
            format!("{value:.0}")
        } else {
            format!("{value:.3}")
        }
    };
    let word = match row.allowed {
        None => String::new(),
        Some(allowed) if row.holds() => format!("ok, allowed {allowed}"),
        Some(allowed) => format!("FAILED, allowed {allowed}"),
    };
    let ratio = row.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
    [figure(row.first), figure(row.second), ratio, word]
}

/// The comparison as an HTML page.
///
/// # Errors
///
/// When the plot cannot be drawn.
pub fn page(comparison: &Comparison) -> io::Result<String> {
    let curve =
        |run: &RunFile| run.latency("submit").map(|row| row.curve.clone()).unwrap_or_default();
    let plot = plots::two_curves(&curve(&comparison.first), &curve(&comparison.second))?;
    let mut page = String::with_capacity(32 * 1024);
    write_page(&mut page, comparison, &plot).map_err(io::Error::other)?;
    Ok(page)
}

fn write_page(page: &mut String, comparison: &Comparison, plot: &str) -> fmt::Result {
    let (a, b) = (&comparison.first.about, &comparison.second.about);
    let title = format!("surge: {} and {}", a.started_at, b.started_at);
    let about = format!("first: {}, {}; second: {}, {}", a.profile, a.build, b.profile, b.build);
    html::begin_page(page, &title, &about)?;
    let (class, word) =
        if comparison.passed { ("verdict", "Passed") } else { ("verdict bad", "Failed") };
    write!(page, "<div class=\"{class}\"><strong>{word}.</strong>")?;
    for warning in &comparison.warnings {
        write!(page, "<br>Warning: {}", html::escaped(warning))?;
    }
    page.write_str("</div>\n")?;
    write!(page, "<h2>Submissions</h2>\n<figure>{plot}</figure>\n")?;
    html::table(page, "Figures of both runs", &["", "first", "second", "ratio", ""])?;
    for row in &comparison.rows {
        let [first, second, ratio, word] = cells(row);
        html::row(page, &row.name, &[&first, &second, &ratio, &word])?;
    }
    page.write_str("</tbody></table>\n</body></html>\n")
}
