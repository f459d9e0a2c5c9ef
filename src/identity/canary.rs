//! The canary's identities: this process proves to itself that one of two synthetic people is its own.
//!
//! The key is made at the start and never leaves the process, so no other process can sign for them, and whoever knows
//! their codes has nothing. A token opens once, within seconds, and for these two codes alone; what any other issuer says
//! of them is refused, because [`FiscalCode::parse`] does not take their codes.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    error::Unspecified,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};

use super::{
    Assurance, ProvedBy,
    claims::{Audiences, Claims},
    issuer::Issuer,
    jwks::{KeySet, Unusable},
};
use crate::civic::FiscalCode;

/// Name of the issuer, `iss` in its tokens.
pub const ISSUER: &str = "urn:sportello:canary";
/// What its tokens are meant for, `aud`.
const AUDIENCE: &str = "sportello";
/// How long a token opens, seconds: as long as the canary waits for one round.
pub const TOKEN_SECONDS: u32 = 20;
/// Tokens that were made and not used yet: two people, and those of a round that was given up.
const AWAITED_MAX: usize = 4;

/// The base64url of a JWT's header for Ed25519.
const HEADER: &str = r#"{"alg":"EdDSA"}"#;

/// Signs the canary's identities and knows which of them were not used yet.
pub struct CanaryIssuer {
    pair: Ed25519KeyPair,
    issuer: Arc<Issuer>,
    awaited: Mutex<Vec<Awaited>>,
    /// How many there are, to be read without the lock.
    awaited_count: AtomicUsize,
}

/// A token that was made and not used yet.
struct Awaited {
    token: String,
    until: Timestamp,
}

/// Why there is no key: the system has no randomness, or a bug of ours.
#[derive(Debug, thiserror::Error)]
pub enum NoCanaryKey {
    /// It cannot be made.
    #[error("no key can be made for the canary")]
    Made(#[from] Unspecified),
    /// It cannot be used.
    #[error("the canary's key: {0}")]
    Used(#[from] Unusable),
}

impl CanaryIssuer {
    /// An issuer with a fresh key.
    ///
    /// # Errors
    /// [`NoCanaryKey`].
    pub fn new() -> Result<Self, NoCanaryKey> {
        let pair = Ed25519KeyPair::generate()?;
        let keys = KeySet::of_only(pair.public_key().as_ref())?;
        let issuer = Arc::new(Issuer::fixed(ISSUER, AUDIENCE, keys, ProvedBy::Canary));
        Ok(Self { pair, issuer, awaited: Mutex::default(), awaited_count: AtomicUsize::new(0) })
    }

    /// A token that opens once, for [`TOKEN_SECONDS`], if `person` is one of the canary's. A token that nobody used makes
    /// room for it.
    #[must_use]
    pub fn issue(&self, person: &FiscalCode, real_now: Timestamp) -> String {
        let issued = real_now.as_second();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: Audiences::One(AUDIENCE.to_owned()),
            iat: issued,
            exp: issued + i64::from(TOKEN_SECONDS),
            nbf: None,
            acr: Assurance::Level2.acr().to_owned(),
            fiscal_number: format!("TINIT-{}", person.as_str()),
            office: None,
        };
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(HEADER.as_bytes()), encode(&claims));
        let signature = encode(self.pair.sign(signed.as_bytes()).as_ref());
        let token = format!("{signed}.{signature}");
        let until = real_now.saturating_add(SignedDuration::from_secs(TOKEN_SECONDS.into()));
        let mut awaited = self.lock();
        if awaited.len() == AWAITED_MAX {
            awaited.remove(0);
        }
        let until = until.unwrap_or(Timestamp::MAX);
        awaited.push(Awaited { token: token.clone(), until });
        self.awaited_count.store(awaited.len(), Ordering::Release);
        token
    }

    /// The issuer as it is trusted.
    pub(super) fn issuer(&self) -> Arc<Issuer> {
        Arc::clone(&self.issuer)
    }

    /// Whether a token was made and not used yet.
    pub(super) fn awaits(&self, token: &str) -> bool {
        self.awaited_count.load(Ordering::Acquire) > 0
            && self.lock().iter().any(|awaited| awaited.token == token)
    }

