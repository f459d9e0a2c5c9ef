//! What an identity token says (RFC 7519), as it is read and as the issuers of this program write it.

use serde::{Deserialize, Serialize};

use super::Office;

/// The claims that are checked; a token may hold others.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: Audiences,
    pub(super) iat: i64,
    pub(super) exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<i64>,
    pub(super) acr: String,
    #[serde(rename = "https://attributes.eid.gov.it/fiscal_number")]
    pub(super) fiscal_number: String,
    /// The office of an intermediary; absent for a citizen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) office: Option<Office>,
}

/// Whom a token is meant for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Audiences {
    pub(super) fn include(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}
