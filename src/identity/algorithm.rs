//! Signature algorithms of identity tokens (RFC 7518, section 3, and RFC 8037).
//!
//! `none`, HMAC and RSA with SHA-1 have no variant, so nothing can ask for them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
};

use super::{Assurance, choice::Named};

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
}

impl Named for Algorithm {
    const ALL: &'static [Self] = &[Self::EdDsa, Self::Es256, Self::Ps256, Self::Rs256, Self::Rs512];

    /// Its `alg` in keys and tokens.
    fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::Rs512 => "RS512",
        }
    }
}

impl Algorithm {
    /// The algorithm with this `alg`; `None` if it is not accepted.
    #[must_use]
    pub fn parse(alg: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == alg)
    }

    /// How its signatures are verified.
    pub(super) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::EdDsa => &ED25519,
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        }
    }
}

/// The levels that an issuer may be trusted to assert; the first level never enters.
impl Named for Assurance {
    const ALL: &'static [Self] = &[Self::Level2, Self::Level3];

    fn name(self) -> &'static str {
        match self {
            Self::Level1 => "1",
            Self::Level2 => "2",
            Self::Level3 => "3",
        }
    }
}
