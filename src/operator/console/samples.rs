//! The samples of a metrics page in Prometheus' text format, as this server renders it: without timestamps.

/// One sample: the value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample<'t> {
    /// Name of the series; that of a histogram ends in `_bucket`, `_sum` or `_count`.
    pub(super) name: &'t str,
    labels: &'t str,
    /// Its value.
    pub(super) value: f64,
}

/// The samples of a page; other lines are skipped.
pub(super) fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::of_line)
}

impl<'t> Sample<'t> {
    fn of_line(line: &'t str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Self { name, labels: labels.strip_suffix('}').unwrap_or(labels), value })
    }

    /// The value of a label as it is written, escapes included.
    pub(super) fn label(&self, name: &str) -> Option<&'t str> {
        let mut rest = self.labels;
        loop {
            let (key, value) = rest.split_once("=\"")?;
            let end = end_of_text(value)?;
            if key == name {
                return Some(&value[..end]);
            }
            rest = value[end + 1..].trim_start_matches(',');
        }
    }
}

/// Where the quotation mark is that ends a text.
fn end_of_text(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_with_their_labels_and_nothing_else_is() {
        let page = "# HELP a A text.\n# TYPE a counter\na 5\n\n\
                    b{one=\"x, y\",two=\"a \\\" b\"} 0.25\nb_bucket{le=\"+Inf\"} 7\nbroken\nc{} NaN\n";
        let read: Vec<_> = samples(page).collect();
        let names: Vec<_> = read.iter().map(|sample| sample.name).collect();
        assert_eq!(names, ["a", "b", "b_bucket", "c"]);
        assert_eq!((read[0].value, read[1].value, read[0].label("one")), (5.0, 0.25, None));
        assert_eq!((read[1].label("one"), read[1].label("two")), (Some("x, y"), Some("a \\\" b")));
        assert_eq!((read[1].label("three"), read[2].label("le")), (None, Some("+Inf")));
    }
}
