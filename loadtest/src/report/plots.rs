//! The report's plots as SVG, drawn so that the page's style sheet can give text and axes its colours.

use std::{io, ops::Range};

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::{DrawingAreaErrorKind, IntoDrawingArea},
    element::PathElement,
    series::LineSeries,
    style::{Color, RGBColor, TRANSPARENT},
};

use crate::{
    capacity::step::StepFigures,
    figures::{self, millis_text, real_len},
    summary::Summary,
    tally::Stretch,
};

const SIZE: (u32, u32) = (880, 320);

/// Middle tones, to be told apart on white and on black, also by most colour-blind eyes.
const TONES: [RGBColor; 9] = [
    RGBColor(0x3b, 0x82, 0xc4),
    RGBColor(0xd9, 0x82, 0x2b),
    RGBColor(0x2e, 0x9e, 0x7a),
    RGBColor(0xc2, 0x4f, 0x8b),
    RGBColor(0x8a, 0x8a, 0x8a),
    RGBColor(0xb0, 0x6a, 0x3a),
    RGBColor(0x7a, 0x6f, 0xc9),
    RGBColor(0xa8, 0x9a, 0x2a),
    RGBColor(0x2f, 0x9a, 0xa8),
];
const GREY: RGBColor = RGBColor(0x80, 0x80, 0x80);

/// The most nines drawn: 99.999 %.
const NINES_MAX: f64 = 5.0;

/// Of the labels, in the plot's own units; plotters draws it at four fifths of that.
const TEXT_SIZE: u32 = 16;

struct Line {
    name: &'static str,
    points: Vec<(f64, f64)>,
}

struct Axis<'f> {
    name: &'static str,
    range: Range<f64>,
    labels_max: usize,
    label: &'f dyn Fn(&f64) -> String,
}

/// Offered, served and unserved sessions a second over the run.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn over_time(summary: &Summary) -> io::Result<String> {
    let per_s = |count: u64| figures::real(count) / summary.stretch_s;
    let over_time = |value: &dyn Fn(usize) -> u64| -> Vec<(f64, f64)> {
        let places = 0..summary.timeline.len();
        places
            .map(|place| ((real_len(place) + 0.5) * summary.stretch_s, per_s(value(place))))
            .collect()
    };
    let lines = [
        Line { name: "offered", points: over_time(&|place| summary.timeline[place].offered) },
        Line { name: "receipts", points: over_time(&|place| summary.timeline[place].receipts) },
        Line { name: "unserved", points: over_time(&|place| summary.timeline[place].unserved) },
        Line { name: "refusals", points: over_time(&|place| summary.timeline[place].refusals) },
    ];
    let end = real_len(summary.timeline.len()).max(1.0) * summary.stretch_s;
    let x = Axis {
        name: "seconds",
        range: 0.0..end,
        labels_max: 11,
        label: &|value| format!("{value:.0}"),
    };
    // Room above for the names of the lines.
    let top = highest(&lines).max(1.0) * 1.4;
    let y = Axis {
        name: "a second",
        range: 0.0..top,
        labels_max: 8,
        label: &|value| format!("{value:.0}"),
    };
    draw("Sessions a second over time", &lines, &x, &y)
}

/// The latency of submissions over the run, its axis logarithmic.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn latency_over_time(summary: &Summary) -> io::Result<String> {
    let over_time = |value: &dyn Fn(&Stretch) -> u64| -> Vec<(f64, f64)> {
        let with_any = summary.timeline.iter().enumerate().filter(|(_, one)| one.receipts > 0);
        with_any
            .map(|(place, one)| {
                let seconds = (real_len(place) + 0.5) * summary.stretch_s;
                (seconds, figures::millis(value(one)).max(0.01).log10())
            })
            .collect()
    };
    let lines = [
        Line { name: "submit p50", points: over_time(&|one| one.submit_p50_us) },
        Line { name: "submit p99", points: over_time(&|one| one.submit_p99_us) },
    ];
    let end = real_len(summary.timeline.len()).max(1.0) * summary.stretch_s;
    let seconds = |value: &f64| format!("{value:.0}");
    let x = Axis { name: "seconds", range: 0.0..end, labels_max: 11, label: &seconds };
    let y = milliseconds(&lines);
    draw("Latency of submissions over time", &lines, &x, &y)
}

