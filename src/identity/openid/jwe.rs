//! Decrypts JSON Web Encryption in compact form (RFC 7516), as far as SPID and CIE use it: an RSA key that wraps a
//! content key or a P-256 key that agrees on one, and AES in CBC mode with an HMAC (RFC 7518, section 5.2).
//!
//! `RSA1_5`, shared keys and compression have no code here.

use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
    },
    constant_time::verify_slices_are_equal,
    hmac,
    iv::FixedLength,
    rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    super::unique_json,
    client_keys::{DecryptionKey, DecryptionSecret},
    ecdh::{self, EphemeralKey, Purpose},
};

/// Bytes of an initialization vector.
const IV_BYTES: usize = 16;

/// What is read of a header. Compression and critical extensions are refused.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    #[serde(default)]
    kid: Option<String>,
    /// The sender's key, if the content key is agreed on.
    #[serde(default)]
    epk: Option<EphemeralKey>,
    #[serde(default)]
    apu: String,
    #[serde(default)]
    apv: String,
    #[serde(default)]
    zip: Option<serde_json::Value>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// How content is encrypted.
struct Encryption {
    cipher: &'static Algorithm,
    mac: hmac::Algorithm,
    /// Bytes of each half of the content key, of the tag, and of the cipher's key.
    half: usize,
}

impl Encryption {
    fn of(enc: &str) -> Option<Self> {
        match enc {
            "A128CBC-HS256" => Some(Self { cipher: &AES_128, mac: hmac::HMAC_SHA256, half: 16 }),
            "A256CBC-HS512" => Some(Self { cipher: &AES_256, mac: hmac::HMAC_SHA512, half: 32 }),
            _ => None,
        }
    }

