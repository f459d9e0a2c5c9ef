//! Which rules a provider follows, and its settings.

use std::path::PathBuf;

use super::super::{Assurance, ProvedBy, algorithm::Algorithm, choice::Choice, fetch::KeysUrl};

/// The rules of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// SPID over `OpenID` Connect.
    Spid,
    /// CIE over `OpenID` Connect.
    Cie,
    /// Another provider that gives the same claims, such as a gateway of the institute.
    Generic,
    /// A provider for tests, in a demo alone: its ID tokens may lack `at_hash`, `nbf` and `jti`.
    Test,
}

impl Profile {
    /// Every profile, with its name in settings.
    pub const NAMES: &[&str] = &["spid", "cie", "generic", "test"];

    /// The profile with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "spid" => Some(Self::Spid),
            "cie" => Some(Self::Cie),
            "generic" => Some(Self::Generic),
            "test" => Some(Self::Test),
            _ => None,
        }
    }

    /// What an identity counts as that the provider proves.
    pub(super) fn proved_by(self) -> ProvedBy {
        match self {
            Self::Spid => ProvedBy::Spid,
            Self::Cie => ProvedBy::Cie,
            Self::Generic | Self::Test => ProvedBy::OpenId,
        }
    }

    /// The algorithms by which the provider may sign. SPID and CIE require RS256 and RS512, recommend ES256 and PS256,
    /// and do not know Ed25519.
    pub(super) fn signatures(self) -> Choice<Algorithm> {
        match self {
            Self::Spid | Self::Cie => Choice::ALL.without(Algorithm::EdDsa),
            Self::Generic | Self::Test => Choice::ALL,
        }
    }

    /// Whether the callback must name the provider. Where it need not, it must not name another.
    pub(super) fn needs_issuer(self) -> bool {
        self == Self::Cie
    }

    /// Whether an ID token must have `at_hash`, `nbf` and `jti`. Where they are present they are always checked.
    pub(super) fn needs_binding_claims(self) -> bool {
        self != Self::Test
    }

    /// Whether what the provider says of a person must be encrypted, and not only signed.
    pub(super) fn needs_encryption(self) -> bool {
        self != Self::Generic
    }
}

/// Settings of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name in our forms.
    pub name: String,
    /// Its rules.
    pub profile: Profile,
    /// Its name in tokens (`iss`), an HTTPS URL.
    pub issuer: String,
    /// Our name at this provider.
    pub client_id: String,
    /// The URL of our page `/callback`, as this provider has it.
    pub redirect_uri: String,
    /// The lowest level to ask for.
    pub level: Assurance,
    /// The key that signs what we ask, a PEM file.
    pub signing_key: PathBuf,
    /// The key that decrypts what the provider says of a person, a PEM file.
    pub encryption_key: PathBuf,
    /// Its endpoints; `None` reads them from its discovery document.
    pub endpoints: Option<Endpoints>,
    /// The URL of that document.
    pub discovery: KeysUrl,
}

/// Where an issuer has its discovery document, below its own URL.
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where a provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where people sign in.
    pub authorization: KeysUrl,
    /// Where codes are redeemed.
    pub token: KeysUrl,
    /// What it says of a person.
    pub userinfo: KeysUrl,
    /// Where access tokens are revoked, if it has this.
    pub revocation: Option<KeysUrl>,
    /// Its keys.
    pub jwks: KeysUrl,
}
