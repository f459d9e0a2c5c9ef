//! Forged tokens of every kind are refused, good ones of every kind accepted.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    Assurance, Identity, ProvedBy,
    algorithm::Algorithm,
    choice::{Choice, Named as _},
    issuer::{Config, KeysFrom},
    jwks::KeySet,
    sample::{ISSUER, NOW, Signer, claims, now, set, signed},
    token::{TokenFault, Verifier},
};
use crate::clock::Clock;

fn trusting(signers: &[&Signer]) -> Verifier {
    let read = KeySet::parse(set(signers).as_bytes(), Choice::ALL).unwrap();
    assert_eq!(read.skipped, []);
    Verifier::with_keys(ISSUER, "sportello", read.keys, ProvedBy::Token)
}

fn verify(verifier: &Verifier, token: &str) -> Result<Identity, TokenFault> {
    verifier.verify(token, now())
}

/// Claims with some changed; a null removes one.
fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn a_token_of_each_algorithm_is_accepted_by_its_own_key_alone() {
    let signers = Signer::all();
    let verifier = trusting(&signers.iter().collect::<Vec<_>>());
    for signer in &signers {
        let identity = verify(&verifier, &signer.token(&claims())).unwrap();
        assert_eq!(identity.fiscal_code.as_str(), "RSSMRA80A01H501U");
        assert_eq!(identity.proved_by, ProvedBy::Token);
        for other in signers.iter().filter(|other| other.kid != signer.kid) {
            // The other's name, algorithm, or both.
            for header in [
                json!({ "alg": signer.algorithm.name(), "kid": other.kid }),
                json!({ "alg": other.algorithm.name(), "kid": signer.kid }),
                json!({ "alg": other.algorithm.name(), "kid": other.kid }),
            ] {
                let token = signer.token_of(&header.to_string(), &claims().to_string());
                assert_eq!(
                    verify(&verifier, &token).unwrap_err(),
                    TokenFault::Untrusted,
                    "{header}"
                );
            }
        }
        let good = signer.token(&claims());
        let (start, signature) = good.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for changed in [0, bytes.len() - 1] {
            bytes[changed] ^= 1;
            let forged = format!("{start}.{}", URL_SAFE_NO_PAD.encode(&bytes));
            assert_eq!(verify(&verifier, &forged).unwrap_err(), TokenFault::Untrusted);
            bytes[changed] ^= 1;
        }
        for cut in [format!("{start}."), start.to_owned(), format!("{good}."), format!("{good}=")] {
            assert_eq!(verify(&verifier, &cut).unwrap_err(), TokenFault::Untrusted, "{cut}");
        }
    }
}

#[test]
fn a_public_key_is_no_secret_of_an_hmac_and_none_is_no_algorithm() {
    for signer in Signer::all() {
        let verifier = trusting(&[&signer]);
        let jwk = signer.jwk().to_string();
        for alg in [
            "HS256", "HS384", "HS512", "RSA1_5", "RS1", "none", "None", "NONE", "", "ES256K",
            "RS384",
        ] {
            let header = json!({ "alg": alg, "kid": signer.kid }).to_string();
            let signed = signed(&header, &claims().to_string());
            for secret in [signer.public(), jwk.as_bytes(), &[]] {
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
                let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert_eq!(verify(&verifier, &forged).unwrap_err(), TokenFault::Untrusted, "{alg}");
            }
            let unsigned = format!("{signed}.");
            assert_eq!(verify(&verifier, &unsigned).unwrap_err(), TokenFault::Untrusted, "{alg}");
            let well_signed = signer.token_of(&header, &claims().to_string());
            assert_eq!(
                verify(&verifier, &well_signed).unwrap_err(),
                TokenFault::Untrusted,
                "{alg}"
            );
        }
    }
}

