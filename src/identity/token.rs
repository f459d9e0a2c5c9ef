//! Identity tokens: JSON Web Tokens (RFC 7519) with the claims of SPID and CIE over `OpenID` Connect.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use serde::{Deserialize, Serialize};

use super::{Assurance, Identity, Office};
use crate::civic::FiscalCode;

/// Clock skew allowed between the issuer and this server.
const LEEWAY_SECONDS: i64 = 60;
/// A longer token is refused without being parsed, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Default of the longest accepted lifetime of a token, from `iat` to `exp`.
pub const LIFETIME_SECONDS_MAX: u32 = 24 * 60 * 60;

/// The claims that are checked; a token may hold others.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    /// Read by [`Validation`] alone, which takes one audience or a list.
    #[serde(skip_deserializing)]
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
    pub(super) office: Option<Office>,
}

/// Why an identity token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is malformed, lasts too long, is not signed by the trusted issuer, or is meant for another audience.
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
    lifetime_seconds_max: u32,
}

impl Verifier {
    /// Trusts `issuer` with this Ed25519 public key (32 bytes), for tokens meant for `audience` that last
    /// [`LIFETIME_SECONDS_MAX`] at most.
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
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { key, validation, lifetime_seconds_max: LIFETIME_SECONDS_MAX }
    }

    /// Sets the longest accepted lifetime of a token, from `iat` to `exp`.
    #[must_use]
    pub fn lasting_at_most(self, lifetime_seconds_max: u32) -> Self {
        Self { lifetime_seconds_max, ..self }
    }

    /// The identity that a token proves at `real_now`.
    ///
    /// # Errors
    /// [`TokenFault`]; the person has to log in again with their identity provider.
    pub fn verify(&self, token: &str, real_now: Timestamp) -> Result<Identity, TokenFault> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenFault::Untrusted);
        }
        let TokenData { header, claims } =
            jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
                .map_err(|_| TokenFault::Untrusted)?;
        // No extension is supported, so none can be critical (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(TokenFault::Untrusted);
        }
        let lifetime = claims.exp.saturating_sub(claims.iat);
        if !(0..=i64::from(self.lifetime_seconds_max)).contains(&lifetime) {
            return Err(TokenFault::Untrusted);
        }
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
        let valid_until = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
        Ok(Identity { fiscal_code, office: claims.office, valid_until })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_726_500_600;
    const DAY: i64 = 24 * 60 * 60;

    fn claims() -> Value {
        json!({
            "iss": "urn:example:issuer",
            "aud": "sportello",
            "iat": NOW,
            "exp": NOW + 300,
            "acr": "https://www.spid.gov.it/SpidL2",
            "https://attributes.eid.gov.it/fiscal_number": "TINIT-RSSMRA80A01H501U",
        })
    }

    /// Verifies a token that the trusted issuer signed.
    fn verify(header: &Value, claims: &Value) -> Result<Identity, TokenFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
        Verifier::trusting("urn:example:issuer", "sportello", pair.public_key().as_ref())
            .verify(&format!("{signed}.{signature}"), Timestamp::from_second(NOW).unwrap())
    }

    /// What becomes of a token with some claims changed; a null removes one.
    fn with(changes: &Value) -> Result<Identity, TokenFault> {
        let mut claims = claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        verify(&json!({ "alg": "EdDSA" }), &claims)
    }

    #[test]
    fn an_office_is_a_short_word_that_cannot_forge_a_line() {
        for good in ["patronato-1", "INPS.it_7", "7", &"x".repeat(64)] {
            let identity = with(&json!({ "office": good })).unwrap();
            assert_eq!(identity.office.unwrap().as_str(), good);
        }
        assert!(with(&json!({})).unwrap().office.is_none());
        let long = "x".repeat(65);
        let forged = "p\n2024-09-16T17:30:00+02:00  application-shown  by RSSMRA80A01H501U";
        for bad in ["", " ", "a b", "a\n", "a\u{1b}[2J", "a/b", "città", forged, &long] {
            let refused = with(&json!({ "office": bad })).unwrap_err();
            assert_eq!(refused, TokenFault::Untrusted, "{bad:?}");
        }
        for bad in [json!(7), json!(["patronato-1"]), json!(true)] {
            assert_eq!(with(&json!({ "office": bad })).unwrap_err(), TokenFault::Untrusted);
        }
    }

    #[test]
    fn a_header_with_critical_extensions_is_refused() {
        for header in [
            json!({ "alg": "EdDSA", "crit": ["exp"], "exp": NOW + 300 }),
            json!({ "alg": "EdDSA", "crit": ["b64"], "b64": true }),
            json!({ "alg": "EdDSA", "crit": [] }),
            json!({ "alg": "EdDSA", "crit": "exp" }),
        ] {
            assert_eq!(verify(&header, &claims()).unwrap_err(), TokenFault::Untrusted, "{header}");
        }
        assert!(verify(&json!({ "alg": "EdDSA", "kid": "1", "typ": "JWT" }), &claims()).is_ok());
    }

    #[test]
    fn an_audience_names_us_alone_or_among_others() {
        for good in [json!("sportello"), json!(["sportello"]), json!(["other", "sportello"])] {
            assert!(with(&json!({ "aud": good })).is_ok(), "{good}");
        }
        for bad in [
            Value::Null,
            json!("other"),
            json!([]),
            json!(["other"]),
            json!(["other", ["sportello"]]),
            json!({ "sportello": "sportello" }),
            json!(7),
        ] {
            let refused = with(&json!({ "aud": bad })).unwrap_err();
            assert_eq!(refused, TokenFault::Untrusted, "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_one_and_the_trusted_one() {
        let both = json!(["urn:example:issuer", "other"]);
        for bad in [Value::Null, json!("other"), json!(["urn:example:issuer"]), both] {
            let refused = with(&json!({ "iss": bad })).unwrap_err();
            assert_eq!(refused, TokenFault::Untrusted, "{bad}");
        }
    }

    #[test]
    fn times_allow_a_minute_of_skew() {
        for good in [
            json!({ "exp": NOW - 59, "iat": NOW - 600 }),
            json!({ "iat": NOW + 60 }),
            json!({ "nbf": NOW + 60 }),
            json!({ "nbf": NOW - DAY }),
        ] {
            assert!(with(&good).is_ok(), "{good}");
        }
        for late_or_early in [
            json!({ "exp": NOW - 60, "iat": NOW - 600 }),
            json!({ "iat": NOW + 61 }),
            json!({ "nbf": NOW + 61 }),
            json!({ "iat": NOW + 61, "nbf": NOW }),
        ] {
            let refused = with(&late_or_early).unwrap_err();
            assert_eq!(refused, TokenFault::Expired, "{late_or_early}");
        }
        for bad in [
            json!({ "exp": null }),
            json!({ "iat": null }),
            json!({ "exp": (NOW + 300).to_string() }),
            json!({ "nbf": "now" }),
            json!({ "exp": 1e300 }),
        ] {
            assert_eq!(with(&bad).unwrap_err(), TokenFault::Untrusted, "{bad}");
        }
    }

    #[test]
    fn a_lifetime_has_a_bound() {
        assert!(with(&json!({ "exp": NOW + DAY })).is_ok());
        assert!(with(&json!({ "iat": NOW - DAY, "exp": NOW })).is_ok());
        for bad in [
            json!({ "exp": NOW + DAY + 1 }),
            json!({ "iat": NOW - DAY, "exp": NOW + 1 }),
            json!({ "iat": 0 }),
            json!({ "exp": i64::MAX }),
            json!({ "iat": i64::MIN, "exp": i64::MAX }),
            json!({ "iat": NOW + 1, "exp": NOW }),
        ] {
            assert_eq!(with(&bad).unwrap_err(), TokenFault::Untrusted, "{bad}");
        }
    }

    #[test]
    fn a_token_has_a_bound() {
        assert!(with(&json!({ "name": "x".repeat(4096) })).is_ok());
        let refused = with(&json!({ "name": "x".repeat(TOKEN_BYTES_MAX) })).unwrap_err();
        assert_eq!(refused, TokenFault::Untrusted);
    }
}
