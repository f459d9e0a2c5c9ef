//! Telephone PINs: with one a person lets a Contact Center act for them for a day, without a signature.
//!
//! A person makes a PIN under their own log-in and says it to the clerk who answers their call. The clerk redeems it,
//! with the person's fiscal code, for a mandate of this day. Nobody is told whether a person has a PIN.

pub(super) mod mandate;
pub(super) mod pin;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::fault::StorageFault;
use crate::{
    civic::{Office, TelephonePin},
    schemes::Campaign,
    vault::{HouseKeys, Subject},
};

/// How long a PIN can be redeemed: one that is made in the citizens' slice, in the evening, is for the next working day.
pub const PIN_LASTS: SignedDuration = SignedDuration::from_hours(24);
/// Wrong tries after which a PIN is void: a caller's slips of the tongue, and far too few to guess one of 100 million.
pub const WRONG_TRIES_MAX: u8 = 5;
/// PINs that a person makes in a day, Europe/Rome. Together with [`WRONG_TRIES_MAX`] it bounds what is guessed of them.
pub const PINS_PER_DAY_MAX: u8 = 10;
/// PINs that a clerk tries in vain in a day, Europe/Rome; then nothing more is redeemed for them until the next one.
pub const CLERK_MISSES_PER_DAY_MAX: u32 = 20;

/// The offices that are Contact Centers: they act under telephone PINs, and under no signed mandate.
#[derive(Clone, Debug, Default)]
pub struct ContactCenters(HashSet<Subject>);

impl ContactCenters {
    /// These offices.
    #[must_use]
    pub fn of(keys: &HouseKeys, offices: &[Office]) -> Self {
        Self(offices.iter().map(|office| keys.office(office.as_str())).collect())
    }

    /// Whether an office is one.
    #[must_use]
    pub fn has(&self, office: Subject) -> bool {
        self.0.contains(&office)
    }
}

/// A PIN that was made. The PIN itself is not kept and cannot be shown again.
pub struct MadePin {
    /// The PIN.
    pub pin: TelephonePin,
    /// The first instant at which it cannot be redeemed any more.
    pub expires_at: Timestamp,
}

/// What a person may know of the PIN that they made last, as long as it can be redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinStanding {
    /// The first instant at which it cannot be redeemed any more.
    pub expires_at: Timestamp,
    /// Whether a Contact Center has redeemed it. Then no other can.
    pub is_redeemed: bool,
    /// Wrong tries until it is void.
    pub tries_left: u8,
}

/// A PIN that a clerk redeems.
#[derive(Clone, Copy)]
pub struct Redeeming<'a> {
    /// The Contact Center.
    pub office: &'a Office,
    /// Who sits there.
    pub clerk: Subject,
    /// Who called.
    pub person: Subject,
    /// What they said.
    pub pin: TelephonePin,
    /// What the mandate is to cover.
    pub campaign: Campaign,
    /// When.
    pub at: Timestamp,
}

/// Why no PIN is made.
#[derive(Debug)]
pub enum PinFault {
    /// The person has made [`PINS_PER_DAY_MAX`] today.
    UsedUp,
    /// The store did not take it.
    Storage(StorageFault),
}

/// Why a PIN is not redeemed.
#[derive(Debug)]
pub enum RedeemFault {
    /// The person has none, it is another one, or it cannot be redeemed any more; the caller cannot tell these apart.
    Refused,
    /// The clerk has tried [`CLERK_MISSES_PER_DAY_MAX`] in vain today.
    UsedUp,
    /// The store did not take it.
    Storage(StorageFault),
}

impl<F: Into<StorageFault>> From<F> for PinFault {
    fn from(fault: F) -> Self {
        Self::Storage(fault.into())
    }
}

impl<F: Into<StorageFault>> From<F> for RedeemFault {
    fn from(fault: F) -> Self {
        Self::Storage(fault.into())
    }
}
