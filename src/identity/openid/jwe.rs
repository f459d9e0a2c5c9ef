//! Decrypts JSON Web Encryption in compact form (RFC 7516), as far as SPID and CIE use it: an RSA key that wraps a
//! content key, and AES in CBC mode with an HMAC (RFC 7518, section 5.2).
//!
//! `RSA1_5`, direct keys and compression have no code here.

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

use super::{super::unique_json, client_keys::DecryptionKey};

/// Bytes of an initialization vector.
const IV_BYTES: usize = 16;

/// What is read of a header. Compression and critical extensions are refused.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    #[serde(default)]
    kid: Option<String>,
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

/// Decrypts a token that was encrypted for `key`; `None` if it was not, or was changed.
pub(super) fn open(token: &str, key: &DecryptionKey) -> Option<Vec<u8>> {
    let parts: Vec<_> = token.split('.').collect();
    let [protected, wrapped, iv, content, tag] = parts[..] else { return None };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header =
        serde_json::from_value(unique_json::parse(&bytes(protected)?).ok()?).ok()?;
    if header.zip.is_some() || header.crit.is_some() || header.kid.is_some_and(|kid| kid != key.kid)
    {
        return None;
    }
    let padding = match &*header.alg {
        "RSA-OAEP" => &OAEP_SHA1_MGF1SHA1,
        "RSA-OAEP-256" => &OAEP_SHA256_MGF1SHA256,
        _ => return None,
    };
    let encryption = Encryption::of(&header.enc)?;
    let mut unwrapped = Zeroizing::new(vec![0; key.key.min_output_size()]);
    let content_key = key.key.decrypt(padding, &bytes(wrapped)?, &mut unwrapped, None).ok()?;
    if content_key.len() != 2 * encryption.half {
        return None;
    }
    encryption.open(content_key, protected.as_bytes(), &bytes(iv)?, bytes(content)?, &bytes(tag)?)
}

#[cfg(test)]
mod tests {
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
}
