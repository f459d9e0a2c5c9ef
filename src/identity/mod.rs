//! Verified identities: who a person is, as proved by a token that a trusted issuer signed.

pub mod demo;
pub mod token;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::civic::FiscalCode;

/// The two groups of people that the counter serves, each in its own time slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// People who apply for themselves.
    Citizens,
    /// *Patronati* and other authorised offices that apply for people under a mandate.
    Intermediaries,
}

impl Audience {
    /// Every audience.
    pub const ALL: [Self; 2] = [Self::Citizens, Self::Intermediaries];

    /// The audience's name in answers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Citizens => "citizens",
            Self::Intermediaries => "intermediaries",
        }
    }
}

/// Assurance level of an identity, as SPID defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// A password.
    Level1,
    /// A password and a second factor: the lowest level accepted here.
    Level2,
    /// A second factor held in hardware.
    Level3,
}

impl Assurance {
    /// The lowest level that may enter.
    pub const REQUIRED: Self = Self::Level2;

    /// Reads an `acr` claim such as `https://www.spid.gov.it/SpidL2`, or its last part alone.
    #[must_use]
    pub fn parse(acr: &str) -> Option<Self> {
        match acr.strip_prefix("https://www.spid.gov.it/").unwrap_or(acr) {
            "SpidL1" | "1" => Some(Self::Level1),
            "SpidL2" | "2" => Some(Self::Level2),
            "SpidL3" | "3" => Some(Self::Level3),
            _ => None,
        }
    }

    /// The `acr` claim of this level.
    #[must_use]
    pub fn acr(self) -> &'static str {
        match self {
            Self::Level1 => "https://www.spid.gov.it/SpidL1",
            Self::Level2 => "https://www.spid.gov.it/SpidL2",
            Self::Level3 => "https://www.spid.gov.it/SpidL3",
        }
    }
}

/// Characters of the longest name of an office.
const OFFICE_CHARS_MAX: usize = 64;

/// The name of an intermediary's office: 1 to 64 ASCII letters, digits, `-`, `_` and `.`, so that it is one word in every
/// output. Whether there is such an office is not checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A verified identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The person's fiscal code.
    pub fiscal_code: FiscalCode,
    /// The office of an intermediary that they work for; none for a citizen.
    pub office: Option<Office>,
    /// The instant from which it must be proved again, in real time.
    pub valid_until: Timestamp,
}

impl Identity {
    /// Whether the person acts for themselves or for an office.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match self.office {
            Some(_) => Audience::Intermediaries,
            None => Audience::Citizens,
        }
    }
}
