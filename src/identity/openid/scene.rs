//! A provider and an attempt to sign in at it, for tests.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        Assurance, Identity,
        algorithm::Algorithm,
        sample::{NOW, Signer, now, set},
    },
    Begun, Callback, Config, DISCOVERY_PATH, Login, LoginFault, Profile, Redeemed, RelyingParty,
    login,
    scripted::{Said, Scripted, encrypted, write_client_key},
};
use crate::civic::Language;

pub(super) const CLIENT: &str = "https://sportello.example.it";
pub(super) const ACCESS: &str = "access-token-of-a-test";
pub(super) const CODE: &str = "RSSMRA80A01H501U";
pub(super) const FISCAL_NUMBER: &str = "https://attributes.eid.gov.it/fiscal_number";

/// A provider with one key, and an attempt to sign in at it.
pub(super) struct Scene {
    pub(super) place: tempfile::TempDir,
    pub(super) scripted: Scripted,
    pub(super) signer: Signer,
    pub(super) relying: RelyingParty,
    pub(super) login: Login,
    pub(super) url: String,
}

impl Scene {
    pub(super) async fn of(profile: Profile) -> Self {
        let place = tempfile::tempdir().unwrap();
        let scripted = Scripted::start(place.path()).await;
        let signer = Signer::new(Algorithm::Rs256, "one");
        scripted.publish_discovery();
        scripted.say("/jwks", Said::Answer(200, set(&[&signer])));
        scripted.say("/revoke", Said::Answer(200, String::new()));
        let relying = relying(place.path(), &scripted, profile);
        let begun = relying.begin("Prova", Language::English, now()).await;
        let Begun { url, login } = begun.unwrap_or_else(|fault| panic!("{fault:?}"));
        let scene = Self { place, scripted, signer, relying, login, url };
        scene.answer(&json!({}), &json!({}));
        scene
    }

    pub(super) fn id_claims(&self) -> Value {
        json!({
            "iss": self.scripted.issuer,
            "sub": "pairwise-1",
            "aud": CLIENT,
            "exp": NOW + 300,
            "iat": NOW,
            "nbf": NOW,
            "jti": "id-1",
            "acr": "https://www.spid.gov.it/SpidL2",
            "nonce": self.login.nonce,
            // The left half of SHA-256 of ACCESS.
            "at_hash": half_of_sha256(ACCESS),
        })
    }

    pub(super) fn user_claims(&self) -> Value {
        json!({
            "iss": self.scripted.issuer,
            "sub": "pairwise-1",
            "aud": [CLIENT],
            "exp": NOW + 300,
            "iat": NOW,
            FISCAL_NUMBER: format!("TINIT-{CODE}"),
        })
    }

    /// Answers with good tokens, some claims of which are changed; a null removes one.
    pub(super) fn answer(&self, id: &Value, user: &Value) {
        self.tokens(&self.signer.token(&changed(self.id_claims(), id)));
        let signed = self.signer.token(&changed(self.user_claims(), user));
        self.said_of_person(encrypted(&good_header(), signed.as_bytes()));
    }

    pub(super) fn tokens(&self, id_token: &str) {
        let tokens =
            json!({ "access_token": ACCESS, "token_type": "Bearer", "id_token": id_token });
        self.scripted.say("/token", Said::Answer(200, tokens.to_string()));
    }

    pub(super) fn said_of_person(&self, said: String) {
        self.scripted.say("/userinfo", Said::Answer(200, said));
    }

    pub(super) fn query(&self, more: &str) -> String {
        format!("state={}{more}", self.login.state)
    }

    /// Redeems a fresh code.
    pub(super) async fn redeem(&self) -> Result<Identity, LoginFault> {
        let code = login::alphanumeric();
        self.come_back(&self.query(&format!("&code={code}&iss={}", self.scripted.issuer))).await
    }

    pub(super) async fn come_back(&self, query: &str) -> Result<Identity, LoginFault> {
        self.come_back_at(query, NOW).await
    }

    pub(super) async fn come_back_at(&self, query: &str, at: i64) -> Result<Identity, LoginFault> {
        self.redeemed_at(query, at).await.outcome
    }

    pub(super) async fn redeemed_at(&self, query: &str, at: i64) -> Redeemed {
        let Some(callback) = Callback::parse(query) else { return LoginFault::Stale.into() };
        let at = Timestamp::from_second(at).unwrap();
        self.relying.redeem(&self.login, &callback, at).await
    }
}

pub(super) fn relying(place: &Path, scripted: &Scripted, profile: Profile) -> RelyingParty {
    let (signing, decryption) = (place.join("s.pem"), place.join("e.pem"));
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(&signing, pair.serialize_pem()).unwrap();
    write_client_key(&decryption);
    let config = Config {
        name: "Prova".to_owned(),
        profile,
        issuer: scripted.issuer.clone(),
        client_id: CLIENT.to_owned(),
        redirect_uri: format!("{CLIENT}/callback"),
        level: Assurance::Level2,
        signing_key: signing,
        encryption_key: decryption,
        endpoints: None,
        discovery: format!("{}{DISCOVERY_PATH}", scripted.issuer).parse().unwrap(),
    };
    RelyingParty::open(&[config], Some(&scripted.ca)).unwrap()
}

pub(super) fn half_of_sha256(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

pub(super) fn half_of_sha512(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32])
}

pub(super) fn good_header() -> Value {
    json!({ "alg": "RSA-OAEP-256", "enc": "A256CBC-HS512", "cty": "JWT" })
}

pub(super) fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub(super) fn field(form: &str, name: &str) -> String {
    let mut pairs = form_urlencoded::parse(form.as_bytes());
    pairs.find(|(own, _)| own == name).map_or(String::new(), |(_, value)| value.into_owned())
}