    /// Checks the tag, then decrypts (RFC 7518, 5.2.2.2).
    fn open(
        &self,
        key: &[u8],
        associated: &[u8],
        iv: &[u8],
        mut content: Vec<u8>,
        tag: &[u8],
    ) -> Option<Vec<u8>> {
        let (mac_key, cipher_key) = key.split_at_checked(self.half)?;
        let iv: [u8; IV_BYTES] = iv.try_into().ok()?;
        let bits = u64::try_from(associated.len()).ok()?.checked_mul(8)?;
        let mut mac = hmac::Context::with_key(&hmac::Key::new(self.mac, mac_key));
        for part in [associated, &iv, &content, &bits.to_be_bytes()] {
            mac.update(part);
        }
        verify_slices_are_equal(&mac.sign().as_ref()[..self.half], tag).ok()?;
        let key = UnboundCipherKey::new(self.cipher, cipher_key).ok()?;
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
        let vector = DecryptionContext::Iv128(FixedLength::from(iv));
        let length = key.decrypt(&mut content, vector).ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

impl DecryptionKey {
    /// Decrypts a token that was encrypted for this key; `None` if it was not, or was changed.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<Vec<u8>> {
        open(token, self)
    }
}

fn open(token: &str, key: &DecryptionKey) -> Option<Vec<u8>> {
    let parts: Vec<_> = token.split('.').collect();
    let [protected, wrapped, iv, content, tag] = parts[..] else { return None };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header =
        serde_json::from_value(unique_json::parse(&bytes(protected)?).ok()?).ok()?;
    if header.zip.is_some()
        || header.crit.is_some()
        || header.kid.as_ref().is_some_and(|kid| *kid != key.kid)
    {
        return None;
    }
    let encryption = Encryption::of(&header.enc)?;
    let content_key = header.content_key(&bytes(wrapped)?, &key.secret, 2 * encryption.half)?;
    encryption.open(&content_key, protected.as_bytes(), &bytes(iv)?, bytes(content)?, &bytes(tag)?)
}

impl Header {
    /// The key of the content, of a length that its encryption gives.
    fn content_key(
        &self,
        wrapped: &[u8],
        secret: &DecryptionSecret,
        length: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let padding = match (&*self.alg, secret) {
            ("ECDH-ES", DecryptionSecret::Ec(secret)) if wrapped.is_empty() => {
                let party = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
                let (sender, recipient) = (party(&self.apu)?, party(&self.apv)?);
                let parties = [&*sender, &*recipient];
                let purpose = Purpose { algorithm: &self.enc, parties, bytes: length };
                return ecdh::content_key(secret, self.epk.as_ref()?, &purpose);
            }
            ("RSA-OAEP", _) => &OAEP_SHA1_MGF1SHA1,
            ("RSA-OAEP-256", _) => &OAEP_SHA256_MGF1SHA256,
            _ => return None,
        };
        let DecryptionSecret::Rsa(secret) = secret else { return None };
        let mut unwrapped = Zeroizing::new(vec![0; secret.min_output_size()]);
        let unwrapped_bytes = secret.decrypt(padding, wrapped, &mut unwrapped, None).ok()?.len();
        unwrapped.truncate(unwrapped_bytes);
        (unwrapped_bytes == length).then_some(unwrapped)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        agreement::{ECDH_P256, PrivateKey},
        encoding::{AsDer as _, EcPrivateKeyRfc5915Der},
    };
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const CONTENT: &[u8] = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience";
    const ASSOCIATED: &[u8] = b"The second principle of Auguste Kerckhoffs";
    const IV: &str = "1af38c2dc2b96ffdd86694092341bc04";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    /// RFC 7518, appendices B.1 and B.3.
    #[test]
    fn the_examples_of_rfc_7518_open_and_no_changed_byte_does() {
        for (enc, content, tag) in [
            (
                "A128CBC-HS256",
                "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9\
                 a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336\
                 09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b\
                 384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5\
                 4b8851ffb598f7f80074b9473c82e2db",
                "652c3fa36b0a7c5b3219fab3a30bc1c4",
            ),
            (
                "A256CBC-HS512",
                "4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd\
                 822c301dd67c373bccb584ad3e9279c2e6d12a1374b77f077553df829410446b\
                 36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3\
                 a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950b\
                 be2638d09dd7a4930930806d0703b1f6",
                "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5",
            ),
        ] {
            let encryption = Encryption::of(enc).unwrap();
            let key: Vec<u8> = (0..).take(2 * encryption.half).collect();
            let (content, tag, iv) = (hex(content), hex(tag), hex(IV));
            let open = |key: &[u8], associated: &[u8], iv: &[u8], content: &[u8], tag: &[u8]| {
                encryption.open(key, associated, iv, content.to_vec(), tag)
            };
            let opened = open(&key, ASSOCIATED, &iv, &content, &tag);
            assert_eq!(opened.as_deref(), Some(CONTENT), "{enc}");
            let changed = |bytes: &[u8], at: usize| {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1;
                changed
            };
            for at in 0..16 {
                assert!(open(&changed(&key, at), ASSOCIATED, &iv, &content, &tag).is_none());
                assert!(open(&key, &changed(ASSOCIATED, at), &iv, &content, &tag).is_none());
                assert!(open(&key, ASSOCIATED, &changed(&iv, at), &content, &tag).is_none());
                assert!(open(&key, ASSOCIATED, &iv, &changed(&content, at), &tag).is_none());
                assert!(open(&key, ASSOCIATED, &iv, &content, &changed(&tag, at)).is_none());
            }
            assert!(open(&key, ASSOCIATED, &iv, &content, &tag[1..]).is_none());
            assert!(open(&key, ASSOCIATED, &iv[1..], &content, &tag).is_none());
            assert!(open(&key, ASSOCIATED, &iv, &content, &[]).is_none());
        }
        for other in ["A128GCM", "A192CBC-HS384", "none", ""] {
            assert!(Encryption::of(other).is_none(), "{other}");
        }
    }

    /// The key of RFC 7518, appendix C, as PKCS #8.
    fn bob(place: &std::path::Path) -> DecryptionKey {
        let path = place.join("bob.pem");
        let key = URL_SAFE_NO_PAD.decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let key = PrivateKey::from_private_key(&ECDH_P256, &key).unwrap();
        let der: EcPrivateKeyRfc5915Der<'_> = key.as_der().unwrap();
        // PrivateKeyInfo (RFC 5208) of a P-256 key around the key itself (RFC 5915).
        let inner = der.as_ref();
        let algorithm = hex("301306072a8648ce3d020106082a8648ce3d030107");
        let length = u8::try_from(inner.len()).unwrap();
        let content = [&[2, 1, 0], &*algorithm, &[4, length], inner].concat();
        let length = u8::try_from(content.len()).unwrap();
        let der = [&[0x30, 0x81, length], &*content].concat();
        let text = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        std::fs::write(&path, pem).unwrap();
        DecryptionKey::load(&path).unwrap()
    }

