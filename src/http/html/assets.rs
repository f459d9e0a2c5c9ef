//! What pages load: the style sheet, the fonts and the icon, under names that change with their content, so that caches may
//! keep them for ever.
//!
//! The fonts are Titillium Web, cut down to the characters of Italian and English (`fonts/README.md`).

use std::sync::LazyLock;

use super::super::packed::Packed;

/// Below which they are.
const ROOM: &str = "/assets/";
/// Characters of the content's hash in a name: enough to tell versions apart, no secret.
const HASH_CHARS: usize = 16;

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
const FONT: &str = "font/woff2";
/// Name and content of each font. The style sheet names it so, without the hash.
const FONTS: [(&str, &[u8]); 3] = [
    ("titillium-web-regular.woff2", include_bytes!("fonts/titillium-web-regular.woff2")),
    ("titillium-web-600.woff2", include_bytes!("fonts/titillium-web-600.woff2")),
    ("titillium-web-700.woff2", include_bytes!("fonts/titillium-web-700.woff2")),
];

/// A file that pages load.
pub(in super::super) struct Asset {
    path: String,
    pub(in super::super) content_type: &'static str,
    pub(in super::super) packed: Packed,
}

/// All of them: style sheet, icon, fonts.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let fonts: Vec<_> = FONTS
        .iter()
        // They are compressed already.
        .map(|(name, content)| Asset::of(name, FONT, content, Packed::as_is(content)))
        .collect();
    let style = FONTS.iter().zip(&fonts).fold(STYLE.to_owned(), |style, ((name, _), font)| {
        style.replace(name, font.path.trim_start_matches(ROOM))
    });
    let style = Asset::text("style.css", "text/css; charset=utf-8", &style);
    let icon = Asset::text("icon.svg", "image/svg+xml", ICON);
    [style, icon].into_iter().chain(fonts).collect()
});

impl Asset {
    fn of(name: &str, content_type: &'static str, content: &[u8], packed: Packed) -> Self {
        let hash = blake3::hash(content).to_hex();
        let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
        let path = format!("{ROOM}{stem}-{}.{ending}", &hash[..HASH_CHARS]);
        Self { path, content_type, packed }
    }

    fn text(name: &str, content_type: &'static str, content: &str) -> Self {
        Self::of(name, content_type, content.as_bytes(), Packed::new(content.to_owned()))
    }
}

/// The path of the style sheet, for links.
pub(super) fn style() -> &'static str {
    &ASSETS[0].path
}

/// The path of the icon.
pub(super) fn icon() -> &'static str {
    &ASSETS[1].path
}

/// The file, if this is its present name.
pub(in super::super) fn named(file: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path.strip_prefix(ROOM) == Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_names_every_font_by_its_content_and_nothing_else() {
        let style = &ASSETS[0];
        let (bytes, _) = style.packed.for_client(&hyper::HeaderMap::new());
        let text = str::from_utf8(&bytes).unwrap();
        let urls: Vec<_> = text.split("url(").skip(1).collect();
        let fonts = urls.iter().filter(|url| !url.starts_with("\"data:image/svg+xml,")).count();
        assert_eq!(fonts, FONTS.len(), "an icon is a data: URL, a font a file");
        for font in &ASSETS[2..] {
            let name = font.path.trim_start_matches(ROOM);
            assert!(text.contains(&format!("url({name})")), "{name}");
            assert!(named(name).is_some_and(|found| found.content_type == FONT));
        }
        for name in ["style.css", "titillium-web-600.woff2", "", "OFL.txt"] {
            assert!(named(name).is_none(), "{name}");
        }
    }
}
