//! The faults of an application, and their texts for the applicant.

use std::fmt::Write as _;

use thiserror::Error;

use crate::civic::{EuroFault, FiscalCodeFault, IbanFault, Language, VatNumberFault};

/// Why bytes are not an application.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// They are not a JSON document. Lines and columns count from 1.
    #[error("not a JSON document, at line {line} column {column}: {fault:?}")]
    Malformed {
        /// The line.
        line: usize,
        /// The column in bytes.
        column: usize,
        /// What is wrong there.
        fault: MalformedFault,
    },
    /// They are a document, but not an application: every fault, in document order, at least one.
    #[error("not a valid application: {} faults", .0.len())]
    Invalid(Vec<Fault>),
}

/// Why bytes are not a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MalformedFault {
    /// It ends too early.
    Unfinished,
    /// It is not valid JSON; also for a control character or half a surrogate pair in a string.
    Syntax,
    /// Something follows after the document.
    Trailing,
    /// It is not UTF-8.
    Encoding,
    /// It is nested too deeply.
    Depth,
}

impl MalformedFault {
    /// The stable name, such as `syntax`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Syntax => "syntax",
            Self::Trailing => "trailing",
            Self::Encoding => "encoding",
            Self::Depth => "depth",
        }
    }

    /// What is wrong, for the person who sent it.
    #[must_use]
    pub const fn detail(self, language: Language) -> &'static str {
        let (italian, english) = match self {
            Self::Unfinished => ("Il documento è incompleto.", "The document is incomplete."),
            Self::Syntax => ("Il documento non è JSON valido.", "The document is not valid JSON."),
            Self::Trailing => (
                "Dopo la fine del documento c'è altro testo.",
                "There is text after the end of the document.",
            ),
            Self::Encoding => ("Il documento non è in UTF-8.", "The document is not in UTF-8."),
            Self::Depth => {
                ("Il documento ha troppi livelli annidati.", "The document is nested too deeply.")
            }
        };
        language.of(italian, english)
    }
}

/// One fault and its place. Never holds a value of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The place: a JSON pointer (RFC 6901), empty for the document itself.
    pub pointer: String,
    /// The fault, for programs.
    pub code: FaultCode,
    /// What is allowed there.
    pub(super) allowed: Allowed,
}

impl Fault {
    /// What is wrong and what is allowed, for the person who sent it.
    #[must_use]
    pub fn detail(&self, language: Language) -> String {
        let (_, italian, english) = self.code.words();
        let mut text = language.of(italian, english).to_owned();
        self.allowed.write(&mut text, language);
        text
    }
}

/// What is allowed at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// The code says it all.
    Anything,
    Kind(Kind),
    OneOf(Vec<&'static str>),
    AtMost(usize),
    BytesAtMost(usize),
    Range(String, String),
    NotAtPlace(u8),
}

impl Allowed {
    pub(super) fn range(first: &impl ToString, last: &impl ToString) -> Self {
        Self::Range(first.to_string(), last.to_string())
    }

    fn write(&self, text: &mut String, language: Language) {
        let say = |italian, english| language.of(italian, english);
        // Writing to a string does not fail.
        let _written = match self {
            Self::Anything => Ok(()),
            Self::Kind(kind) => {
                write!(text, " {}: {}.", say("Atteso", "Expected"), kind.name(language))
            }
            Self::OneOf(names) => {
                write!(text, " {}: {}.", say("Ammessi", "Allowed"), names.join(", "))
            }
            Self::AtMost(count) => write!(text, " {}: {count}.", say("Al massimo", "At most")),
            Self::BytesAtMost(count) => {
                write!(text, " {}: {count} {}.", say("Al massimo", "At most"), say("byte", "bytes"))
            }
            Self::Range(first, last) => {
                write!(text, " {}: {first} - {last}.", say("Ammesso", "Allowed"))
            }
            Self::NotAtPlace(place) => write!(text, " {}: {place}.", say("Posizione", "Position")),
        };
    }
}

/// A kind of JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Integer,
    Text,
    List,
    Object,
}

impl Kind {
    const fn name(self, language: Language) -> &'static str {
        let (italian, english) = match self {
            Self::Flag => ("true o false", "true or false"),
            Self::Integer => ("un numero intero", "an integer"),
            Self::Text => ("una stringa", "a string"),
            Self::List => ("una lista", "a list"),
            Self::Object => ("un oggetto", "an object"),
        };
        language.of(italian, english)
    }
}

