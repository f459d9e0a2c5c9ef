//! Checks what a provider answers: the ID token and what it says of the person. Pure functions of the answer and the
//! time.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{
    super::{Assurance, algorithm::Algorithm, claims::Audiences, jwks::KeySet},
    client_keys::DecryptionKey,
    jws,
    jws::JwsFault,
    login::{LOGIN_SECONDS, Login},
    profile::Config,
};
use crate::civic::FiscalCode;

/// Clock skew allowed between the provider and this server, seconds.
const LEEWAY_SECONDS: i64 = 60;

/// The claims of an ID token that are checked; it may hold others.
#[derive(Debug, Deserialize)]
struct IdClaims {
    iss: String,
    sub: String,
    aud: Audiences,
    exp: i64,
    iat: i64,
    nonce: String,
    #[serde(default)]
    acr: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    at_hash: Option<String>,
}

/// What a provider says of a person.
#[derive(Debug, Deserialize)]
struct UserClaims {
    iss: String,
    sub: String,
    aud: Audiences,
    exp: i64,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(rename = "https://attributes.eid.gov.it/fiscal_number")]
    fiscal_number: String,
}

/// A person whom an ID token names, known to us by the provider's own name for them alone.
#[derive(Debug)]
pub(super) struct Named {
    sub: String,
    /// Until when the token is valid, seconds since 1970.
    pub(super) valid_until: i64,
}

/// Why an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerFault {
    /// It names a key that the provider may have published since.
    UnknownKey,
    /// This check failed. For the log; people learn only that the answer is not valid.
    Untrusted(&'static str),
    /// The person proved who they are at a level that is too low.
    LevelTooLow,
}

impl From<JwsFault> for AnswerFault {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::UnknownKey => Self::UnknownKey,
            JwsFault::Forged => Self::Untrusted("signature"),
        }
    }
}

fn check(holds: bool, what: &'static str) -> Result<(), AnswerFault> {
    if holds { Ok(()) } else { Err(AnswerFault::Untrusted(what)) }
}

/// Checks an ID token (`OpenID` Connect Core, 3.1.3.7), which came with this access token.
pub(super) fn id_token(
    token: &str,
    access_token: &str,
    keys: &KeySet,
    config: &Config,
    login: &Login,
    now: i64,
) -> Result<Named, AnswerFault> {
    let (claims, algorithm): (IdClaims, _) = jws::verified(token, keys)?;
    check(claims.iss == config.issuer, "iss")?;
    check(claims.aud.include(&config.client_id), "aud")?;
    check(claims.azp.is_none_or(|party| party == config.client_id), "azp")?;
    check(claims.nonce == login.nonce, "nonce")?;
    check(now < claims.exp.saturating_add(LEEWAY_SECONDS), "exp")?;
    // It was made for this attempt to sign in.
    let earliest = now.saturating_sub(i64::from(LOGIN_SECONDS) + LEEWAY_SECONDS);
    let latest = now.saturating_add(LEEWAY_SECONDS);
    check((earliest..=latest).contains(&claims.iat), "iat")?;
    let is_strict = config.profile.needs_binding_claims();
    check(claims.nbf.map_or(!is_strict, |nbf| nbf <= latest), "nbf")?;
    check(claims.jti.map_or(!is_strict, |jti| !jti.is_empty()), "jti")?;
    let expected = at_hash(algorithm, access_token);
    check(claims.at_hash.map_or(!is_strict, |hash| hash == expected), "at_hash")?;
    check(!claims.sub.is_empty(), "sub")?;
    let level = claims.acr.as_deref().and_then(Assurance::parse);
    if level.is_none_or(|level| level < config.level) {
        return Err(AnswerFault::LevelTooLow);
    }
    Ok(Named { sub: claims.sub, valid_until: claims.exp.saturating_add(LEEWAY_SECONDS) })
}

/// What the provider says of a person, signed, without its encryption.
pub(super) fn decrypted(
    answer: &str,
    decryption: &DecryptionKey,
    config: &Config,
) -> Result<String, AnswerFault> {
    // Five parts are encrypted, three are signed; whatever else there is, plain JSON too, is refused.
    match answer.split('.').count() {
        5 => {
            let opened = decryption.open(answer).and_then(|it| String::from_utf8(it).ok());
            opened.ok_or(AnswerFault::Untrusted("userinfo encryption"))
        }
        3 if !config.profile.needs_encryption() => Ok(answer.to_owned()),
        _ => Err(AnswerFault::Untrusted("userinfo form")),
    }
}

/// Checks what the provider says, signed, of the person whom its ID token names, and reads the fiscal code.
pub(super) fn userinfo(
    signed: &str,
    keys: &KeySet,
    config: &Config,
    person: &Named,
    now: i64,
) -> Result<FiscalCode, AnswerFault> {
    let (claims, _): (UserClaims, _) = jws::verified(signed, keys)?;
    check(claims.iss == config.issuer, "userinfo iss")?;
    check(claims.aud.include(&config.client_id), "userinfo aud")?;
    check(claims.sub == person.sub, "userinfo sub")?;
    check(now < claims.exp.saturating_add(LEEWAY_SECONDS), "userinfo exp")?;
    let latest = now.saturating_add(LEEWAY_SECONDS);
    check(claims.iat.is_none_or(|iat| iat <= latest), "userinfo iat")?;
    check(claims.nbf.is_none_or(|nbf| nbf <= latest), "userinfo nbf")?;
    let code = claims.fiscal_number.strip_prefix("TINIT-");
    let code = code.and_then(|code| FiscalCode::parse(code).ok());
    code.ok_or(AnswerFault::Untrusted("fiscal_number"))
}

/// The hash that binds an access token to the ID token: half of it, by the ID token's own algorithm (`OpenID` Connect
/// Core, 3.1.3.6). Ed25519 hashes with SHA-512.
fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDsa | Algorithm::Rs512 => &SHA512,
        Algorithm::Es256 | Algorithm::Ps256 | Algorithm::Rs256 => &SHA256,
    };
    let hash = digest(hash, access_token.as_bytes());
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(half)
}
