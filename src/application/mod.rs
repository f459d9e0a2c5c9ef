//! An application as a valid value, and every fault of one that is not.
//!
//! [`parse`] reads bytes into an [`Application`] or says what is wrong with them: a document that is no
//! JSON by line and column, anything else by **all** of its faults at once, in document order. What the
//! law then makes of a valid application is for [`schemes`](crate::schemes) to say; a person who does not
//! qualify applies validly.
//!
//! The way down: `document` is a light tree that borrows from the body, `walk` goes through it and
//! collects faults, `fields` reads single values, `iscro` and `allowance600` are the schemas of their
//! schemes. `rows` turns the row of a table into such a document.

mod allowance600;
mod document;
mod example;
mod fault;
mod fields;
mod iscro;
mod rows;
mod running;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_allowance600;
mod walk;

use std::fmt;

use jiff::civil::Date;

pub use self::document::text;
pub use self::example::{example, example_allowance600};
pub use self::fault::{Fault, FaultCode, MalformedFault, ParseError};
pub use self::rows::{Columns, HeaderFault, RowFault};
pub use self::running::Report;
use self::walk::{Cursor, Object, Walk};
use crate::civic::opaque::debug_without_contents;
use crate::civic::{FiscalCode, Iban};
use crate::schemes::{Campaign, Facts, Rules, Scheme};

/// A valid application: every field has the right shape, and its campaign exists.
///
/// Whether the applicant qualifies is not decided here, nor whether they are who they say. Personal data
/// throughout, so `Debug` prints the campaign and the masked fiscal code only.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// Who would receive it.
    pub applicant: Applicant,
    /// Where it would be paid to.
    pub payment: Payment,
    /// An intermediary's reference to its mandate; an applicant in person has none.
    pub mandate: Option<String>,
    /// What the rules of its scheme decide on.
    pub facts: Facts,
}

/// Who applies, and how to reach them.
#[derive(Clone, PartialEq, Eq)]
pub struct Applicant {
    /// The person.
    pub fiscal_code: FiscalCode,
    /// An e-mail address of plausible shape.
    pub email: String,
    /// A telephone number in international form (E.164).
    pub phone: String,
}

/// Where a benefit is paid to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payment {
    /// The account.
    pub iban: Iban,
}

impl Application {
    /// The campaign it belongs to: a person applies once in each.
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

/// Reads an application.
///
/// How long the body may be is for the caller to bound; how deep it nests, how many members, how long
/// each string and how many faults it lists are bounded here.
///
/// # Errors
///
/// [`ParseError::Malformed`] for what is no JSON document, [`ParseError::Invalid`] with every fault of one
/// that is no application. Show them to the applicant: neither quotes a value.
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
    parse_with(body, |document| application(document, rules))
}

/// Reads an application that says itself when it was submitted, in a further field `submittedOn`.
///
/// For `evaluate` and re-examinations; a server takes the day from its clock and uses [`parse`].
///
/// # Errors
///
/// As [`parse`].
pub fn parse_submitted(body: &[u8], rules: &Rules) -> Result<(Application, Date), ParseError> {
    parse_with(body, |document| {
        let submitted_on = document.required("submittedOn", fields::submission_date);
        let application = application(document, rules);
        application.zip(submitted_on)
    })
}

/// Reads a report on a running benefit, for `sportello running`.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_report(body: &[u8], rules: &Rules) -> Result<Report, ParseError> {
    parse_with(body, |document| running::report(document, rules))
}

fn parse_with<T>(
    body: &[u8],
    read: impl FnOnce(&mut Object<'_, '_>) -> Option<T>,
) -> Result<T, ParseError> {
    let walk = Walk::through(document::parse(body)?);
    let value = walk.root().object(read);
    match (value, walk.faults_in_document_order()) {
        (Some(value), faults) if faults.is_empty() => Ok(value),
        (_, faults) => Err(ParseError::Invalid(faults)),
    }
}

/// The schema of what all schemes share.
fn application(document: &mut Object<'_, '_>, rules: &Rules) -> Option<Application> {
    let Some(scheme) = document.required("scheme", |cursor| fields::scheme(cursor, rules)) else {
        // Which fields there should be depends on the scheme, so that nothing more can be said.
        document.ignore_rest();
        return None;
    };
    let year = match scheme {
        Scheme::Iscro => {
            document.required("year", |cursor| fields::campaign_year(cursor, scheme, rules))
        }
        // Its one campaign goes without saying.
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
        let fiscal_code = object.required("fiscalCode", fields::fiscal_code);
        let email = object.required("email", fields::email);
        let phone = object.required("phone", fields::phone);
        Some(Applicant { fiscal_code: fiscal_code?, email: email?, phone: phone? })
    })
}

fn payment(cursor: Cursor<'_, '_>) -> Option<Payment> {
    cursor.object(|object| Some(Payment { iban: object.required("iban", fields::iban)? }))
}
