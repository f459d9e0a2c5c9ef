//! Reading a request's body, within bounds of size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::{
    body::{Body as _, Incoming},
    header::{CONTENT_TYPE, HeaderMap},
};
use tokio::time::timeout;

use super::{activity::UnderWay, problem::Kind};

/// The bounds of a body.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Longest body, bytes.
    pub body_bytes_max: usize,
    /// Time from the head to the last byte of the body, milliseconds.
    pub body_ms_max: u64,
}

/// Bytes of a refused body that are read and discarded, so that its sender can read the refusal.
const DISCARD_BYTES_MAX: usize = 512 * 1024;
/// The same of a file that is too large: no spreadsheet of an office has more.
const UPLOAD_DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Time for discarding.
const DISCARD_MAX: Duration = Duration::from_secs(2);

/// A body that is not read yet, or not to its end.
///
/// If a connection is closed while its client still sends, the answer may be lost. So on drop the rest of the body is
/// read and discarded while the answer is sent, within `DISCARD_BYTES_MAX` and `DISCARD_MAX`.
pub struct Unread(Option<(Incoming, UnderWay)>);

impl Unread {
    /// The body of a request, which is under way until its body is read or discarded.
    #[must_use]
    pub fn new(body: Incoming, under_way: &UnderWay) -> Self {
        Self((!body.is_end_stream()).then(|| (body, under_way.clone())))
    }

    /// The body, for a caller that reads it to its end; `None` if it is empty.
    pub fn take(&mut self) -> Option<Incoming> {
        Some(self.0.take()?.0)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|(body, _)| !body.is_end_stream());
        if let Some((mut body, under_way)) = unread {
            tokio::task::spawn_local(async move {
                let discarding = discard(&mut body, DISCARD_BYTES_MAX);
                let _discarded = timeout(DISCARD_MAX, discarding).await;
                drop(under_way);
            });
        }
    }
}

async fn discard(body: &mut Incoming, bytes_max: usize) {
    let mut taken = 0;
    while let Some(Ok(frame)) = body.frame().await {
        taken += frame.data_ref().map_or(0, Bytes::len);
        if taken > bytes_max {
            return;
        }
    }
}

/// Reads a JSON body.
///
/// # Errors
/// [`Kind::MediaType`], [`Kind::BodyTooLarge`] (before anything is read if the length is announced),
/// [`Kind::BodyTooSlow`], or [`Kind::Malformed`] if the body is cut off.
pub async fn read_json(headers: &HeaderMap, body: Unread, config: Config) -> Result<Bytes, Kind> {
    if !is_json(headers) {
        return Err(Kind::MediaType);
    }
    read_whole(body, config).await
}

async fn read_whole(mut body: Unread, config: Config) -> Result<Bytes, Kind> {
    let Some((body, _)) = &mut body.0 else { return Ok(Bytes::new()) };
    if body.size_hint().lower() > config.body_bytes_max as u64 {
        return Err(Kind::BodyTooLarge);
    }
    let within = Duration::from_millis(config.body_ms_max);
    timeout(within, collect(body, config.body_bytes_max)).await.map_err(|_| Kind::BodyTooSlow)?
}

/// Reads what a browser posts from a form.
///
/// # Errors
/// As [`read_json`].
pub(super) async fn read_form(
    headers: &HeaderMap,
    body: Unread,
    config: Config,
) -> Result<Bytes, Kind> {
    if !is_one_of(headers, &["application/x-www-form-urlencoded"]) {
        return Err(Kind::MediaType);
    }
    read_whole(body, config).await
}

/// Reads a file that a browser sends with a form. One that is too large is read to its end and discarded, up to
/// [`UPLOAD_DISCARD_BYTES_MAX`]: a browser shows no answer before it has sent all.
///
/// # Errors
/// As [`read_json`], except for [`Kind::MediaType`].
pub(super) async fn read_upload(mut body: Unread, config: Config) -> Result<Bytes, Kind> {
    let Some((body, _)) = &mut body.0 else { return Ok(Bytes::new()) };
    if body.size_hint().lower() > UPLOAD_DISCARD_BYTES_MAX as u64 {
        return Err(Kind::BodyTooLarge);
    }
    let reading = async {
        let read = collect(body, config.body_bytes_max).await;
        if read == Err(Kind::BodyTooLarge) {
            discard(body, UPLOAD_DISCARD_BYTES_MAX).await;
        }
        read
    };
    let within = Duration::from_millis(config.body_ms_max);
    timeout(within, reading).await.map_err(|_| Kind::BodyTooSlow)?
}

/// Does not copy a body that arrives in one piece, as nearly all do.
async fn collect(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, Kind> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Kind::Malformed)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > bytes_max {
            return Err(Kind::BodyTooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// `application/json`, with or without `charset=utf-8`.
fn is_json(headers: &HeaderMap) -> bool {
    is_one_of(headers, &["application/json"])
}

/// Newline-delimited JSON, under any of the names in use.
pub(super) fn is_ndjson(headers: &HeaderMap) -> bool {
    is_one_of(headers, &["application/x-ndjson", "application/ndjson", "application/jsonl"])
}

fn is_one_of(headers: &HeaderMap, kinds: &[&str]) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let known = |kind: &str| kinds.iter().any(|known| kind.eq_ignore_ascii_case(known));
    parts.next().is_some_and(known)
        && parts.all(|parameter| {
            parameter.is_empty()
                || parameter.eq_ignore_ascii_case("charset=utf-8")
                || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_what_only_looks_like_it() {
        let says = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            is_json(&headers)
        };
        assert!(says("application/json") && says("Application/JSON; charset=UTF-8"));
        for wrong in ["text/json", "application/jsonp", "application/json; charset=latin1", ""] {
            assert!(!says(wrong), "{wrong}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
