//! What is said to a provider behind the back of the browser, to finish one attempt to sign in.

use std::sync::Arc;

use hyper::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    super::{
        Identity,
        fetch::{Answer, Ask, Client, KeysUrl},
    },
    answers::{self, AnswerFault},
    callback::Callback,
    login::{Login, LoginFault},
    messages::{Messages, Redeemed},
    provider::{Current, Provider, PublishedFault, document},
    request,
};

/// A longer answer about a person is refused, bytes: it is kept for years. Tokens of providers have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A conversation with a provider about one attempt.
pub(super) struct Conversation<'a> {
    pub(super) provider: &'a Arc<Provider>,
    pub(super) client: &'a Arc<Client>,
    pub(super) login: &'a Login,
    pub(super) callback: &'a Callback,
    /// When it began, in seconds since 1970.
    pub(super) now: i64,
}

/// What is read of an answer to a redeemed code (RFC 6749, 5.1).
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    token_type: String,
    id_token: String,
}

/// What is read of a refusal (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Conversation<'_> {
    /// The identity for which the provider gives a code. `permit` is kept until the access token is revoked.
    pub(super) async fn identity(
        &self,
        code: &str,
        permit: OwnedSemaphorePermit,
    ) -> Result<Redeemed, LoginFault> {
        let current = self.current(false).await?;
        let Provider { config, signing, .. } = &**self.provider;
        let request = request::request_object(config, &current.endpoints, signing, self.login);
        // Settings or endpoints have changed since: what this person was sent with cannot be recorded.
        let request = request.ok_or(LoginFault::Stale)?;
        let (tokens, received) = self.redeem(&current, code).await?;
        let mut messages = Messages::new(config, request, self.callback, received);
        let outcome = self.identify(current.clone(), &tokens, &mut messages).await;
        self.revoke_soon(&current, tokens.access_token, permit);
        Ok(Redeemed { outcome, messages: Some(messages) })
    }

    async fn current(&self, is_missing_a_key: bool) -> Result<Current, LoginFault> {
        let current = self.provider.current(self.client, self.now, is_missing_a_key).await;
        // The fault is in the log.
        current.map_err(|_: PublishedFault| LoginFault::Unavailable)
    }

    /// Redeems a code: the tokens, and the whole answer with them.
    async fn redeem(
        &self,
        current: &Current,
        code: &str,
    ) -> Result<(Tokens, Map<String, Value>), LoginFault> {
        let Provider { config, signing, .. } = &**self.provider;
        let endpoints = &current.endpoints;
        let form = request::token_form(config, endpoints, signing, self.login, code, self.now);
        let answer = self.ask(&endpoints.token, Ask::Post(form)).await?;
        if answer.status != StatusCode::OK {
            let refusal = document::<Refusal>(&answer.body).map(|refusal| refusal.error);
            return Err(match refusal.as_deref() {
                // Among others, the code was redeemed before or has expired.
                Some("invalid_grant") => LoginFault::Stale,
                _ => self.untrusted(&format!("token endpoint: {}", answer.status)),
            });
        }
        let tokens = document::<Tokens>(&answer.body);
        let tokens = tokens.filter(|tokens| tokens.token_type.eq_ignore_ascii_case("bearer"));
        tokens
            .zip(document(&answer.body))
            .ok_or_else(|| self.untrusted("token endpoint: not a bearer token with an ID token"))
    }

    /// Checks the ID token, and asks what the provider says of the person. If a key is unknown, the provider's keys are
    /// fetched once more.
    async fn identify(
        &self,
        mut current: Current,
        tokens: &Tokens,
        messages: &mut Messages,
    ) -> Result<Identity, LoginFault> {
        let Provider { config, decryption, .. } = &**self.provider;
        let access_token = &tokens.access_token;
        let named = |current: &Current| {
            let Self { login, now, .. } = *self;
            answers::id_token(&tokens.id_token, access_token, &current.keys, config, login, now)
        };
        let mut person = named(&current);
        if person.as_ref().is_err_and(|fault| *fault == AnswerFault::UnknownKey) {
            current = self.current(true).await?;
            person = named(&current);
        }
        let person = person.map_err(|fault| self.fault(fault))?;
        let answer = self.ask(&current.endpoints.userinfo, Ask::GetWith(access_token)).await?;
        if answer.status != StatusCode::OK {
            return Err(self.untrusted(&format!("userinfo endpoint: {}", answer.status)));
        }
        let said = str::from_utf8(&answer.body).unwrap_or_default().trim();
        let signed = answers::decrypted(said, decryption, config);
        messages.say(said, signed.as_deref().ok());
        let signed = signed.map_err(|fault| self.fault(fault))?;
        let code = |current: &Current| {
            answers::userinfo(&signed, &current.keys, config, &person, self.now)
        };
        let mut fiscal_code = code(&current);
        if fiscal_code == Err(AnswerFault::UnknownKey) {
            current = self.current(true).await?;
            fiscal_code = code(&current);
        }
        Ok(Identity {
            fiscal_code: fiscal_code.map_err(|fault| self.fault(fault))?,
            office: None,
            proved_by: config.profile.proved_by(),
            valid_until: Timestamp::from_second(person.valid_until).unwrap_or(Timestamp::MAX),
        })
    }

    /// Has the access token revoked while the person goes on. If that fails, it expires by itself.
    fn revoke_soon(&self, current: &Current, access_token: String, permit: OwnedSemaphorePermit) {
        let Some(url) = current.endpoints.revocation.clone() else { return };
        let (provider, client, now) =
            (Arc::clone(self.provider), Arc::clone(self.client), self.now);
        tokio::spawn(async move {
            let Provider { config, signing, .. } = &*provider;
            let form =
                request::revocation_form(config, &url.to_string(), signing, &access_token, now);
            let answered = client.ask(&url, Ask::Post(form)).await;
            drop(permit);
            let fault = match answered {
                Ok(answer) if answer.status.is_success() => return,
                Ok(answer) => answer.status.to_string(),
                Err(fault) => fault.to_string(),
            };
            let provider = &config.name;
            tracing::warn!(
                provider,
                fault,
                "an access token was not revoked: it expires by itself"
            );
        });
    }

    async fn ask(&self, url: &KeysUrl, ask: Ask<'_>) -> Result<Answer, LoginFault> {
        let answered = self.client.ask(url, ask).await;
        let answer = answered.map_err(|fault| self.unavailable(url, &fault.to_string()))?;
        if answer.status.is_server_error() {
            return Err(self.unavailable(url, answer.status.as_str()));
        }
        if answer.body.len() > ANSWER_BYTES_MAX {
            return Err(self.untrusted("length"));
        }
        Ok(answer)
    }

    fn unavailable(&self, url: &KeysUrl, fault: &str) -> LoginFault {
        let provider = &self.provider.config.name;
        tracing::warn!(provider, %url, fault, "an identity provider does not answer");
        LoginFault::Unavailable
    }

    fn fault(&self, fault: AnswerFault) -> LoginFault {
        match fault {
            AnswerFault::UnknownKey => self.untrusted("kid"),
            AnswerFault::Untrusted(what) => self.untrusted(what),
            AnswerFault::LevelTooLow => LoginFault::LevelTooLow,
        }
    }

    /// Refuses an answer of the provider. `what` names the failed check and nothing of the answer.
    pub(super) fn untrusted(&self, what: &str) -> LoginFault {
        let provider = &self.provider.config.name;
        tracing::warn!(provider, what, "an answer of an identity provider is refused");
        LoginFault::Untrusted
    }
}
