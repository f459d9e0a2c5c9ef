//! What the page loads: style sheet, script and icon, under names that change with their content, so that browsers may
//! keep them for ever.

use std::sync::LazyLock;

/// Below which they are.
const ROOM: &str = "/console/";
/// Characters of the content's hash in a name: enough to tell versions apart, no secret.
const HASH_CHARS: usize = 16;

/// A file that the page loads.
pub(super) struct Asset {
    path: String,
    pub(super) content_type: &'static str,
    pub(super) content: &'static str,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("style", "css", "text/css; charset=utf-8", include_str!("style.css")),
        Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("live.js")),
        Asset::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")),
    ]
});

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, content: &'static str) -> Self {
        let hash = blake3::hash(content.as_bytes()).to_hex();
        let path = format!("{ROOM}{stem}-{}.{ending}", &hash[..HASH_CHARS]);
        Self { path, content_type, content }
    }
}

pub(super) fn style() -> &'static str {
    &ASSETS[0].path
}

pub(super) fn script() -> &'static str {
    &ASSETS[1].path
}

pub(super) fn icon() -> &'static str {
    &ASSETS[2].path
}

/// The file at a path, if this is its present name.
pub(super) fn at(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Whether a path is one of a file, present or past.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with(ROOM)
}
