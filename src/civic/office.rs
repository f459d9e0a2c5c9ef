//! Names of intermediaries' offices.

use serde::{Deserialize, Serialize};

/// Characters of the longest name of an office.
const OFFICE_CHARS_MAX: usize = 64;

/// The name of an intermediary's office: 1 to 64 ASCII letters, digits, `-`, `_` and `.`, so that it is one word in every
/// output. Whether there is such an office is not checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Office(String);

/// A text is not the name of an office. Never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of an office has 1 to {OFFICE_CHARS_MAX} letters (a-z, A-Z), digits, '-', '_' or '.'"
)]
pub struct OfficeFault;

impl Office {
    /// Parses the name of an office.
    ///
    /// # Errors
    /// [`OfficeFault`].
    pub fn parse(text: &str) -> Result<Self, OfficeFault> {
        text.to_owned().try_into()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Office {
    type Error = OfficeFault;

    fn try_from(name: String) -> Result<Self, OfficeFault> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_good = (1..=OFFICE_CHARS_MAX).contains(&name.len()) && name.bytes().all(fits);
        is_good.then_some(Self(name)).ok_or(OfficeFault)
    }
}
