//! Mandates: which office may act for which person. The registry says who was given a signed one, the house keeps who
//! revoked it, and who was let in by telephone.

pub(super) mod revocation;
pub(super) mod signed;

use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};

use super::{
    fault::StorageFault,
    telephone::{MadePin, PinFault, PinStanding, RedeemFault, Redeeming},
};
use crate::{registry::mandates::Mandate, schemes::Campaign, vault::Subject};

/// What an office wants to do for a person.
#[derive(Clone, Copy, Debug)]
pub struct Acting<'a> {
    /// The office.
    pub office: Subject,
    /// The person.
    pub person: Subject,
    /// The campaign.
    pub campaign: Campaign,
    /// The mandate that it names; if it names none, any will do.
    pub reference: Option<&'a str>,
}

/// Whose mandates are listed.
#[derive(Clone, Copy, Debug)]
pub enum Holder {
    /// The person who gave them.
    Grantor(Subject),
    /// The office that may act under them.
    Office(Subject),
}

/// Some mandates in the order of their references.
#[derive(Debug)]
pub struct MandatePage {
    /// The mandates.
    pub mandates: Vec<Mandate>,
    /// Whether more follow.
    pub has_more: bool,
}

/// Where mandates are looked up and revocations are kept. It may be on another machine, so a look-up may fail: then the
/// office may not act.
///
/// A Contact Center acts under mandates that were given by telephone alone, every other office under those of the registry.
///
/// A revocation by its grantor counts over the registry, whatever the registry says later.
pub trait Mandates: Send + Sync {
    /// Whether a mandate covers what an office wants to do on a day.
    ///
    /// # Errors
    /// [`StorageFault`]: refuse it.
    fn cover<'a>(
        &'a self,
        acting: Acting<'a>,
        on: Date,
    ) -> BoxFuture<'a, Result<bool, StorageFault>>;

    /// The mandate that a person or an office knows by a reference, with its revocation; `None` if they have none.
    ///
    /// # Errors
    /// [`StorageFault`].
    fn find<'a>(
        &'a self,
        holder: Holder,
        reference: &'a str,
    ) -> BoxFuture<'a, Result<Option<Mandate>, StorageFault>>;

    /// Up to `most` mandates of a person or an office, after a reference or from the first one.
    ///
    /// # Errors
    /// [`StorageFault`].
    fn list<'a>(
        &'a self,
        holder: Holder,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<MandatePage, StorageFault>>;

    /// Revokes a person's mandate; false if they have none of this reference. The revocation is durable when this returns.
    /// A mandate that was revoked before stays revoked since then.
    ///
    /// # Errors
    /// [`StorageFault`]: try again, because it may not be revoked.
    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>>;

    /// Whether an office is a Contact Center.
    fn is_contact_center(&self, office: Subject) -> bool;

    /// Makes a telephone PIN for a person, in place of the one that they have. It is durable when this returns.
    ///
    /// # Errors
    /// [`PinFault`]: nobody knows a new one, and the earlier one may be void.
    fn make_pin(&self, person: Subject, at: Timestamp) -> BoxFuture<'_, Result<MadePin, PinFault>>;

    /// The telephone PIN of a person, as long as anybody can redeem it.
    ///
    /// # Errors
    /// [`StorageFault`].
    fn pin(
        &self,
        person: Subject,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<PinStanding>, StorageFault>>;

    /// Revokes the telephone PIN of a person, if they have one. It is durable when this returns.
    ///
    /// # Errors
    /// [`StorageFault`]: try again, because it may not be revoked.
    fn revoke_pin(&self, person: Subject) -> BoxFuture<'_, Result<(), StorageFault>>;

    /// Redeems a telephone PIN for a mandate of today; ask for Contact Centers alone. The mandate is durable when this
    /// returns, and so is a wrong try.
    ///
    /// # Errors
    /// [`RedeemFault`]: the office may not act.
    fn redeem<'a>(
        &'a self,
        redeeming: Redeeming<'a>,
    ) -> BoxFuture<'a, Result<Mandate, RedeemFault>>;

    /// Takes over changes of the registry, if there are any, and logs the result. May block on the disk for seconds.
    fn refresh(&self);
}
