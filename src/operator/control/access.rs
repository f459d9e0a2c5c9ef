//! Who may use control: the holder of the token in the data directory, and no page of another site.
//!
//! A page in an operator's browser could reach this listener although it belongs to another site, by a request across
//! sites or by a name of its own that it lets point to this machine (DNS rebinding). Against the first there are the
//! fields that browsers add and no page can change, against the second the name in `Host`. Neither knows the token.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{
    HeaderMap, Request, StatusCode,
    header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
};

use super::{super::host::is_named, problem::Problem};
use crate::{
    private_files::{is_exposed, sync_name, write_private},
    vault::fill_random,
};

/// Bytes of the token.
const TOKEN_BYTES: usize = 32;
/// Longest name of an operator, characters.
const OPERATOR_CHARS_MAX: usize = 64;
/// How a browser says from where a request comes.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Who acts, for the audit trail.
const OPERATOR: HeaderName = HeaderName::from_static("sportello-operator");

/// The file of the token in the data directory.
#[must_use]
pub fn token_in(data: &Path) -> PathBuf {
    data.join("control.token")
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// Its file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not one that was made here.
    #[error("it does not hold the token of control: remove it, and the next start makes a new one")]
    NotOurs,
    /// Others may use the file.
    #[error("other users may read it: remove it, and the next start makes a new token")]
    Exposed,
}

/// The secret that opens control.
pub(super) struct Token([u8; TOKEN_BYTES]);

impl Token {
    /// Reads the token, or makes one if there is no file.
    pub(super) fn load_or_create(path: &Path) -> Result<Self, TokenFault> {
        if !path.exists() {
            let mut token = [0; TOKEN_BYTES];
            fill_random(&mut token);
            let text = format!("{}\n", URL_SAFE_NO_PAD.encode(token));
            write_private(path, text.as_bytes())?;
            return Ok(Self(token));
        }
        if is_exposed(path)? {
            return Err(TokenFault::Exposed);
        }
        // The process that made it may have been killed before its name was synced.
        sync_name(path)?;
        let text = fs::read_to_string(path)?;
        let token = URL_SAFE_NO_PAD.decode(text.trim()).map_err(|_| TokenFault::NotOurs)?;
        token.try_into().map(Self).map_err(|_| TokenFault::NotOurs)
    }

    /// Whether a request brings it. The time that this takes says nothing about the token.
    fn is_brought_by(&self, headers: &HeaderMap) -> bool {
        let Some(value) = only(headers, &AUTHORIZATION) else { return false };
        let Some((scheme, token)) = value.split_once(' ') else { return false };
        scheme.eq_ignore_ascii_case("bearer")
            && URL_SAFE_NO_PAD
                .decode(token.trim())
                .is_ok_and(|token| verify_slices_are_equal(&self.0, &token).is_ok())
    }
}

/// Checks that a request does not come from a page of another site, and brings the token.
pub(super) fn check<B>(request: &Request<B>, token: &Token) -> Result<(), Problem> {
    let headers = request.headers();
    let refused =
        |slug, title, detail| Err(Problem::new(StatusCode::FORBIDDEN, slug, title, detail));
    let host = only(headers, &HOST).filter(|_| is_named(request));
    let Some(host) = host else {
        return refused(
            "host-refused",
            "Name of another host",
            "Ask for this listener by localhost or by its loopback address.",
        );
    };
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let is_same_site = sites.all(|site| site == "same-origin" || site == "none");
    let mut origins = headers.get_all(ORIGIN).iter();
    let own = format!("http://{host}");
    let is_same_origin =
        origins.all(|origin| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
    if !(is_same_site && is_same_origin) {
        return refused(
            "cross-site",
            "Request of another site",
            "Control answers no page of another site.",
        );
    }
    if token.is_brought_by(headers) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "No valid token",
        "Send the content of control.token, in the data directory, as Authorization: Bearer TOKEN.",
    ))
}

