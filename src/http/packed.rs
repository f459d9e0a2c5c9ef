//! A file that is part of the program, compressed once.

use std::io::{self, Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::header::{ACCEPT_ENCODING, HeaderMap};

use super::accept::weight_of;

/// A file as it is, and in gzip.
pub(super) struct Packed {
    plain: Bytes,
    /// `None` if it is not compressed.
    gzip: Option<Bytes>,
}

impl Packed {
    pub(super) fn new(plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        // One that cannot be compressed is sent as it is.
        Self { gzip: compress(&plain).ok(), plain }
    }

    /// A file that has its own compression.
    pub(super) fn as_is(plain: &'static [u8]) -> Self {
        Self { plain: Bytes::from_static(plain), gzip: None }
    }

    /// The content for a client, and the coding if it is compressed.
    pub(super) fn for_client(&self, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
        match &self.gzip {
            Some(gzip) if accepts_gzip(headers) => (gzip.clone(), Some("gzip")),
            _ => (self.plain.clone(), None),
        }
    }
}

fn compress(plain: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

/// Whether `Accept-Encoding` allows gzip, by name or else by `*` (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight = weight_of(headers, &ACCEPT_ENCODING, &["gzip", "x-gzip"]);
    weight
        .or_else(|| weight_of(headers, &ACCEPT_ENCODING, &["*"]))
        .is_some_and(|weight| weight > 0.0)
}
