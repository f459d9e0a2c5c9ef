//! A revocation as it is stored, the same bytes on every engine.

use jiff::Timestamp;

use crate::{
    civic::local_time,
    registry::mandates::Mandate,
    vault::{HouseKeys, MandateKey, Place, Subject},
};

/// The first byte of a sealed revocation's header.
const HEADER_VERSION: u8 = 1;
/// The version, the key and the time.
const HEADER_BYTES: usize = 1 + 16 + 8;

/// A stored revocation.
pub(in crate::ledger) struct Revocation {
    pub(in crate::ledger) key: MandateKey,
    pub(in crate::ledger) person: Subject,
    pub(in crate::ledger) sealed: Vec<u8>,
}

impl Revocation {
    /// Seals that a person revokes the mandate of a reference.
    pub(in crate::ledger) fn new(
        keys: &HouseKeys,
        person: Subject,
        reference: &str,
        at: Timestamp,
    ) -> Self {
        let key = keys.mandate(person, reference);
        let header = header_of(key, at);
        let sealed = keys.seal(Place::Mandates, person, &header, reference.as_bytes());
        Self { key, person, sealed }
    }

    /// The key and the time, if it is whole and of this mandate.
    pub(in crate::ledger) fn opened(&self, keys: &HouseKeys) -> Option<(MandateKey, Timestamp)> {
        let plain = keys.open(Place::Mandates, self.person, HEADER_BYTES, &self.sealed).ok()?;
        let reference = str::from_utf8(&plain).ok()?;
        let (_, second) = self.sealed.get(1..HEADER_BYTES)?.split_first_chunk::<16>()?;
        let at = Timestamp::from_second(i64::from_be_bytes(second.try_into().ok()?)).ok()?;
        let is_whole = self.sealed.starts_with(&header_of(self.key, at))
            && keys.mandate(self.person, reference) == self.key;
        is_whole.then_some((self.key, at))
    }
}

/// A mandate with the moment at which its grantor revoked it, if they did; the earlier of two revocations counts.
pub(in crate::ledger) fn applied(mut mandate: Mandate, by_grantor: Option<Timestamp>) -> Mandate {
    let by_grantor = by_grantor.map(local_time::date_at);
    mandate.revoked_on = [mandate.revoked_on, by_grantor].into_iter().flatten().min();
    mandate
}

/// The header of a sealed revocation. It is authenticated, so a revocation opens under its own key only.
fn header_of(key: MandateKey, at: Timestamp) -> Vec<u8> {
    [&[HEADER_VERSION], key.0.as_slice(), &at.as_second().to_be_bytes()].concat()
}
