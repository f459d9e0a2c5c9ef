//! The content key of ECDH-ES with P-256 (RFC 7518, section 4.6): agreed with a key that the sender makes for one message.

use aws_lc_rs::{
    agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree},
    digest::{Context, SHA256, SHA256_OUTPUT_LEN},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Bytes of a coordinate of P-256.
const COORDINATE_BYTES: usize = 32;

/// The sender's key, a JWK of P-256.
#[derive(Deserialize)]
pub(super) struct EphemeralKey {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

impl EphemeralKey {
    /// The point, uncompressed (SEC 1, section 2.3.3). Whether it is on the curve is checked when it is used.
    fn point(&self) -> Option<Vec<u8>> {
        if (&*self.kty, &*self.crv) != ("EC", "P-256") {
            return None;
        }
        let coordinate = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            (bytes.len() == COORDINATE_BYTES).then_some(bytes)
        };
        Some([&[4], &*coordinate(&self.x)?, &*coordinate(&self.y)?].concat())
    }
}

/// What the key is derived for.
pub(super) struct Purpose<'a> {
    /// The name of the content's encryption.
    pub(super) algorithm: &'a str,
    /// Who the sender says they are, and whom they mean.
    pub(super) parties: [&'a [u8]; 2],
    /// Bytes of the key.
    pub(super) bytes: usize,
}

/// The key for one message; `None` if the sender's key is not one of P-256.
pub(super) fn content_key(
    own: &PrivateKey,
    sender: &EphemeralKey,
    purpose: &Purpose<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let sender = UnparsedPublicKey::new(&ECDH_P256, sender.point()?);
    agree(own, sender, (), |shared| Ok(derive(shared, purpose))).ok()
}

/// The Concat KDF with SHA-256 (NIST SP 800-56A, 5.8.1; RFC 7518, 4.6.2).
fn derive(shared: &[u8], purpose: &Purpose<'_>) -> Zeroizing<Vec<u8>> {
    let Purpose { algorithm, parties: [sender, recipient], bytes } = purpose;
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut key = Zeroizing::new(Vec::with_capacity(bytes + SHA256_OUTPUT_LEN));
    for round in 1_u32.. {
        if key.len() >= *bytes {
            break;
        }
        let mut hash = Context::new(&SHA256);
        hash.update(&round.to_be_bytes());
        hash.update(shared);
        for part in [algorithm.as_bytes(), sender, recipient] {
            hash.update(&length(part.len()));
            hash.update(part);
        }
        hash.update(&length(bytes * 8));
        key.extend_from_slice(hash.finish().as_ref());
    }
    key.truncate(*bytes);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> EphemeralKey {
        EphemeralKey {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0".to_owned(),
            y: "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps".to_owned(),
        }
    }

    fn bob() -> PrivateKey {
        let key = URL_SAFE_NO_PAD.decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        PrivateKey::from_private_key(&ECDH_P256, &key).unwrap()
    }

    const EXAMPLE: Purpose<'_> =
        Purpose { algorithm: "A128GCM", parties: [b"Alice", b"Bob"], bytes: 16 };

    /// RFC 7518, appendix C.
    #[test]
    fn the_example_of_rfc_7518_gives_its_key_and_no_changed_part_does() {
        let key = |purpose: &Purpose<'_>| {
            URL_SAFE_NO_PAD.encode(&*content_key(&bob(), &alice(), purpose).unwrap())
        };
        assert_eq!(key(&EXAMPLE), "VqqN6vgjbSBcIijNcacQGg");
        for changed in [
            Purpose { algorithm: "A256GCM", ..EXAMPLE },
            Purpose { parties: [b"Alicf", b"Bob"], ..EXAMPLE },
            Purpose { parties: [b"AliceB", b"ob"], ..EXAMPLE },
            Purpose { parties: [b"Bob", b"Alice"], ..EXAMPLE },
        ] {
            assert_ne!(key(&changed), "VqqN6vgjbSBcIijNcacQGg");
        }
        // A longer key takes several rounds, and its length is part of what is hashed.
        let long = content_key(&bob(), &alice(), &Purpose { bytes: 64, ..EXAMPLE }).unwrap();
        assert_eq!(long.len(), 64);
        assert_ne!(long[..32], long[32..]);
        assert!(!key(&EXAMPLE).starts_with(&URL_SAFE_NO_PAD.encode(&long[..12])));
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_or_of_another_curve_gives_no_key() {
        let key = |sender: &EphemeralKey| content_key(&bob(), sender, &EXAMPLE);
        let swapped = EphemeralKey { x: alice().y, y: alice().x, ..alice() };
        let zero = EphemeralKey { x: "A".repeat(43), y: "A".repeat(43), ..alice() };
        let short = EphemeralKey { x: alice().x[4..].to_owned(), ..alice() };
        let other = EphemeralKey { crv: "P-384".to_owned(), ..alice() };
        let kind = EphemeralKey { kty: "OKP".to_owned(), ..alice() };
        for wrong in [swapped, zero, short, other, kind] {
            assert!(key(&wrong).is_none(), "{} {}", wrong.crv, wrong.x);
        }
        assert!(key(&alice()).is_some());
    }
}
