//! Signing in at an identity provider with a browser.
//!
//! What must be the same when the browser comes back is sealed into a cookie of that browser, for the `state` that stands
//! in the URL of the callback; nothing is kept here for it.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{entering::EnterFault, opening::Intake};
use crate::{
    civic::Language,
    identity::{
        Identity,
        openid::{Begun, Callback, Login, LoginFault, Profile, Redeemed},
    },
    ledger::{
        audit::{LoginMessages, NotRecorded},
        fault::Untraced,
    },
    vault::{HouseKeys, Place},
};

/// The header of a sealed attempt: its version.
const HEADER: [u8; 1] = [1];
/// A longer cookie is refused without being opened, bytes.
const SEALED_BYTES_MAX: usize = 2048;

/// Why somebody is not signed in.
#[derive(Debug)]
pub enum SignInFault {
    /// At the provider, or with what it answered.
    Login(LoginFault),
    /// They may not try now.
    Enter(EnterFault),
}

impl Intake {
    /// The names and profiles of the providers.
    pub fn providers(&self) -> impl Iterator<Item = (&str, Profile)> {
        self.relying.providers()
    }

    /// Our entity configuration in the federation of identity providers; `None` outside of one.
    #[must_use]
    pub fn entity_configuration(&self) -> Option<String> {
        self.relying.entity_configuration(self.clock.real())
    }

    /// Begins to sign somebody in: the URL at the provider, and what their browser keeps meanwhile.
    ///
    /// # Errors
    /// [`SignInFault`].
    pub async fn begin_sign_in(
        &self,
        provider: &str,
        language: Language,
        from: Option<IpAddr>,
    ) -> Result<(String, String), SignInFault> {
        self.limit_sign_in(from)?;
        let begun = self.relying.begin(provider, language, self.clock.real()).await;
        let Begun { url, login } = begun.map_err(SignInFault::Login)?;
        let kept = seal(&self.keys, &login);
        Ok((url, kept))
    }

    /// Finishes to sign in somebody who came back from their provider with this query, and whose browser kept `kept`. What
    /// was said is recorded under the visit that follows before they are signed in.
    ///
    /// # Errors
    /// [`SignInFault`].
    pub async fn finish_sign_in(
        &self,
        kept: &str,
        query: &str,
        visit: &str,
        from: Option<IpAddr>,
    ) -> Result<(Identity, Language), SignInFault> {
        self.limit_sign_in(from)?;
        let attempt = Callback::parse(query).and_then(|callback| {
            let login = open(&self.keys, &callback.state, kept)?;
            Some((callback, login))
        });
        let (callback, login) = attempt.ok_or(SignInFault::Login(LoginFault::Stale))?;
        let untraced = SignInFault::Enter(EnterFault::Untraced(Untraced));
        // Before the code is spent, which works once.
        if self.messages.is_away() || self.space.admits_events().is_err() {
            return Err(untraced);
        }
        let Redeemed { outcome, messages } =
            self.relying.redeem(&login, &callback, self.clock.real()).await;
        let person = outcome.as_ref().ok().map(|identity| &identity.fiscal_code);
        let recorded = match messages.map(|messages| serde_json::to_vec(&messages)) {
            Some(Ok(content)) => {
                self.messages.record(LoginMessages { visit, person, content: &content }).await
            }
            Some(Err(_)) => Err(NotRecorded),
            None => Ok(()),
        };
        // Who is refused anyway learns the reason of that.
        let identity = outcome.map_err(SignInFault::Login)?;
        recorded.map_err(|NotRecorded| untraced)?;
        Ok((identity, login.language()))
    }

    fn limit_sign_in(&self, from: Option<IpAddr>) -> Result<(), SignInFault> {
        let limited = self.limits.load().enter_from(from);
        limited.map_err(|too_often| SignInFault::Enter(EnterFault::TooOften(too_often)))
    }
}

/// An attempt, sealed for its state.
fn seal(keys: &HouseKeys, login: &Login) -> String {
    let plain = serde_json::to_vec(login).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(keys.seal(Place::Login, keys.visit(&login.state), &HEADER, &plain))
}

/// The attempt in a cookie; `None` if it is not one with this state.
fn open(keys: &HouseKeys, state: &str, kept: &str) -> Option<Login> {
    if kept.len() > SEALED_BYTES_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(kept).ok()?;
    let plain = keys.open(Place::Login, keys.visit(state), HEADER.len(), &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_keeps_opens_for_its_own_state_alone() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let now = jiff::Timestamp::UNIX_EPOCH;
        let [one, two] = ["SPID", "CIE"].map(|name| Login::begin(name, Language::English, now));
        let kept = seal(&keys, &one);
        let opened = open(&keys, &one.state, &kept).unwrap();
        assert_eq!((&*opened.provider, opened.language()), ("SPID", Language::English));
        assert!(!kept.contains(&one.state), "nobody reads it from the cookie");
        let other = HouseKeys::from_master(&[8; 32]);
        assert!(open(&other, &one.state, &kept).is_none());
        for (state, kept) in [
            (&*two.state, &*kept),
            ("", &kept),
            (&one.state, ""),
            (&one.state, &kept[1..]),
            (&one.state, &kept[..kept.len() - 1]),
            (&one.state, &"A".repeat(SEALED_BYTES_MAX + 1)),
        ] {
            assert!(open(&keys, state, kept).is_none(), "{kept}");
        }
    }
}
