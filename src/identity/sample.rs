//! Keys and tokens of made-up issuers, for tests.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{algorithm::Algorithm, choice::Named as _};

/// The moment of the tests.
pub(super) const NOW: i64 = 1_726_500_600;
/// The name of their issuer.
pub(super) const ISSUER: &str = "https://login.example.it";

/// [`NOW`].
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// An RSA key takes long to make.
static RSA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
    pair.as_der().unwrap().as_ref().to_vec()
});

/// A key of an issuer.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) kid: String,
    pair: Pair,
}

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    /// A new key; all RSA keys are the same.
    pub(super) fn new(algorithm: Algorithm, kid: &str) -> Self {
        let pair = match algorithm {
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512 => {
                Pair::Rsa(RsaKeyPair::from_pkcs8(&RSA).unwrap())
            }
        };
        Self { algorithm, kid: kid.to_owned(), pair }
    }

    /// One of each algorithm, named after it.
    pub(super) fn all() -> Vec<Self> {
        Algorithm::ALL.iter().map(|algorithm| Self::new(*algorithm, algorithm.name())).collect()
    }

    /// The bytes of its public key.
    pub(super) fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::Ed(pair) => pair.public_key().as_ref(),
            Pair::Ec(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// Its public key as a JWK.
    pub(super) fn jwk(&self) -> Value {
        let public = self.public();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match self.algorithm {
            Algorithm::EdDsa => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(public) }),
            Algorithm::Es256 => {
                json!({ "kty": "EC", "crv": "P-256", "x": text(&public[1..33]), "y": text(&public[33..]) })
            }
            // An RSAPublicKey of 2,048 bits always has its numbers at the same places.
            Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512 => {
                json!({ "kty": "RSA", "n": text(&public[9..265]), "e": text(&public[267..]) })
            }
        };
        key["kid"] = self.kid.as_str().into();
        key["alg"] = self.algorithm.name().into();
        key
    }

    /// The header of its tokens.
    pub(super) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.name(), "kid": self.kid, "typ": "JWT" })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of it.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }

    /// A token with any header and claims.
    pub(super) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = signed(header, claims);
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// The part of a token that is signed.
pub(super) fn signed(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A JWK set.
pub(super) fn set(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "sportello",
        "iat": NOW,
        "exp": NOW + 300,
        "acr": "https://www.spid.gov.it/SpidL2",
        "https://attributes.eid.gov.it/fiscal_number": "TINIT-RSSMRA80A01H501U",
    })
}
