//! Identity tokens: JSON Web Tokens (RFC 7519) with the claims of SPID and CIE over `OpenID` Connect.
//!
//! What a token says of itself decides only which key it must pass: the issuer that it names, and of that issuer's keys
//! the one that its header names. That key has one algorithm (RFC 8725, section 3.1). Keys and URLs in a header (`jwk`,
//! `jku`, `x5c`, `x5u`) are not read.

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Assurance, Identity, ProvedBy,
    algorithm::Algorithm,
    canary::CanaryIssuer,
    claims::Claims,
    issuer::{Config, Issuer, IssuerFault},
    jwks::{KID_BYTES_MAX, KeySet, Unusable},
    remote_keys::RemoteKeys,
    unique_json,
};
use crate::{civic::FiscalCode, clock::Clock};

/// Clock skew allowed between the issuer and this server.
const LEEWAY_SECONDS: i64 = 60;
/// A longer token is refused without being parsed, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Default of the longest accepted lifetime of a token, from `iat` to `exp`.
pub const LIFETIME_SECONDS_MAX: u32 = 24 * 60 * 60;

/// What is read of a token's header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    /// Extensions that must be understood. None is supported, so none can be critical (RFC 7515, section 4.1.11).
    #[serde(default)]
    crit: Option<serde_json::Value>,
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

/// Verifies tokens of the trusted issuers. Clones share the issuers and their keys.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<[Arc<Issuer>]>,
    lifetime_seconds_max: u32,
    canary: Option<Arc<CanaryIssuer>>,
}

impl Verifier {
    /// Trusts `issuer` with this Ed25519 public key (32 bytes), for tokens meant for `audience` that last
    /// [`LIFETIME_SECONDS_MAX`] at most.
    ///
    /// # Errors
    /// The key is no Ed25519 public key.
    pub fn trusting(issuer: &str, audience: &str, public_key: &[u8]) -> Result<Self, Unusable> {
        Ok(Self::of(vec![Issuer::of_only(issuer, audience, public_key)?]))
    }

    /// Trusts `issuer` with these keys, likewise. Its tokens count as `proved_by`.
    #[must_use]
    pub fn with_keys(issuer: &str, audience: &str, keys: KeySet, proved_by: ProvedBy) -> Self {
        Self::of(vec![Issuer::fixed(issuer, audience, keys, proved_by)])
    }

    /// Trusts the issuers of these settings, each with another name. Keys from URLs are those that the directory `cache`
    /// holds, until a [`KeyFetcher`](super::key_fetcher::KeyFetcher) has fetched newer ones.
    ///
    /// # Errors
    /// [`IssuerFault`]: a file with keys cannot be used.
    pub fn open(issuers: &[Config], cache: &Path, clock: &Clock) -> Result<Self, IssuerFault> {
        let opened = issuers.iter().map(|config| Issuer::open(config, cache, clock));
        Ok(Self::of(opened.collect::<Result<_, _>>()?))
    }

    fn of(issuers: Vec<Issuer>) -> Self {
        let issuers = issuers.into_iter().map(Arc::new).collect();
        Self { issuers, lifetime_seconds_max: LIFETIME_SECONDS_MAX, canary: None }
    }

    /// Trusts the issuers of another one, too.
    ///
    /// # Errors
    /// The name of an issuer that both have.
    pub fn and(self, other: &Self) -> Result<Self, String> {
        let is_ours =
            |issuer: &&Arc<Issuer>| self.issuers.iter().any(|our| our.name == issuer.name);
        if let Some(both) = other.issuers.iter().find(is_ours) {
            return Err(both.name.clone());
        }
        let issuers = self.issuers.iter().chain(&*other.issuers).map(Arc::clone).collect();
        Ok(Self { issuers, ..self })
    }

    /// Trusts this process's own issuer for the canary, too.
    #[must_use]
    pub fn with_canary(self, canary: &Arc<CanaryIssuer>) -> Self {
        // First, so that no issuer of the settings takes its name.
        let issuers = [canary.issuer()].into_iter().chain(self.issuers.iter().map(Arc::clone));
        let issuers = issuers.collect();
        Self { issuers, canary: Some(Arc::clone(canary)), ..self }
    }

