//! Which keys of a set are used, and which sets are refused.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{
        choice::Named as _,
        sample::{Signer, set},
    },
    *,
};

fn parse(keys: &Value) -> Result<Read, KeysFault> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), Choice::ALL)
}

/// Why a key is skipped that stands beside a good one; a null in `changes` removes a member.
fn why(signer: &Signer, changes: &Value) -> Option<Unusable> {
    let mut key = signer.jwk();
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let good = Signer::new(Algorithm::EdDsa, "good");
    let Read { keys, skipped } = parse(&json!([good.jwk(), key])).unwrap();
    assert_eq!(keys.len() + skipped.len(), 2);
    assert!(skipped.iter().all(|skipped| skipped.number == 2));
    skipped.first().map(|skipped| skipped.why)
}

#[test]
fn a_key_has_one_algorithm_that_suits_its_type() {
    for signer in Signer::all() {
        assert_eq!(why(&signer, &json!({})), None);
        for alg in ["none", "HS256", "RSA1_5", "RSA-OAEP", "ES384", "RS384", "", "eddsa"] {
            assert_eq!(why(&signer, &json!({ "alg": alg })), Some(Unusable::Kind), "{alg}");
        }
        assert_eq!(why(&signer, &json!({ "alg": 7 })), Some(Unusable::Kind));
        for other in Algorithm::ALL {
            let is_rsa =
                |one| matches!(one, Algorithm::Ps256 | Algorithm::Rs256 | Algorithm::Rs512);
            let suits = signer.algorithm == *other || is_rsa(signer.algorithm) && is_rsa(*other);
            let found = why(&signer, &json!({ "alg": other.name() }));
            assert_eq!(found.is_none(), suits, "{} {other:?}", signer.kid);
        }
    }
    let without_alg = |algorithm| {
        let mut key = Signer::new(algorithm, "1").jwk();
        key.as_object_mut().unwrap().remove("alg");
        parse(&json!([key])).unwrap().keys.named[0].1.algorithm
    };
    assert_eq!(without_alg(Algorithm::EdDsa), Algorithm::EdDsa);
    assert_eq!(without_alg(Algorithm::Es256), Algorithm::Es256);
    assert_eq!(without_alg(Algorithm::Ps256), Algorithm::Rs256, "PS256 must be stated");
}

#[test]
fn keys_for_other_purposes_are_skipped_and_named() {
    let [ed, ec, rsa] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]
        .map(|algorithm| Signer::new(algorithm, "x"));
    for (changes, expected) in [
        (json!({ "use": "sig" }), None),
        (json!({ "use": "enc" }), Some(Unusable::Use)),
        (json!({ "use": ["sig"] }), Some(Unusable::Use)),
        (json!({ "key_ops": ["verify"] }), None),
        (json!({ "key_ops": ["sign", "verify"] }), None),
        (json!({ "key_ops": ["encrypt"] }), Some(Unusable::Use)),
        (json!({ "key_ops": [] }), Some(Unusable::Use)),
        (json!({ "key_ops": "verify" }), Some(Unusable::Use)),
        (json!({ "use": "sig", "key_ops": ["wrapKey"] }), Some(Unusable::Use)),
        (json!({ "x5c": ["MIIB"], "x5t": "x", "nonsense": {} }), None),
        (json!({ "d": "AAAA" }), Some(Unusable::Private)),
        (json!({ "kid": null }), Some(Unusable::Kid)),
        (json!({ "kid": "" }), Some(Unusable::Kid)),
        (json!({ "kid": 7 }), Some(Unusable::Kid)),
        (json!({ "kid": "x".repeat(KID_BYTES_MAX) }), None),
        (json!({ "kid": "x".repeat(KID_BYTES_MAX + 1) }), Some(Unusable::Kid)),
        (json!({ "kty": "oct", "k": "AAAA" }), Some(Unusable::Kind)),
        (json!({ "kty": null }), Some(Unusable::Kind)),
        (json!({ "kty": "AKP", "alg": "ML-DSA-44" }), Some(Unusable::Kind)),
    ] {
        assert_eq!(why(&ed, &changes), expected, "{changes}");
    }
    for (signer, changes, expected) in [
        (&ed, json!({ "crv": "X25519" }), Unusable::Kind),
        (&ed, json!({ "crv": "Ed448" }), Unusable::Kind),
        (&ed, json!({ "x": "AAAA" }), Unusable::Numbers),
        (&ed, json!({ "x": null }), Unusable::Numbers),
        (&ec, json!({ "crv": "P-384" }), Unusable::Kind),
        (&ec, json!({ "crv": "secp256k1" }), Unusable::Kind),
        (&ec, json!({ "y": null }), Unusable::Numbers),
        (&ec, json!({ "y": URL_SAFE_NO_PAD.encode([1; 32]) }), Unusable::Numbers),
        (&ec, json!({ "x": URL_SAFE_NO_PAD.encode([1; 33]) }), Unusable::Numbers),
        (&ec, json!({ "x": "not base64!" }), Unusable::Numbers),
        (&rsa, json!({ "crv": "P-256" }), Unusable::Kind),
        (&rsa, json!({ "n": null }), Unusable::Numbers),
        (&rsa, json!({ "e": "" }), Unusable::Numbers),
        (&rsa, json!({ "e": "Ag" }), Unusable::Numbers),
        (&rsa, json!({ "e": "AQ" }), Unusable::Numbers),
        (&rsa, json!({ "e": "AAE" }), Unusable::Numbers),
        (&rsa, json!({ "n": URL_SAFE_NO_PAD.encode([0xfe; 256]) }), Unusable::Numbers),
        (&rsa, json!({ "n": "" }), Unusable::Numbers),
    ] {
        assert_eq!(why(signer, &changes), Some(expected), "{changes}");
    }
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let x = URL_SAFE_NO_PAD.encode(&p384.public_key().as_ref()[1..49]);
    assert_eq!(why(&ec, &json!({ "x": x })), Some(Unusable::Numbers));
    let named = Skipped { number: 2, kid: Some("a\nb".to_owned()), why: Unusable::Use };
    let expected = r#"key 2 ("a\nb"): its use or key_ops is not that of verifying signatures"#;
    assert_eq!(named.to_string(), expected);
}

