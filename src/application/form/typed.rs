//! Between what people type and what a document has: amounts, days and identifiers in their local form.
//!
//! What cannot be converted is kept as it was typed: the parser of applications names its fault, and the person sees
//! what they wrote.

use super::field::Kind;
use crate::civic::written_time::day;
use crate::civic::{Euro, Language, calendar};

/// The country code that is added to a telephone number without one.
const ITALY: &str = "+39";
/// Digits from which a number that begins like the country code has it.
const WITH_COUNTRY_DIGITS_MIN: usize = 12;

/// The value of a document for what a person typed.
pub(super) fn read(kind: Kind, typed: &str, language: Language) -> String {
    let typed = typed.trim();
    match kind {
        Kind::Amount => amount(typed, language),
        Kind::Date => date(typed).unwrap_or_else(|| typed.to_owned()),
        Kind::Phone => phone(typed),
        Kind::Iban | Kind::FiscalCode => without_signs(typed).to_ascii_uppercase(),
        Kind::VatNumber => {
            let number = without_signs(typed).to_ascii_uppercase();
            number.strip_prefix("IT").map_or_else(|| number.clone(), ToOwned::to_owned)
        }
        Kind::Count => without_signs(typed),
        Kind::Email | Kind::Flag | Kind::Choice(_) | Kind::Statement | Kind::Year(_) => {
            typed.to_owned()
        }
    }
}

/// What a person sees in a field with this value.
pub(super) fn show(kind: Kind, value: &str, language: Language) -> String {
    match kind {
        Kind::Amount if Euro::parse(value).is_ok() && language == Language::Italian => {
            value.replace('.', ",")
        }
        Kind::Date => calendar::parse_date(value)
            .map_or_else(|| value.to_owned(), |day| day.strftime("%d/%m/%Y").to_string()),
        // Groups of four, as on a bank's letter.
        Kind::Iban => {
            let letters: Vec<char> = value.chars().collect();
            letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
        }
        _ => value.to_owned(),
    }
}

/// The same in words.
pub(super) fn answer(kind: Kind, value: &str, language: Language) -> String {
    let yes_or_no = |yes| if yes { language.of("sì", "yes") } else { "no" }.to_owned();
    match kind {
        Kind::Amount => Euro::parse(value)
            .map_or_else(|_| value.to_owned(), |amount| crate::schemes::amount(amount, language)),
        Kind::Date => {
            calendar::parse_date(value).map_or_else(|| value.to_owned(), |date| day(date, language))
        }
        Kind::Flag if value == "true" || value == "false" => yes_or_no(value == "true"),
        Kind::Statement => yes_or_no(value == "true"),
        Kind::Year(_) => yes_or_no(!value.is_empty()),
        Kind::Choice(choices) => choices
            .iter()
            .find(|choice| choice.value == value)
            .map_or_else(|| value.to_owned(), |choice| choice.label(language).to_owned()),
        _ => show(kind, value, language),
    }
}

fn without_signs(typed: &str) -> String {
    typed.chars().filter(|letter| !letter.is_whitespace() && !"-./".contains(*letter)).collect()
}

/// A telephone number in international form; one without a country code is Italian.
fn phone(typed: &str) -> String {
    let number: String = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && !"-./()".contains(*letter))
        .collect();
    if let Some(abroad) = number.strip_prefix("00") {
        return format!("+{abroad}");
    }
    // A spreadsheet drops the sign. No Italian number has so many digits without the country code.
    if number.len() >= WITH_COUNTRY_DIGITS_MIN && number.starts_with(&ITALY[1..]) {
        return format!("+{number}");
    }
    if number.is_empty() || number.starts_with('+') { number } else { format!("{ITALY}{number}") }
}

/// `31/12/2024`, also with points, hyphens or spaces, or as a document has it.
fn date(typed: &str) -> Option<String> {
    let mut parts = typed.split(['/', '.', '-', ' ']).filter(|part| !part.is_empty());
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or_default()];
    let [first, month, last, ""] = parts else { return None };
    let (day, year) = if first.len() == 4 { (last, first) } else { (first, last) };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = year.len() == 4 && day.len() <= 2 && month.len() <= 2;
    let all = [day, month, year];
    (fits && all.into_iter().all(is_number)).then(|| format!("{year}-{month:0>2}-{day:0>2}"))
}

