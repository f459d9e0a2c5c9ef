//! Our own keys towards providers: one signs what we ask, the other decrypts what they answer.

use std::path::{Path, PathBuf};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

/// The shortest accepted modulus, bytes: 2,048 bits, as SPID and CIE ask.
const RSA_BYTES_MIN: usize = 256;

/// Why a key of ours cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ClientKeyFault {
    path: PathBuf,
    why: &'static str,
}

/// Signs requests, with RS256 or ES256.
pub(super) struct SigningKey {
    kid: String,
    public: Value,
    pair: Pair,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Loads an RSA or P-256 key, PKCS #8 in PEM format.
    pub(super) fn load(path: &Path) -> Result<Self, ClientKeyFault> {
        let der = pkcs8(path)?;
        let der = der.secret_pkcs8_der();
        let fault = |why| ClientKeyFault { path: path.to_owned(), why };
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            let public = json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) });
            return Ok(Self { kid: thumbprint(&public), public, pair: Pair::Ec(pair) });
        }
        let pair = RsaKeyPair::from_pkcs8(der)
            .map_err(|_| fault("neither an RSA nor a P-256 key that can sign"))?;
        let public = rsa_jwk(pair.public_key().as_ref())
            .ok_or_else(|| fault("the RSA key has less than 2048 bits"))?;
        Ok(Self { kid: thumbprint(&public), public, pair: Pair::Rsa(pair) })
    }

    /// A JSON Web Signature over `claims`.
    ///
    /// # Panics
    /// If the cryptographic library cannot sign with a key that it has accepted.
    pub(super) fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.alg(), "kid": self.kid, "typ": typ });
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, signed.as_bytes());
                text(signature.expect("an accepted key signs"))
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
                    .expect("an accepted key signs");
                text(signature)
            }
        };
        format!("{signed}.{signature}")
    }

    fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// Its public part, for the provider.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.alg().into();
        jwk
    }
}

/// Decrypts the keys of encrypted answers.
pub(super) struct DecryptionKey {
    pub(super) kid: String,
    pub(super) key: OaepPrivateDecryptingKey,
    public: Value,
}

impl DecryptionKey {
    /// Loads an RSA key, PKCS #8 in PEM format.
    pub(super) fn load(path: &Path) -> Result<Self, ClientKeyFault> {
        let der = pkcs8(path)?;
        let der = der.secret_pkcs8_der();
        let fault = |why| ClientKeyFault { path: path.to_owned(), why };
        let no_key = |_| fault("no RSA key that can decrypt");
        let pair =
            RsaKeyPair::from_pkcs8(der).map_err(|_| no_key(aws_lc_rs::error::Unspecified))?;
        let public = rsa_jwk(pair.public_key().as_ref())
            .ok_or_else(|| fault("the RSA key has less than 2048 bits"))?;
        let key = PrivateDecryptingKey::from_pkcs8(der)
            .map_err(|_| no_key(aws_lc_rs::error::Unspecified))?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(no_key)?;
        Ok(Self { kid: thumbprint(&public), key, public })
    }

    /// Its public part, for the provider.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "enc".into();
        jwk["alg"] = "RSA-OAEP-256".into();
        jwk
    }
}

fn pkcs8(path: &Path) -> Result<PrivatePkcs8KeyDer<'static>, ClientKeyFault> {
    PrivatePkcs8KeyDer::from_pem_file(path).map_err(|_| ClientKeyFault {
        path: path.to_owned(),
        why: "cannot be read, or is not a private key in PKCS #8 and PEM format",
    })
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The name of a key, a hash of its public part (RFC 7638). The members of `public` are in the order of their names.
fn thumbprint(public: &Value) -> String {
    text(digest(&SHA256, public.to_string().as_bytes()))
}

/// The public part of an RSA key from its `RSAPublicKey` in DER (RFC 8017, A.1.1); `None` if it is too short.
fn rsa_jwk(der: &[u8]) -> Option<Value> {
    let (content, _) = element(0x30, der)?;
    let (modulus, rest) = element(0x02, content)?;
    let (exponent, _) = element(0x02, rest)?;
    // An integer has a zero byte in front if its first bit is set.
    let [modulus, exponent] =
        [modulus, exponent].map(|number| number.strip_prefix(&[0]).unwrap_or(number));
    (modulus.len() >= RSA_BYTES_MIN)
        .then(|| json!({ "e": text(exponent), "kty": "RSA", "n": text(modulus) }))
}

/// The content of the DER element with this tag that `der` begins with, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ (0x81 | 0x82) => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_the_thumbprint_of_rfc_7638() {
        let key = json!({
            "e": "AQAB",
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        assert_eq!(thumbprint(&key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_short_rsa_key_and_one_of_another_kind_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key.pem");
        std::fs::write(&path, "nothing").unwrap();
        assert!(SigningKey::load(&path).is_err() && DecryptionKey::load(&path).is_err());
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        std::fs::write(&path, pair.serialize_pem()).unwrap();
        assert!(SigningKey::load(&path).is_err() && DecryptionKey::load(&path).is_err());
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        std::fs::write(&path, pair.serialize_pem()).unwrap();
        assert_eq!(SigningKey::load(&path).unwrap().jwk()["alg"], "ES256");
        assert!(DecryptionKey::load(&path).is_err());
        let short = [&[0x30, 0x81, 0x88, 0x02, 0x81, 0x80][..], &[1; 128], &[2, 3, 1, 0, 1]];
        assert!(rsa_jwk(&short.concat()).is_none());
    }
}
