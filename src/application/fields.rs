//! Parsers of single values, each with its bounds.

use jiff::civil::{self, Date};

use super::fault::{Allowed, FaultCode};
use super::walk::Cursor;
use crate::civic::euro::AMOUNT_CENTS_MAX;
use crate::civic::{Euro, FiscalCode, FiscalCodeFault, Iban, VatNumber, VatNumberFault, calendar};
use crate::schemes::{Campaign, Rules, Scheme};

/// The longest word or date; all valid ones are shorter.
pub(super) const WORD_CHARS_MAX: usize = 64;
/// The longest e-mail address (RFC 5321 with erratum 1690).
const EMAIL_CHARS_MAX: usize = 254;
/// The longest part before `@` (RFC 5321).
const EMAIL_LOCAL_CHARS_MAX: usize = 64;
/// The longest label of a domain (RFC 1035).
const LABEL_CHARS_MAX: usize = 63;
/// The digits of a telephone number (E.164 has at most 15).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;
/// The earliest date: the day on which VAT numbers were introduced (DPR 633/1972).
const DATES_SINCE: Date = civil::date(1973, 1, 1);
/// The latest date; a later one is a typing error.
const DATE_MAX: Date = civil::date(2099, 12, 31);
/// The earliest date of submission.
const SUBMISSIONS_SINCE: Date = civil::date(2020, 1, 1);

/// A scheme that has rules.
pub(super) fn scheme(cursor: Cursor<'_, '_>, rules: &Rules) -> Option<Scheme> {
    let scheme = Scheme::from_name(cursor.text(WORD_CHARS_MAX)?);
    scheme.filter(|&scheme| rules.years(scheme).is_some()).or_else(|| {
        let known = Scheme::ALL.into_iter().filter(|&scheme| rules.years(scheme).is_some());
        let known = known.map(Scheme::as_str).collect();
        cursor.fault(FaultCode::UnknownScheme, Allowed::OneOf(known))
    })
}

pub(super) fn campaign_year(cursor: Cursor<'_, '_>, scheme: Scheme, rules: &Rules) -> Option<i16> {
    let year = i16::try_from(cursor.integer()?).ok();
    let known = year.filter(|&year| rules.window(Campaign { scheme, year }).is_some());
    known.or_else(|| {
        let (first, last) = rules.years(scheme).unwrap_or_default();
        cursor.fault(FaultCode::UnknownYear, Allowed::range(&first, &last))
    })
}

/// A year between two, both included.
pub(super) fn year(cursor: Cursor<'_, '_>, first: i16, last: i16) -> Option<i16> {
    let year = i16::try_from(cursor.integer()?).ok().filter(|year| (first..=last).contains(year));
    year.or_else(|| cursor.fault(FaultCode::YearOutOfRange, Allowed::range(&first, &last)))
}

pub(super) fn flag(cursor: Cursor<'_, '_>) -> Option<bool> {
    cursor.flag()
}

/// One of a list of words, each with its value.
pub(super) fn one_of<T: Copy>(
    cursor: Cursor<'_, '_>,
    words: &'static [(&'static str, T)],
) -> Option<T> {
    let text = cursor.text(WORD_CHARS_MAX)?;
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.or_else(|| {
        let words = words.iter().map(|(word, _)| *word).collect();
        cursor.fault(FaultCode::UnknownValue, Allowed::OneOf(words))
    })
}

/// An amount; negative for a loss.
pub(super) fn amount(cursor: Cursor<'_, '_>) -> Option<Euro> {
    Euro::parse(cursor.text(WORD_CHARS_MAX)?).map_or_else(
        |fault| {
            let most = AMOUNT_CENTS_MAX;
            let range = Allowed::range(&Euro::from_cents(-most), &Euro::from_cents(most));
            cursor.fault(fault.into(), range)
        },
        Some,
    )
}

/// An amount between two, both included; without `most`, up to the largest amount.
pub(super) fn amount_between(
    cursor: Cursor<'_, '_>,
    least: Euro,
    most: Option<Euro>,
) -> Option<Euro> {
    let most = most.unwrap_or(Euro::from_cents(AMOUNT_CENTS_MAX));
    let amount = amount(cursor)?;
    if (least..=most).contains(&amount) {
        return Some(amount);
    }
    cursor.fault(FaultCode::NumberOutOfRange, Allowed::range(&least, &most))
}

/// A date between two, both included.
pub(super) fn day(cursor: Cursor<'_, '_>, first: Date, last: Date) -> Option<Date> {
    let Some(day) = calendar::parse_date(cursor.text(WORD_CHARS_MAX)?) else {
        return cursor.fault(FaultCode::DateShape, Allowed::Anything);
    };
    if !(first..=last).contains(&day) {
        return cursor.fault(FaultCode::DateOutOfRange, Allowed::range(&first, &last));
    }
    Some(day)
}

/// A date between the earliest and the latest.
pub(super) fn date(cursor: Cursor<'_, '_>) -> Option<Date> {
    day(cursor, DATES_SINCE, DATE_MAX)
}

