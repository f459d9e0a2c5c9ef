//! What we ask of a provider: the authorization request with its signed request object (RFC 9101), and the proof that
//! it is us (RFC 7523).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use serde_json::{Value, json};

use super::{
    client_keys::SigningKey,
    login::{Login, alphanumeric},
    profile::{Config, Endpoints},
};

/// The claim with a person's fiscal code.
pub(super) const FISCAL_NUMBER: &str = "https://attributes.eid.gov.it/fiscal_number";
/// How long what we sign is valid, seconds.
const VALID_SECONDS: i64 = 60;

/// The URL to which a browser goes to sign in. The signature of its request object is kept with the attempt.
pub(super) fn authorization_url(
    config: &Config,
    endpoints: &Endpoints,
    key: &SigningKey,
    login: &mut Login,
) -> String {
    let (outside, object) = unsigned_request(config, endpoints, key, login);
    login.request_signature = key.signature(&object);
    let object = format!("{object}.{}", login.request_signature);
    let authorization = endpoints.authorization.to_string();
    let query = Serializer::new(String::new())
        .extend_pairs(outside)
        .append_pair("request", &object)
        .finish();
    let joint = if authorization.contains('?') { '&' } else { '?' };
    format!("{authorization}{joint}{query}")
}

/// The request object with which an attempt began; `None` if our key, our settings or the provider's endpoints have
/// changed since.
pub(super) fn request_object(
    config: &Config,
    endpoints: &Endpoints,
    key: &SigningKey,
    login: &Login,
) -> Option<String> {
    let (_, object) = unsigned_request(config, endpoints, key, login);
    let signature = &login.request_signature;
    key.has_signed(&object, signature).then(|| format!("{object}.{signature}"))
}

/// The parameters outside of the request object, and the object without its signature.
fn unsigned_request(
    config: &Config,
    endpoints: &Endpoints,
    key: &SigningKey,
    login: &Login,
) -> ([(&'static str, String); 5], String) {
    let authorization = endpoints.authorization.to_string();
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, login.verifier.as_bytes()));
    let outside = [
        ("client_id", config.client_id.clone()),
        ("response_type", "code".to_owned()),
        ("scope", "openid".to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ];
    let mut object = json!({
        "iss": config.client_id,
        "aud": [config.issuer, authorization],
        "iat": login.began_at,
        "exp": login.began_at + VALID_SECONDS,
        "jti": login.request_id,
        "redirect_uri": config.redirect_uri,
        "state": login.state,
        "nonce": login.nonce,
        "prompt": "consent login",
        "acr_values": config.level.acr(),
        "claims": { "userinfo": { FISCAL_NUMBER: { "essential": true } } },
    });
    for (name, value) in &outside {
        object[*name] = value.as_str().into();
    }
    (outside, key.unsigned("oauth-authz-req+jwt", &object))
}

/// The form that redeems a code.
pub(super) fn token_form(
    config: &Config,
    endpoints: &Endpoints,
    key: &SigningKey,
    login: &Login,
    code: &str,
    now: i64,
) -> String {
    let assertion = assertion(config, &endpoints.token.to_string(), key, now);
    form(&[
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", &login.verifier),
        ("redirect_uri", &config.redirect_uri),
        ("client_id", &config.client_id),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ])
}

/// The form that revokes an access token (RFC 7009).
pub(super) fn revocation_form(
    config: &Config,
    revocation: &str,
    key: &SigningKey,
    access_token: &str,
    now: i64,
) -> String {
    form(&[
        ("token", access_token),
        ("token_type_hint", "access_token"),
        ("client_id", &config.client_id),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion(config, revocation, key, now)),
    ])
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn assertion(config: &Config, endpoint: &str, key: &SigningKey, now: i64) -> String {
    let claims: Value = json!({
        "iss": config.client_id,
        "sub": config.client_id,
        "aud": endpoint,
        "iat": now,
        "exp": now + VALID_SECONDS,
        "jti": alphanumeric(),
    });
    key.sign("JWT", &claims)
}

fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}