    /// The canary's person whom a token that was verified otherwise opens for; it is used up by that.
    pub(super) fn redeem(
        &self,
        token: &str,
        code: &str,
        real_now: Timestamp,
    ) -> Option<FiscalCode> {
        let mut awaited = self.lock();
        let at = awaited.iter().position(|awaited| awaited.token == token)?;
        let Awaited { until, .. } = awaited.remove(at);
        self.awaited_count.store(awaited.len(), Ordering::Release);
        let person = FiscalCode::parse_with_canaries(code).ok()?;
        (real_now < until && person.is_canary()).then_some(person)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        civic::CANARIES,
        identity::{
            demo::Minter,
            token::{TokenFault, Verifier},
        },
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_726_500_600 + second).unwrap()
    }

    fn verifier_of(canary: &Arc<CanaryIssuer>) -> Verifier {
        let public = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let others = Verifier::trusting("urn:other", AUDIENCE, public.public_key().as_ref());
        others.unwrap().with_canary(canary)
    }

    #[test]
    fn a_token_opens_for_its_person_once_and_within_seconds() {
        let canary = Arc::new(CanaryIssuer::new().unwrap());
        let verifier = verifier_of(&canary);
        for person in CANARIES {
            let token = canary.issue(&person, at(0));
            assert!(verifier.is_of_canary(&token));
            let identity = verifier.verify(&token, at(1)).unwrap();
            assert_eq!((identity.fiscal_code, identity.proved_by), (person, ProvedBy::Canary));
            assert!(identity.office.is_none());
            assert!(!verifier.is_of_canary(&token));
            assert_eq!(verifier.verify(&token, at(1)).unwrap_err(), TokenFault::Untrusted, "twice");
        }
        let last = i64::from(TOKEN_SECONDS) - 1;
        assert!(verifier.verify(&canary.issue(&CANARIES[0], at(0)), at(last)).is_ok());
        let late = verifier.verify(&canary.issue(&CANARIES[0], at(0)), at(last + 1));
        assert_eq!(late.unwrap_err(), TokenFault::Untrusted);
    }

    #[test]
    fn its_tokens_open_for_nobody_else() {
        let canary = Arc::new(CanaryIssuer::new().unwrap());
        let verifier = verifier_of(&canary);
        for person in [FiscalCode::made_up(1), FiscalCode::parse("RSSMRA80A01H501U").unwrap()] {
            let refused = verifier.verify(&canary.issue(&person, at(0)), at(1)).unwrap_err();
            assert_eq!(refused, TokenFault::Untrusted);
        }
    }

    #[test]
    fn the_key_of_another_process_opens_nothing() {
        let [ours, theirs] = [(); 2].map(|()| Arc::new(CanaryIssuer::new().unwrap()));
        let refused = verifier_of(&ours).verify(&theirs.issue(&CANARIES[0], at(0)), at(1));
        assert_eq!(refused.unwrap_err(), TokenFault::Untrusted);
        // A server without a canary trusts no such issuer at all.
        let without = Verifier::trusting("urn:other", AUDIENCE, ours.pair.public_key().as_ref());
        let refused = without.unwrap().verify(&ours.issue(&CANARIES[0], at(0)), at(1));
        assert_eq!(refused.unwrap_err(), TokenFault::Untrusted);
    }

    #[test]
    fn no_other_issuer_opens_for_the_canary_not_even_the_demos() {
        let data = tempfile::tempdir().unwrap();
        let minter = Minter::load_or_create(data.path()).unwrap();
        let canary = Arc::new(CanaryIssuer::new().unwrap());
        for verifier in [minter.verifier(), minter.verifier().with_canary(&canary)] {
            for person in CANARIES {
                let token = minter.mint(&person, None, Assurance::Level2, at(0));
                assert_eq!(verifier.verify(&token, at(1)).unwrap_err(), TokenFault::Untrusted);
            }
            let token = minter.mint(&FiscalCode::made_up(1), None, Assurance::Level2, at(0));
            assert!(verifier.verify(&token, at(1)).is_ok());
        }
    }

    #[test]
    fn tokens_that_nobody_uses_are_bounded() {
        let canary = CanaryIssuer::new().unwrap();
        let tokens: Vec<_> = (0..9).map(|_| canary.issue(&CANARIES[0], at(0))).collect();
        assert_eq!(canary.lock().len(), AWAITED_MAX);
        // Those of one second are the same to the letter.
        assert!(canary.awaits(&tokens[8]));
    }
}
