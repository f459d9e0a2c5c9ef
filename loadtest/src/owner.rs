//! The owner check: does a reply belong to the person who sent the request?
//!
//! Written from the contract alone, without any of the server's code, so that it cannot share a mistake with it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{StatusCode, header::HeaderValue};
use serde::Serialize;
use serde_json::Value;

/// The person whom all replies to a session must belong to.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The person's fiscal code.
    pub code: String,
    /// The `Subject-Tag` issued at login.
    pub subject_tag: HeaderValue,
}

/// A reply that belongs to another person than its request, or to nobody where the contract promises an owner.
///
/// Holds only masks and tags, no digest and no path, because reports are passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Crossover {
    /// The step of the visit.
    pub step: &'static str,
    /// What differed.
    pub what: &'static str,
    /// The value of the person who sent the request.
    pub expected: String,
    /// The value in the reply.
    pub found: String,
}

/// The public mask of a fiscal code, as in `RSS***********1U`.
///
/// Anything but 16 ASCII characters is masked completely.
#[must_use]
pub fn mask(code: &str) -> String {
    match (code.get(..3), code.get(14..)) {
        (Some(head), Some(tail)) if code.is_ascii() && code.len() == 16 => {
            format!("{head}***********{tail}")
        }
        _ => "*".repeat(16),
    }
}

/// What the addresses end with that people type into the pages, so that each on a page is known to be one of them.
const EMAIL_HOST: &str = "@surge.example";

/// The address that the person with fiscal code `code` types.
#[must_use]
pub fn email(code: &str) -> String {
    code.to_ascii_lowercase() + EMAIL_HOST
}

/// Checks that the subject of a new session is the mask of the fiscal code that logged in.
///
/// # Errors
///
/// The crossover, when the session belongs to somebody else.
pub fn check_login(code: &str, subject: &str) -> Result<(), Crossover> {
    let expected = mask(code);
    if subject == expected {
        return Ok(());
    }
    // An unmasked subject would be personal data of somebody else, so mask it here.
    let found = if subject.contains('*') { subject.to_owned() } else { mask(subject) };
    Err(Crossover { step: "enter", what: "masked subject", expected, found })
}

/// Checks that the `digest` of a receipt is that of the application `sent`: a reply that a cache kept from an earlier
/// request has another.
///
/// # Errors
///
/// The crossover, when the receipt is for other bytes, or names no digest.
pub fn check_digest(step: &'static str, sent: &[u8], found: Option<&str>) -> Result<(), Crossover> {
    let own = digest(&SHA256, sent);
    let of_sent = |found: &str| {
        let found = found.strip_prefix("sha-256=:")?.strip_suffix(':')?;
        Some(STANDARD.decode(found).ok()? == own.as_ref())
    };
    let found = match found {
        Some(found) if of_sent(found) == Some(true) => return Ok(()),
        Some(_) => "another digest",
        None => "none",
    };
    let expected = "the digest of the application sent".to_owned();
    Err(Crossover { step, what: "digest", expected, found: found.to_owned() })
}

/// Checks that the `Location` of a receipt is the path `own`, below the session's own.
///
/// # Errors
///
/// The crossover, when it is another path.
pub fn check_location(own: &str, found: &str) -> Result<(), Crossover> {
    if found == own {
        return Ok(());
    }
    let (expected, found) = ("a path of its own".to_owned(), "another path".to_owned());
    Err(Crossover { step: "submit", what: "Location", expected, found })
}

impl Owner {
    /// Checks the `Subject-Tag` of a reply within the session.
    ///
    /// A refusal may be sent before the session is looked up, and the reply to leaving after the session was deleted:
    /// both may lack the tag. A success with content may not.
    ///
    /// # Errors
    ///
    /// The crossover, when the tag is another person's, or missing on a success with content.
    pub fn check_tag(
        &self,
        step: &'static str,
        status: StatusCode,
        tag: Option<&HeaderValue>,
    ) -> Result<(), Crossover> {
        let found = match tag {
            Some(tag) if *tag == self.subject_tag => return Ok(()),
            None if !status.is_success() || status == StatusCode::NO_CONTENT => return Ok(()),
            Some(tag) => String::from_utf8_lossy(tag.as_bytes()).into_owned(),
            None => "none".to_owned(),
        };
        let expected = String::from_utf8_lossy(self.subject_tag.as_bytes()).into_owned();
        Err(Crossover { step, what: "Subject-Tag", expected, found })
    }

    /// Checks that every fiscal code in an application is this person's.
    ///
    /// # Errors
    ///
    /// The crossover, when a `fiscalCode` is another person's, or there is none.
    pub fn check_application(&self, application: &Value) -> Result<(), Crossover> {
        let mut codes = Vec::new();
        collect_codes(application, &mut codes);
        let found = match codes.iter().find(|code| **code != self.code) {
            None if !codes.is_empty() => return Ok(()),
            None => "none".to_owned(),
            Some(other) => mask(other),
        };
        Err(Crossover { step: "read", what: "fiscalCode", expected: mask(&self.code), found })
    }
}

/// What a page must show of its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Nothing but the way on.
    Nothing,
    /// The masked fiscal code.
    Mask,
    /// The fiscal code and what the person has entered.
    Answers,
    /// What the person has entered.
    Entered,
}

/// A page of one visit, as far as the owner check reads it.
pub struct PageShown<'p> {
    /// The step of the visit.
    pub step: &'static str,
    /// The beginning of every path of the visit: `/visit/{visit}/`.
    pub visit: &'p str,
    /// The paths that the page leads to.
    pub paths: &'p [&'p str],
    /// What somebody reads on it.
    pub text: &'p str,
}

