//! Who sends the requests of a volley, and the application that they send.

use std::{fs, path::Path};

use hyper::header::{HeaderName, HeaderValue};

use crate::identity::Identity;

/// Placeholder in a template for the person's fiscal code.
pub(super) const PERSON: &str = "PERSON";
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The same for all: keys are scoped by person, and each person applies once.
pub(super) const FIRST_KEY: HeaderValue = HeaderValue::from_static("1");

/// A person and the name of a visit of theirs.
pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) visit: String,
}

impl Person {
    /// The person of a line `code<TAB>token<TAB>visit`, or `None` for any other line.
    fn of_line(line: &str, number: u64) -> Option<Self> {
        let (person, visit) = line.trim_end().rsplit_once('\t')?;
        Some(Self { identity: Identity::of_line(person, number)?, visit: visit.to_owned() })
    }
}

/// The people in a file with lines of `code<TAB>token<TAB>visit`.
pub(super) fn persons(path: &Path) -> Result<Vec<Person>, String> {
    let text = read(path)?;
    let persons = text.lines().zip(1_u64..).map(|(line, number)| {
        Person::of_line(line, number).ok_or_else(|| {
            format!(
                "{}, line {number}: allowed is a fiscal code, a TAB, a token, a TAB and the visit",
                path.display()
            )
        })
    });
    persons.collect()
}

/// An application with [`PERSON`] in place of the fiscal code.
pub(super) fn template(path: &Path) -> Result<String, String> {
    let body = read(path)?;
    if body.contains(PERSON) {
        return Ok(body);
    }
    let path = path.display();
    Err(format!("{path} holds no {PERSON}: put it in place of the fiscal code"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