/// A date on or after `first`.
pub(super) fn date_from(cursor: Cursor<'_, '_>, first: Option<Date>) -> Option<Date> {
    day(cursor, first.unwrap_or(DATES_SINCE), DATE_MAX)
}

/// A number between two, both included.
pub(super) fn count(cursor: Cursor<'_, '_>, least: u16, most: u16) -> Option<u16> {
    let count = u16::try_from(cursor.integer()?).ok();
    let count = count.filter(|count| (least..=most).contains(count));
    count.or_else(|| cursor.fault(FaultCode::NumberOutOfRange, Allowed::range(&least, &most)))
}

pub(super) fn submission_date(cursor: Cursor<'_, '_>) -> Option<Date> {
    day(cursor, SUBMISSIONS_SINCE, DATE_MAX)
}

/// The code of whoever applies, which may be the canary: whether it is theirs is checked by the session.
pub(super) fn applicants_code(cursor: Cursor<'_, '_>) -> Option<FiscalCode> {
    fiscal_code_by(FiscalCode::parse_with_canaries, cursor)
}

/// The code of a person.
pub(super) fn fiscal_code(cursor: Cursor<'_, '_>) -> Option<FiscalCode> {
    fiscal_code_by(FiscalCode::parse, cursor)
}

fn fiscal_code_by(
    parse: fn(&str) -> Result<FiscalCode, FiscalCodeFault>,
    cursor: Cursor<'_, '_>,
) -> Option<FiscalCode> {
    parse(cursor.text(WORD_CHARS_MAX)?).map_or_else(
        |fault| {
            let allowed = match fault {
                FiscalCodeFault::Character(place) => Allowed::NotAtPlace(place),
                _ => Allowed::Anything,
            };
            cursor.fault(fault.into(), allowed)
        },
        Some,
    )
}

pub(super) fn vat_number(cursor: Cursor<'_, '_>) -> Option<VatNumber> {
    VatNumber::parse(cursor.text(WORD_CHARS_MAX)?).map_or_else(
        |fault| {
            let allowed = match fault {
                VatNumberFault::Character(place) => Allowed::NotAtPlace(place),
                _ => Allowed::Anything,
            };
            cursor.fault(fault.into(), allowed)
        },
        Some,
    )
}

pub(super) fn iban(cursor: Cursor<'_, '_>) -> Option<Iban> {
    Iban::parse(cursor.text(WORD_CHARS_MAX)?)
        .map_or_else(|fault| cursor.fault(fault.into(), Allowed::Anything), Some)
}

/// A plausible e-mail address; that it exists is not checked.
pub(super) fn email(cursor: Cursor<'_, '_>) -> Option<String> {
    let text = cursor.text(EMAIL_CHARS_MAX)?;
    if is_email(text) {
        return Some(text.to_owned());
    }
    cursor.fault(FaultCode::EmailShape, Allowed::Anything)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    let is_label = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    local.len() <= EMAIL_LOCAL_CHARS_MAX
        && local.split('.').all(is_local_part)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

/// A telephone number in international form.
pub(super) fn phone(cursor: Cursor<'_, '_>) -> Option<String> {
    let text = cursor.text(WORD_CHARS_MAX)?;
    let is_digits = |digits: &str| {
        PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if text.strip_prefix('+').is_some_and(is_digits) {
        return Some(text.to_owned());
    }
    cursor.fault(FaultCode::PhoneShape, Allowed::Anything)
}

/// Whether a text can be the reference of a mandate: 1 to 64 visible ASCII characters.
pub(crate) fn is_mandate_reference(text: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An intermediary's reference to its mandate.
pub(super) fn mandate(cursor: Cursor<'_, '_>) -> Option<String> {
    let text = cursor.text(WORD_CHARS_MAX)?;
    if is_mandate_reference(text) {
        return Some(text.to_owned());
    }
    cursor.fault(FaultCode::MandateShape, Allowed::Anything)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_shape_of_addresses() {
        for text in ["mario@example.it", "m.rossi+inps@posta.example.it", "a@b.c", "o'neil@x-y.it"]
        {
            assert!(is_email(text), "{text}");
        }
        let longest = format!("{}@{}.it", "a".repeat(64), "b".repeat(63));
        assert!(is_email(&longest));
        let long_local = format!("{}@example.it", "a".repeat(65));
        let long_label = format!("a@{}.it", "b".repeat(64));
        for text in [
            "",
            "@",
            "mario",
            "mario@",
            "@example.it",
            "mario@example",
            "a@b@example.it",
            "a b@example.it",
            ".a@example.it",
            "a.@example.it",
            "a..b@example.it",
            "a@-x.it",
            "a@x-.it",
            "a@.it",
            "a@it.",
            "mario@exämple.it",
            "\"a\"@example.it",
            "<a@example.it>",
            &long_local,
            &long_label,
        ] {
            assert!(!is_email(text), "{text}");
        }
    }
}
