//! Sealing: every stored value is encrypted with a key derived for its subject. It is the second wall of promise 3.
//!
//! AES-256-GCM. The place and the readable header are associated data, so a value cannot be moved elsewhere unnoticed.

use std::cell::RefCell;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

use super::{
    house_keys::{Generation, HouseKeys},
    random::fill_random,
    subject::Subject,
};
use crate::schemes::Campaign;

/// A sealed value does not open: it was sealed for another subject, or it was changed. Never show it; raise the alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open for this subject")]
pub struct SealBroken;

/// Bytes that sealing adds: the number of the secret (1), the nonce (12) and the tag (16).
const SEAL_BYTES: usize = 1 + NONCE_LEN + 16;

impl HouseKeys {
    /// Encrypts `plaintext` for `subject` in `place`. `header` stays readable in front of it and is authenticated.
    ///
    /// # Panics
    /// If the cryptographic library cannot encrypt a few kilobytes, which would be a bug of ours.
    pub(crate) fn seal(
        &self,
        place: impl Into<Place>,
        subject: Subject,
        header: &[u8],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(header.len() + SEAL_BYTES + plaintext.len());
        sealed.extend_from_slice(header);
        let ring = self.ring();
        let newest = ring.len() - 1;
        sealed.push(u8::try_from(newest).expect("a ring holds 256 keys at most"));
        let nonce = fresh_nonce();
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(plaintext);
        let tag = ring[newest]
            .key_of(subject)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to(place.into(), header)),
                &mut sealed[start..],
            )
            .expect("a record is far shorter than the cipher's limit");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Decrypts a value that [`seal`](Self::seal) made with a header of `header_bytes`.
    ///
    /// # Errors
    /// [`SealBroken`] if it was sealed for another subject or place, or if a bit of it changed.
    pub(crate) fn open(
        &self,
        place: impl Into<Place>,
        subject: Subject,
        header_bytes: usize,
        sealed: &[u8],
    ) -> Result<Vec<u8>, SealBroken> {
        if sealed.len() < header_bytes + SEAL_BYTES {
            return Err(SealBroken);
        }
        let (header, rest) = sealed.split_at(header_bytes);
        let (number, rest) = rest.split_at(1);
        let ring = self.ring();
        let generation = ring.get(usize::from(number[0])).ok_or(SealBroken)?;
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealBroken)?;
        let mut body = body.to_vec();
        let length = generation
            .key_of(subject)
            .open_in_place(nonce, Aad::from(bound_to(place.into(), header)), &mut body)
            .map_err(|_| SealBroken)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// Nonces that a thread reads from the operating system at once. They are not secret, and one system call costs as much
/// as sealing.
const NONCES_AHEAD: usize = 64;

fn fresh_nonce() -> [u8; NONCE_LEN] {
    thread_local! {
        static AHEAD: RefCell<Vec<[u8; NONCE_LEN]>> = const { RefCell::new(Vec::new()) };
    }
    AHEAD.with_borrow_mut(|ahead| {
        ahead.pop().unwrap_or_else(|| {
            let mut fresh = [[0; NONCE_LEN]; NONCES_AHEAD];
            fill_random(fresh.as_flattened_mut());
            let (first, rest) = fresh.split_first().expect("some are taken");
            ahead.extend_from_slice(rest);
            *first
        })
    })
}

impl Generation {
    fn key_of(&self, subject: Subject) -> LessSafeKey {
        let key = hmac::sign(&self.seal, &subject.0);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("32 bytes are a key"))
    }
}

/// Where a sealed value belongs. It does not open anywhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Campaign(Campaign),
    Drafts,
    Journal,
    Login,
    Mandates,
    Messages,
    Rounds,
    Session,
    Telephone,
    Ticket,
    Trail,
}

impl From<Campaign> for Place {
    fn from(campaign: Campaign) -> Self {
        Self::Campaign(campaign)
    }
}

/// The associated data: binds a value to its place and header.
fn bound_to(place: Place, header: &[u8]) -> Vec<u8> {
    match place {
        Place::Campaign(Campaign { scheme, year }) => {
            [header, &year.to_be_bytes(), scheme.as_str().as_bytes()].concat()
        }
        Place::Drafts => [header, b"drafts"].concat(),
        Place::Journal => [header, b"journal"].concat(),
        Place::Login => [header, b"login"].concat(),
        Place::Mandates => [header, b"mandates"].concat(),
        Place::Messages => [header, b"messages"].concat(),
        Place::Rounds => [header, b"rounds"].concat(),
        Place::Session => [header, b"session"].concat(),
        Place::Telephone => [header, b"telephone"].concat(),
        Place::Ticket => [header, b"ticket"].concat(),
        Place::Trail => [header, b"trail"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::house_keys::{KeysFault, rotate},
        *,
    };
    use crate::civic::FiscalCode;

    const CAMPAIGN: Campaign = Campaign { scheme: crate::schemes::Scheme::Iscro, year: 2024 };

    fn keys() -> HouseKeys {
        HouseKeys::from_master(&[7; 32])
    }

    fn person(n: u64) -> Subject {
        keys().subject(&FiscalCode::made_up(n))
    }

    #[test]
    fn a_seal_opens_for_its_subject_and_for_nobody_else() {
        let sealed = keys().seal(CAMPAIGN, person(1), b"header", b"income 5000.00");
        assert_eq!(keys().open(CAMPAIGN, person(1), 6, &sealed).unwrap(), b"income 5000.00");
        assert_eq!(keys().open(CAMPAIGN, person(2), 6, &sealed), Err(SealBroken));
        assert_eq!(
            HouseKeys::from_master(&[8; 32]).open(CAMPAIGN, person(1), 6, &sealed),
            Err(SealBroken)
        );
    }

    #[test]
    fn an_older_secret_still_opens_what_it_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let keys = HouseKeys::create(&path).unwrap();
        let seal = || keys.seal(CAMPAIGN, person(1), b"header", b"income 5000.00");
        let older = seal();
        rotate(&path, |_| Ok::<_, KeysFault>(())).unwrap();
        keys.renew(&path).unwrap();
        let newer = seal();
        assert_ne!(older[6], newer[6], "the newest secret seals");
        for sealed in [older, newer] {
            assert_eq!(keys.open(CAMPAIGN, person(1), 6, &sealed).unwrap(), b"income 5000.00");
        }
    }

    #[test]
    fn a_seal_cannot_be_moved_to_another_campaign() {
        let sealed = keys().seal(CAMPAIGN, person(1), b"header", b"income 5000.00");
        let next = Campaign { year: 2025, ..CAMPAIGN };
        assert_eq!(keys().open(next, person(1), 6, &sealed), Err(SealBroken));
    }

    #[test]
    fn no_bit_of_a_sealed_record_can_change_unseen() {
        let sealed = keys().seal(CAMPAIGN, person(1), b"header", b"income 5000.00");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys().open(CAMPAIGN, person(1), 6, &changed), Err(SealBroken), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(keys().open(CAMPAIGN, person(1), 6, &sealed[..length]), Err(SealBroken));
        }
    }
}
