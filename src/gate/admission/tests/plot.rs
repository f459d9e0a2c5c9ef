//! Draws the courses of the controller.

use std::{error::Error, path::Path};

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, SeriesLabelPosition},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::PathElement,
    series::LineSeries,
    style::{Color, RGBColor, TRANSPARENT, WHITE},
};

use super::courses::{Course, Point};

/// Width, and height of the two charts of a course, in SVG units.
const WIDTH: u32 = 960;
const HEIGHT: u32 = 240;
/// Points of a line at most.
const POINTS_MAX: usize = 600;
/// Line colours that can be told apart with the common forms of colour blindness.
const OFFERED: RGBColor = RGBColor(0x8a, 0x8a, 0x8a);
const CAPACITY: RGBColor = RGBColor(0x2e, 0x9e, 0x7a);
const ALLOWED: RGBColor = RGBColor(0x3b, 0x82, 0xc4);
const DELAY: RGBColor = RGBColor(0xd9, 0x82, 0x2b);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Name, colour and value of a line.
type Line = (&'static str, RGBColor, fn(&Point) -> f64);

/// The chart of some lines over the time of a course. Of points that fall together the highest is drawn.
fn draw(
    area: &Area<'_>,
    title: &str,
    course: &Course,
    lines: &[Line],
) -> Result<(), Box<dyn Error>> {
    let together = course.points.len() / POINTS_MAX + 1;
    let points = |of: fn(&Point) -> f64| {
        let highest = move |points: &[Point]| points.iter().map(of).fold(0.0, f64::max);
        course.points.chunks(together).map(move |points| (points[0].second, highest(points)))
    };
    let values = lines.iter().flat_map(|(_, _, of)| points(*of)).map(|(_, value)| value);
    let highest = values.fold(0.0, f64::max);
    let last = course.points.last().map_or(0.0, |point| point.second);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..last, 0.0..highest * 1.1)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 13))
        .x_labels(7)
        .y_labels(5)
        .x_label_formatter(&|second| format!("{second:.0} s"))
        .y_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (name, tone, of) in lines {
        let stroke = tone.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points(*of), stroke))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], stroke));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 13))
        .background_style(WHITE.mix(0.8))
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    Ok(())
}

#[test]
#[ignore = "draws loadtest/plots/admission.svg"]
fn the_courses_of_the_controller_are_drawn() -> Result<(), Box<dyn Error>> {
    let rates: [Line; 3] = [
        ("offered", OFFERED, |point| point.offered),
        ("capacity", CAPACITY, |point| point.capacity),
        ("allowed", ALLOWED, |point| point.allowed),
    ];
    let delay: [Line; 1] = [("delay", DELAY, |point| point.delay * 1e3)];
    let courses = Course::all();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest/plots/admission.svg");
    let rows = u32::try_from(courses.len())?;
    let whole = SVGBackend::new(&file, (WIDTH, rows * HEIGHT)).into_drawing_area();
    whole.fill(&WHITE)?;
    for (area, course) in whole.split_evenly((courses.len(), 1)).into_iter().zip(&courses) {
        let (left, right) = area.split_horizontally(WIDTH * 3 / 5);
        draw(&left, &format!("{}: people a second", course.name), course, &rates)?;
        draw(&right, "delay of a submission, ms", course, &delay)?;
    }
    whole.present()?;
    Ok(())
}
