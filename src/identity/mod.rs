//! Verified identities: who a person is, as proved by a token that a trusted issuer signed.

pub mod algorithm;
pub mod canary;
pub mod certificate;
pub mod choice;
mod claims;
mod condition;
pub mod demo;
pub mod demo_cards;
pub mod fetch;
pub mod issuer;
pub mod jwks;
pub mod key_fetcher;
pub mod openid;
#[cfg(test)]
mod provider;
pub mod remote_keys;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
pub mod token;
mod unique_json;

use jiff::Timestamp;

use crate::civic::FiscalCode;
pub use crate::civic::{Office, OfficeFault, ProvedBy};

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

/// A verified identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The person's fiscal code.
    pub fiscal_code: FiscalCode,
    /// The office of an intermediary that they work for; none for a citizen.
    pub office: Option<Office>,
    /// What proved it.
    pub proved_by: ProvedBy,
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
