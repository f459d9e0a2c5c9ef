//! What a client accepts: `Accept` and `Accept-Encoding` (RFC 9110, 12.5).

use hyper::header::{ACCEPT, HeaderMap, HeaderName};

/// Whether `Accept` names HTML, as browsers do and programs that accept anything do not.
pub(super) fn names_html(headers: &HeaderMap) -> bool {
    weight_of(headers, &ACCEPT, &["text/html"]).is_some_and(|weight| weight > 0.0)
}

/// The weight that a field gives to the first item with one of these names.
pub(super) fn weight_of(headers: &HeaderMap, field: &HeaderName, names: &[&str]) -> Option<f32> {
    let fields = headers.get_all(field).iter().filter_map(|field| field.to_str().ok());
    let is_one = |name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let mut items = fields.flat_map(|field| field.split(',')).map(item);
    items.find_map(|(name, weight)| is_one(name).then_some(weight))
}

/// The name of an item and its weight; a weight that is not a number counts as 0. Other parameters are ignored.
fn item(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_name_html_and_programs_do_not() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, TEXT/HTML; charset=utf-8; q=0.1", true),
            ("*/*", false),
            ("text/*", false),
            ("application/json", false),
            ("text/html;q=0, */*", false),
            ("text/html;q=much", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(names_html(&headers), expected, "{accept}");
        }
        assert!(!names_html(&HeaderMap::new()));
    }
}