/// The operator whom a request names.
pub(super) fn operator(headers: &HeaderMap) -> Result<String, Problem> {
    let name = only(headers, &OPERATOR).filter(|name| is_name(name)).map(str::to_owned);
    name.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "operator-missing",
            "Operator not named",
            format!(
                "Say who acts, for the audit trail, in one field Sportello-Operator: 1 to {OPERATOR_CHARS_MAX} letters, digits and any of . _ - @"
            ),
        )
    })
}

/// Whether a text may name an operator.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=OPERATOR_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

/// The value of a field that is there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    first.to_str().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn token() -> (tempfile::TempDir, Token, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = token_in(directory.path());
        let token = Token::load_or_create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap().trim().to_owned();
        (directory, token, text)
    }

    fn status(token: &Token, fields: &[(&str, &str)]) -> u16 {
        let mut request = Request::get("/control");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let checked = check(&request.body(()).unwrap(), token);
        checked.map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    #[test]
    fn the_token_is_made_once_for_its_owner_alone() {
        let (directory, _, text) = token();
        let path = token_in(directory.path());
        assert_eq!(text.len(), 43);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Token::load_or_create(&path).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(again.0), text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Token::load_or_create(&path), Err(TokenFault::Exposed)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for wrong in ["", "short", &"A".repeat(44)] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(Token::load_or_create(&path), Err(TokenFault::NotOurs)), "{wrong}");
        }
    }

    #[test]
    fn only_the_token_opens_control() {
        let (_directory, token, text) = token();
        let with =
            |value: &str| status(&token, &[("host", "localhost:9464"), ("authorization", value)]);
        assert_eq!(with(&format!("Bearer {text}")), 200);
        assert_eq!(with(&format!("bearer {text}")), 200);
        let other = URL_SAFE_NO_PAD.encode([7; TOKEN_BYTES]);
        for wrong in
            ["", "Bearer", "Bearer ", &text, &format!("Basic {text}"), &format!("Bearer {other}")]
        {
            assert_eq!(with(wrong), 401, "{wrong}");
        }
        assert_eq!(with(&format!("Bearer {}", &text[..42])), 401);
        assert_eq!(status(&token, &[("host", "localhost")]), 401);
        let bearer = format!("Bearer {text}");
        let twice =
            [("host", "localhost"), ("authorization", &*bearer), ("authorization", &*bearer)];
        assert_eq!(status(&token, &twice), 401);
    }

    #[test]
    fn neither_another_site_nor_another_name_reaches_control_even_with_the_token() {
        let (_directory, token, text) = token();
        let bearer = format!("Bearer {text}");
        let with = |host: &str, field: Option<(&str, &str)>| {
            let own = [("host", host), ("authorization", &*bearer)];
            status(&token, &own.into_iter().chain(field).collect::<Vec<_>>())
        };
        for host in ["localhost", "LOCALHOST:9464", "127.0.0.1:9464", "127.0.0.2", "[::1]:9464"] {
            assert_eq!(with(host, None), 200, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9464",
            "10.0.0.1",
            "0.0.0.0:9464",
            "me@localhost",
            "localhost@evil.example",
            "[::2]",
        ] {
            assert_eq!(with(host, None), 403, "{host}");
        }
        assert_eq!(status(&token, &[("authorization", &*bearer)]), 403);
        for (name, value, expected) in [
            ("sec-fetch-site", "none", 200),
            ("sec-fetch-site", "same-origin", 200),
            ("sec-fetch-site", "same-site", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("origin", "http://localhost:9464", 200),
            ("origin", "http://localhost:3000", 403),
            ("origin", "https://localhost:9464", 403),
            ("origin", "http://evil.example", 403),
            ("origin", "null", 403),
        ] {
            assert_eq!(with("localhost:9464", Some((name, value))), expected, "{name}: {value}");
        }
    }

    #[test]
    fn an_operator_has_a_name_that_forges_no_line() {
        let long = "a".repeat(OPERATOR_CHARS_MAX);
        for name in ["m.rossi", "Anna_B-2@inps.example", &long] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "a\nb", "è", "a:b", "\u{1b}", &format!("{long}a")] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
