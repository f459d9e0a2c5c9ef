//! Parses applications: a valid value, or every fault of the document.
//!
//! [`parse`] turns bytes into an [`Application`] or reports what is wrong: for a document that is not JSON, line and
//! column; otherwise **all** faults at once, in document order. Whether the applicant qualifies is decided by
//! [`schemes`](crate::schemes); the application of a person who does not qualify is valid.
//!
//! From the bottom up: `document` is a tree that borrows from the body, `walk` traverses it and collects faults,
//! `fields` parses single values, `iscro` and `allowance600` are the schemas of their schemes, `running` is that of a
//! report on a running benefit. `rows` turns the rows of a table into documents, [`form`] what people enter into pages,
//! [`sheet`] the rows of a file that an office has filled in.

mod allowance600;
mod document;
mod example;
mod fault;
mod fields;
pub mod form;
mod iscro;
mod redemption;
mod rows;
mod running;
#[cfg(test)]
pub(crate) mod sample;
pub mod sheet;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_allowance600;
mod walk;

use std::fmt;

use jiff::civil::Date;

pub use self::document::text;
pub use self::example::{example, example_allowance600};
use self::fault::Allowed;
pub use self::fault::{Fault, FaultCode, MalformedFault, ParseError};
pub(crate) use self::fields::is_mandate_reference;
pub use self::redemption::Redemption;
pub use self::rows::{Columns, HeaderFault, RowFault};
pub use self::running::Report;
use self::walk::{Cursor, Object, Walk};
use crate::civic::opaque::debug_without_contents;
use crate::civic::{FiscalCode, Iban};
use crate::schemes::{Campaign, Facts, Rules, Scheme};

/// A valid application: every field is well-formed, and its campaign exists.
///
/// Neither whether the applicant qualifies nor their identity is checked here. Personal data, so `Debug` prints only
/// the campaign and the masked fiscal code.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// The person who would receive the benefit.
    pub applicant: Applicant,
    /// The account to which it would be paid.
    pub payment: Payment,
    /// An intermediary's reference to its mandate; `None` if the person applies in person.
    pub mandate: Option<String>,
    /// The facts on which the rules of its scheme decide.
    pub facts: Facts,
}

/// The applicant, and how to contact them.
#[derive(Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The person.
    pub fiscal_code: FiscalCode,
    /// A plausible e-mail address.
    pub email: String,
    /// A telephone number in international form (E.164).
    pub phone: String,
}

/// The account to which a benefit is paid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The account.
    pub iban: Iban,
}

impl Application {
    /// The campaign of the application; a person applies once in each.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        self.facts.campaign()
    }
}

debug_without_contents!(Applicant, Payment);

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("campaign", &format_args!("{}", self.campaign()))
            .field("subject", &self.applicant.fiscal_code)
            .finish_non_exhaustive()
    }
}

/// Bytes of an application as it is sent, spaces included; a real one has about a thousand.
pub const APPLICATION_BYTES_MAX: usize = 8 * 1024;

/// Parses an application.
///
/// The caller bounds the length of the body, or uses [`parse_bounded`]. Nesting, members of objects, length of strings
/// and the number of listed faults are bounded here.
///
/// # Errors
///
/// [`ParseError::Malformed`] if it is not a JSON document, [`ParseError::Invalid`] with every fault if the document is
/// not an application. Report them to the applicant: neither quotes a value.
///
/// ```
/// use sportello::application::{ParseError, parse};
/// use sportello::civic::Language;
/// use sportello::schemes::Rules;
///
/// let Err(ParseError::Invalid(faults)) = parse(br#"{"scheme":"iscro","year":1999}"#, Rules::builtin())
/// else { panic!() };
/// assert!(faults.iter().any(|fault| fault.pointer == "/year" && fault.code.as_str() == "unknown-year"));
/// assert!(faults.iter().any(|fault| fault.pointer == "/applicant"));
/// ```
pub fn parse(body: &[u8], rules: &Rules) -> Result<Application, ParseError> {
    parse_with(body, usize::MAX, |document| application(document, rules))
}