    /// Encrypted for that key by the `jose` package of `JavaScript`, without and with names of the two parties.
    const BY_ANOTHER_PROGRAM: [&str; 4] = [
        "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImVwayI6eyJ4IjoiZHczZWhPankxaEVDQ3g1ZHNhQU5GcWxmY0hKSTczRmpZRHdEU3ViM0ZJcyIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiVlRUTl9MMEp5VExFeDRCczFMWmlOWjVpR3dRdG8tZ2V2WEw5b0RETjltdyJ9fQ..JYGlH7aYi8BbVaoKJhcNYg.O5ObEOyFOFn4UTJ2UPh7LJ2PjW2mtlCSkZS12YXbYQw.s5juYFLEqs8C_enPS8HISQ",
        "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTEyOENCQy1IUzI1NiIsImVwayI6eyJ4IjoiclZNUmRzVjBWeVdwQmEyaTY0VndPek5ZYmQyTFJjalhacFk5RmdxYXRDWSIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiS205R0tfVFpDdXU5YkJkQUdyejVJSnF0NEFreElUeTFUZnVwN1NVeDN2OCJ9LCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW05aSJ9..F_686WFH8B-iutW-y3RdLA.FVT8Emrms4ZhglpSGV4aj678InrP9-fozAih6ZSD8qI.NLqVEmmnQ7A5l0T2sjt2qg",
        "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkNCQy1IUzUxMiIsImVwayI6eyJ4IjoieEJmeldoTDdTLXNTX2xSRWJfOVJGd3l2RFEwX0x5SHZfVFhPWGVqaDY1WSIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiX0dQOVZZM0t1cTZJWlI1NTFZVVNqSVBnc2NCc2EtTUliTEFOUXE4d0QtNCJ9fQ..vCRjSLQmkS0PZAnZXgpqSg.HMcxuECoKaIIqL3LX6KWPEkMj-KEum772xqYRVOJW-w.w4qdRGARONyrMqKO2cN4gJ5Rx1CD_nZQFv7BFEd_HbY",
        "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkNCQy1IUzUxMiIsImVwayI6eyJ4IjoibWNEN1NJMkt4TGdXbjI0TWw5LTBxQl96N3B1cU5idmdNMlBpTVBQZmZHMCIsImNydiI6IlAtMjU2Iiwia3R5IjoiRUMiLCJ5IjoiYzZ5NnJ4RVRGZW9rZ3h1dEh2Nml4SkVxRnlaaFFGcm9tRUhQVXBLWmdIUSJ9LCJhcHUiOiJRV3hwWTJVIiwiYXB2IjoiUW05aSJ9..YdUhB2iD4nlhSXy_PDD6wA.yFV3LyBAlTjRVY-6ZaZTssxE-vgIvhQjwLSyyFJd9y0.wt-6iM5me2wkryXowl27fb0rvyb46q-9G9c1wD8dyHw",
    ];

    #[test]
    fn what_another_program_encrypted_by_an_agreed_key_opens_and_nothing_changed_does() {
        let place = tempfile::tempdir().unwrap();
        let key = bob(place.path());
        for token in BY_ANOTHER_PROGRAM {
            let opened = key.open(token);
            assert_eq!(opened.as_deref(), Some(&b"TINIT-RSSMRA80A01H501U"[..]), "{token}");
            let parts: Vec<_> = token.split('.').collect();
            let header = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
            let with = |from: &str, to: &str| {
                assert!(header.contains(from), "{header}");
                let header = URL_SAFE_NO_PAD.encode(header.replacen(from, to, 1));
                [&[&*header], &parts[1..]].concat().join(".")
            };
            for changed in [
                with("ECDH-ES", "ECDH-ES+A128KW"),
                with("ECDH-ES", "RSA-OAEP"),
                with("ECDH-ES", "dir"),
                with("\"epk\"", "\"other\""),
                with("P-256", "P-384"),
                with("{\"alg\"", "{\"kid\":\"another\",\"alg\""),
                with("{\"alg\"", "{\"zip\":\"DEF\",\"alg\""),
                with("{\"alg\"", "{\"crit\":[],\"alg\""),
                with("{\"alg\"", "{\"apu\":\"QQ\",\"alg\""),
                token.replacen("..", ".AAAA.", 1),
                token[..token.len() - 1].to_owned(),
            ] {
                assert_eq!(key.open(&changed), None, "{changed}");
            }
        }
    }
}
