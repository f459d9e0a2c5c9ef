//! Line charts as SVG; the page's style sheet gives text and axes their colours.

use std::{io, ops::Range};

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    drawing::{DrawingAreaErrorKind, IntoDrawingArea},
    element::PathElement,
    series::LineSeries,
    style::{Color, RGBColor, TRANSPARENT},
};

use crate::figures::millis_text;

/// Width and height in SVG units.
const SIZE: (u32, u32) = (880, 320);

/// Line colours that stand out on white and on black, chosen for the common forms of colour blindness.
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

/// Font size of the labels in SVG units; plotters draws four fifths of it.
const TEXT_SIZE: u32 = 16;

/// One line of a chart.
pub(crate) struct Line {
    /// Its name in the legend.
    pub(crate) name: &'static str,
    /// Its points, from left to right.
    pub(crate) points: Vec<(f64, f64)>,
}

/// One axis of a chart.
pub(crate) struct Axis<'f> {
    /// Its name.
    pub(crate) name: &'static str,
    /// The values shown.
    pub(crate) range: Range<f64>,
    /// Most labels.
    pub(crate) labels_max: usize,
    /// The label of a value.
    pub(crate) label: &'f dyn Fn(&f64) -> String,
}

/// A logarithmic axis of milliseconds that covers all `lines`, whose values are exponents of ten.
pub(crate) fn milliseconds(lines: &[Line]) -> Axis<'static> {
    let lowest =
        lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::min);
    let range = lowest.floor()..highest(lines).max(0.5).ceil();
    let label = &|exponent: &f64| millis_text(10_f64.powf(*exponent));
    Axis { name: "ms", range, labels_max: 8, label }
}

/// The highest value of all `lines`, at least 0.
pub(crate) fn highest(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max)
}

/// The chart as an SVG element named `name`.
///
/// # Errors
///
/// When it cannot be drawn.
pub(crate) fn draw(name: &str, lines: &[Line], x: &Axis<'_>, y: &Axis<'_>) -> io::Result<String> {
    let mut text = String::new();
    draw_into(&mut text, lines, x, y).map_err(|error| io::Error::other(error.to_string()))?;
    // Without a fixed size the style sheet can scale the chart to the page.
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
