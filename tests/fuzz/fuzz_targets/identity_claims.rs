//! Input: header (first line) and claims (the rest) of an identity token, signed by a trusted issuer. An accepted
//! person is the one named, at a sufficient assurance level, within the token's validity.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sportello::{
    civic::FiscalCode,
    identity::{Audience, token::Verifier},
};

const ISSUER: &str = "urn:example:issuer";
const AUDIENCE: &str = "sportello";
const NOW: i64 = 1_726_500_600;
/// Longest lifetime of a token.
const LIFETIME_SECONDS_MAX: i64 = 24 * 60 * 60;
/// Accepted difference between the clocks of issuer and server, seconds.
const LEEWAY_SECONDS: i64 = 60;
const LEVELS: [&str; 4] =
    ["2", "3", "https://www.spid.gov.it/SpidL2", "https://www.spid.gov.it/SpidL3"];

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    Verifier::trusting(ISSUER, AUDIENCE, PAIR.public_key().as_ref()).expect("the key is one")
});

fuzz_target!(|parts: &[u8]| {
    let split = parts.iter().position(|byte| *byte == b'\n').unwrap_or(parts.len());
    let (header, claims) = (&parts[..split], parts.get(split + 1..).unwrap_or_default());
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes())));
    let now = Timestamp::from_second(NOW).expect("a moment of 2024");
    let Ok(identity) = VERIFIER.verify(&token, now) else { return };

    let whole = |part| serde_json::from_slice::<Value>(part).expect("an accepted token is JSON");
    let (header, claims) = (whole(header), whole(claims));
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["crit"].is_null(), "an extension was ignored");
    assert_eq!(claims["iss"], ISSUER);
    let named = |audience: &Value| audience == AUDIENCE;
    assert!(
        named(&claims["aud"]) || claims["aud"].as_array().is_some_and(|all| all.iter().any(named))
    );
    let number = claims["https://attributes.eid.gov.it/fiscal_number"].as_str();
    let code = number.and_then(|number| FiscalCode::parse(number.strip_prefix("TINIT-")?).ok());
    assert_eq!(code, Some(identity.fiscal_code), "another person than the one named is accepted");
    assert_eq!(claims["office"].is_null(), identity.audience() == Audience::Citizens);
    let shape = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let office = claims["office"].as_str().unwrap_or("none");
    assert!(
        (1..=64).contains(&office.len()) && office.bytes().all(shape),
        "the office is not one word"
    );
    assert!(
        LEVELS.contains(&claims["acr"].as_str().unwrap_or_default()),
        "the assurance level is too low"
    );
    let second = |name: &str| claims[name].as_i64();
    assert!(
        second("exp").is_some_and(|until| until > NOW - LEEWAY_SECONDS),
        "the token has expired"
    );
    let lifetime = second("exp").zip(second("iat")).map(|(until, from)| until - from);
    assert!(
        lifetime.is_some_and(|lasts| (0..=LIFETIME_SECONDS_MAX).contains(&lasts)),
        "the token lives too long"
    );
    for name in ["iat", "nbf"] {
        assert!(
            second(name).is_none_or(|from| from <= NOW + LEEWAY_SECONDS),
            "the token is not valid yet"
        );
    }
});
