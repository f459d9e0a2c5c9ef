//! Numbers as people read them from a distance: few digits, and a unit.

use crate::civic::Language;

const KIB: f64 = 1024.0;

/// What is shown where there is no number.
const NONE: &str = "–";

/// Numbers in a language: `1.234,5` or `1,234.5`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers(pub(super) Language);

/// A number that may be missing.
pub(super) fn or_none(number: Option<f64>, write: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| NONE.to_owned(), write)
}

/// A part of one: `42 %`.
pub(super) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

impl Numbers {
    /// A whole number with its thousands apart.
    pub(super) fn whole(self, number: f64) -> String {
        let digits = format!("{:.0}", number.abs());
        let mut text = String::new();
        if number <= -0.5 {
            text.push('-');
        }
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push_str(self.0.of(".", ","));
            }
            text.push(digit);
        }
        text
    }

    /// A number with this many decimals, without thousands.
    pub(super) fn decimal(self, number: f64, decimals: usize) -> String {
        let text = format!("{number:.decimals$}");
        if self.0 == Language::Italian { text.replace('.', ",") } else { text }
    }

    /// A rate a second: one decimal while it is small, thousands and millions when it is large.
    pub(super) fn rate(self, number: f64) -> String {
        match number {
            0.05..9.95 => self.decimal(number, 1),
            99_950.0..999_500.0 => format!("{:.0} k", number / 1e3),
            999_500.0.. => format!("{} M", self.decimal(number / 1e6, 1)),
            _ => self.whole(number),
        }
    }

    /// A short time in its unit: `0.70 ms`, `22 ms`, `1.3 s`.
    pub(super) fn short_time(self, seconds: f64) -> String {
        let millis = seconds * 1_000.0;
        match millis {
            0.0..0.995 => format!("{} ms", self.decimal(millis, 2)),
            0.995..9.95 => format!("{} ms", self.decimal(millis, 1)),
            9.95..999.5 => format!("{millis:.0} ms"),
            _ => format!("{} s", self.decimal(seconds, 1)),
        }
    }

    /// A size: `512 MiB`, `1.5 GiB`.
    pub(super) fn size(self, bytes: f64) -> String {
        let (mut number, mut unit) = (bytes / KIB / KIB, "MiB");
        for larger in ["GiB", "TiB"] {
            if number >= KIB {
                (number, unit) = (number / KIB, larger);
            }
        }
        let written = if number < 9.95 { self.decimal(number, 1) } else { self.whole(number) };
        format!("{written} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let n = Numbers(Language::English);
        let wholes = [0.0, -0.2, 999.4, 999.6, 1_234_567.0, -1_000.0].map(|one| n.whole(one));
        assert_eq!(wholes, ["0", "0", "999", "1,000", "1,234,567", "-1,000"]);
        let rates = [0.0, 0.01, 0.26, 9.94, 9.96, 2_000.4, 120_000.0, 1_250_000.0];
        let rates = rates.map(|one| n.rate(one));
        assert_eq!(rates, ["0", "0", "0.3", "9.9", "10", "2,000", "120 k", "1.2 M"]);
        let times = [0.0, 0.000_7, 0.001_52, 0.022, 0.999_6, 12.0].map(|one| n.short_time(one));
        assert_eq!(times, ["0.00 ms", "0.70 ms", "1.5 ms", "22 ms", "1.0 s", "12.0 s"]);
        let sizes = [0.0, 16.0 * KIB * KIB, 1.5 * KIB.powi(3), 3.0 * KIB.powi(4)];
        assert_eq!(sizes.map(|one| n.size(one)), ["0.0 MiB", "16 MiB", "1.5 GiB", "3.0 TiB"]);
        assert_eq!((percent(0.256), or_none(None, percent)), ("26 %".to_owned(), "–".to_owned()));
    }

    #[test]
    fn italian_has_a_comma_where_english_has_a_point() {
        let n = Numbers(Language::Italian);
        assert_eq!((n.whole(12_345.0), n.rate(0.26)), ("12.345".to_owned(), "0,3".to_owned()));
        assert_eq!(
            (n.short_time(0.001_52), n.size(1.5 * KIB.powi(3))),
            ("1,5 ms".to_owned(), "1,5 GiB".to_owned())
        );
    }
}
