//! The institute's registry of mandates: which office may act for which person, in which campaign and until when.
//!
//! A person signs a mandate before a clerk of an office (DM 193/2008, art. 4). [`MandateFile`] reads the registry from an
//! NDJSON file and holds it in memory, keyed by the house's hashes of people and offices, so that an office's right to
//! read a record is checked from the record's header alone.
//!
//! ```text
//! {"reference":"M-7","grantor":"RSSMRA80A01H501U","office":"patronato-1","clerk":"RSSMRA80A41H501Y",
//!  "scheme":"iscro","year":2024,"signedOn":"2024-09-01","expiresOn":"2025-08-31","revokedOn":null,
//!  "document":"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}
//! ```
//!
//! One mandate is one line. A later line with the same reference must be about the same mandate and replaces its days, so
//! that an expiry or a revocation may be appended. `revokedOn` may be left out. Clerk and document are checked for their
//! form and remain in the file.

mod document;
mod file;
mod load;
mod table;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

pub use self::document::document_digest;
pub use self::file::MandateFile;
pub use self::load::{MANDATES_MAX, MandateFault, MandatesFault, PERSON_MANDATES_MAX, load};
pub use self::table::{Held, MandateTable};
use crate::civic::Office;
use crate::schemes::Campaign;
use crate::vault::Subject;

/// One mandate.
#[derive(Clone, Debug)]
pub struct Mandate {
    /// Its reference, unique in the registry.
    pub reference: String,
    /// The person who signed it.
    pub grantor: Subject,
    /// The office that may act for them.
    pub office: Office,
    /// The campaign that it covers.
    pub campaign: Campaign,
    /// Its first day.
    pub signed_on: Date,
    /// Its last day.
    pub expires_on: Date,
    /// The day from which it is revoked.
    pub revoked_on: Option<Date>,
    /// Whether it was given by telephone, and not signed.
    pub is_by_telephone: bool,
}

impl Mandate {
    /// Whether the office may act under it on a day.
    #[must_use]
    pub fn holds_on(&self, day: Date) -> bool {
        let is_revoked = self.revoked_on.is_some_and(|revoked_on| revoked_on <= day);
        (self.signed_on..=self.expires_on).contains(&day) && !is_revoked
    }
}