    /// Whether a token is one that the canary has just made and not used yet: nobody else can have it. Costs nothing while
    /// there is none, which is nearly always.
    #[must_use]
    pub fn is_of_canary(&self, token: &str) -> bool {
        self.canary.as_ref().is_some_and(|canary| canary.awaits(token))
    }

    /// Sets the longest accepted lifetime of a token, from `iat` to `exp`.
    #[must_use]
    pub fn lasting_at_most(self, lifetime_seconds_max: u32) -> Self {
        Self { lifetime_seconds_max, ..self }
    }

    /// The keys that are at URLs.
    pub(super) fn remotes(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.issuers.iter().filter_map(|issuer| issuer.remote())
    }

    /// Loads changed files of keys. Call it every second or two.
    pub fn look_at_files(&self) {
        self.issuers.iter().for_each(|issuer| issuer.look_at_file());
    }

    /// Asks for a fetch of all keys at URLs now.
    pub fn hurry(&self) {
        self.remotes().for_each(RemoteKeys::hurry);
    }

    /// Publishes the metrics of the keys. Call it every second or two.
    pub fn publish(&self) {
        self.issuers.iter().for_each(|issuer| issuer.publish());
    }

    /// The identity that a token proves at `real_now`.
    ///
    /// # Errors
    /// [`TokenFault`]; the person has to log in again with their identity provider.
    pub fn verify(&self, token: &str, real_now: Timestamp) -> Result<Identity, TokenFault> {
        let (claims, issuer) = self.signed_claims(token).ok_or(TokenFault::Untrusted)?;
        let lifetime = claims.exp.saturating_sub(claims.iat);
        let is_meant_for_us = claims.aud.include(&issuer.audience);
        if !is_meant_for_us || !(0..=i64::from(self.lifetime_seconds_max)).contains(&lifetime) {
            return Err(TokenFault::Untrusted);
        }
        let now = real_now.as_second();
        let starts = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        let ends = claims.exp.saturating_add(LEEWAY_SECONDS);
        if now >= ends || now < starts.saturating_sub(LEEWAY_SECONDS) {
            return Err(TokenFault::Expired);
        }
        let code = claims.fiscal_number.strip_prefix("TINIT-").ok_or(TokenFault::Untrusted)?;
        let proved_by = issuer.proved_by;
        let fiscal_code = match (&self.canary, proved_by) {
            (Some(canary), ProvedBy::Canary) => canary.redeem(token, code, real_now),
            _ => FiscalCode::parse(code).ok(),
        };
        let fiscal_code = fiscal_code.ok_or(TokenFault::Untrusted)?;
        let assurance = Assurance::parse(&claims.acr).ok_or(TokenFault::AssuranceTooLow)?;
        if assurance < Assurance::REQUIRED {
            return Err(TokenFault::AssuranceTooLow);
        }
        if !issuer.levels.has(assurance) {
            return Err(TokenFault::Untrusted);
        }
        let valid_until = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
        Ok(Identity { fiscal_code, office: claims.office, proved_by, valid_until })
    }

    /// The claims of a token that one of the issuers has signed, and that issuer.
    fn signed_claims(&self, token: &str) -> Option<(Claims, &Issuer)> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = part(header)?;
        let algorithm = Algorithm::parse(&header.alg)?;
        if header.crit.is_some() || header.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX)
        {
            return None;
        }
        let claims: Claims = part(claims)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == claims.iss)?;
        let keys = issuer.keys();
        let Some(key) = keys.find(header.kid.as_deref()) else {
            // A new key may have been published since.
            if header.kid.is_some() {
                issuer.remote().inspect(|remote| remote.is_missing_a_key());
            }
            return None;
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        key.has_signed(algorithm, signed.as_bytes(), &signature).then_some((claims, issuer))
    }
}

/// A part of a token: base64url of a JSON object without a member twice.
fn part<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = unique_json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    serde_json::from_value(json).ok()
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
            .unwrap()
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
