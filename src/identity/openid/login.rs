//! One attempt to sign in: what must be the same when the browser comes back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{civic::Language, vault::fill_random};

/// How long a person may take at their provider, seconds.
pub const LOGIN_SECONDS: u32 = 600;
/// Random bytes of a verifier (RFC 7636, section 4.1).
const VERIFIER_BYTES: usize = 32;
/// Random bytes of a state and of a nonce. In hexadecimal, so that they are alphanumeric: 64 characters.
const NONCE_BYTES: usize = 32;

/// An attempt to sign in. It is a secret of the browser.
#[derive(Serialize, Deserialize)]
pub struct Login {
    /// The name of the provider.
    pub provider: String,
    /// Comes back in the URL.
    pub state: String,
    /// Comes back in the ID token.
    pub(super) nonce: String,
    /// Proves to the provider that who redeems the code is who asked for it.
    pub(super) verifier: String,
    /// Names the request of the attempt (`jti`).
    pub(super) request_id: String,
    /// Our signature of that request. The rest of the request follows from the attempt and the settings.
    pub(super) request_signature: String,
    /// When it began, in seconds since 1970, real time.
    pub(super) began_at: i64,
    /// The language of the pages that follow, as its tag.
    language: String,
}

impl Login {
    /// A new attempt. `now` is real time.
    #[must_use]
    pub fn begin(provider: &str, language: Language, now: Timestamp) -> Self {
        let mut verifier = [0; VERIFIER_BYTES];
        fill_random(&mut verifier);
        Self {
            provider: provider.to_owned(),
            state: alphanumeric(),
            nonce: alphanumeric(),
            request_id: alphanumeric(),
            request_signature: String::new(),
            verifier: URL_SAFE_NO_PAD.encode(verifier),
            began_at: now.as_second(),
            language: language.tag().to_owned(),
        }
    }

    /// Whether it is not too old at `now`.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(self.began_at);
        (0..i64::from(LOGIN_SECONDS)).contains(&age)
    }

    /// The language of the pages that follow.
    #[must_use]
    pub fn language(&self) -> Language {
        Language::from_tag(&self.language).unwrap_or_default()
    }
}

/// A fresh random text of 64 letters and digits.
pub(super) fn alphanumeric() -> String {
    let mut bytes = [0; NONCE_BYTES];
    fill_random(&mut bytes);
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15].map(hex_digit)).collect()
}

fn hex_digit(number: u8) -> char {
    char::from_digit(number.into(), 16).unwrap_or('0')
}

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFault {
    /// There is no such provider.
    UnknownProvider,
    /// It took too long, was begun in another browser, or was finished before.
    Stale,
    /// The person cancelled, or gave no consent.
    Refused,
    /// The provider could not sign the person in: they have to try again or differently.
    NotCompleted,
    /// The level at which the person signed in is too low.
    LevelTooLow,
    /// The provider cannot be reached, or cannot answer now.
    Unavailable,
    /// What the provider answered is not valid, or not meant for this attempt.
    Untrusted,
    /// Too many people sign in at the moment.
    Busy,
}
