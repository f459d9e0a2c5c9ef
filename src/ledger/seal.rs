//! The second wall of promise 3: what is stored about a person opens for that person's key alone.

use std::cell::RefCell;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

use super::keys::{Generation, HouseKeys, fill_random};
use crate::{civic::FiscalCode, schemes::Campaign};

/// Whose data it is: a keyed hash of the fiscal code, 128 bits, that means nothing without the house's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject(pub(super) [u8; 16]);

/// What may exist once: a keyed hash of person, scheme and campaign.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim(pub(super) [u8; 16]);

/// A keyed hash of an idempotency key within its scope, the principal who chose it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub(super) [u8; 16]);

impl std::fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Claim(..)")
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyHash(..)")
    }
}

impl Subject {
    /// The keyed hash itself, for use as a key in memory.
    #[must_use]
    pub fn key(&self) -> [u8; 16] {
        self.0
    }
}

impl std::fmt::Debug for Subject {
    /// Four bytes of the keyed hash: enough to tell two apart in a log, too little to be of use elsewhere.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Subject({:02x}{:02x}{:02x}{:02x})",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// What was sealed does not open: it was sealed for somebody else, or it was changed. Never show it; raise the alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open for this subject")]
pub struct SealBroken;

/// Length that sealing adds: the key's number and the nonce in front, the tag behind.
pub(super) const SEAL_BYTES: usize = 1 + NONCE_LEN + 16;

impl HouseKeys {
    /// The subject of a fiscal code. An omocode is a different person and gets a different subject.
    #[must_use]
    pub fn subject(&self, code: &FiscalCode) -> Subject {
        Subject(short_hash(&self.subject, &[code.as_str().as_bytes()]))
    }

    /// The subject of an intermediary's office: what its people hand in belongs to the office's view, not to one of them.
    #[must_use]
    pub fn office(&self, office: &str) -> Subject {
        Subject(short_hash(&self.subject, &[b"office", office.as_bytes()]))
    }

    /// What `subject` may hold once in `campaign`.
    #[must_use]
    pub fn claim(&self, subject: Subject, campaign: Campaign) -> Claim {
        let year = campaign.year.to_be_bytes();
        Claim(short_hash(&self.claim, &[&subject.0, campaign.scheme.as_str().as_bytes(), &year]))
    }

    /// The keyed hash of an idempotency key of `principal`; `kind` keeps keys of different origin apart.
    #[must_use]
    pub fn key_hash(&self, principal: Subject, kind: &[u8], key: &[u8]) -> KeyHash {
        KeyHash(short_hash(&self.idempotency, &[&principal.0, kind, key]))
    }

    /// Seals `plaintext` for `subject` in `place`, behind `header`, which stays readable and is bound to it.
    ///
    /// # Panics
    /// If the crypto library cannot seal some kilobytes, which would be a bug of ours.
    pub(super) fn seal(
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

    /// Opens what [`seal`](Self::seal) made, with the first `header_bytes` as its header.
    ///
    /// # Errors
    /// [`SealBroken`] if it was sealed for another subject or a single bit of it changed.
    pub(super) fn open(
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

/// Nonces that a thread takes from the system's generator at once: they are no secrets, and asking costs as much as sealing.
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

/// Where a sealed value belongs: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Campaign(Campaign),
    Drafts,
    Trail,
}

impl From<Campaign> for Place {
    fn from(campaign: Campaign) -> Self {
        Self::Campaign(campaign)
    }
}

/// What a seal is bound to besides its key: nothing can be moved to another place or under another header.
fn bound_to(place: Place, header: &[u8]) -> Vec<u8> {
    match place {
        Place::Campaign(Campaign { scheme, year }) => {
            [header, &year.to_be_bytes(), scheme.as_str().as_bytes()].concat()
        }
        Place::Drafts => [header, b"drafts"].concat(),
        Place::Trail => [header, b"trail"].concat(),
    }
}

/// The first 128 bits of a keyed hash over length-prefixed parts, so that no two lists of parts run together.
fn short_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::{super::keys::rotate, *};

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
    fn an_older_secret_goes_on_opening_what_it_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.key");
        let keys = HouseKeys::create(&path).unwrap();
        let seal = || keys.seal(CAMPAIGN, person(1), b"header", b"income 5000.00");
        let older = seal();
        rotate(&path).unwrap();
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

    #[test]
    fn an_omocode_is_another_person() {
        let parse = |code| FiscalCode::parse(code).unwrap();
        let plain = keys().subject(&parse("RSSMRA80A01H501U"));
        let omocode = keys().subject(&parse("RSSMRA80A01H50MM"));
        assert_ne!(plain, omocode);
    }
}
