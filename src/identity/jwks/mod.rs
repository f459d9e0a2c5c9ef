//! The public keys of an issuer: a JWK set (RFC 7517), or one Ed25519 key in PEM format.
//!
//! Every key has exactly one algorithm, its own; what the header of a token says is compared with it and never chosen
//! by it. A key that cannot be used is skipped and named, as RFC 7517, section 5, asks: a provider may publish keys for
//! other purposes. Two usable keys with one name make the whole set unusable.

#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RsaParameters,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde_json::{Map, Value};

use super::{algorithm::Algorithm, choice::Choice, unique_json};

/// Size of a set, bytes. Those of large providers, with certificate chains, have 20 KB.
pub const SET_BYTES_MAX: usize = 256 * 1024;
/// Keys in a set. Providers publish two to ten.
pub const SET_KEYS_MAX: usize = 100;
/// Length of a key's name, bytes. Usual are hashes of 43 characters.
pub const KID_BYTES_MAX: usize = 256;
/// Skipped keys that a fault names.
const SKIPPED_NAMED_MAX: usize = 8;
/// The shortest accepted modulus of an RSA key, bits (the profiles of SPID and CIE; NIST SP 800-131A).
const RSA_BITS_MIN: usize = 2048;
/// The longest modulus that can be verified, bits.
const RSA_BITS_MAX: usize = 8192;
/// Length of a coordinate of P-256 and of an Ed25519 key, bytes.
const COORDINATE_BYTES: usize = 32;

/// Verifies signatures of one key by one algorithm.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey {
    /// Whether `signature` is this key's over `message`, by the algorithm that the token's header names.
    pub(super) fn has_signed(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.algorithm == algorithm && self.key.verify_sig(message, signature).is_ok()
    }
}

/// The keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    named: Vec<(String, VerifyingKey)>,
    /// The key of an issuer that has only one, for tokens with any name of a key or none.
    only: Option<VerifyingKey>,
}

/// A set that was read, and the keys of it that cannot be used.
#[derive(Debug)]
pub struct Read {
    /// The usable keys.
    pub keys: KeySet,
    /// The others.
    pub skipped: Vec<Skipped>,
}

/// A key that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the set, from 1.
    pub number: usize,
    /// Its name.
    pub kid: Option<String>,
    /// Why it cannot be used.
    pub why: Unusable,
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "key {}", self.number)?;
        if let Some(kid) = &self.kid {
            write!(formatter, " ({kid:?})")?;
        }
        write!(formatter, ": {}", self.why)
    }
}

/// Why a key of a set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not a JSON object.
    #[error("it is not an object")]
    NoObject,
    /// It has no name that a token could refer to.
    #[error("its kid is missing, empty or longer than {KID_BYTES_MAX} bytes")]
    Kid,
    /// It is published for something else than signatures.
    #[error("its use or key_ops is not that of verifying signatures")]
    Use,
    /// It has its secret part: everybody can sign with it.
    #[error("it holds its private key")]
    Private,
    /// Its type, curve or algorithm is not accepted, or they contradict each other.
    #[error(
        "its kty, crv and alg are none of RSA with RS256, RS512 or PS256, P-256 with ES256, Ed25519 with EdDSA"
    )]
    Kind,
    /// The issuer may not use this algorithm.
    #[error("its algorithm is not among those of the issuer's settings")]
    NotAllowed,
    /// Its RSA modulus is too short or too long.
    #[error("its modulus has not {RSA_BITS_MIN} to {RSA_BITS_MAX} bits")]
    RsaBits,
    /// Its numbers are missing, are not base64url or are no key.
    #[error("its numbers are missing or not valid")]
    Numbers,
}

/// Why a set of keys is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// It is too long.
    #[error("it has more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not JSON, or an object of it has a member twice.
    #[error("it is not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is not a JWK set.
    #[error("it has no list `keys` of 1 to {SET_KEYS_MAX} keys")]
    NoSet,
    /// Two usable keys have the same name.
    #[error("two keys have the kid {0:?}")]
    SameKid(String),
    /// No key can be used.
    #[error("no key can be used: {}", list(.0))]
    NoUsable(Vec<Skipped>),
    /// It is not an Ed25519 key in PEM format.
    #[error("it is not an Ed25519 public key in PEM format")]
    Pem,
    /// The file cannot be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

fn list(skipped: &[Skipped]) -> String {
    let named: Vec<_> = skipped.iter().take(SKIPPED_NAMED_MAX).map(Skipped::to_string).collect();
    let more = skipped.len() - named.len();
    named.join("; ") + &if more == 0 { String::new() } else { format!("; and {more} more") }
}

impl KeySet {
    /// Reads a JWK set whose keys may use `algorithms`.
    ///
    /// # Errors
    /// [`KeysFault`].
    pub fn parse(document: &[u8], algorithms: Choice<Algorithm>) -> Result<Read, KeysFault> {
        if document.len() > SET_BYTES_MAX {
            return Err(KeysFault::TooLarge);
        }
        let document = unique_json::parse(document)?;
        let listed = document.get("keys").and_then(Value::as_array);
        let listed = listed
            .filter(|keys| (1..=SET_KEYS_MAX).contains(&keys.len()))
            .ok_or(KeysFault::NoSet)?;
        let mut keys = Self::default();
        let mut skipped = Vec::new();
        for (number, key) in (1..).zip(listed) {
            match usable(key, algorithms) {
                Ok((kid, _)) if keys.named.iter().any(|(other, _)| other == kid) => {
                    return Err(KeysFault::SameKid(kid.to_owned()));
                }
                Ok((kid, key)) => keys.named.push((kid.to_owned(), key)),
                Err(why) => {
                    let kid = kid_of(key).map(ToOwned::to_owned);
                    skipped.push(Skipped { number, kid, why });
                }
            }
        }
        if keys.named.is_empty() {
            Err(KeysFault::NoUsable(skipped))
        } else {
            Ok(Read { keys, skipped })
        }
    }

