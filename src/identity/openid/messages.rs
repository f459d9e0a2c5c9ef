//! The messages of one attempt to sign in, which SPID and CIE ask every service to keep.
//!
//! What still opens something is left out: the code and the tokens that open what the provider says of the person are
//! replaced by their hashes, by which they can be recognised.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{super::Identity, callback::Callback, login::LoginFault, profile::Config};

/// Members of the token answer that open something.
const SECRETS: [&str; 2] = ["access_token", "refresh_token"];
/// What the name of a hash in place of a secret ends with.
const HASHED: &str = "_sha256";

/// What was said between the provider and us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// The provider's name in the settings.
    provider: String,
    /// Its name in tokens.
    issuer: String,
    /// The signed request object with which the person went to the provider.
    request: String,
    /// The parameters with which they came back.
    answer: Value,
    /// The answer to the redeemed code, with the ID token as received.
    tokens: Map<String, Value>,
    /// What the provider said of the person, as received.
    userinfo: Option<String>,
    /// The same without its encryption: signed by the provider, and readable without our key of that time.
    userinfo_signed: Option<String>,
}

impl Messages {
    pub(super) fn new(
        config: &Config,
        request: String,
        callback: &Callback,
        mut tokens: Map<String, Value>,
    ) -> Self {
        for secret in SECRETS {
            if let Some(value) = tokens.remove(secret) {
                tokens
                    .insert(format!("{secret}{HASHED}"), hash(value.as_str().unwrap_or_default()));
            }
        }
        let Callback { code, state, issuer, error } = callback;
        let code = code.as_deref().map(hash);
        Self {
            provider: config.name.clone(),
            issuer: config.issuer.clone(),
            request,
            answer: json!({ "code_sha256": code, "state": state, "iss": issuer, "error": error }),
            tokens,
            userinfo: None,
            userinfo_signed: None,
        }
    }

    /// Adds what the provider said of the person.
    pub(super) fn say(&mut self, userinfo: &str, signed: Option<&str>) {
        self.userinfo = Some(userinfo.to_owned());
        self.userinfo_signed = signed.map(str::to_owned);
    }
}

/// What became of a code that somebody brought back.
pub struct Redeemed {
    /// Who they are, or why they are not signed in.
    pub outcome: Result<Identity, LoginFault>,
    /// What was said, if the provider gave tokens for the code: keep it whatever the outcome is.
    pub messages: Option<Messages>,
}

impl From<LoginFault> for Redeemed {
    fn from(fault: LoginFault) -> Self {
        Self { outcome: Err(fault), messages: None }
    }
}

fn hash(secret: &str) -> Value {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes())).into()
}
