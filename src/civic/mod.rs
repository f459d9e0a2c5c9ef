//! Identifiers, money and the calendar of Italian civic life. Pure.
//!
//! A value of one of these types is valid or does not exist: each has one constructor, which
//! names the fault of what it refuses. None of them prints a person: `Debug` of an identifier shows
//! its mask, and what shows the whole has to be asked for by name.

pub mod calendar;
pub mod euro;
pub mod fiscal_code;
pub mod iban;
pub mod language;
pub mod local_time;
pub(crate) mod opaque;
pub mod vat_number;

pub use euro::{Euro, EuroFault};
pub use fiscal_code::{FiscalCode, FiscalCodeFault, Masked};
pub use iban::{Iban, IbanFault};
pub use language::Language;
pub use vat_number::{VatNumber, VatNumberFault};
