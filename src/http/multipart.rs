//! `multipart/form-data` (RFC 7578), as browsers post forms with a file: the parts of a body that is in memory.
//!
//! Written here because a browser reads no answer before it has sent everything, so the body is in memory anyway, and the
//! parsers there are stream and decode character sets: ten more crates for a file and two fields.

use bytes::Bytes;
use memchr::memmem;

/// Parts of one form; ours have at most three.
const PARTS_MAX: usize = 8;
/// Bytes of a part's head: the name of a file has at most 255.
const HEAD_BYTES_MAX: usize = 2048;
/// Characters of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY_CHARS_MAX: usize = 70;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The name of its file, if it is one.
    pub file_name: Option<String>,
    /// Its content, which is not copied.
    pub content: Bytes,
}

/// The boundary that a `Content-Type` names; `None` if it is not that of a form with a file.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|one| one.trim().split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let is_boundary = (1..=BOUNDARY_CHARS_MAX).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    is_boundary.then_some(value)
}

/// The parts of a body; `None` if it is not what a browser sends.
///
/// ```
/// use bytes::Bytes;
/// use sportello::http::multipart::{boundary, parts};
///
/// let boundary = boundary("multipart/form-data; boundary=x").unwrap();
/// let body = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
/// let found = parts(boundary, &Bytes::from_static(body)).unwrap();
/// assert_eq!((&*found[0].name, &*found[0].content), ("a", &b"1"[..]));
/// ```
#[must_use]
pub fn parts(boundary: &str, body: &Bytes) -> Option<Vec<Part>> {
    let first = format!("--{boundary}");
    let between = format!("\r\n{first}");
    let mut parts = Vec::new();
    let mut rest = body.strip_prefix(first.as_bytes())?;
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = memmem::find(rest, between.as_bytes())?;
        if parts.len() == PARTS_MAX {
            return None;
        }
        parts.push(part(body, &rest[..end])?);
        rest = &rest[end + between.len()..];
    }
}

fn part(body: &Bytes, part: &[u8]) -> Option<Part> {
    const BLANK: &[u8] = b"\r\n\r\n";
    let head = memmem::find(&part[..part.len().min(HEAD_BYTES_MAX)], BLANK)?;
    let content = body.slice_ref(&part[head + BLANK.len()..]);
    let head = std::str::from_utf8(&part[..head]).ok()?;
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, disposition) =
        fields.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let mut rest = disposition.trim_start().strip_prefix("form-data")?;
    let (mut name, mut file_name) = (None, None);
    // Browsers quote every value, and have no quotation mark in it.
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        let (key, quoted) = parameter.trim_start().split_once("=\"")?;
        let (value, after) = quoted.split_once('"')?;
        match key {
            "name" => name = Some(value.to_owned()),
            "filename" => file_name = Some(value.to_owned()),
            _ => {}
        }
        rest = after;
    }
    Some(Part { name: name?, file_name, content })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_read_as_chromium_and_firefox_send_it() {
        let kind = "multipart/form-data; boundary=----WebKitFormBoundaryx7";
        let boundary = boundary(kind).unwrap();
        let body = "------WebKitFormBoundaryx7\r\n\
            Content-Disposition: form-data; name=\"form\"\r\n\r\ntoken\r\n\
            ------WebKitFormBoundaryx7\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\perch%22\u{e9};.csv\"\r\n\
            Content-Type: text/csv\r\n\r\na;b\r\n--\r\n\r\n\
            ------WebKitFormBoundaryx7--\r\n";
        let found = parts(boundary, &Bytes::from_static(body.as_bytes())).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|part| (&*part.name, part.file_name.as_deref(), &*part.content))
            .collect();
        assert_eq!(
            found,
            [
                ("form", None, &b"token"[..]),
                ("file", Some("C:\\dir\\perch%22\u{e9};.csv"), b"a;b\r\n--\r\n"),
            ]
        );
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for kind in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=x",
            "application/x-www-form-urlencoded; boundary=x",
            &format!("multipart/form-data; boundary={}", "x".repeat(BOUNDARY_CHARS_MAX + 1)),
        ] {
            assert_eq!(boundary(kind), None, "{kind}");
        }
        let head = "--x\r\nContent-Disposition: form-data; name=\"a\"";
        for body in [
            "",
            "--x",
            "--y--",
            "--x\r\n\r\n1\r\n--x--",
            "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
            &format!("{head}\r\n\r\n1"),
            &format!("{head}\r\n\r\n1\r\n--x"),
            &format!("{head}; filename=\"{}\"\r\n\r\n1\r\n--x--", "n".repeat(HEAD_BYTES_MAX)),
            &(format!("{head}\r\n\r\n1\r\n").repeat(PARTS_MAX + 1) + "--x--"),
        ] {
            assert_eq!(parts("x", &Bytes::copy_from_slice(body.as_bytes())), None, "{body}");
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_content_comes_out_as_it_went_in(contents in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..60), 0..PARTS_MAX)) {
            let mut body = Vec::new();
            for (place, content) in contents.iter().enumerate() {
                let head = format!("--2v9\r\nContent-Disposition: form-data; name=\"n{place}\"\r\n\r\n");
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--2v9--\r\n");
            let found = parts("2v9", &Bytes::from(body)).unwrap();
            prop_assert_eq!(found.len(), contents.len());
            for (part, content) in found.iter().zip(&contents) {
                prop_assert_eq!(&*part.content, &content[..]);
            }
        }

        #[test]
        fn any_bytes_are_parts_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..99)) {
            let body = [b"--x\r\nContent-Disposition: form-data; ", &bytes[..]].concat();
            for part in parts("x", &Bytes::from(body)).into_iter().flatten() {
                prop_assert!(part.content.len() <= bytes.len());
            }
        }
    }
}
