//! The *codice fiscale*, which identifies a natural person to the Italian administration.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// Characters of a fiscal code.
pub const FISCAL_CODE_CHARS: usize = 16;

/// How many different people [`FiscalCode::made_up`] generates.
pub const MADE_UP_PEOPLE_MAX: u64 = MADE_UP_BIRTHS * MADE_UP_NAMES;

/// The codes of the canary's two synthetic people, valid in form and of nobody.
///
/// Both were born in `Y999`: no municipality and no country has a code with `Y`, and of those with `Y` no
/// [made-up](FiscalCode::made_up) person has this one. [`FiscalCode::parse`] refuses them, so that whatever proves
/// who somebody is cannot prove these two.
pub const CANARIES: [FiscalCode; 2] =
    [FiscalCode(*b"CNRPRM70A01Y999Y"), FiscalCode(*b"SNTSND81T52Y999R")];

/// The fiscal code of a natural person, in capitals and with a valid check letter.
///
/// An *omocode*, in which letters replace digits to distinguish people with the same data, is a different
/// person and is never converted to the plain spelling. Whether the code was ever issued is not checked; only
/// the tax registry knows.
///
/// `Debug` prints the mask and there is no `Display`: only an explicit [`as_str`](Self::as_str) can put a code
/// into a log.
///
/// ```
/// use sportello::civic::{FiscalCode, FiscalCodeFault};
///
/// let mario = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
/// assert_eq!(format!("{mario:?}"), "RSS***********1U");
/// assert_eq!(FiscalCode::parse("RSSMRA80A01H501X"), Err(FiscalCodeFault::CheckLetter));
/// ```
///
/// Source: DM 23 December 1976 (Ministry of Finance).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiscalCode([u8; FISCAL_CODE_CHARS]);

/// Why a string is not a fiscal code. Never quotes the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FiscalCodeFault {
    /// It does not have 16 characters.
    #[error("a fiscal code has 16 characters")]
    Length,
    /// The character at this position (from 1) is not allowed there.
    #[error("the character at position {0} is not allowed there")]
    Character(u8),
    /// Positions 10 and 11 are not a day of the month at position 9 in that year.
    #[error("positions 7 to 11 are not a date of birth")]
    BirthDate,
    /// The last letter does not follow from the fifteen before it.
    #[error("the check letter does not match")]
    CheckLetter,
    /// It is one of [`CANARIES`].
    #[error("the code is reserved for tests of the service")]
    Reserved,
}

/// A masked fiscal code: the first three and the last two characters.
///
/// Enough for people to recognise their own, too little to learn another's; safe in logs and pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Masked([u8; FISCAL_CODE_CHARS]);

