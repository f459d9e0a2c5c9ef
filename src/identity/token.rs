//! Identity tokens: JSON Web Tokens (RFC 7519) with the claims of SPID and CIE over `OpenID` Connect.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};

use super::{Assurance, Identity};
use crate::civic::FiscalCode;

/// Clock skew allowed between the issuer and this server.
const LEEWAY_SECONDS: i64 = 60;
/// A longer token is refused without being parsed, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The claims that are checked; a token may hold others.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<i64>,
    pub(super) acr: String,
    #[serde(rename = "https://attributes.eid.gov.it/fiscal_number")]
    pub(super) fiscal_number: String,
    /// The office of an intermediary; absent for a citizen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) office: Option<String>,
}

/// Why an identity token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is malformed, or not signed by the trusted issuer, or meant for another audience.
    #[error("the identity token is not valid")]
    Untrusted,
    /// It has expired, or is not valid yet.
    #[error("the identity token has expired or is not valid yet")]
    Expired,
    /// Its assurance level is below [`Assurance::REQUIRED`].
    #[error("the identity token's assurance level is too low")]
    AssuranceTooLow,
}

/// Verifies tokens of one issuer.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// Trusts `issuer` with this Ed25519 public key (32 bytes), for tokens meant for `audience`.
    #[must_use]
    pub fn trusting(issuer: &str, audience: &str, public_key: &[u8]) -> Self {
        Self::with_key(issuer, audience, DecodingKey::from_ed_der(public_key))
    }

    /// The same with the key in PEM format.
    ///
    /// # Errors
    /// The key is not an Ed25519 public key in PEM format.
    pub fn from_pem(
        issuer: &str,
        audience: &str,
        pem: &[u8],
    ) -> Result<Self, jsonwebtoken::errors::Error> {
        Ok(Self::with_key(issuer, audience, DecodingKey::from_ed_pem(pem)?))
    }

    fn with_key(issuer: &str, audience: &str, key: DecodingKey) -> Self {
        // The algorithm is pinned, so that a token cannot choose its own. Times are checked in `verify`, against
        // `real_now`.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { key, validation }
    }

    /// The identity that a token proves at `real_now`.
    ///
    /// # Errors
    /// [`TokenFault`]; the person has to log in again with their identity provider.
    pub fn verify(&self, token: &str, real_now: Timestamp) -> Result<Identity, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Untrusted);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|fault| match fault.kind() {
                ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => TokenFault::Expired,
                _ => TokenFault::Untrusted,
            })?
            .claims;
        let now = real_now.as_second();
        let starts = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        let ends = claims.exp.saturating_add(LEEWAY_SECONDS);
        if now >= ends || now < starts.saturating_sub(LEEWAY_SECONDS) {
            return Err(TokenFault::Expired);
        }
        let code = claims.fiscal_number.strip_prefix("TINIT-").ok_or(TokenFault::Untrusted)?;
        let fiscal_code = FiscalCode::parse(code).map_err(|_| TokenFault::Untrusted)?;
        let assurance = Assurance::parse(&claims.acr).ok_or(TokenFault::AssuranceTooLow)?;
        if assurance < Assurance::REQUIRED {
            return Err(TokenFault::AssuranceTooLow);
        }
        if claims.office.as_ref().is_some_and(|office| office.trim().is_empty()) {
            return Err(TokenFault::Untrusted);
        }
        let valid_until = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
        Ok(Identity { fiscal_code, office: claims.office, valid_until })
    }
}