impl Owner {
    /// Checks that a page is this person's and nobody else's: it leads to pages of their visit alone, names no other
    /// person, and shows what it must. The visit is unguessable, so that it stands for its person.
    ///
    /// # Errors
    ///
    /// The crossover.
    pub fn check_page(&self, page: &PageShown<'_>, shows: Shows) -> Result<(), Crossover> {
        let crossover = |what, expected: String, found: String| {
            Err(Crossover { step: page.step, what, expected, found })
        };
        let mut visits = page.paths.iter().filter(|path| path.starts_with("/visit/")).peekable();
        let is_own = visits.peek().is_some() && visits.all(|path| path.starts_with(page.visit));
        if !is_own {
            let (expected, found) = ("paths of its own visit", "another visit, or none");
            return crossover("visit", expected.to_owned(), found.to_owned());
        }
        let (own_mask, own_email) = (mask(&self.code), email(&self.code));
        let (mut masks, mut codes, mut emails) = (false, false, false);
        for word in
            page.text.split(|letter: char| letter.is_whitespace() || ",;()<>".contains(letter))
        {
            let word = word.trim_matches(|letter| ".:\"'".contains(letter));
            if word == own_mask {
                masks = true;
            } else if word == self.code {
                codes = true;
            } else if word == own_email {
                emails = true;
            } else if is_code_or_mask(word) {
                let found = if word.contains('*') { word.to_owned() } else { mask(word) };
                return crossover("fiscalCode", own_mask, found);
            } else if word.ends_with(EMAIL_HOST) {
                let found = "that of another person".to_owned();
                return crossover("e-mail", "an address of its own".to_owned(), found);
            }
        }
        let has_all = match shows {
            Shows::Nothing => true,
            Shows::Mask => masks,
            Shows::Answers => codes && emails,
            Shows::Entered => emails,
        };
        if has_all { Ok(()) } else { crossover("page", own_mask, "none of its person".to_owned()) }
    }
}

/// Whether a word has the form of a fiscal code or of its mask.
fn is_code_or_mask(word: &str) -> bool {
    let bytes = word.as_bytes();
    if bytes.len() != 16 || !bytes[..3].iter().all(u8::is_ascii_uppercase) {
        return false;
    }
    let is_mask = bytes[3..14].iter().all(|byte| *byte == b'*');
    let is_code = bytes[3..6].iter().all(u8::is_ascii_uppercase)
        && bytes[6..].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[6..].iter().any(u8::is_ascii_digit);
    is_mask || is_code
}

fn collect_codes<'v>(value: &'v Value, codes: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(code) if name == "fiscalCode" => codes.push(code),
                    _ => collect_codes(member, codes),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_codes(item, codes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use hyper::{StatusCode, header::HeaderValue};
    use serde_json::json;

    use super::{Owner, check_digest, check_location, check_login, mask};

    const MARIO: &str = "RSSMRA80A01H501U";
    const MARIA: &str = "RSSMRA80A41H501Y";

    fn mario() -> Owner {
        Owner { code: MARIO.to_owned(), subject_tag: HeaderValue::from_static("tag-1") }
    }

    #[test]
    fn the_mask_is_the_contract_s() {
        assert_eq!(mask(MARIO), "RSS***********1U");
        assert_eq!(mask("short"), "****************");
    }

    #[test]
    fn a_session_of_somebody_else_is_a_crossover_without_their_code() {
        assert!(check_login(MARIO, "RSS***********1U").is_ok());
        let crossover = check_login(MARIO, MARIA).expect_err("it is Maria's");
        assert_eq!(crossover.found, "RSS***********1Y");
    }

    #[test]
    fn another_tag_is_a_crossover_on_any_reply_and_a_missing_one_on_success() {
        let (ok, busy) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
        let (own, other) = (HeaderValue::from_static("tag-1"), HeaderValue::from_static("tag-2"));
        assert!(mario().check_tag("read", ok, Some(&own)).is_ok());
        assert!(mario().check_tag("read", busy, None).is_ok());
        assert!(mario().check_tag("leave", StatusCode::NO_CONTENT, None).is_ok());
        assert!(mario().check_tag("read", ok, None).is_err());
        assert!(mario().check_tag("read", busy, Some(&other)).is_err());
    }

    #[test]
    fn a_receipt_for_other_bytes_or_at_another_path_is_a_crossover() {
        // printf abc | openssl dgst -sha256 -binary | base64
        let abc = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";
        let check = |sent, found| check_digest("submit", sent, found);
        assert!(check(b"abc", Some(abc)).is_ok());
        assert!(check(b"abd", Some(abc)).is_err());
        assert!(check(b"abc", None).is_err());
        assert!(check(b"abc", Some(&abc[8..])).is_err());
        assert!(
            check_location("/v1/sessions/A/applications/R", "/v1/sessions/A/applications/R")
                .is_ok()
        );
        assert!(
            check_location("/v1/sessions/A/applications/R", "/v1/sessions/B/applications/R")
                .is_err()
        );
    }

    #[test]
    fn one_foreign_code_anywhere_is_a_crossover() {
        let own = json!({"application": {"applicant": {"fiscalCode": MARIO}}, "state": "decided"});
        assert!(mario().check_application(&own).is_ok());
        let mixed = json!({"applicant": {"fiscalCode": MARIO}, "also": [{"fiscalCode": MARIA}]});
        let crossover = mario().check_application(&mixed).expect_err("Maria is in it");
        assert_eq!(crossover.found, "RSS***********1Y");
        assert!(mario().check_application(&json!({"state": "decided"})).is_err());
    }
}
