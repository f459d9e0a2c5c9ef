//! Mandates: which office may act for which person. The registry says who was given one, the house keeps who revoked it.

use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};

use super::fault::StorageFault;
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
    /// [`StorageFault`]: it is not revoked.
    fn revoke<'a>(
        &'a self,
        person: Subject,
        reference: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StorageFault>>;

    /// Takes over changes of the registry, if there are any, and logs the result. May block on the disk for seconds.
    fn refresh(&self);
}
