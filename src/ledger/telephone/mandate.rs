//! A mandate that was given by telephone, as it is stored.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    civic::Office,
    ledger::book::record::{day_number, day_of},
    registry::mandates::Mandate,
    schemes::Campaign,
    vault::{HouseKeys, Place, Subject, fill_random},
};

/// The first byte of a sealed mandate's header.
const HEADER_VERSION: u8 = 1;
/// The version, the day, the office and the number of the PIN.
const HEADER_BYTES: usize = 1 + 4 + 16 + 8;
/// What every reference begins with, so that people see how the mandate was given.
const REFERENCE_BEGINS: &str = "TEL-";

/// A row of the table of mandates.
pub(in crate::ledger) struct Row {
    pub(in crate::ledger) reference: String,
    pub(in crate::ledger) person: Subject,
    pub(in crate::ledger) office: Subject,
    /// The day on which it holds, in days since 1970.
    pub(in crate::ledger) day: i32,
    /// The number of the PIN that was redeemed for it.
    pub(in crate::ledger) pin: [u8; 8],
    pub(in crate::ledger) sealed: Vec<u8>,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Written {
    reference: String,
    office: String,
    campaign: String,
}

impl Row {
    /// A new mandate of a person for one day.
    pub(in crate::ledger) fn new(
        keys: &HouseKeys,
        person: Subject,
        (office, campaign): (&Office, Campaign),
        today: Date,
        pin: [u8; 8],
    ) -> Self {
        // So many that two never meet.
        let mut random = [0; 8];
        fill_random(&mut random);
        let written = Written {
            reference: format!("{REFERENCE_BEGINS}{:016X}", u64::from_ne_bytes(random)),
            office: office.as_str().to_owned(),
            campaign: campaign.to_string(),
        };
        let plain = serde_json::to_vec(&written).unwrap_or_default();
        let Written { reference, .. } = written;
        let (office, day) = (keys.office(office.as_str()), day_number(today));
        let mut row = Self { reference, person, office, day, pin, sealed: Vec::new() };
        row.sealed = keys.seal(Place::Telephone, person, &row.header(), &plain);
        row
    }

    /// The mandate, unless the row was changed.
    pub(in crate::ledger) fn open(&self, keys: &HouseKeys) -> Option<Mandate> {
        let plain = keys.open(Place::Telephone, self.person, HEADER_BYTES, &self.sealed).ok()?;
        let Written { reference, office, campaign } = serde_json::from_slice(&plain).ok()?;
        let is_whole = self.sealed.starts_with(&self.header())
            && reference == self.reference
            && keys.office(&office) == self.office;
        let day = day_of(self.day)?;
        let mandate = Mandate {
            reference,
            grantor: self.person,
            office: Office::parse(&office).ok()?,
            campaign: Campaign::from_name(&campaign)?,
            signed_on: day,
            expires_on: day,
            revoked_on: None,
            is_by_telephone: true,
        };
        is_whole.then_some(mandate)
    }

    fn header(&self) -> Vec<u8> {
        let day = self.day.to_be_bytes();
        [&[HEADER_VERSION], day.as_slice(), &self.office.0, &self.pin].concat()
    }
}

/// The mandates in some rows that cover a campaign; that of `reference` alone, if there is one. A row that was changed
/// covers nothing.
pub(in crate::ledger) fn covering(
    rows: &[Row],
    keys: &HouseKeys,
    campaign: Campaign,
    reference: Option<&str>,
) -> Vec<Mandate> {
    let is_meant = |mandate: &Mandate| {
        mandate.campaign == campaign && reference.is_none_or(|named| named == mandate.reference)
    };
    rows.iter().filter_map(|row| row.open(keys)).filter(is_meant).collect()
}