/// What is allowed at each position: a letter (L), a digit or its omocode (D), a month letter (M).
const SHAPE: &[u8; FISCAL_CODE_CHARS] = b"LLLLLLDDMDDLDDDL";
const MONTH_LETTERS: &[u8; 12] = b"ABCDEHLMPRST";
const OMOCODE_LETTERS: &[u8; 10] = b"LMNPQRSTUV";
const DAYS_IN_MONTH: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Added to the day of birth of women.
const WOMAN_DAY_OFFSET: u8 = 40;
/// The value of a letter at an odd position (from 1), by its index; digits use the first ten.
const ODD_PLACE_VALUES: [u8; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

impl FiscalCode {
    /// Parses a person's code of sixteen capital letters and digits, without spaces. The canary's codes are no
    /// person's.
    ///
    /// # Errors
    ///
    /// The first [`FiscalCodeFault`] from left to right, the check letter last: report it to the applicant.
    pub fn parse(text: &str) -> Result<Self, FiscalCodeFault> {
        let code = Self::parse_with_canaries(text)?;
        if code.is_canary() { Err(FiscalCodeFault::Reserved) } else { Ok(code) }
    }

    /// Parses a person's code or the canary's. The caller must refuse the canary's unless the canary itself is served.
    ///
    /// # Errors
    ///
    /// As for [`parse`](Self::parse), except [`FiscalCodeFault::Reserved`].
    pub fn parse_with_canaries(text: &str) -> Result<Self, FiscalCodeFault> {
        let code: [u8; FISCAL_CODE_CHARS] =
            text.as_bytes().try_into().map_err(|_| FiscalCodeFault::Length)?;
        for (place, (&byte, &kind)) in (1_u8..).zip(code.iter().zip(SHAPE)) {
            let fits = match kind {
                b'L' => byte.is_ascii_uppercase(),
                b'D' => digit_value(byte).is_some(),
                _ => MONTH_LETTERS.contains(&byte),
            };
            if !fits {
                return Err(FiscalCodeFault::Character(place));
            }
        }
        if !has_plausible_birth_date(&code) {
            return Err(FiscalCodeFault::BirthDate);
        }
        if check_letter(&code) != code[15] {
            return Err(FiscalCodeFault::CheckLetter);
        }
        Ok(Self(code))
    }

    /// The `n`-th made-up person, the same one every time.
    ///
    /// Different numbers below [`MADE_UP_PEOPLE_MAX`] give different people; from there on they repeat.
    /// The place of birth begins with `Y`, which no municipality and no country has, so that a made-up
    /// person is never a real one.
    ///
    /// ```
    /// use sportello::civic::FiscalCode;
    ///
    /// let someone = FiscalCode::made_up(7);
    /// assert_eq!(FiscalCode::parse(someone.as_str()), Ok(someone));
    /// assert_ne!(someone, FiscalCode::made_up(8));
    /// ```
    #[must_use]
    pub fn made_up(n: u64) -> Self {
        // Scattered, so that consecutive people differ in more than the year of birth.
        let person = (n % MADE_UP_PEOPLE_MAX) * MADE_UP_SPREAD % MADE_UP_PEOPLE_MAX;
        let (birth, mut name) = (person % MADE_UP_BIRTHS, person / MADE_UP_BIRTHS);
        let (year, day) = (40 + birth % 60, 1 + birth / 720 % 28);
        let offset = if birth / 20_160 == 1 { u64::from(WOMAN_DAY_OFFSET) } else { 0 };

        let mut code = *b"AAAARA00A00Y000A";
        for place in [0, 1, 2, 3, 5] {
            code[place] = MADE_UP_CONSONANTS[(name % 16) as usize];
            name /= 16;
        }
        [code[6], code[7]] = two_digits(year);
        code[8] = MONTH_LETTERS[(birth / 60 % 12) as usize];
        [code[9], code[10]] = two_digits(day + offset);
        [code[13], code[14]] = two_digits(person);
        code[15] = check_letter(&code);
        Self(code)
    }

    /// Whether it is one of [`CANARIES`].
    #[must_use]
    pub fn is_canary(&self) -> bool {
        CANARIES.contains(self)
    }

    /// The whole code. Personal data: never for a log line, a metric or a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// The code with all but its first three and last two characters starred.
    ///
    /// ```
    /// # use sportello::civic::FiscalCode;
    /// let mario = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
    /// assert_eq!(mario.masked().as_str(), "RSS***********1U");
    /// ```
    #[must_use]
    pub fn masked(&self) -> Masked {
        let mut mask = self.0;
        mask[3..14].fill(b'*');
        Masked(mask)
    }
}

impl fmt::Debug for FiscalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.masked().as_str())
    }
}

