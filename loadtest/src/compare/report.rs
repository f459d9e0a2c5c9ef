//! A comparison on the terminal and as HTML.

use std::{
    fmt::{self, Write},
    io,
    path::Path,
};

use super::{Comparison, Row};
use crate::report::{html, plots};

/// The comparison for the terminal.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    let (a, b) = (&comparison.first.about, &comparison.second.about);
    text.push_str(&format!(
        "first:  {} {}, {}\nsecond: {} {}, {}\n",
        a.started_at, a.profile, a.protocol, b.started_at, b.profile, b.protocol
    ));
    for doubt in &comparison.doubts {
        text.push_str(&format!("DOUBT: {doubt}\n"));
    }
    text.push_str(&format!("{:<28}{:>12}{:>12}{:>9}\n", "", "first", "second", "ratio"));
    for row in &comparison.rows {
        let [first, second, ratio, word] = cells(row);
        text.push_str(&format!("{:<28}{first:>12}{second:>12}{ratio:>9}  {word}\n", row.name));
    }
    text.push_str(if comparison.passed { "passed\n" } else { "NOT PASSED\n" });
    text
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
        Some(allowed) if row.holds() => format!("holds, allowed {allowed}"),
        Some(allowed) => format!("BROKEN, allowed {allowed}"),
    };
    let ratio = row.ratio().map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
    [figure(row.first), figure(row.second), ratio, word]
}

/// Writes the comparison as one HTML file.
///
/// # Errors
///
/// When the plot cannot be drawn or the file not be written.
pub fn write_html(comparison: &Comparison, path: &Path) -> io::Result<()> {
    let curve = |run: &super::read::RunFile| {
        run.latency("submit").map(|row| row.curve.clone()).unwrap_or_default()
    };
    let plot = plots::two_curves(&curve(&comparison.first), &curve(&comparison.second))?;
    let mut page = String::with_capacity(32 * 1024);
    write_page(&mut page, comparison, &plot).map_err(io::Error::other)?;
    std::fs::write(path, page)
}

fn write_page(page: &mut String, comparison: &Comparison, plot: &str) -> fmt::Result {
    let (a, b) = (&comparison.first.about, &comparison.second.about);
    let title = format!("surge: {} and {}", a.started_at, b.started_at);
    let about = format!("first: {}, {}; second: {}, {}", a.profile, a.build, b.profile, b.build);
    html::begin_page(page, &title, &about)?;
    let (class, word) =
        if comparison.passed { ("verdict", "Passed") } else { ("verdict bad", "Not passed") };
    write!(page, "<div class=\"{class}\"><strong>{word}.</strong>")?;
    for doubt in &comparison.doubts {
        write!(page, "<br>Doubt: {}", html::escaped(doubt))?;
    }
    page.write_str("</div>\n")?;
    write!(page, "<h2>Submissions</h2>\n<figure>{plot}</figure>\n")?;
    html::table(page, "Side by side", &["", "first", "second", "second by first", ""])?;
    for row in &comparison.rows {
        let [first, second, ratio, word] = cells(row);
        html::row(page, &row.name, &[&first, &second, &ratio, &word])?;
    }
    page.write_str("</tbody></table>\n</body></html>\n")
}