#[test]
fn a_modulus_has_2048_bits_at_least() {
    let rsa = Signer::new(Algorithm::Rs256, "x");
    let modulus = |bytes: usize, top: u8| {
        let mut modulus = vec![0x5b; bytes];
        modulus[0] = top;
        json!({ "n": URL_SAFE_NO_PAD.encode(modulus) })
    };
    assert_eq!(why(&rsa, &modulus(256, 0x80)), None);
    assert_eq!(
        why(&rsa, &modulus(257, 0)),
        Some(Unusable::RsaBits),
        "a zero in front, then 2,047 bits"
    );
    assert_eq!(why(&rsa, &modulus(256, 0x7f)), Some(Unusable::RsaBits), "2,047 bits");
    assert_eq!(why(&rsa, &modulus(128, 0x80)), Some(Unusable::RsaBits), "1,024 bits");
    assert_eq!(why(&rsa, &modulus(1025, 0x80)), Some(Unusable::RsaBits), "8,200 bits");
    let n = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let in_front = [&[0], &*URL_SAFE_NO_PAD.decode(n).unwrap()].concat();
    assert_eq!(why(&rsa, &json!({ "n": URL_SAFE_NO_PAD.encode(in_front) })), None);
}

#[test]
fn a_set_is_refused_if_it_is_ambiguous_or_holds_nothing_of_use() {
    let [one, two] = ["same", "same"].map(|kid| Signer::new(Algorithm::Es256, kid).jwk());
    assert!(matches!(parse(&json!([one, two])), Err(KeysFault::SameKid(kid)) if kid == "same"));
    let mut encrypting = two.clone();
    encrypting["use"] = "enc".into();
    assert_eq!(parse(&json!([one, encrypting])).unwrap().keys.len(), 1);
    let fault = parse(&json!([encrypting, 7])).unwrap_err().to_string();
    assert!(
        fault.contains("key 1 (\"same\")") && fault.contains("key 2: it is not an object"),
        "{fault}"
    );
    let many: Vec<_> = (0..=SET_KEYS_MAX).map(|_| encrypting.clone()).collect();
    let fault = parse(&json!(many[1..])).unwrap_err().to_string();
    assert!(fault.ends_with("and 92 more"), "{fault}");
    assert!(matches!(parse(&json!(many)), Err(KeysFault::NoSet)));
    for text in ["[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, "null"] {
        let refused = KeySet::parse(text.as_bytes(), Choice::ALL).unwrap_err();
        assert!(matches!(refused, KeysFault::NoSet), "{text}");
    }
    let twice =
        json!({ "keys": [one] }).to_string().replacen("\"kid\"", "\"kid\":\"a\",\"kid\"", 1);
    for text in ["", "x", "{\"keys\":[1,]}", &twice] {
        let refused = KeySet::parse(text.as_bytes(), Choice::ALL).unwrap_err();
        assert!(matches!(refused, KeysFault::Json(_)), "{text}");
    }
    let long = vec![b' '; SET_BYTES_MAX + 1];
    assert!(matches!(KeySet::parse(&long, Choice::ALL), Err(KeysFault::TooLarge)));
}

#[test]
fn an_issuer_uses_the_algorithms_of_its_settings_alone() {
    let signers = Signer::all();
    let keys: Vec<_> = signers.iter().map(Signer::jwk).collect();
    let document = json!({ "keys": keys }).to_string();
    let Read { keys, skipped } =
        KeySet::parse(document.as_bytes(), "ES256, PS256".parse().unwrap()).unwrap();
    assert_eq!(keys.kids().collect::<Vec<_>>(), ["ES256", "PS256"]);
    assert!(skipped.iter().all(|skipped| skipped.why == Unusable::NotAllowed));
}

#[test]
fn a_pem_file_holds_one_ed25519_key() {
    let pem = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap().public_key_pem();
    let keys = KeySet::from_pem(pem(&rcgen::PKCS_ED25519).as_bytes()).unwrap();
    assert!(keys.find(None).is_some() && keys.find(Some("any")).is_some());
    for bad in ["", "no pem", &pem(&rcgen::PKCS_ECDSA_P256_SHA256)] {
        assert!(matches!(KeySet::from_pem(bad.as_bytes()), Err(KeysFault::Pem)), "{bad}");
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn a_changed_set_is_read_or_refused_and_no_key_is_found_twice(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let [one, two] = ["1", "2"].map(|kid| Signer::new(Algorithm::EdDsa, kid));
        let mut document = set(&[&one, &two]).into_bytes();
        let at = at.index(document.len());
        document[at] = byte;
        if let Ok(Read { keys, skipped }) = KeySet::parse(&document, Choice::ALL) {
            prop_assert_eq!(keys.len() + skipped.len(), 2);
            let mut kids: Vec<_> = keys.kids().collect();
            kids.dedup();
            prop_assert_eq!(kids.len(), keys.len());
        }
    }
}
