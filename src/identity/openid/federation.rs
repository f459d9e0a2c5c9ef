//! Our entity configuration (`OpenID` Federation 1.0, section 9): how providers of SPID and CIE get to know us.
//!
//! It is signed with a key of its own, apart from those that sign requests and decrypt answers, and valid for a day.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value, json};

use super::{
    super::unique_json,
    client_keys::{ClientKeyFault, SigningKey},
    provider::Provider,
};

/// How long a statement is valid, seconds.
const VALID_SECONDS: i64 = 24 * 60 * 60;
/// How long one is handed out before a new one is signed, seconds.
const RENEW_SECONDS: i64 = 60 * 60;

/// Settings of the federation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationConfig {
    /// Our name in the federation, the HTTPS URL of this service. It is `client_id` at its providers, too.
    pub entity: String,
    /// The key that signs our entity configuration, a PEM file.
    pub key: PathBuf,
    /// The entities that vouch for us.
    pub authorities: Vec<String>,
    /// Who runs this service.
    pub organization: String,
    /// Their e-mail address.
    pub contact: String,
    /// JSON file with the list of trust marks that we were given, if any.
    pub trust_marks: Option<PathBuf>,
}

/// Why we cannot be part of the federation.
#[derive(Debug, thiserror::Error)]
pub enum FederationFault {
    /// Its key cannot be used.
    #[error("federation.key: {0}")]
    Key(#[from] ClientKeyFault),
    /// It is a key that serves providers.
    #[error(
        "federation.key must not be a key of [[identity.providers]]: providers keep the two apart"
    )]
    SharedKey,
    /// The trust marks cannot be used.
    #[error("federation.trust_marks: {0} cannot be read, or is not a list of objects in JSON")]
    TrustMarks(PathBuf),
}

/// Signs our entity configuration.
pub(super) struct Federation {
    key: SigningKey,
    /// Everything but the times.
    claims: Value,
    /// The statement in use, and when it was signed, in seconds since 1970. The lock is held while one signs.
    current: Mutex<(i64, String)>,
}

impl Federation {
    /// A federation in which we sign in people at these providers.
    pub(super) fn open<'p>(
        config: &FederationConfig,
        providers: impl Iterator<Item = &'p Provider>,
    ) -> Result<Self, FederationFault> {
        let key = SigningKey::load(&config.key)?;
        let mut core = Map::new();
        let mut redirects = Vec::new();
        let mut algorithm = Value::from("RS256");
        let mut encryption = "RSA-OAEP-256";
        for provider in providers {
            algorithm = provider.signing.jwk()["alg"].clone();
            encryption = provider.decryption.alg();
            for jwk in [provider.signing.jwk(), provider.decryption.jwk()] {
                core.insert(jwk["kid"].as_str().unwrap_or_default().to_owned(), jwk);
            }
            let redirect = Value::from(provider.config.redirect_uri.as_str());
            if !redirects.contains(&redirect) {
                redirects.push(redirect);
            }
        }
        if core.contains_key(key.jwk()["kid"].as_str().unwrap_or_default()) {
            return Err(FederationFault::SharedKey);
        }
        let core: Vec<Value> = core.into_iter().map(|(_, jwk)| jwk).collect();
        let mut claims = json!({
            "iss": config.entity,
            "sub": config.entity,
            "jwks": { "keys": [key.jwk()] },
            "authority_hints": config.authorities,
            "metadata": {
                "federation_entity": {
                    "organization_name": config.organization,
                    "homepage_uri": config.entity,
                    "policy_uri": format!("{}/it/privacy", config.entity.trim_end_matches('/')),
                    "contacts": [config.contact],
                },
                "openid_relying_party": {
                    "application_type": "web",
                    "client_id": config.entity,
                    "client_name": config.organization,
                    "organization_name": config.organization,
                    "contacts": [config.contact],
                    "client_registration_types": ["automatic"],
                    "redirect_uris": redirects,
                    "response_types": ["code"],
                    "grant_types": ["authorization_code"],
                    "subject_type": "pairwise",
                    "jwks": { "keys": core },
                    "token_endpoint_auth_method": "private_key_jwt",
                    "token_endpoint_auth_signing_alg": algorithm,
                    "request_object_signing_alg": algorithm,
                    "id_token_signed_response_alg": "RS256",
                    "userinfo_signed_response_alg": "RS256",
                    "userinfo_encrypted_response_alg": encryption,
                    "userinfo_encrypted_response_enc": "A256CBC-HS512",
                },
            },
        });
        if let Some(path) = &config.trust_marks {
            let fault = || FederationFault::TrustMarks(path.clone());
            let bytes = std::fs::read(path).map_err(|_| fault())?;
            let marks = unique_json::parse(&bytes).map_err(|_| fault())?;
            let is_list = |list: &Vec<Value>| list.iter().all(Value::is_object);
            marks.as_array().filter(|list| is_list(list)).ok_or_else(fault)?;
            claims["trust_marks"] = marks;
        }
        Ok(Self { key, claims, current: Mutex::default() })
    }

    /// Our entity configuration at `now`, in seconds since 1970.
    pub(super) fn statement(&self, now: i64) -> String {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.saturating_sub(current.0);
        if current.1.is_empty() || !(0..RENEW_SECONDS).contains(&age) {
            let mut claims = self.claims.clone();
            claims["iat"] = now.into();
            claims["exp"] = now.saturating_add(VALID_SECONDS).into();
            *current = (now, self.key.sign("entity-statement+jwt", &claims));
        }
        current.1.clone()
    }
}
