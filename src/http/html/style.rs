//! The style sheet, under a name that changes with its content, so that caches may keep it for ever.

use std::sync::LazyLock;

use super::super::packed::Packed;

const STYLE: &[u8] = include_bytes!("style.css");
/// Characters of the content's hash in its name: enough to tell versions apart, no secret.
const HASH_CHARS: usize = 16;

static PATH: LazyLock<String> = LazyLock::new(|| {
    let hash = blake3::hash(STYLE).to_hex();
    format!("/assets/style-{}.css", &hash[..HASH_CHARS])
});

static PACKED: LazyLock<Packed> = LazyLock::new(|| Packed::new(STYLE));

/// Its path, for links.
pub(super) fn path() -> &'static str {
    &PATH
}

/// The style sheet, if this is the present name of its file.
pub(in super::super) fn named(file: &str) -> Option<&'static Packed> {
    (PATH.strip_prefix("/assets/") == Some(file)).then(|| &*PACKED)
}
