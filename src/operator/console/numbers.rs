//! Numbers as people read them from a distance: few digits, and a unit.

const KIB: f64 = 1024.0;

/// What is shown where there is no number.
const NONE: &str = "–";

/// A number that may be missing.
pub(super) fn or_none(number: Option<f64>, write: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| NONE.to_owned(), write)
}

/// A whole number with its thousands apart: `12,345`.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    if number <= -0.5 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate a second: one decimal while it is small, thousands and millions when it is large.
pub(super) fn rate(number: f64) -> String {
    match number {
        0.05..9.95 => format!("{number:.1}"),
        99_950.0..999_500.0 => format!("{:.0} k", number / 1e3),
        999_500.0.. => format!("{:.1} M", number / 1e6),
        _ => whole(number),
    }
}

/// A short time in its unit: `0.70 ms`, `22 ms`, `1.3 s`.
pub(super) fn short_time(seconds: f64) -> String {
    let millis = seconds * 1_000.0;
    match millis {
        0.0..0.995 => format!("{millis:.2} ms"),
        0.995..9.95 => format!("{millis:.1} ms"),
        9.95..999.5 => format!("{millis:.0} ms"),
        _ => format!("{seconds:.1} s"),
    }
}

/// A size: `512 MiB`, `1.5 GiB`.
pub(super) fn size(bytes: f64) -> String {
    let (mut number, mut unit) = (bytes / KIB / KIB, "MiB");
    for larger in ["GiB", "TiB"] {
        if number >= KIB {
            (number, unit) = (number / KIB, larger);
        }
    }
    if number < 9.95 { format!("{number:.1} {unit}") } else { format!("{} {unit}", whole(number)) }
}

/// A part of one: `42 %`.
pub(super) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let wholes = [0.0, -0.2, 999.4, 999.6, 1_234_567.0, -1_000.0].map(whole);
        assert_eq!(wholes, ["0", "0", "999", "1,000", "1,234,567", "-1,000"]);
        let rates = [0.0, 0.01, 0.26, 9.94, 9.96, 2_000.4, 120_000.0, 1_250_000.0].map(rate);
        assert_eq!(rates, ["0", "0", "0.3", "9.9", "10", "2,000", "120 k", "1.2 M"]);
        let times = [0.0, 0.000_7, 0.001_52, 0.022, 0.999_6, 12.0].map(short_time);
        assert_eq!(times, ["0.00 ms", "0.70 ms", "1.5 ms", "22 ms", "1.0 s", "12.0 s"]);
        let sizes = [0.0, 16.0 * KIB * KIB, 1.5 * KIB.powi(3), 3.0 * KIB.powi(4)].map(size);
        assert_eq!(sizes, ["0.0 MiB", "16 MiB", "1.5 GiB", "3.0 TiB"]);
        assert_eq!((percent(0.256), or_none(None, whole)), ("26 %".to_owned(), "–".to_owned()));
        assert_eq!(or_none(Some(7.0), whole), "7");
    }
}
