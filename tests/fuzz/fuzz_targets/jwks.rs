//! Input: an issuer's set of keys. A set that is read has keys with different names, each of which a token may name.
//! A key that holds a secret, is published for something else or has another algorithm is never used.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sportello::identity::{
    choice::Choice,
    jwks::{KID_BYTES_MAX, KeySet, Read, SET_KEYS_MAX},
};

fuzz_target!(|document: &[u8]| {
    let read = match KeySet::parse(document, Choice::ALL) {
        Ok(read) => read,
        Err(fault) => return assert!(!fault.to_string().is_empty()),
    };
    let Read { keys, skipped } = read;
    let whole: Value = serde_json::from_slice(document).expect("a set that is read is JSON");
    let listed = whole["keys"].as_array().expect("it has a list of keys");
    assert!((1..=SET_KEYS_MAX).contains(&listed.len()));
    assert_eq!(keys.len() + skipped.len(), listed.len(), "each key is used or named");
    let names: BTreeSet<_> = keys.kids().collect();
    assert_eq!(names.len(), keys.len(), "two keys have one name");
    let skipped: BTreeSet<_> = skipped.iter().map(|skipped| skipped.number).collect();
    let used = (1..).zip(listed).filter(|(number, _)| !skipped.contains(number));
    for ((_, key), kid) in used.zip(keys.kids()) {
        assert_eq!(key["kid"], kid);
        assert!((1..=KID_BYTES_MAX).contains(&kid.len()));
        assert!(key.get("d").is_none() && key["kty"] != "oct", "a secret is used");
        assert!(key.get("use").is_none_or(|purpose| purpose == "sig"));
        let text = |name: &str| key[name].as_str().unwrap_or_default();
        let kind = (text("kty"), text("crv"), text("alg"));
        assert!(
            matches!(
                kind,
                ("RSA", "", "" | "RS256" | "PS256" | "RS512")
                    | ("EC", "P-256", "" | "ES256")
                    | ("OKP", "Ed25519", "" | "EdDSA")
            ),
            "{kind:?}"
        );
        assert!(kind.0 != "RSA" || text("n").len() >= 342, "a modulus is too short");
    }
});