/// Latency and service by offered rate, one point a step of the search for the capacity.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn capacity_steps(steps: &[StepFigures]) -> io::Result<String> {
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

/// A logarithmic axis of milliseconds that holds all of `lines`, whose values are exponents of ten.
fn milliseconds(lines: &[Line]) -> Axis<'static> {
    let lowest =
        lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::min);
    let range = lowest.floor()..highest(lines).max(0.5).ceil();
    let label = &|exponent: &f64| millis_text(10_f64.powf(*exponent));
    Axis { name: "ms", range, labels_max: 8, label }
}

/// Latency by the share of all that did not wait longer; both axes logarithmic.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn latency_curves(summary: &Summary) -> io::Result<String> {
    let rows = summary.latencies.iter();
    let lines = rows.map(|row| Line { name: row.what, points: by_nines(&row.curve) });
    curves("Latency by share of all", &lines.collect::<Vec<_>>())
}

/// The submissions of two runs, by the share of all that did not wait longer.
///
/// # Errors
///
/// When it cannot be drawn.
pub fn two_curves(first: &[(f64, f64)], second: &[(f64, f64)]) -> io::Result<String> {
    let lines = [
        Line { name: "first", points: by_nines(first) },
        Line { name: "second", points: by_nines(second) },
    ];
    curves("Latency of submissions by share of all, both runs", &lines)
}

/// Shares and milliseconds on logarithmic axes.
fn by_nines(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    curve.iter().map(|&(share, ms)| (nines(share), ms.max(0.01).log10())).collect()
}

fn curves(name: &str, lines: &[Line]) -> io::Result<String> {
    let label = |nines: &f64| {
        let decimals = if *nines < 2.5 { 0 } else { 3 };
        let text = format!("{:.decimals$}", 100.0 * (1.0 - 10_f64.powf(-nines)));
        let text = if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.')
        } else {
            &text
        };
        format!("{text} %")
    };
    let x = Axis { name: "share of all", range: 0.0..NINES_MAX, labels_max: 6, label: &label };
    let y = milliseconds(lines);
    draw(name, lines, &x, &y)
}

fn nines(share: f64) -> f64 {
    if share >= 1.0 { NINES_MAX } else { (-(1.0 - share).log10()).min(NINES_MAX) }
}

fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max)
}

fn draw(name: &str, lines: &[Line], x: &Axis<'_>, y: &Axis<'_>) -> io::Result<String> {
    let mut text = String::new();
    draw_into(&mut text, lines, x, y).map_err(|error| io::Error::other(error.to_string()))?;
    // The style sheet scales the plot to the page; with a fixed size it could not.
    let (width, height) = SIZE;
    let fixed = format!("width=\"{width}\" height=\"{height}\" ");
    Ok(text.replacen(&fixed, &format!("role=\"img\" aria-label=\"{name}\" "), 1))
}

fn draw_into(
    text: &mut String,
    lines: &[Line],
    x: &Axis<'_>,
    y: &Axis<'_>,
) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin(10)
        .margin_right(40)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(x.range.clone(), y.range.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .axis_style(GREY)
        .label_style(("sans-serif", TEXT_SIZE))
        .x_labels(x.labels_max)
        .y_labels(y.labels_max)
        .x_desc(x.name)
        .y_desc(y.name)
        .x_label_formatter(x.label)
        .y_label_formatter(y.label)
        .draw()?;
    for (line, tone) in lines.iter().zip(TONES) {
        let stroke = tone.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), stroke))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], stroke));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", TEXT_SIZE))
        .position(SeriesLabelPosition::UpperLeft)
        .draw()?;
    area.present()
}
