use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        ProvedBy,
        algorithm::Algorithm,
        choice::Choice,
        jwks::KeySet,
        sample::{self, NOW, Signer, now, set},
    },
    client_keys::SigningKey,
    jws,
    scene::{
        ACCESS, CLIENT, CODE, FISCAL_NUMBER, Scene, changed, field, good_header, half_of_sha256,
        half_of_sha512, relying,
    },
    scripted::{Said, Scripted, encrypted},
    *,
};
use crate::civic::CANARIES;

/// The claims of something that we signed, checked with the key that we publish.
fn signed_by_us(scene: &Scene, token: &str) -> Value {
    let key = SigningKey::load(&scene.place.path().join("s.pem")).unwrap().jwk();
    let keys = json!({ "keys": [key] }).to_string();
    let keys = KeySet::parse(keys.as_bytes(), Choice::ALL).unwrap().keys;
    jws::verified(token, &keys).unwrap().0
}

#[tokio::test]
async fn a_person_is_signed_in_and_every_request_of_ours_is_signed() {
    let scene = Scene::of(Profile::Cie).await;
    let (at, query) = scene.url.split_once('?').unwrap();
    assert_eq!(at, format!("{}/auth", scene.scripted.issuer));
    let object = signed_by_us(&scene, &field(query, "request"));
    for name in ["client_id", "response_type", "scope", "code_challenge", "code_challenge_method"] {
        assert_eq!(object[name], field(query, name), "{name}");
    }
    let claims = json!({ "userinfo": { FISCAL_NUMBER: { "essential": true } } });
    for (name, expected) in [
        ("iss", json!(CLIENT)),
        ("aud", json!([scene.scripted.issuer, at])),
        ("redirect_uri", json!(format!("{CLIENT}/callback"))),
        ("prompt", json!("consent login")),
        ("acr_values", json!("https://www.spid.gov.it/SpidL2")),
        ("claims", claims),
        ("iat", json!(NOW)),
        ("exp", json!(NOW + 60)),
        ("sub", Value::Null),
    ] {
        assert_eq!(object[name], expected, "{name}");
    }
    for name in ["state", "nonce", "jti"] {
        let text = object[name].as_str().unwrap();
        assert!(text.len() >= 32 && text.bytes().all(|it| it.is_ascii_alphanumeric()), "{text}");
    }

    let identity = scene.redeem().await.unwrap();
    assert_eq!((identity.fiscal_code.as_str(), identity.proved_by), (CODE, ProvedBy::Cie));
    let asked = scene.scripted.asked("/token");
    let form = asked[0].split("\r\n\r\n").nth(1).unwrap();
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        field(form, "code_verifier").as_bytes(),
    );
    assert_eq!(object["code_challenge"], URL_SAFE_NO_PAD.encode(hash));
    assert_eq!(field(form, "grant_type"), "authorization_code");
    assert_eq!(field(form, "redirect_uri"), format!("{CLIENT}/callback"));
    let assertion = signed_by_us(&scene, &field(form, "client_assertion"));
    let token_endpoint = format!("{}/token", scene.scripted.issuer);
    for (name, expected) in [("iss", CLIENT), ("sub", CLIENT), ("aud", &token_endpoint)] {
        assert_eq!(assertion[name], expected, "{name}");
    }
    let userinfo = &scene.scripted.asked("/userinfo")[0];
    assert!(userinfo.contains(&format!("authorization: Bearer {ACCESS}\r\n")), "{userinfo}");
    while scene.scripted.asked("/revoke").is_empty() {
        tokio::task::yield_now().await;
    }
    let revoked = scene.scripted.asked("/revoke");
    assert_eq!(field(revoked[0].split("\r\n\r\n").nth(1).unwrap(), "token"), ACCESS);
}