impl Masked {
    /// The mask, such as `RSS***********1U`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// 60 years of 12 months of 28 days, twice.
const MADE_UP_BIRTHS: u64 = 60 * 12 * 28 * 2;
/// Five free places for one of sixteen consonants.
const MADE_UP_NAMES: u64 = 16_u64.pow(5);
const MADE_UP_CONSONANTS: &[u8; 16] = b"BCDFGLMNPRSTVZKW";
/// A prime that does not divide the number of made-up people, so that it permutes them.
const MADE_UP_SPREAD: u64 = 402_653_189;

const _: () = assert!(MADE_UP_PEOPLE_MAX >= 10_000_000, "the demo mints up to ten million");
const _: () = assert!(MADE_UP_PEOPLE_MAX < u64::MAX / MADE_UP_SPREAD, "`made_up` would overflow");
const _: () = assert!(!MADE_UP_PEOPLE_MAX.is_multiple_of(MADE_UP_SPREAD));

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The last two digits of a number.
fn two_digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

fn digit_value(byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() {
        return Some(byte - b'0');
    }
    let index = OMOCODE_LETTERS.iter().position(|&letter| letter == byte)?;
    u8::try_from(index).ok()
}

/// The number at two positions, each a digit or its omocode.
fn number_at(code: &[u8; FISCAL_CODE_CHARS], index: usize) -> Option<u8> {
    Some(digit_value(code[index])? * 10 + digit_value(code[index + 1])?)
}

fn has_plausible_birth_date(code: &[u8; FISCAL_CODE_CHARS]) -> bool {
    let month = MONTH_LETTERS.iter().position(|&letter| letter == code[8]);
    let (Some(year), Some(month), Some(day)) = (number_at(code, 6), month, number_at(code, 9))
    else {
        return false;
    };
    let day = if day > WOMAN_DAY_OFFSET { day - WOMAN_DAY_OFFSET } else { day };
    // The code does not hold the century. Year 00 may be 2000, a leap year: so 29 February is plausible in
    // every fourth year.
    let leap_day_missing = month == 1 && day == 29 && year % 4 != 0;
    (1..=DAYS_IN_MONTH[month]).contains(&day) && !leap_day_missing
}

fn check_letter(code: &[u8; FISCAL_CODE_CHARS]) -> u8 {
    let mut sum = 0_u16;
    for (index, &byte) in code[..15].iter().enumerate() {
        let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
        let is_odd_place = index % 2 == 0;
        sum += u16::from(if is_odd_place { ODD_PLACE_VALUES[usize::from(value)] } else { value });
    }
    b'A' + (sum % 26) as u8
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_domain_parse() {
        for code in ["RSSMRA80A01H501U", "RSSMRA80A41H501Y", "RSSMRA80A01H50MM"] {
            assert_eq!(FiscalCode::parse(code).unwrap().as_str(), code);
        }
    }

    #[test]
    fn an_omocode_is_another_person() {
        let plain = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        let omocode = FiscalCode::parse("RSSMRA80A01H50MM").unwrap();
        assert_ne!(plain, omocode);
    }

    #[test]
    fn each_fault_is_named() {
        use FiscalCodeFault::{BirthDate, Character, CheckLetter, Length};
        for (text, fault) in [
            ("", Length),
            ("RSSMRA80A01H501", Length),
            ("RSSMRA80A01H501UU", Length),
            (" RSSMRA80A01H501", Character(1)),
            ("rssmra80a01h501u", Character(1)),
            ("RSSMR080A01H501U", Character(6)),
            ("RSSMRAA0A01H501U", Character(7)),
            ("RSSMRA80F01H501U", Character(9)),
            ("RSSMRA80A01H501\0", Character(16)),
            ("RSSMRA80A00H501U", BirthDate),
            ("RSSMRA80A32H501U", BirthDate),
            ("RSSMRA80A40H501U", BirthDate),
            ("RSSMRA80A72H501U", BirthDate),
            ("RSSMRA81B29H501U", BirthDate),
            ("RSSMRA80D31H501U", BirthDate),
            ("RSSMRA80A01H501V", CheckLetter),
            ("RSSMRB80A01H501U", CheckLetter),
        ] {
            assert_eq!(FiscalCode::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_leap_day_is_plausible_in_every_fourth_year() {
        for (code, plausible) in [
            (*b"RSSMRA80B29H501_", true),
            (*b"RSSMRA00B69H501_", true),
            (*b"RSSMRA81B69H501_", false),
            (*b"RSSMRA80B30H501_", false),
        ] {
            assert_eq!(has_plausible_birth_date(&code), plausible);
        }
    }

    #[test]
    fn nothing_but_the_mask_is_printed() {
        let code = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        assert_eq!(format!("{code:?} {}", code.masked()), "RSS***********1U RSS***********1U");
        assert_eq!(serde_json::to_string(&code.masked()).unwrap(), "\"RSS***********1U\"");
    }

    #[test]
    fn the_canarys_codes_are_valid_in_form_of_nobody_and_parse_only_on_request() {
        for canary in CANARIES {
            let code = canary.as_str();
            assert_eq!(FiscalCode::parse_with_canaries(code), Ok(canary));
            assert_eq!(FiscalCode::parse(code), Err(FiscalCodeFault::Reserved));
            assert!(canary.is_canary());
            assert_eq!(&code[11..15], "Y999", "a place that nothing has");
        }
        // Made-up people are born in Y000 to Y099.
        let made_up = (0..100_000).map(FiscalCode::made_up);
        assert!(made_up.into_iter().all(|person| !person.is_canary() && person.0[12] == b'0'));
        let [one, other] = CANARIES.map(|canary| canary.masked());
        assert_ne!(one, other, "answers show masks, and a mix-up must be seen in them");
    }

    #[test]
    fn made_up_people_stay_who_they_are() {
        let last = MADE_UP_PEOPLE_MAX - 1;
        let codes =
            [0, 1, 2, 61, 1_000, 20_160, 40_320, 1_234_567_890, last].map(FiscalCode::made_up);
        let codes = codes.each_ref().map(FiscalCode::as_str).join(" ");
        let pinned = "BBBBRB40A01Y000V DBNDRB69L25Y089H GBKGRB98A62Y078V GRTGRR69T53Y029T MPCMRP60D13Y020B \
                      DBBBRB40A41Y000G LBBBRB40A01Y000Z LNCFRR70B65Y030N ZWPZRW71H44Y031X";
        assert_eq!(codes, pinned);
    }

    #[test]
    fn made_up_people_are_born_on_every_day_there_is_for_them() {
        let births = (0..60 * 12 * 28 * 2).map(|n| FiscalCode::made_up(n).0[6..11].to_vec());
        assert_eq!(births.collect::<HashSet<_>>().len(), 40_320);
    }

    #[test]
    fn masks_print_the_same_for_people_and_for_debugging() {
        let masked = FiscalCode::parse("RSSMRA80A01H501U").unwrap().masked();
        assert_eq!(format!("{masked} {masked:?}"), "RSS***********1U RSS***********1U");
    }

    #[test]
    fn made_up_people_are_valid_and_distinct() {
        let people: HashSet<FiscalCode> = (0..100_000).map(FiscalCode::made_up).collect();
        assert_eq!(people.len(), 100_000);
        assert!(people.iter().all(|person| FiscalCode::parse(person.as_str()) == Ok(*person)));
        assert_ne!(FiscalCode::made_up(0), FiscalCode::made_up(MADE_UP_PEOPLE_MAX - 1));
        assert_eq!(FiscalCode::made_up(0), FiscalCode::made_up(MADE_UP_PEOPLE_MAX));
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_text_parses_to_itself_or_is_refused(text in "[A-Z0-9]{14,17}|\\PC*") {
            if let Ok(code) = FiscalCode::parse(&text) {
                prop_assert_eq!(code.as_str(), text);
            }
        }

        #[test]
        fn made_up_people_differ(n in 0..10_000_000_u64, m in 0..10_000_000_u64) {
            let (one, other) = (FiscalCode::made_up(n), FiscalCode::made_up(m));
            prop_assert_eq!(FiscalCode::parse(one.as_str()), Ok(one));
            prop_assert_eq!(one == other, n == m);
        }

        #[test]
        fn one_wrong_digit_is_noticed(n in 0..10_000_000_u64, place in 11_usize..15, step in 1..10_u8) {
            let mut code = FiscalCode::made_up(n).0;
            prop_assume!(code[place].is_ascii_digit());
            code[place] = b'0' + (code[place] - b'0' + step) % 10;
            prop_assert_eq!(FiscalCode::parse(ascii(&code)), Err(FiscalCodeFault::CheckLetter));
        }
    }
}
