//! Italian identifiers, money, dates and languages. Pure.
//!
//! A value of one of these types is always valid: its only parser names the fault of a text that it
//! refuses. `Debug` of an identifier prints a mask, never the person; the whole value is printed only through
//! methods such as `as_str`.

pub mod calendar;
pub mod days;
pub mod euro;
pub mod fiscal_code;
pub mod iban;
pub mod language;
pub mod local_time;
mod office;
pub(crate) mod opaque;
mod proved_by;
mod telephone_pin;
pub mod vat_number;
pub mod written_time;

pub use euro::{Euro, EuroFault};
pub use fiscal_code::{CANARIES, FiscalCode, FiscalCodeFault, Masked};
pub use iban::{Iban, IbanFault};
pub use language::Language;
pub use office::{Office, OfficeFault};
pub use proved_by::ProvedBy;
pub use telephone_pin::{TELEPHONE_PIN_DIGITS, TelephonePin};
pub use vat_number::{VatNumber, VatNumberFault};
