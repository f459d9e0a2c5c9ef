//! Keyed hashes that name people and what they may hold once. Without the house keys they mean nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::house_keys::HouseKeys;
use crate::{
    civic::{FiscalCode, TelephonePin},
    schemes::{Campaign, Scheme},
};

/// Bytes of a session's handle: a person has a few sessions, so that two handles never meet.
const HANDLE_BYTES: usize = 12;

/// Whose data it is: a 128-bit keyed hash of a fiscal code or of an office.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject(pub(crate) [u8; 16]);

/// What may exist once: a 128-bit keyed hash of person, scheme and campaign.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim(pub(crate) [u8; 16]);

/// Which draft: a 128-bit keyed hash of person, principal, scheme and mandate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DraftKey(pub(crate) [u8; 16]);

/// Which mandate, whatever the registry says of it: a 128-bit keyed hash of its grantor and its reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MandateKey(pub(crate) [u8; 16]);

/// A 128-bit keyed hash of an idempotency key and of its scope, the principal who chose it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub(crate) [u8; 16]);

impl std::fmt::Debug for Claim {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Claim(..)")
    }
}

impl std::fmt::Debug for DraftKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DraftKey(..)")
    }
}

impl std::fmt::Debug for MandateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MandateKey(..)")
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyHash(..)")
    }
}

impl Subject {
    /// The hash itself, as a key of in-memory maps.
    #[must_use]
    pub fn key(&self) -> [u8; 16] {
        self.0
    }
}

impl std::fmt::Debug for Subject {
    /// Shows four bytes of the hash: enough to tell two subjects apart in a log, too few to find a record.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "Subject({:02x}{:02x}{:02x}{:02x})",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

impl HouseKeys {
    /// The subject of a fiscal code. An omocode is a different person, so it gets a different subject.
    #[must_use]
    pub fn subject(&self, code: &FiscalCode) -> Subject {
        Subject(short_hash(&self.subject, &[code.as_str().as_bytes()]))
    }

    /// The subject of an intermediary's office. All clerks of an office share it.
    #[must_use]
    pub fn office(&self, office: &str) -> Subject {
        Subject(short_hash(&self.subject, &[b"office", office.as_bytes()]))
    }

    /// The subject of one visit: what is sealed for it opens for no other visit.
    #[must_use]
    pub fn visit(&self, visit: &str) -> Subject {
        Subject(short_hash(&self.subject, &[b"visit", visit.as_bytes()]))
    }

    /// The token of the forms of one visit, which no other page can know.
    #[must_use]
    pub fn form_token(&self, visit: &str) -> String {
        URL_SAFE_NO_PAD.encode(short_hash(&self.subject, &[b"form", visit.as_bytes()]))
    }

    /// The tag of a visit's session of `person`, who sees the data of `subject`: a client checks by it that an answer is
    /// meant for it.
    #[must_use]
    pub fn tag(&self, visit: Subject, person: Subject, subject: Subject) -> [u8; 16] {
        short_hash(&self.subject, &[b"tag", &visit.0, &person.0, &subject.0])
    }

    /// What names a visit's session to its person in public: 16 characters of base64url, too short for a visit.
    #[must_use]
    pub fn session_handle(&self, visit: Subject) -> String {
        let hash = short_hash(&self.subject, &[b"session handle", &visit.0]);
        URL_SAFE_NO_PAD.encode(&hash[..HANDLE_BYTES])
    }

    /// The draft of `person`, who acts for `principal`, in a scheme and under a mandate if there is one.
    #[must_use]
    pub fn draft(
        &self,
        person: Subject,
        principal: Subject,
        scheme: Scheme,
        mandate: Option<&str>,
    ) -> DraftKey {
        let mandate = mandate.unwrap_or_default().as_bytes();
        let scheme = scheme.as_str().as_bytes();
        let parts = [b"draft", person.0.as_slice(), &principal.0, scheme, mandate];
        DraftKey(short_hash(&self.subject, &parts))
    }

    /// The mandate that `person` gave under a reference.
    #[must_use]
    pub fn mandate(&self, person: Subject, reference: &str) -> MandateKey {
        let parts = [b"mandate", person.0.as_slice(), reference.as_bytes()];
        MandateKey(short_hash(&self.subject, &parts))
    }

    /// The hash of the telephone PIN that a person made under a random number.
    #[must_use]
    pub fn telephone_pin(&self, person: Subject, number: [u8; 8], pin: TelephonePin) -> [u8; 16] {
        let parts = [b"telephone pin", person.0.as_slice(), &number, pin.digits().as_bytes()];
        short_hash(&self.subject, &parts)
    }

    /// The claim of `subject` in `campaign`.
    #[must_use]
    pub fn claim(&self, subject: Subject, campaign: Campaign) -> Claim {
        let year = campaign.year.to_be_bytes();
        Claim(short_hash(&self.claim, &[&subject.0, campaign.scheme.as_str().as_bytes(), &year]))
    }

    /// The hash of an idempotency key of `principal`. `kind` separates keys of different origin.
    #[must_use]
    pub fn key_hash(&self, principal: Subject, kind: &[u8], key: &[u8]) -> KeyHash {
        KeyHash(short_hash(&self.idempotency, &[&principal.0, kind, key]))
    }
}

/// The first 128 bits of a keyed BLAKE3 hash. Each part is prefixed with its length, so that different lists of parts
/// never collide.
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
    use super::*;

    #[test]
    fn an_omocode_is_another_person() {
        let parse = |code| FiscalCode::parse(code).unwrap();
        let keys = HouseKeys::from_master(&[7; 32]);
        let plain = keys.subject(&parse("RSSMRA80A01H501U"));
        let omocode = keys.subject(&parse("RSSMRA80A01H50MM"));
        assert_ne!(plain, omocode);
    }
}
