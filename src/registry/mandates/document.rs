//! The digest of a signed mandate, in the form of a `Content-Digest` (RFC 9530): `sha-256=:BASE64:`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Bytes of SHA-256.
const DIGEST_BYTES: usize = 32;

/// The digest of a document, as it is written in the registry.
#[must_use]
pub fn document_digest(document: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document);
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// Whether a text has the form of a digest.
pub(super) fn is_digest(text: &str) -> bool {
    let encoded = text.strip_prefix("sha-256=:").and_then(|rest| rest.strip_suffix(':'));
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    decoded.is_some_and(|digest| digest.len() == DIGEST_BYTES)
}
