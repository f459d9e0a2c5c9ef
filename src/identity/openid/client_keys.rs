//! Our own keys towards providers: one signs what we ask, the other decrypts what they answer.

use std::path::{Path, PathBuf};

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey},
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
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
            let public = ec_jwk(pair.public_key().as_ref());
            return Ok(Self { kid: thumbprint(&public), public, pair: Pair::Ec(pair) });
        }
        let pair = RsaKeyPair::from_pkcs8(der)
            .map_err(|_| fault("neither an RSA nor a P-256 key that can sign"))?;
        let public = rsa_jwk(pair.public_key().as_ref())
            .ok_or_else(|| fault("the RSA key has less than 2048 bits"))?;
        Ok(Self { kid: thumbprint(&public), public, pair: Pair::Rsa(pair) })
    }

    /// A JSON Web Signature over `claims`.
    pub(super) fn sign(&self, typ: &str, claims: &Value) -> String {
        let signed = self.unsigned(typ, claims);
        let signature = self.signature(&signed);
        format!("{signed}.{signature}")
    }

    /// Header and claims, to be signed.
    pub(super) fn unsigned(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": self.alg(), "kid": self.kid, "typ": typ });
        format!("{}.{}", text(header.to_string()), text(claims.to_string()))
    }

    /// The signature over header and claims.
    ///
    /// # Panics
    /// If the cryptographic library cannot sign with a key that it has accepted.
    pub(super) fn signature(&self, signed: &str) -> String {
        let random = SystemRandom::new();
        match &self.pair {
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
        }
    }

    /// Whether this key made the signature over header and claims.
    pub(super) fn has_signed(&self, signed: &str, signature: &str) -> bool {
        let (how, key): (&'static dyn VerificationAlgorithm, _) = match &self.pair {
            Pair::Ec(pair) => (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref()),
            Pair::Rsa(pair) => (&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref()),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        UnparsedPublicKey::new(how, key).verify(signed.as_bytes(), &signature).is_ok()
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

/// Decrypts what providers say of people.
pub struct DecryptionKey {
    pub(super) kid: String,
    pub(super) secret: DecryptionSecret,
    public: Value,
}

/// The secret part, which decides how answers are encrypted.
pub(super) enum DecryptionSecret {
    /// ECDH-ES.
    Ec(PrivateKey),
    /// RSA-OAEP and RSA-OAEP-256.
    Rsa(Box<OaepPrivateDecryptingKey>),
}

impl DecryptionKey {
    /// Loads an RSA or P-256 key, PKCS #8 in PEM format.
    ///
    /// # Errors
    /// [`ClientKeyFault`].
    pub fn load(path: &Path) -> Result<Self, ClientKeyFault> {
        let der = pkcs8(path)?;
        let der = der.secret_pkcs8_der();
        let fault = |why| ClientKeyFault { path: path.to_owned(), why };
        if let Ok(secret) = PrivateKey::from_private_key_der(&ECDH_P256, der) {
            let public = secret.compute_public_key();
            let public = public.map_err(|_| fault("the P-256 key cannot be used"))?;
            let public = ec_jwk(public.as_ref());
            let secret = DecryptionSecret::Ec(secret);
            return Ok(Self { kid: thumbprint(&public), secret, public });
        }
        let no_key = || fault("neither an RSA nor a P-256 key that can decrypt");
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| no_key())?;
        let public = rsa_jwk(pair.public_key().as_ref())
            .ok_or_else(|| fault("the RSA key has less than 2048 bits"))?;
        let secret = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| no_key())?;
        let secret = OaepPrivateDecryptingKey::new(secret).map_err(|_| no_key())?;
        let secret = DecryptionSecret::Rsa(Box::new(secret));
        Ok(Self { kid: thumbprint(&public), secret, public })
    }

    /// How providers are asked to encrypt the keys of their answers.
    pub(super) fn alg(&self) -> &'static str {
        match self.secret {
            DecryptionSecret::Ec(_) => "ECDH-ES",
            DecryptionSecret::Rsa(_) => "RSA-OAEP-256",
        }
    }

    /// Its public part, for the provider.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "enc".into();
        jwk["alg"] = self.alg().into();
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

/// The public part of a P-256 key from its point, uncompressed (SEC 1, section 2.3.3).
fn ec_jwk(point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(32);
    json!({ "crv": "P-256", "kty": "EC", "x": text(x), "y": text(y) })
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
        let same = DecryptionKey::load(&path).unwrap();
        assert_eq!(same.jwk()["alg"], "ECDH-ES");
        assert_eq!(same.jwk()["x"], SigningKey::load(&path).unwrap().jwk()["x"]);
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        std::fs::write(&path, other.serialize_pem()).unwrap();
        assert!(SigningKey::load(&path).is_err() && DecryptionKey::load(&path).is_err());
        let short = [&[0x30, 0x81, 0x88, 0x02, 0x81, 0x80][..], &[1; 128], &[2, 3, 1, 0, 1]];
        assert!(rsa_jwk(&short.concat()).is_none());
    }
}