/// An amount with a decimal comma or point, with or without separators of thousands and a euro sign.
fn amount(typed: &str, language: Language) -> String {
    let bare: String =
        typed.chars().filter(|letter| !letter.is_whitespace() && !"€'".contains(*letter)).collect();
    let decimal = match (bare.rfind(','), bare.rfind('.')) {
        (Some(comma), Some(point)) => Some(comma.max(point)),
        (Some(at), None) | (None, Some(at)) => {
            let (local, thousands) = (language.of(",", "."), language.of(".", ","));
            let is_local = bare[at..].starts_with(local);
            // 3.000 is three thousand in Italian and three in English.
            let groups = bare[at + 1..].len() == 3 || bare.matches(thousands).count() > 1;
            (is_local || !groups).then_some(at)
        }
        (None, None) => None,
    };
    let (whole, rest) = decimal.map_or((&*bare, None), |at| (&bare[..at], Some(&bare[at..])));
    if !is_in_thousands(whole, rest) {
        return bare;
    }
    let digits = whole.replace([',', '.'], "");
    match rest {
        Some(rest) => format!("{digits}.{}", &rest[1..]),
        None => digits,
    }
}

/// Whether marks divide the digits in front of the decimal mark by three, if any do, and are not that mark: 1.000.00 is no
/// amount, and must not be taken for one.
fn is_in_thousands(whole: &str, rest: Option<&str>) -> bool {
    let Some(at) = whole.find([',', '.']) else { return true };
    let mark = &whole[at..=at];
    let mut groups = whole.trim_start_matches('-').split(mark);
    let first = groups.next().map_or(0, str::len);
    (1..=3).contains(&first)
        && groups.all(|group| group.len() == 3 && group.bytes().all(|digit| digit.is_ascii_digit()))
        && rest.is_none_or(|rest| !rest.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(kind: Kind, typed: &str, expected: &str) {
        assert_eq!(read(kind, typed, Language::Italian), expected, "{typed}");
    }

    #[test]
    fn amounts_are_read_as_people_of_the_language_write_them() {
        for (typed, italian, english) in [
            ("3000", "3000", "3000"),
            ("3.000", "3000", "3.000"),
            ("3,000", "3.000", "3000"),
            ("3.000,50", "3000.50", "3000.50"),
            ("3,000.50", "3000.50", "3000.50"),
            ("€ 3 000,5", "3000.5", "3000.5"),
            ("3000.50", "3000.50", "3000.50"),
            ("1.234.567", "1234567", "1.234.567"),
            ("1.000.00", "1.000.00", "1.000.00"),
            ("1,000,00", "1,000,00", "1,000,00"),
            ("1,234.567,00", "1,234.567,00", "1,234.567,00"),
            ("12.34.567", "12.34.567", "12.34.567"),
            ("-1.000,00", "-1000.00", "-1000.00"),
            ("-120,00", "-120.00", "-120.00"),
            ("abc", "abc", "abc"),
            ("", "", ""),
        ] {
            assert_eq!(read(Kind::Amount, typed, Language::Italian), italian, "{typed}");
            assert_eq!(read(Kind::Amount, typed, Language::English), english, "{typed}");
        }
    }

    #[test]
    fn days_are_read_day_first_and_kept_as_typed_if_they_are_none() {
        for typed in ["1/3/2015", "01/03/2015", "01.03.2015", "1-3-2015", "1 3 2015", "2015-03-01"]
        {
            reads(Kind::Date, typed, "2015-03-01");
        }
        for typed in ["1 marzo 2015", "1/3", "1/3/15", "1/3/2015/2", "x/y/zzzz"] {
            reads(Kind::Date, typed, typed);
        }
        assert_eq!(show(Kind::Date, "2015-03-01", Language::Italian), "01/03/2015");
    }

    #[test]
    fn identifiers_are_read_with_the_signs_that_people_put_between() {
        reads(Kind::Iban, " it60 x054-2811 1010 0000 0123 456 ", "IT60X0542811101000000123456");
        reads(Kind::VatNumber, "IT 00743110157", "00743110157");
        reads(Kind::FiscalCode, " rss mra 80a01 h501u", "RSSMRA80A01H501U");
        reads(Kind::Phone, "06 123-45.678", "+390612345678");
        reads(Kind::Phone, "0041 44 123 45 67", "+41441234567");
        reads(Kind::Phone, "+39 06 12345678", "+390612345678");
        reads(Kind::Phone, "390612345678", "+390612345678");
        reads(Kind::Phone, "391 234 5678", "+393912345678");
        reads(Kind::Phone, "", "");
        let shown = show(Kind::Iban, "IT60X0542811101000000123456", Language::Italian);
        assert_eq!(shown, "IT60 X054 2811 1010 0000 0123 456");
    }
}