/// Parses an application that is to be stored: one longer than [`APPLICATION_BYTES_MAX`] has a fault.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_bounded(body: &[u8], rules: &Rules) -> Result<Application, ParseError> {
    parse_with(body, APPLICATION_BYTES_MAX, |document| application(document, rules))
}

/// Parses an application with the day of its submission in a further field, `submittedOn`.
///
/// For `evaluate` and re-examinations; the server takes the day from its clock and uses [`parse`].
///
/// # Errors
///
/// As [`parse`].
pub fn parse_submitted(body: &[u8], rules: &Rules) -> Result<(Application, Date), ParseError> {
    parse_with(body, usize::MAX, |document| {
        let submitted_on = document.required("submittedOn", fields::submission_date);
        let application = application(document, rules);
        application.zip(submitted_on)
    })
}

/// Parses a report on a running benefit, for `sportello running`.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_report(body: &[u8], rules: &Rules) -> Result<Report, ParseError> {
    parse_with(body, usize::MAX, |document| running::report(document, rules))
}

/// Parses what a Contact Center sends to redeem a telephone PIN.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_redemption(body: &[u8], rules: &Rules) -> Result<Redemption, ParseError> {
    parse_with(body, APPLICATION_BYTES_MAX, |document| redemption::redemption(document, rules))
}

fn parse_with<T>(
    body: &[u8],
    bytes_max: usize,
    read: impl FnOnce(&mut Object<'_, '_>) -> Option<T>,
) -> Result<T, ParseError> {
    let walk = Walk::through(document::parse(body)?);
    if body.len() > bytes_max {
        let _none: Option<()> =
            walk.root().fault(FaultCode::TooLong, Allowed::BytesAtMost(bytes_max));
    }
    let value = walk.root().object(read);
    match (value, walk.faults_in_document_order()) {
        (Some(value), faults) if faults.is_empty() => Ok(value),
        (_, faults) => Err(ParseError::Invalid(faults)),
    }
}

/// The schema of the fields that all schemes share.
fn application(document: &mut Object<'_, '_>, rules: &Rules) -> Option<Application> {
    let Some(scheme) = document.required("scheme", |cursor| fields::scheme(cursor, rules)) else {
        // The other fields depend on the scheme: no more faults can be reported.
        document.ignore_rest();
        return None;
    };
    let year = match scheme {
        Scheme::Iscro => {
            document.required("year", |cursor| fields::campaign_year(cursor, scheme, rules))
        }
        // It has one campaign and no field for its year.
        Scheme::Allowance600 => rules.allowance600().map(|parameters| parameters.campaign().year),
    };
    let applicant = document.required("applicant", applicant);
    let facts = match scheme {
        Scheme::Iscro => {
            let parameters = year.and_then(|year| rules.iscro(year));
            iscro::facts(document, year, parameters).map(Facts::Iscro)
        }
        Scheme::Allowance600 => allowance600::facts(document, year).map(Facts::Allowance600),
    };
    let payment = document.required("payment", payment);
    let mandate = document.optional("mandate", fields::mandate);
    Some(Application { applicant: applicant?, payment: payment?, mandate, facts: facts? })
}

fn applicant(cursor: Cursor<'_, '_>) -> Option<Applicant> {
    cursor.object(|object| {
        let fiscal_code = object.required("fiscalCode", fields::applicants_code);
        let email = object.required("email", fields::email);
        let phone = object.required("phone", fields::phone);
        Some(Applicant { fiscal_code: fiscal_code?, email: email?, phone: phone? })
    })
}

fn payment(cursor: Cursor<'_, '_>) -> Option<Payment> {
    cursor.object(|object| Some(Payment { iban: object.required("iban", fields::iban)? }))
}
