//! The two languages of public text.

/// Ranges of an `Accept-Language` field that are read; the rest is ignored.
const RANGES_MAX: usize = 32;

/// The highest quality value, in thousandths.
const QUALITY_MAX: u16 = 1000;

/// A language of public text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Italian, the default.
    #[default]
    Italian,
    /// English.
    English,
}

impl Language {
    /// The language that an `Accept-Language` field prefers.
    ///
    /// Italian if there is no field or neither language is acceptable; of two equally preferred languages, the
    /// first. A range that cannot be parsed is ignored.
    ///
    /// ```
    /// use sportello::civic::Language;
    ///
    /// let asked = Some("de, en-GB;q=0.9, it;q=0.5");
    /// assert_eq!(Language::from_accept_language(asked), Language::English);
    /// assert_eq!(Language::from_accept_language(None), Language::Italian);
    /// ```
    ///
    /// Source: RFC 9110 section 12.5.4.
    #[must_use]
    pub fn from_accept_language(field: Option<&str>) -> Self {
        let mut named: [Option<Wish>; 2] = [None; 2];
        let mut any = None;
        for (place, range) in field.unwrap_or_default().split(',').take(RANGES_MAX).enumerate() {
            let Some((tag, quality)) = range_and_quality(range) else { continue };
            let wish = Wish { quality, place };
            let primary = tag.split('-').next().unwrap_or_default();
            let slot = match primary {
                "*" => &mut any,
                _ if primary.eq_ignore_ascii_case("it") => &mut named[0],
                _ if primary.eq_ignore_ascii_case("en") => &mut named[1],
                _ => continue,
            };
            if slot.is_none_or(|known| known.quality < quality) {
                *slot = Some(wish);
            }
        }
        let [italian, english] = named.map(|wish| wish.or(any).unwrap_or_default());
        let earlier = english.quality == italian.quality && english.place < italian.place;
        if english.quality > 0 && (english.quality > italian.quality || earlier) {
            return Self::English;
        }
        Self::Italian
    }

    /// Selects the text in this language.
    #[must_use]
    pub const fn of(self, italian: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::Italian => italian,
            Self::English => english,
        }
    }

    /// The language with that tag.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        [Self::Italian, Self::English].into_iter().find(|language| language.tag() == tag)
    }

    /// The tag for a `Content-Language` or `lang` attribute: `it` or `en`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Italian => "it",
            Self::English => "en",
        }
    }
}

/// The quality of a language, and its place in the field.
#[derive(Clone, Copy, Default)]
struct Wish {
    quality: u16,
    place: usize,
}

/// Splits `en-GB;q=0.8` into its range and its quality in thousandths.
fn range_and_quality(range: &str) -> Option<(&str, u16)> {
    let Some((tag, weight)) = range.split_once(';') else {
        return Some((range.trim(), QUALITY_MAX));
    };
    let weight = weight.trim();
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 {
        return None;
    }
    let mut thousandths = u16::from(whole == "1") * QUALITY_MAX;
    for (byte, unit) in decimals.bytes().zip([100, 10, 1]) {
        if !byte.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(byte - b'0') * unit;
    }
    (thousandths <= QUALITY_MAX).then_some((tag.trim(), thousandths))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_better_liked_language_wins() {
        use Language::{English, Italian};
        for (field, language) in [
            ("", Italian),
            ("it", Italian),
            ("en", English),
            ("EN-us", English),
            ("de", Italian),
            ("*", Italian),
            ("en;q=0", Italian),
            ("en;q=0, it;q=0", Italian),
            ("en;q=1, it;q=0.999", English),
            ("it;q=0.09, en;q=0.1", English),
            ("it;q=0, *", English),
            ("it;q=0.5, en", English),
            ("it;q=0.5,en;q=0.501", English),
            ("en;q=0.5, it;q=0.5", English),
            ("it, en", Italian),
            ("en, it", English),
            ("it-CH;q=0.2, it;q=0.9, en;q=0.8", Italian),
            ("en;q=2, it;q=0.1", Italian),
            ("en;q=0.1234", Italian),
            ("en;q=1.001", Italian),
            ("it;q=0.8, en;q=0.9", English),
            ("it;q=0.08, en;q=0.09", English),
            ("it;q=0.008, en;q=0.009", English),
            ("en;q=0./", Italian),
            ("en;q=0.5:", Italian),
            ("en;level=1", Italian),
            ("it;q=0.5, en;q=0.5, it-CH;q=0.5", Italian),
            ("english", Italian),
            ("de, *;q=0.3", Italian),
        ] {
            assert_eq!(Language::from_accept_language(Some(field)), language, "{field}");
        }
    }

    #[test]
    fn what_lies_beyond_the_bound_is_not_looked_at() {
        let crowded = format!("{}en", "de,".repeat(RANGES_MAX));
        assert_eq!(Language::from_accept_language(Some(&crowded)), Language::Italian);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_field_has_an_answer(field in "\\PC*|([a-z*]{1,3}(;q=[01](\\.[0-9]{0,4})?)?,? ?){0,6}") {
            let language = Language::from_accept_language(Some(&field));
            prop_assert!(matches!(language.tag(), "it" | "en"));
        }
    }
}