#[test]
fn keys_and_urls_in_a_header_are_not_read() {
    let (ours, theirs) = (Signer::new(Algorithm::Es256, "1"), Signer::new(Algorithm::Es256, "1"));
    let verifier = trusting(&[&ours]);
    for (name, value) in [
        ("jwk", theirs.jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = ours.header();
        header[name] = value;
        let [forged, good] = [&theirs, &ours]
            .map(|signer| signer.token_of(&header.to_string(), &claims().to_string()));
        assert_eq!(verify(&verifier, &forged).unwrap_err(), TokenFault::Untrusted, "{name}");
        assert!(verify(&verifier, &good).is_ok(), "{name} changes nothing");
    }
}

#[test]
fn a_key_is_named_by_its_kid_and_only_by_that() {
    let [one, two] = ["one", "two"].map(|kid| Signer::new(Algorithm::EdDsa, kid));
    let verifier = trusting(&[&one, &two]);
    assert!(verify(&verifier, &one.token(&claims())).is_ok());
    assert!(verify(&verifier, &two.token(&claims())).is_ok());
    for kid in [
        Value::Null,
        json!(""),
        json!("One"),
        json!("one "),
        json!("two"),
        json!(1),
        json!(["one"]),
    ] {
        let header = json!({ "alg": "EdDSA", "kid": kid }).to_string();
        let token = one.token_of(&header, &claims().to_string());
        assert_eq!(verify(&verifier, &token).unwrap_err(), TokenFault::Untrusted, "{kid}");
    }
    let without = one.token_of(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    assert_eq!(verify(&verifier, &without).unwrap_err(), TokenFault::Untrusted);
}

#[test]
fn a_member_that_is_there_twice_and_an_extension_are_refused() {
    let signer = Signer::new(Algorithm::EdDsa, "1");
    let verifier = trusting(&[&signer]);
    let (header, good) = (signer.header().to_string(), claims().to_string());
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    for (header, claims) in [
        (twice(&header, r#""alg":"none""#), good.clone()),
        (twice(&header, r#""kid":"2""#), good.clone()),
        (twice(&header, r#""crit":["exp"]"#), good.clone()),
        (header.clone(), twice(&good, r#""aud":"other""#)),
        (header.clone(), twice(&good, r#""iss":"https://login.example.it""#)),
        (header.clone(), twice(&good, r#""sub":"a","sub":"b""#)),
        (header.clone(), twice(&good, r#""address":{"x":1,"x":2}"#)),
        (header.clone(), format!("{good} {{}}")),
        (header.clone(), format!("[{good}]")),
    ] {
        let token = signer.token_of(&header, &claims);
        assert_eq!(
            verify(&verifier, &token).unwrap_err(),
            TokenFault::Untrusted,
            "{header} {claims}"
        );
    }
    assert!(verify(&verifier, &signer.token_of(&header, &twice(&good, r#""sub":"a""#))).is_ok());
}

#[test]
fn an_issuer_signs_with_its_own_keys_for_its_own_audience_and_levels() {
    let place = tempfile::tempdir().unwrap();
    let [one, two] = ["same", "same"].map(|kid| Signer::new(Algorithm::Es256, kid));
    let config = |name: &str, audience: &str, signer: &Signer, levels: &str| {
        let path = place.path().join(audience);
        std::fs::write(&path, set(&[signer])).unwrap();
        Config {
            name: name.to_owned(),
            audience: audience.to_owned(),
            keys: KeysFrom::File(path),
            algorithms: Choice::ALL,
            levels: levels.parse::<Choice<Assurance>>().unwrap(),
        }
    };
    let configs = [
        config(ISSUER, "sportello", &one, "2"),
        config("https://gateway.example.it", "gateway", &two, "2, 3"),
    ];
    let verifier = Verifier::open(&configs, place.path(), &Clock::standing_at(now())).unwrap();
    let theirs = json!({ "iss": "https://gateway.example.it", "aud": "gateway" });
    assert!(verify(&verifier, &one.token(&claims())).is_ok());
    assert!(verify(&verifier, &two.token(&with(&theirs))).is_ok());
    for (signer, changes, expected) in [
        // The key of another issuer under the same name.
        (&two, json!({}), TokenFault::Untrusted),
        (&one, theirs.clone(), TokenFault::Untrusted),
        // The audience of another issuer.
        (&one, json!({ "aud": "gateway" }), TokenFault::Untrusted),
        // A level that it may not assert.
        (&one, json!({ "acr": "https://www.spid.gov.it/SpidL3" }), TokenFault::Untrusted),
        (&one, json!({ "acr": "https://www.spid.gov.it/SpidL1" }), TokenFault::AssuranceTooLow),
        (&one, json!({ "acr": "SpidL4" }), TokenFault::AssuranceTooLow),
        // Nobody's.
        (&one, json!({ "iss": "" }), TokenFault::Untrusted),
        (&one, json!({ "iss": null }), TokenFault::Untrusted),
        (&one, json!({ "iss": "https://login.example.it/" }), TokenFault::Untrusted),
        // Too late, too early.
        (&one, json!({ "exp": NOW - 60, "iat": NOW - 600 }), TokenFault::Expired),
        (&one, json!({ "nbf": NOW + 61 }), TokenFault::Expired),
        // Not an Italian fiscal code.
        (
            &one,
            json!({ "https://attributes.eid.gov.it/fiscal_number": "RSSMRA80A01H501U" }),
            TokenFault::Untrusted,
        ),
        (
            &one,
            json!({ "https://attributes.eid.gov.it/fiscal_number": "TINDE-123" }),
            TokenFault::Untrusted,
        ),
    ] {
        let token = signer.token(&with(&changes));
        assert_eq!(verify(&verifier, &token).unwrap_err(), expected, "{changes}");
    }
    let level3 =
        with(&json!({ "iss": "https://gateway.example.it", "aud": ["x", "gateway"], "acr": "3" }));
    assert!(verify(&verifier, &two.token(&level3)).is_ok());
}

#[test]
fn a_file_of_keys_is_rotated_without_a_stop_and_a_broken_one_keeps_the_old_keys() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("jwks.json");
    let replace = |text: &str| {
        std::fs::write(place.path().join("new"), text).unwrap();
        std::fs::rename(place.path().join("new"), &path).unwrap();
    };
    let [old, new] = ["old", "new"].map(|kid| Signer::new(Algorithm::Es256, kid));
    replace(&set(&[&old]));
    let configs = [Config {
        name: ISSUER.to_owned(),
        audience: "sportello".to_owned(),
        keys: KeysFrom::File(path.clone()),
        algorithms: Choice::ALL,
        levels: Choice::ALL,
    }];
    let verifier = Verifier::open(&configs, place.path(), &Clock::standing_at(now())).unwrap();
    let accepted =
        || [&old, &new].map(|signer| verify(&verifier, &signer.token(&claims())).is_ok());
    assert_eq!(accepted(), [true, false]);
    for (text, expected) in [
        // The old and the new key overlap.
        (set(&[&old, &new]), [true, true]),
        ("{".to_owned(), [true, true]),
        (r#"{"keys":[]}"#.to_owned(), [true, true]),
        (set(&[&old, &old]), [true, true]),
        (" ".repeat(300_000), [true, true]),
        (set(&[&new]), [false, true]),
    ] {
        replace(&text);
        verifier.look_at_files();
        assert_eq!(accepted(), expected, "{text:.40}");
    }
    std::fs::remove_file(&path).unwrap();
    verifier.look_at_files();
    assert_eq!(accepted(), [false, true]);
    std::fs::write(&path, "no set").unwrap();
    let Err(refused) = Verifier::open(&configs, place.path(), &Clock::standing_at(now())) else {
        panic!("a server does not start with a broken file");
    };
    let refused = refused.to_string();
    assert!(refused.contains(ISSUER) && refused.contains("jwks.json"), "{refused}");
}
