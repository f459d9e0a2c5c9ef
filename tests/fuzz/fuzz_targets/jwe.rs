//! Input: an encrypted token. Nothing opens but what was encrypted for the key, byte for byte.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use sportello::identity::openid::DecryptionKey;

/// The key of RFC 7518, appendix C, in PKCS #8, without its public half.
const P256: &str =
    "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCBUSYNmkNdcrynw3QKd2zGz3birqdLVFcUBJGXoF9Sp3A==";
/// Encrypted for it by another program.
const GENUINE: [&str; 4] = [
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImVwayI6eyJ4IjoiZHczZWhPankxaEVDQ3g1ZHNhQU5GcWxmY0hKSTczRmpZRHdEU3ViM0ZJcyIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiVlRUTl9MMEp5VExFeDRCczFMWmlOWjVpR3dRdG8tZ2V2WEw5b0RETjltdyJ9fQ..JYGlH7aYi8BbVaoKJhcNYg.O5ObEOyFOFn4UTJ2UPh7LJ2PjW2mtlCSkZS12YXbYQw.s5juYFLEqs8C_enPS8HISQ",
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImVwayI6eyJ4IjoiclZNUmRzVjBWeVdwQmEyaTY0VndPek5ZYmQyTFJjalhacFk5RmdxYXRDWSIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiS205R0tfVFpDdXU5YkJkQUdyejVJSnF0NEFreElUeTFUZnVwN1NVeDN2OCJ9LCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW05aSJ9..F_686WFH8B-iutW-y3RdLA.FVT8Emrms4ZhglpSGV4aj678InrP9-fozAih6ZSD8qI.NLqVEmmnQ7A5l0T2sjt2qg",
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkNCQy1IUzUxMiIsImVwayI6eyJ4IjoieEJmeldoTDdTLXNTX2xSRWJfOVJGd3l2RFEwX0x5SHZfVFhPWGVqaDY1WSIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiX0dQOVZZM0t1cTZJWlI1NTFZVVNqSVBnc2NCc2EtTUliTEFOUXE4d0QtNCJ9fQ..vCRjSLQmkS0PZAnZXgpqSg.HMcxuECoKaIIqL3LX6KWPEkMj-KEum772xqYRVOJW-w.w4qdRGARONyrMqKO2cN4gJ5Rx1CD_nZQFv7BFEd_HbY",
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkNCQy1IUzUxMiIsImVwayI6eyJ4IjoibWNEN1NJMkt4TGdXbjI0TWw5LTBxQl96N3B1cU5idmdNMlBpTVBQZmZHMCIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiYzZ5NnJ4RVRGZW9rZ3h1dEh2Nml4SkVxRnlaaFFGcm9tRUhQVXBLWmdIUSJ9LCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW05aSJ9..YdUhB2iD4nlhSXy_PDD6wA.yFV3LyBAlTjRVY-6ZaZTssxE-vgIvhQjwLSyyFJd9y0.wt-6iM5me2wkryXowl27fb0rvyb46q-9G9c1wD8dyHw",
];
const CONTENT: &[u8] = b"TINIT-RSSMRA80A01H501U";

static KEYS: LazyLock<[DecryptionKey; 2]> = LazyLock::new(|| {
    let rsa = KeyPair::generate(KeySize::Rsa2048).and_then(|pair| pair.as_der());
    let rsa = STANDARD.encode(rsa.expect("a key").as_ref());
    [P256.to_owned(), rsa].map(|key| {
        let place = tempfile::NamedTempFile::new().expect("a temporary file");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
        std::fs::write(place.path(), pem).expect("it can be written");
        DecryptionKey::load(place.path()).expect("a key that decrypts")
    })
});

fuzz_target!(|token: &str| {
    let [ec, rsa] = &*KEYS;
    let is_genuine = GENUINE.contains(&token);
    let opened = ec.open(token);
    assert_eq!(opened.as_deref(), is_genuine.then_some(CONTENT), "{token}");
    assert_eq!(rsa.open(token), None, "{token}");
});