#[tokio::test]
async fn spid_and_cie_sign_with_the_algorithms_of_their_rules_alone() {
    for profile in [Profile::Spid, Profile::Cie, Profile::Generic] {
        let mut scene = Scene::of(profile).await;
        let signers = Signer::all();
        scene.scripted.say("/jwks", Said::Answer(200, set(&signers.iter().collect::<Vec<_>>())));
        // The keys of the beginning are fetched again only for a name that is unknown.
        for (place, signer) in signers.into_iter().enumerate() {
            let is_known = profile == Profile::Generic || signer.algorithm != Algorithm::EdDsa;
            let hash = match signer.algorithm {
                Algorithm::EdDsa | Algorithm::Rs512 => half_of_sha512(ACCESS),
                _ => half_of_sha256(ACCESS),
            };
            scene.signer = signer;
            scene.answer(&json!({ "at_hash": hash }), &json!({}));
            let at = NOW + 40 * i64::try_from(place + 1).unwrap();
            let query = scene.query(&format!("&code={}&iss={}", place, scene.scripted.issuer));
            let signed_in = scene.come_back_at(&query, at).await.is_ok();
            assert_eq!(signed_in, is_known, "{profile:?} {:?}", scene.signer.algorithm);
        }
    }
}

#[tokio::test]
async fn what_was_said_is_handed_over_without_what_still_opens_something() {
    let scene = Scene::of(Profile::Spid).await;
    let said = encrypted(&good_header(), scene.signer.token(&scene.user_claims()).as_bytes());
    scene.said_of_person(said.clone());
    let query = scene.query(&format!("&code=the-code&iss={}", scene.scripted.issuer));
    let redeemed = scene.redeemed_at(&query, NOW).await;
    assert!(redeemed.outcome.is_ok());
    let messages = serde_json::to_value(redeemed.messages.unwrap()).unwrap();
    let hash = |text: &str| {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        URL_SAFE_NO_PAD.encode(hash)
    };
    let tokens = scene.scripted.said("/token");
    let tokens: Value = serde_json::from_str(&tokens).unwrap();
    assert_eq!(
        messages,
        json!({
            "provider": "Prova",
            "issuer": scene.scripted.issuer,
            "request": field(scene.url.split_once('?').unwrap().1, "request"),
            "answer": { "code_sha256": hash("the-code"), "state": scene.login.state,
                        "iss": scene.scripted.issuer, "error": null },
            "tokens": { "access_token_sha256": hash(ACCESS), "token_type": "Bearer",
                        "id_token": tokens["id_token"] },
            "userinfo": said,
            "userinfoSigned": scene.signer.token(&scene.user_claims()),
        })
    );
    let text = messages.to_string();
    assert!(!text.contains("the-code") && !text.contains(ACCESS), "{text}");

    // An attempt that is refused after the provider gave tokens leaves its messages, and others leave none.
    scene.answer(&json!({ "acr": "https://www.spid.gov.it/SpidL1" }), &json!({}));
    let refused = scene.redeemed_at(&scene.query("&code=other"), NOW).await;
    assert_eq!(refused.outcome.unwrap_err(), LoginFault::LevelTooLow);
    assert!(serde_json::to_value(refused.messages.unwrap()).unwrap()["userinfo"].is_null());
    scene.scripted.say("/token", Said::Answer(400, r#"{"error":"invalid_grant"}"#.to_owned()));
    assert!(scene.redeemed_at(&scene.query("&code=third"), NOW).await.messages.is_none());
    assert!(scene.redeemed_at(&scene.query("&error=access_denied"), NOW).await.messages.is_none());
}

#[tokio::test]
async fn an_attempt_whose_request_cannot_be_recorded_and_an_answer_without_end_sign_nobody_in() {
    let mut scene = Scene::of(Profile::Spid).await;
    scene.said_of_person("x".repeat(64 * 1024 + 1));
    assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted);
    scene.answer(&json!({}), &json!({}));
    assert!(scene.redeem().await.is_ok());
    scene.login.request_id = login::alphanumeric();
    let asked = scene.scripted.asked("/token").len();
    assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Stale);
    assert_eq!(scene.scripted.asked("/token").len(), asked, "the code is not spent for nothing");
}

