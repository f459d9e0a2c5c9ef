//! What a Contact Center sends to act for a caller: who they are, the PIN that they said, and the campaign.
//!
//! ```json
//! { "fiscalCode": "RSSMRA80A01H501U", "pin": "01234567", "scheme": "iscro", "year": 2024 }
//! ```

use super::fault::{Allowed, FaultCode};
use super::fields::{self, WORD_CHARS_MAX};
use super::walk::{Cursor, Object};
use crate::civic::{FiscalCode, TelephonePin};
use crate::schemes::{Campaign, Rules};

/// A PIN that is redeemed for a mandate. Personal data, so without `Debug`.
pub struct Redemption {
    /// The caller.
    pub fiscal_code: FiscalCode,
    /// The PIN that they said.
    pub pin: TelephonePin,
    /// What the mandate is to cover.
    pub campaign: Campaign,
}

/// The schema of a redemption.
pub(super) fn redemption(document: &mut Object<'_, '_>, rules: &Rules) -> Option<Redemption> {
    let fiscal_code = document.required("fiscalCode", fields::fiscal_code);
    let pin = document.required("pin", pin);
    let scheme = document.required("scheme", |cursor| fields::scheme(cursor, rules));
    let year = document.required("year", |cursor| match scheme {
        Some(scheme) => fields::campaign_year(cursor, scheme, rules),
        None => None,
    });
    let campaign = Campaign { scheme: scheme?, year: year? };
    Some(Redemption { fiscal_code: fiscal_code?, pin: pin?, campaign })
}

fn pin(cursor: Cursor<'_, '_>) -> Option<TelephonePin> {
    let pin = TelephonePin::parse(cursor.text(WORD_CHARS_MAX)?);
    pin.or_else(|| cursor.fault(FaultCode::PinShape, Allowed::Anything))
}
