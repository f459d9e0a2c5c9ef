//! The file that a browser posts: chosen by the clerk, or as the page of the check has carried it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hyper::header::CONTENT_TYPE;

use super::super::{
    super::{
        body::{Config, Unread, read_upload},
        multipart::{Part, boundary, parts},
        problem::{Kind, Problem},
        request::{Head, Public, one},
    },
    posted::{FORM_TOKEN, is_from_own_page, is_token},
};
use crate::application::sheet::{FileFault, SHEET_BYTES_MAX};

/// The field of the file that is chosen.
const FILE: &str = "file";
/// The hidden field that carries the file, in base64.
const KEPT: &str = "kept";
/// The longest body: a file in base64, and the other fields.
const UPLOAD_BYTES_MAX: usize = SHEET_BYTES_MAX / 3 * 4 + 16 * 1024;
/// Time for it, milliseconds: at 200 kbit/s.
const UPLOAD_MS_MAX: u64 = 120_000;

/// A file that came from one of our own pages.
pub(super) struct Sent {
    /// Its name; empty if it has none.
    pub(super) name: String,
    pub(super) content: Bytes,
}

impl Sent {
    /// Reads a form with a file, which carries the visit's token.
    pub(super) async fn read(
        public: &Public,
        head: &Head<'_>,
        body: Unread,
    ) -> Result<Result<Self, FileFault>, Problem> {
        if !is_from_own_page(head) {
            return Err(Kind::CrossSite.into());
        }
        let kind = one(head.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let boundary = boundary(kind).ok_or(Kind::MediaType)?;
        let bounds = Config { body_bytes_max: UPLOAD_BYTES_MAX, body_ms_max: UPLOAD_MS_MAX };
        let body = match read_upload(body, bounds).await {
            Err(Kind::BodyTooLarge) => return Ok(Err(FileFault::TooLarge)),
            read => read?,
        };
        let parts = parts(boundary, &body).ok_or(Kind::MediaType)?;
        let of = |name: &str| parts.iter().find(|part| part.name == name);
        let token = of(FORM_TOKEN).map_or(&[][..], |part| &part.content);
        if !is_token(public, head, token) {
            return Err(Kind::CrossSite.into());
        }
        match (of(FILE), of(KEPT)) {
            (Some(Part { file_name, content, .. }), _) => {
                let name = file_name.clone().unwrap_or_default();
                Ok(Ok(Self { name, content: content.clone() }))
            }
            (None, Some(kept)) => {
                let content = URL_SAFE_NO_PAD.decode(&kept.content).map_err(|_| Kind::MediaType)?;
                Ok(Ok(Self { name: String::new(), content: content.into() }))
            }
            (None, None) => Ok(Err(FileFault::None)),
        }
    }

    /// The file as a hidden field carries it.
    pub(super) fn kept(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.content)
    }
}