    /// The only key of an issuer, from an Ed25519 public key in PEM format.
    ///
    /// # Errors
    /// [`KeysFault::Pem`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeysFault> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeysFault::Pem)?;
        Self::of_only(&der).map_err(|_| KeysFault::Pem)
    }

    /// The only key of an issuer, an Ed25519 public key: its 32 bytes or its DER.
    pub(super) fn of_only(key: &[u8]) -> Result<Self, Unusable> {
        let key = ParsedPublicKey::new(&ED25519, key).map_err(|_| Unusable::Numbers)?;
        let only = VerifyingKey { algorithm: Algorithm::EdDsa, key };
        Ok(Self { named: Vec::new(), only: Some(only) })
    }

    /// The key that a token's header names.
    pub(super) fn find(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        if self.only.is_some() {
            return self.only.as_ref();
        }
        let kid = kid?;
        self.named.iter().find(|(name, _)| name == kid).map(|(_, key)| key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.named.len() + usize::from(self.only.is_some())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the keys, in the order of the set.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(kid, _)| kid.as_str())
    }
}

fn kid_of(key: &Value) -> Option<&str> {
    key.get("kid")?.as_str().filter(|kid| (1..=KID_BYTES_MAX).contains(&kid.len()))
}

/// A key of a set with its name.
fn usable(key: &Value, algorithms: Choice<Algorithm>) -> Result<(&str, VerifyingKey), Unusable> {
    let members = key.as_object().ok_or(Unusable::NoObject)?;
    if ["d", "p", "q"].iter().any(|secret| members.contains_key(*secret)) {
        return Err(Unusable::Private);
    }
    let is_for_signatures = members.get("use").is_none_or(|purpose| purpose == "sig")
        && members.get("key_ops").is_none_or(|operations| {
            operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
        });
    if !is_for_signatures {
        return Err(Unusable::Use);
    }
    let algorithm = algorithm_of(members).ok_or(Unusable::Kind)?;
    if !algorithms.has(algorithm) {
        return Err(Unusable::NotAllowed);
    }
    let kid = kid_of(key).ok_or(Unusable::Kid)?;
    let key = match algorithm {
        Algorithm::EdDsa => {
            ParsedPublicKey::new(algorithm.verification(), coordinate(members, "x")?)
                .map_err(|_| Unusable::Numbers)?
        }
        Algorithm::Es256 => {
            // An uncompressed point (SEC 1, section 2.3.3).
            let point = [&[4], &*coordinate(members, "x")?, &*coordinate(members, "y")?].concat();
            ParsedPublicKey::new(algorithm.verification(), point).map_err(|_| Unusable::Numbers)?
        }
        Algorithm::Ps256 => rsa(members, &RSA_PSS_2048_8192_SHA256)?,
        Algorithm::Rs256 => rsa(members, &RSA_PKCS1_2048_8192_SHA256)?,
        Algorithm::Rs512 => rsa(members, &RSA_PKCS1_2048_8192_SHA512)?,
    };
    Ok((kid, VerifyingKey { algorithm, key }))
}

/// The one algorithm of a key: its `alg`, which must suit its type, or the usual one of its type.
fn algorithm_of(members: &Map<String, Value>) -> Option<Algorithm> {
    let text = |name: &str| members.get(name).map(|value| value.as_str().unwrap_or_default());
    let suitable: &[Algorithm] = match (text("kty")?, text("crv")) {
        ("RSA", None) => &[Algorithm::Rs256, Algorithm::Ps256, Algorithm::Rs512],
        ("EC", Some("P-256")) => &[Algorithm::Es256],
        ("OKP", Some("Ed25519")) => &[Algorithm::EdDsa],
        _ => return None,
    };
    match text("alg") {
        None => Some(suitable[0]),
        Some(alg) => Algorithm::parse(alg).filter(|algorithm| suitable.contains(algorithm)),
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    let text = members.get(name).and_then(Value::as_str).ok_or(Unusable::Numbers)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unusable::Numbers)
}

fn coordinate(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Unusable> {
    number(members, name).and_then(|bytes| {
        if bytes.len() == COORDINATE_BYTES { Ok(bytes) } else { Err(Unusable::Numbers) }
    })
}

fn rsa(
    members: &Map<String, Value>,
    parameters: &'static RsaParameters,
) -> Result<ParsedPublicKey, Unusable> {
    let (modulus, exponent) = (number(members, "n")?, number(members, "e")?);
    // Some encoders leave the sign's byte in front.
    let [n, e] = [&modulus, &exponent].map(|bytes| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        &bytes[zeros..]
    });
    let top = n.first().ok_or(Unusable::Numbers)?;
    let bits = n.len() * 8 - top.leading_zeros() as usize;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(Unusable::RsaBits);
    }
    // With the exponent 1 every signature would be its own message; both are odd in every key (RFC 8017, section 3.1).
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    if !is_odd(n) || !is_odd(e) || e == [1] {
        return Err(Unusable::Numbers);
    }
    let components = PublicKeyComponents { n, e };
    components.to_parsed_public_key(parameters).map_err(|_| Unusable::Numbers)
}
