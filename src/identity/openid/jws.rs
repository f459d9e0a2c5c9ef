//! Verifies signed tokens of a provider: JSON Web Signatures in compact form (RFC 7515).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::{
    algorithm::Algorithm,
    jwks::{KID_BYTES_MAX, KeySet},
    unique_json,
};

/// A longer token is refused without being parsed, bytes.
const TOKEN_BYTES_MAX: usize = 32 * 1024;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JwsFault {
    /// No key has this name: it may have been published since.
    UnknownKey,
    /// It is malformed, or not signed by the key that it names.
    Forged,
}

/// The claims of a token that one of `keys` signed, and the algorithm of the signature.
pub(super) fn verified<T: DeserializeOwned>(
    token: &str,
    keys: &KeySet,
) -> Result<(T, Algorithm), JwsFault> {
    let forged = JwsFault::Forged;
    if token.len() > TOKEN_BYTES_MAX {
        return Err(forged);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(forged)?;
    let (header, claims) = signed.split_once('.').ok_or(forged)?;
    let header: Header = part(header).ok_or(forged)?;
    let algorithm = Algorithm::parse(&header.alg).ok_or(forged)?;
    let kid = header.kid.filter(|kid| kid.len() <= KID_BYTES_MAX).ok_or(forged)?;
    if header.crit.is_some() {
        return Err(forged);
    }
    let key = keys.find(Some(&kid)).ok_or(JwsFault::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| forged)?;
    if !key.has_signed(algorithm, signed.as_bytes(), &signature) {
        return Err(forged);
    }
    Ok((part(claims).ok_or(forged)?, algorithm))
}

/// A part of a token: base64url of a JSON object without a member twice.
fn part<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = unique_json::parse(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    serde_json::from_value(json).ok()
}