/// Declares each code once, with its slug, its Italian and its English text.
macro_rules! fault_codes {
    ($($(#[$doc:meta])* $name:ident: $slug:literal, $italian:literal, $english:literal;)*) => {
        /// A fault as a code for programs; see [`as_str`](Self::as_str).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultCode { $($(#[$doc])* $name),* }

        impl FaultCode {
            /// Every code, for descriptions of the interface.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The slug, the Italian and the English text.
            const fn words(self) -> (&'static str, &'static str, &'static str) {
                match self { $(Self::$name => ($slug, $italian, $english)),* }
            }
        }
    };
}

fault_codes! {
    /// A required field is missing.
    MissingField: "missing-field", "Campo obbligatorio mancante.", "A required field is missing.";
    /// A field that the scheme does not have.
    UnknownField: "unknown-field", "Campo non previsto.", "There is no such field.";
    /// A field given twice.
    DuplicateField: "duplicate-field", "Campo ripetuto.", "The field is given twice.";
    /// A value of another JSON type.
    WrongType: "wrong-type", "Tipo di valore errato.", "The value has the wrong type.";
    /// A field that this year's rules do not use.
    NotExpected: "not-expected", "Per quest'anno il valore non è richiesto: indicare null.", "The value is not asked for in this year: give null.";
    /// A field of another category.
    OtherCategory: "other-category", "Campo previsto solo per un'altra categoria.", "The field belongs to another category.";
    /// Not one of the allowed words.
    UnknownValue: "unknown-value", "Valore non ammesso.", "The value is not allowed.";
    /// No scheme has that name.
    UnknownScheme: "unknown-scheme", "Prestazione sconosciuta.", "There is no such scheme.";
    /// A year without a campaign.
    UnknownYear: "unknown-year", "Per quest'anno non si possono presentare domande.", "There is no campaign in that year.";
    /// A control character in a text.
    ControlCharacter: "control-character", "Il testo contiene caratteri di controllo.", "The text contains control characters.";
    /// A text that is too long.
    TooLong: "too-long", "Testo troppo lungo.", "The text is too long.";
    /// A list or object with too many entries.
    TooMany: "too-many", "Troppi elementi.", "There are too many entries.";
    /// Not a telephone PIN.
    PinShape: "pin-shape", "Il PIN deve avere otto cifre.", "The PIN must have eight digits.";
    /// Two incomes of one year.
    DuplicateYear: "duplicate-year", "Anno ripetuto.", "The year is given twice.";
    /// A year that is not asked for, or is not plausible.
    YearOutOfRange: "year-out-of-range", "Anno non ammesso.", "The year is out of range.";
    /// A number that is too small or too large.
    NumberOutOfRange: "number-out-of-range", "Numero non ammesso.", "The number is out of range.";
    /// Not written as an amount.
    AmountShape: "amount-shape", "Importo non valido: usare cifre e, dopo il punto, al massimo due decimali.", "Not an amount: use digits, with at most two decimals after a point.";
    /// An amount beyond the bound.
    AmountTooLarge: "amount-too-large", "Importo troppo grande.", "The amount is too large.";
    /// Not a date.
    DateShape: "date-shape", "Data non valida: usare il formato AAAA-MM-GG.", "Not a date: use the format YYYY-MM-DD.";
    /// A date that is not plausible.
    DateOutOfRange: "date-out-of-range", "Data non ammessa.", "The date is out of range.";
    /// Not 16 characters.
    FiscalCodeLength: "fiscal-code-length", "Il codice fiscale ha 16 caratteri.", "A fiscal code has 16 characters.";
    /// A character that is not allowed at its position.
    FiscalCodeCharacter: "fiscal-code-character", "Carattere non ammesso nel codice fiscale.", "A character of the fiscal code is not allowed.";
    /// Not a date of birth.
    FiscalCodeBirthDate: "fiscal-code-birth-date", "Il codice fiscale non contiene una data di nascita valida.", "The fiscal code contains no valid date of birth.";
    /// A wrong check letter.
    FiscalCodeCheckLetter: "fiscal-code-check-letter", "L'ultimo carattere del codice fiscale, quello di controllo, non corrisponde.", "The check letter of the fiscal code, its last one, does not match.";
    /// A code of nobody, for tests of the service itself.
    FiscalCodeReserved: "fiscal-code-reserved", "Questo codice fiscale è riservato alle prove del servizio.", "This fiscal code is reserved for tests of the service.";
    /// Not 11 characters.
    VatNumberLength: "vat-number-length", "La partita IVA ha 11 cifre.", "A VAT number has 11 digits.";
    /// A character that is not a digit.
    VatNumberCharacter: "vat-number-character", "Carattere non ammesso nella partita IVA.", "A character of the VAT number is not a digit.";
    /// A serial of zeros.
    VatNumberSerial: "vat-number-serial", "La partita IVA non può iniziare con sette zeri.", "A VAT number cannot begin with seven zeros.";
    /// A wrong check digit.
    VatNumberCheckDigit: "vat-number-check-digit", "La cifra di controllo della partita IVA non corrisponde.", "The check digit of the VAT number does not match.";
    /// Not 27 characters.
    IbanLength: "iban-length", "L'IBAN italiano ha 27 caratteri, senza spazi.", "An Italian IBAN has 27 characters, without spaces.";
    /// An account outside Italy.
    IbanCountry: "iban-country", "L'IBAN deve iniziare con IT.", "The IBAN must begin with IT.";
    /// Letters and digits in the wrong positions.
    IbanShape: "iban-shape", "Il formato dell'IBAN non è valido.", "The format of the IBAN is not valid.";
    /// Wrong check digits.
    IbanCheckDigits: "iban-check-digits", "Le cifre di controllo dell'IBAN non corrispondono.", "The check digits of the IBAN do not match.";
    /// Not of the form of an e-mail address.
    EmailShape: "email-shape", "Indirizzo di posta elettronica non valido.", "Not an e-mail address.";
    /// Not an international telephone number.
    PhoneShape: "phone-shape", "Numero di telefono non valido: scrivere + e da 8 a 15 cifre.", "Not a telephone number: write + and 8 to 15 digits.";
    /// Not a reference to a mandate.
    MandateShape: "mandate-shape", "Riferimento alla delega non valido: usare lettere, cifre e segni, senza spazi.", "Not a reference to a mandate: use letters, digits and signs, without spaces.";
    /// There are more faults than are listed.
    MoreFaults: "more-faults", "Ci sono altri errori, non elencati.", "There are more faults, not listed.";
}

impl FaultCode {
    /// The stable slug, such as `missing-field`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.words().0
    }
}

impl From<EuroFault> for FaultCode {
    fn from(fault: EuroFault) -> Self {
        match fault {
            EuroFault::Shape => Self::AmountShape,
            EuroFault::TooLarge => Self::AmountTooLarge,
        }
    }
}

impl From<FiscalCodeFault> for FaultCode {
    fn from(fault: FiscalCodeFault) -> Self {
        match fault {
            FiscalCodeFault::Length => Self::FiscalCodeLength,
            FiscalCodeFault::Character(_) => Self::FiscalCodeCharacter,
            FiscalCodeFault::BirthDate => Self::FiscalCodeBirthDate,
            FiscalCodeFault::CheckLetter => Self::FiscalCodeCheckLetter,
            FiscalCodeFault::Reserved => Self::FiscalCodeReserved,
        }
    }
}

impl From<VatNumberFault> for FaultCode {
    fn from(fault: VatNumberFault) -> Self {
        match fault {
            VatNumberFault::Length => Self::VatNumberLength,
            VatNumberFault::Character(_) => Self::VatNumberCharacter,
            VatNumberFault::Serial => Self::VatNumberSerial,
            VatNumberFault::CheckDigit => Self::VatNumberCheckDigit,
        }
    }
}

impl From<IbanFault> for FaultCode {
    fn from(fault: IbanFault) -> Self {
        match fault {
            IbanFault::Length => Self::IbanLength,
            IbanFault::Country => Self::IbanCountry,
            IbanFault::Shape => Self::IbanShape,
            IbanFault::CheckDigits => Self::IbanCheckDigits,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn slugs_are_kebab_case_and_distinct() {
        let slugs: HashSet<_> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(slugs.len(), FaultCode::ALL.len());
        assert!(slugs.iter().all(|slug| slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }

    #[test]
    fn a_fault_says_what_is_allowed_in_both_languages() {
        let fault = Fault {
            pointer: "/incomes/0/line".to_owned(),
            code: FaultCode::UnknownValue,
            allowed: Allowed::OneOf(vec!["RE", "RH", "LM"]),
        };
        assert_eq!(fault.detail(Language::Italian), "Valore non ammesso. Ammessi: RE, RH, LM.");
        assert_eq!(
            fault.detail(Language::English),
            "The value is not allowed. Allowed: RE, RH, LM."
        );
    }
}