#[tokio::test]
async fn a_forged_late_or_foreign_id_token_signs_nobody_in() {
    let scene = Scene::of(Profile::Spid).await;
    for (change, expected) in [
        (json!({ "iss": "https://other.example" }), LoginFault::Untrusted),
        (json!({ "aud": "other" }), LoginFault::Untrusted),
        (json!({ "aud": ["other"] }), LoginFault::Untrusted),
        (json!({ "azp": "other" }), LoginFault::Untrusted),
        (json!({ "nonce": "0".repeat(64) }), LoginFault::Untrusted),
        (json!({ "nonce": null }), LoginFault::Untrusted),
        (json!({ "exp": NOW - 60 }), LoginFault::Untrusted),
        (json!({ "exp": null }), LoginFault::Untrusted),
        (json!({ "iat": NOW + 61 }), LoginFault::Untrusted),
        (json!({ "iat": NOW - 661 }), LoginFault::Untrusted),
        (json!({ "nbf": NOW + 61 }), LoginFault::Untrusted),
        (json!({ "nbf": null }), LoginFault::Untrusted),
        (json!({ "jti": null }), LoginFault::Untrusted),
        (json!({ "at_hash": null }), LoginFault::Untrusted),
        (json!({ "at_hash": half_of_sha256("another") }), LoginFault::Untrusted),
        (json!({ "sub": "" }), LoginFault::Untrusted),
        (json!({ "acr": "https://www.spid.gov.it/SpidL1" }), LoginFault::LevelTooLow),
        (json!({ "acr": null }), LoginFault::LevelTooLow),
    ] {
        scene.answer(&change, &json!({}));
        assert_eq!(scene.redeem().await.unwrap_err(), expected, "{change}");
    }
    for good in [
        json!({ "acr": "https://www.spid.gov.it/SpidL3" }),
        json!({ "aud": ["other", CLIENT], "azp": CLIENT }),
        json!({ "exp": NOW - 59, "iat": NOW - 600 }),
    ] {
        scene.answer(&good, &json!({}));
        assert!(scene.redeem().await.is_ok(), "{good}");
    }
    let impostor = Signer::new(Algorithm::EdDsa, "one");
    let none = |claims: &Value| {
        format!("{}.", sample::signed(r#"{"alg":"none","kid":"one"}"#, &claims.to_string()))
    };
    for forged in [impostor.token(&scene.id_claims()), none(&scene.id_claims()), String::new()] {
        scene.tokens(&forged);
        assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted);
    }
}

#[tokio::test]
async fn only_a_test_provider_may_leave_out_the_binding_claims_and_none_may_have_them_wrong() {
    let without = json!({ "at_hash": null, "nbf": null, "jti": null });
    for (profile, is_enough) in [
        (Profile::Test, true),
        (Profile::Generic, false),
        (Profile::Spid, false),
        (Profile::Cie, false),
    ] {
        let scene = Scene::of(profile).await;
        scene.answer(&without, &json!({}));
        assert_eq!(scene.redeem().await.is_ok(), is_enough, "{profile:?}");
        scene.answer(&json!({ "at_hash": "x" }), &json!({}));
        assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted, "{profile:?}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_person_is_encrypted_signed_and_about_that_person() {
    let scene = Scene::of(Profile::Spid).await;
    for change in [
        json!({ "sub": "pairwise-2" }),
        json!({ "iss": "https://other.example" }),
        json!({ "aud": "other" }),
        json!({ "exp": NOW - 60 }),
        json!({ "iat": NOW + 61 }),
        json!({ "nbf": NOW + 61 }),
        json!({ FISCAL_NUMBER: null }),
        json!({ FISCAL_NUMBER: CODE }),
        json!({ FISCAL_NUMBER: "TINIT-RSSMRA80A01H501X" }),
        json!({ FISCAL_NUMBER: format!("TINIT-{}", CANARIES[0].as_str()) }),
        json!({ FISCAL_NUMBER: "TINFR-123456789" }),
    ] {
        scene.answer(&json!({}), &change);
        assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted, "{change}");
    }
    let signed = scene.signer.token(&scene.user_claims());
    for header in [
        good_header(),
        json!({ "alg": "RSA-OAEP", "enc": "A128CBC-HS256" }),
        json!({ "alg": "RSA-OAEP-256", "enc": "A128CBC-HS256" }),
    ] {
        scene.said_of_person(encrypted(&header, signed.as_bytes()));
        assert!(scene.redeem().await.is_ok(), "{header}");
    }
    let whole = encrypted(&good_header(), signed.as_bytes());
    let plain = scene.user_claims().to_string();
    for wrong in [
        plain.clone(),
        signed.clone(),
        encrypted(&good_header(), plain.as_bytes()),
        encrypted(&json!({ "alg": "RSA1_5", "enc": "A256CBC-HS512" }), signed.as_bytes()),
        encrypted(&json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM" }), signed.as_bytes()),
        encrypted(&changed(good_header(), &json!({ "zip": "DEF" })), signed.as_bytes()),
        encrypted(&changed(good_header(), &json!({ "kid": "other" })), signed.as_bytes()),
        whole.replacen('.', "..", 1),
        format!("{whole}A"),
        String::new(),
    ] {
        scene.said_of_person(wrong.clone());
        assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted, "{wrong}");
    }
    let generic = Scene::of(Profile::Generic).await;
    generic.said_of_person(generic.signer.token(&generic.user_claims()));
    assert!(generic.redeem().await.is_ok(), "a gateway may sign alone");
    generic.said_of_person(plain);
    assert_eq!(generic.redeem().await.unwrap_err(), LoginFault::Untrusted);
}

#[tokio::test]
async fn a_callback_that_is_doubled_late_or_of_another_attempt_signs_nobody_in() {
    let scene = Scene::of(Profile::Cie).await;
    let whole = scene.query(&format!("&code=first&iss={}", scene.scripted.issuer));
    assert!(scene.come_back(&whole).await.is_ok());
    assert_eq!(scene.come_back(&whole).await.unwrap_err(), LoginFault::Stale);
    assert_eq!(scene.scripted.asked("/token").len(), 1, "the provider is not asked twice");

    let fresh = |more: &str| scene.query(&format!("&code={}{more}", login::alphanumeric()));
    let iss = format!("&iss={}", scene.scripted.issuer);
    for (late, expected) in
        [(599, None), (600, Some(LoginFault::Stale)), (-1, Some(LoginFault::Stale))]
    {
        scene.answer(&json!({ "exp": NOW + 900 }), &json!({ "exp": NOW + 900 }));
        let fault = scene.come_back_at(&fresh(&iss), NOW + late).await.err();
        assert_eq!(fault, expected, "{late}");
    }
    let asked = scene.scripted.asked("/token").len();
    for (query, expected) in [
        (fresh("&iss=https://other.example"), LoginFault::Untrusted),
        (fresh(""), LoginFault::Untrusted),
        (format!("state=other&code=a{iss}"), LoginFault::Stale),
        (format!("code=a{iss}"), LoginFault::Stale),
        (scene.query(&iss), LoginFault::Stale),
        (scene.query(&format!("{iss}&error=access_denied")), LoginFault::Refused),
        (scene.query(&format!("{iss}&error=access_denied&code=a")), LoginFault::Refused),
        (scene.query(&format!("{iss}&error=login_required")), LoginFault::NotCompleted),
        (scene.query(&format!("{iss}&error=temporarily_unavailable")), LoginFault::Unavailable),
        (scene.query(&format!("{iss}&error=invalid_request")), LoginFault::Untrusted),
    ] {
        assert_eq!(scene.come_back(&query).await.unwrap_err(), expected, "{query}");
    }
    assert_eq!(scene.scripted.asked("/token").len(), asked, "no code was sent anywhere");

    let spid = Scene::of(Profile::Spid).await;
    assert!(spid.come_back(&spid.query("&code=a")).await.is_ok(), "SPID need not name itself");
    let other = spid.query("&code=b&iss=https://other.example");
    assert_eq!(spid.come_back(&other).await.unwrap_err(), LoginFault::Untrusted);
}

#[tokio::test]
async fn a_provider_that_answers_nonsense_or_half_signs_nobody_in() {
    let scene = Scene::of(Profile::Spid).await;
    let tokens = |changes: &Value| {
        let good = json!({ "access_token": ACCESS, "token_type": "Bearer", "id_token": "a.b.c" });
        changed(good, changes).to_string()
    };
    let refused = |error: &str| Said::Answer(400, json!({ "error": error }).to_string());
    let huge = Said::Answer(200, " ".repeat(300 * 1024));
    for (said, expected) in [
        (Said::Cut(tokens(&json!({}))), LoginFault::Unavailable),
        (huge, LoginFault::Unavailable),
        (Said::Answer(503, String::new()), LoginFault::Unavailable),
        (refused("invalid_grant"), LoginFault::Stale),
        (refused("invalid_client"), LoginFault::Untrusted),
        (Said::Answer(302, String::new()), LoginFault::Untrusted),
        (Said::Answer(200, "<html>".to_owned()), LoginFault::Untrusted),
        (Said::Answer(200, tokens(&json!({ "token_type": "DPoP" }))), LoginFault::Untrusted),
        (Said::Answer(200, tokens(&json!({ "id_token": null }))), LoginFault::Untrusted),
    ] {
        scene.scripted.say("/token", said);
        assert_eq!(scene.redeem().await.unwrap_err(), expected);
    }
    scene.answer(&json!({}), &json!({}));
    assert!(scene.redeem().await.is_ok());
    for (said, expected) in [
        (Said::Cut("a".repeat(99)), LoginFault::Unavailable),
        (Said::Answer(500, String::new()), LoginFault::Unavailable),
        (Said::Answer(401, String::new()), LoginFault::Untrusted),
        (Said::Answer(200, "{}".to_owned()), LoginFault::Untrusted),
    ] {
        scene.scripted.say("/userinfo", said);
        assert_eq!(scene.redeem().await.unwrap_err(), expected);
    }
    assert!(!scene.scripted.asked("/revoke").is_empty(), "what was opened is closed");
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_fetched_once_and_an_absent_provider_keeps_its_keys() {
    let scene = Scene::of(Profile::Spid).await;
    let next = Signer::new(Algorithm::Es256, "two");
    scene.tokens(&next.token(&scene.id_claims()));
    assert_eq!(scene.redeem().await.unwrap_err(), LoginFault::Untrusted, "asked a moment ago");
    assert_eq!(scene.scripted.asked("/jwks").len(), 1);

    scene.scripted.say("/jwks", Said::Answer(200, set(&[&scene.signer, &next])));
    let query = |code: &str| scene.query(&format!("&code={code}"));
    let later = NOW + 31;
    let identity = scene.come_back_at(&query("a"), later).await;
    let identity = identity.unwrap();
    assert_eq!((identity.fiscal_code.as_str(), identity.proved_by), (CODE, ProvedBy::Spid));
    assert_eq!(scene.scripted.asked("/jwks").len(), 2);

    // Its discovery is broken, but what it published last is in use.
    scene.scripted.say("/jwks", Said::Answer(503, String::new()));
    let claims = changed(scene.id_claims(), &json!({ "nonce": scene.login.nonce }));
    scene.tokens(&Signer::new(Algorithm::EdDsa, "three").token(&claims));
    let fault = scene.come_back_at(&query("b"), later + 31).await.unwrap_err();
    assert_eq!(fault, LoginFault::Untrusted);
    scene.answer(&json!({}), &json!({}));
    assert!(scene.come_back_at(&query("c"), later + 32).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_hangs_while_its_keys_are_fetched_holds_nobody_up() {
    let scene = Scene::of(Profile::Spid).await;
    scene.scripted.say("/jwks", Said::Silence);
    let later = Timestamp::from_second(NOW + 901).unwrap();
    let begin = || scene.relying.begin("Prova", Language::Italian, later);
    let fetching = begin();
    let others = async {
        while scene.scripted.asked("/jwks").len() < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert!(begin().await.is_ok());
        }
    };
    tokio::select! {
        biased;
        () = others => {}
        _ = fetching => panic!("the provider does not answer"),
    }
    assert_eq!(scene.scripted.asked("/jwks").len(), 2, "one fetches");
}

#[tokio::test]
async fn nobody_begins_at_a_provider_that_publishes_nothing_of_use() {
    let place = tempfile::tempdir().unwrap();
    let scripted = Scripted::start(place.path()).await;
    let relying = relying(place.path(), &scripted, Profile::Spid);
    let begin = |at: i64| {
        let at = Timestamp::from_second(NOW + at).unwrap();
        let relying = &relying;
        async move { relying.begin("Prova", Language::Italian, at).await.err() }
    };
    assert_eq!(begin(0).await, Some(LoginFault::Unavailable));
    assert_eq!(begin(1).await, Some(LoginFault::Unavailable));
    let discovery = "/.well-known/openid-configuration";
    assert_eq!(scripted.asked(discovery).len(), 1, "a failure is not repeated at once");
    scripted.publish_discovery();
    assert_eq!(begin(10).await, Some(LoginFault::Unavailable), "it has no keys");
    scripted.say("/jwks", Said::Answer(200, set(&[&Signer::new(Algorithm::Es256, "one")])));
    assert_eq!(begin(20).await, None);
    let unknown = relying.begin("other", Language::Italian, now()).await.err();
    assert_eq!(unknown, Some(LoginFault::UnknownProvider));

    for (name, value) in [("issuer", "https://other.example"), ("token_endpoint", "http://a/b")] {
        let place = tempfile::tempdir().unwrap();
        let scripted = Scripted::start(place.path()).await;
        let mut document = json!({
            "issuer": scripted.issuer,
            "authorization_endpoint": format!("{}/auth", scripted.issuer),
            "token_endpoint": format!("{}/token", scripted.issuer),
            "userinfo_endpoint": format!("{}/userinfo", scripted.issuer),
            "jwks_uri": format!("{}/jwks", scripted.issuer),
        });
        document[name] = value.into();
        scripted.say(discovery, Said::Answer(200, document.to_string()));
        scripted.say("/jwks", Said::Answer(200, set(&[&Signer::new(Algorithm::Es256, "one")])));
        let relying = self::relying(place.path(), &scripted, Profile::Spid);
        let fault = relying.begin("Prova", Language::Italian, now()).await.err();
        assert_eq!(fault, Some(LoginFault::Unavailable), "{name}");
    }
}

#[tokio::test]
async fn the_entity_configuration_names_our_keys_and_is_signed_with_another() {
    let place = tempfile::tempdir().unwrap();
    let scripted = Scripted::start(place.path()).await;
    let key = place.path().join("federation.pem");
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let marks = place.path().join("marks.json");
    std::fs::write(&marks, r#"[{"id":"https://mark.example","trust_mark":"a.b.c"}]"#).unwrap();
    let config = FederationConfig {
        entity: CLIENT.to_owned(),
        key: key.clone(),
        authorities: vec!["https://authority.example".to_owned()],
        organization: "Istituto".to_owned(),
        contact: "oidc@istituto.example".to_owned(),
        trust_marks: Some(marks.clone()),
    };
    let relying = || relying(place.path(), &scripted, Profile::Spid);
    assert!(relying().entity_configuration(now()).is_none());
    let federated = relying().in_federation(&config).unwrap();
    let statement = federated.entity_configuration(now()).unwrap();
    let public = SigningKey::load(&key).unwrap().jwk();
    let keys = json!({ "keys": [public] }).to_string();
    let keys = KeySet::parse(keys.as_bytes(), Choice::ALL).unwrap().keys;
    let (claims, _): (Value, _) = jws::verified(&statement, &keys).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT), &json!(CLIENT)));
    assert_eq!(claims["jwks"], json!({ "keys": [public] }));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 24 * 60 * 60);
    assert_eq!(claims["authority_hints"], json!(["https://authority.example"]));
    assert_eq!(claims["trust_marks"][0]["trust_mark"], "a.b.c");
    let relying_party = &claims["metadata"]["openid_relying_party"];
    assert_eq!(relying_party["redirect_uris"], json!([format!("{CLIENT}/callback")]));
    let core = relying_party["jwks"]["keys"].as_array().unwrap();
    let uses: Vec<_> = core.iter().map(|key| key["use"].as_str().unwrap()).collect();
    assert_eq!(uses, ["sig", "enc"]);
    let secret = ["d", "p", "q", "dp", "dq", "qi"];
    assert!(core.iter().all(|key| secret.iter().all(|name| key.get(*name).is_none())));
    let header = URL_SAFE_NO_PAD.decode(statement.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["typ"], "entity-statement+jwt");

    let at = |seconds: i64| Timestamp::from_second(NOW + seconds).unwrap();
    assert_eq!(federated.entity_configuration(at(3599)).unwrap(), statement);
    assert_ne!(federated.entity_configuration(at(3600)).unwrap(), statement);

    let shared = relying();
    let shared = shared
        .in_federation(&FederationConfig { key: place.path().join("s.pem"), ..config.clone() });
    assert!(matches!(shared, Err(OpenIdFault::Federation(FederationFault::SharedKey))));
    std::fs::write(&marks, "{}").unwrap();
    let marked = relying().in_federation(&config);
    assert!(matches!(marked, Err(OpenIdFault::Federation(FederationFault::TrustMarks(_)))));
}
