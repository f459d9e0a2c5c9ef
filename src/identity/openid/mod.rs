//! Signing in with `OpenID` Connect as SPID and CIE profile it: a small relying party.
//!
//! A browser goes to its provider with a signed request ([`RelyingParty::begin`]) and comes back with a code. The code
//! is redeemed for an ID token, which names the person to us only by a word of the provider's own, and an access token,
//! which opens what the provider says of the person, encrypted for us ([`RelyingParty::redeem`]). The access token is
//! revoked at once: nothing needs it any more, so no session has to keep it.

mod answers;
mod callback;
mod client_keys;
mod conversation;
mod ecdh;
mod federation;
mod jwe;
mod jws;
mod login;
mod messages;
mod profile;
mod provider;
mod request;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod scripted;
mod spent;
#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;

pub use self::{
    callback::Callback,
    client_keys::{ClientKeyFault, DecryptionKey},
    federation::{FederationConfig, FederationFault},
    login::{LOGIN_SECONDS, Login, LoginFault},
    messages::{Messages, Redeemed},
    profile::{Config, DISCOVERY_PATH, Endpoints, Profile},
};
use self::{
    conversation::Conversation,
    federation::Federation,
    provider::Provider,
    spent::{Spending, Spent},
};
use super::fetch::Client;
use crate::{civic::Language, trusted_roots::RootsFault};

/// Time for one answer of a provider.
const ANSWER_MAX: Duration = Duration::from_secs(8);

/// Why nobody can sign in with these settings.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdFault {
    /// A key of ours cannot be used.
    #[error("keys for the identity provider {0}: {1}")]
    Key(String, ClientKeyFault),
    /// We cannot be part of the federation.
    #[error(transparent)]
    Federation(#[from] FederationFault),
    /// No certificate of a provider can be checked.
    #[error(transparent)]
    Roots(#[from] RootsFault),
}

/// Where a browser goes to sign in, and what it must bring back.
pub struct Begun {
    /// The URL at the provider.
    pub url: String,
    /// The attempt.
    pub login: Login,
}

/// Signs people in at the providers of the settings.
pub struct RelyingParty {
    providers: Vec<Arc<Provider>>,
    /// `None` without providers.
    client: Option<Arc<Client>>,
    spent: Spent,
    federation: Option<Federation>,
}

impl RelyingParty {
    /// One without providers.
    #[must_use]
    pub fn none() -> Self {
        Self { providers: Vec::new(), client: None, spent: Spent::default(), federation: None }
    }

    /// One with these providers, each with another name. Their certificates are checked against the PEM file `ca`, or
    /// else against the system's.
    ///
    /// # Errors
    /// [`OpenIdFault`].
    pub fn open(providers: &[Config], ca: Option<&Path>) -> Result<Self, OpenIdFault> {
        if providers.is_empty() {
            return Ok(Self::none());
        }
        let opened = providers.iter().map(|config| {
            let provider = Provider::open(config);
            provider.map(Arc::new).map_err(|fault| OpenIdFault::Key(config.name.clone(), fault))
        });
        let client = Some(Arc::new(Client::trusting(ca, ANSWER_MAX)?));
        Ok(Self { providers: opened.collect::<Result<_, _>>()?, client, ..Self::none() })
    }

    /// The same as part of a federation.
    ///
    /// # Errors
    /// [`OpenIdFault::Federation`].
    pub fn in_federation(self, config: &FederationConfig) -> Result<Self, OpenIdFault> {
        let providers = self.providers.iter().map(|provider| &**provider);
        let federation = Some(Federation::open(config, providers)?);
        Ok(Self { federation, ..self })
    }

    /// Our entity configuration, signed; `None` outside of a federation. `now` is real time.
    #[must_use]
    pub fn entity_configuration(&self, now: Timestamp) -> Option<String> {
        self.federation.as_ref().map(|federation| federation.statement(now.as_second()))
    }

    /// The names and profiles of the providers, in the order of the settings.
    pub fn providers(&self) -> impl Iterator<Item = (&str, Profile)> {
        self.providers.iter().map(|it| (it.config.name.as_str(), it.config.profile))
    }

    /// Begins to sign somebody in at a provider, whose pages follow in this language. `now` is real time.
    ///
    /// # Errors
    /// [`LoginFault::UnknownProvider`], [`LoginFault::Unavailable`], [`LoginFault::Busy`].
    pub async fn begin(
        &self,
        provider: &str,
        language: Language,
        now: Timestamp,
    ) -> Result<Begun, LoginFault> {
        let (provider, client) = self.find(provider)?;
        let _permit = provider.permit().ok_or(LoginFault::Busy)?;
        let current = provider.current(client, now.as_second(), false).await;
        // The fault is in the log.
        let endpoints = current.map_err(|_| LoginFault::Unavailable)?.endpoints;
        let mut login = Login::begin(&provider.config.name, language, now);
        let url =
            request::authorization_url(&provider.config, &endpoints, &provider.signing, &mut login);
        Ok(Begun { url, login })
    }

    /// Finishes to sign somebody in, who came back with `callback` from an attempt that their own browser kept.
    pub async fn redeem(&self, login: &Login, callback: &Callback, now: Timestamp) -> Redeemed {
        self.try_to_redeem(login, callback, now).await.unwrap_or_else(Redeemed::from)
    }

    async fn try_to_redeem(
        &self,
        login: &Login,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<Redeemed, LoginFault> {
        if !login.is_current(now) || callback.state != login.state {
            return Err(LoginFault::Stale);
        }
        let (provider, client) = self.find(&login.provider)?;
        let conversation = Conversation { provider, client, login, callback, now: now.as_second() };
        let is_theirs = match &callback.issuer {
            Some(issuer) => *issuer == provider.config.issuer,
            None => !provider.config.profile.needs_issuer(),
        };
        if !is_theirs {
            return Err(conversation.untrusted("iss of the callback"));
        }
        if let Some(error) = &callback.error {
            return Err(refusal(error));
        }
        let code = callback.code.as_deref().ok_or(LoginFault::Stale)?;
        let permit = provider.permit().ok_or(LoginFault::Busy)?;
        match self.spent.spend(&login.state, code, conversation.now) {
            Spending::First => conversation.identity(code, permit).await,
            Spending::Again => Err(LoginFault::Stale),
            Spending::Full => Err(LoginFault::Busy),
        }
    }

    fn find(&self, name: &str) -> Result<(&Arc<Provider>, &Arc<Client>), LoginFault> {
        let provider = self.providers.iter().find(|provider| provider.config.name == name);
        provider.zip(self.client.as_ref()).ok_or(LoginFault::UnknownProvider)
    }
}

/// What is said to a person whom their provider has sent back without a code (RFC 6749, 4.1.2.1, and `OpenID` Connect
/// Core, 3.1.2.6).
fn refusal(error: &str) -> LoginFault {
    match error {
        "access_denied" => LoginFault::Refused,
        "temporarily_unavailable" | "server_error" => LoginFault::Unavailable,
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required" => LoginFault::NotCompleted,
        "unmet_authentication_requirements" => LoginFault::LevelTooLow,
        _ => {
            tracing::warn!("an identity provider has refused a request of ours");
            LoginFault::Untrusted
        }
    }
}
