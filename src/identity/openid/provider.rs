//! One provider: our keys towards it, where it answers, and its own keys as it published them last.
//!
//! Endpoints and keys are fetched when somebody signs in and they are missing or stale. One request fetches; others use
//! what was fetched last, or wait if there is nothing yet. After a failure what was fetched last stays in use, and the next try comes [`RETRY_SECONDS`] later at the
//! earliest. A token with an unknown key asks for a fetch, once in [`ASKED_SECONDS`] at most.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::{
    super::{
        fetch::{Ask, Client, FetchFault, KeysUrl},
        jwks::{KeySet, KeysFault},
        unique_json,
    },
    client_keys::{ClientKeyFault, DecryptionKey, SigningKey},
    profile::{Config, Endpoints},
};

/// Conversations with a provider at a time: each is a TLS connection of our own and a few RSA operations.
const CONVERSATIONS_MAX: usize = 512;
/// How long endpoints and keys are used before they are fetched again, seconds.
const FRESH_SECONDS: i64 = 15 * 60;
/// Shortest time after a failed fetch until the next, seconds.
const RETRY_SECONDS: i64 = 5;
/// Shortest time between a fetch and the next that a token with an unknown key asks for, seconds.
const ASKED_SECONDS: i64 = 30;

/// A provider.
pub(super) struct Provider {
    pub(super) config: Config,
    pub(super) signing: SigningKey,
    pub(super) decryption: DecryptionKey,
    /// The lock is held for a copy of pointers.
    published: RwLock<Published>,
    /// Held by the one request that fetches.
    fetching: Mutex<()>,
    /// Each provider has its own, so that one that hangs keeps nobody from another.
    conversations: Arc<Semaphore>,
}

/// What was fetched last, in seconds since 1970.
#[derive(Default)]
struct Published {
    current: Option<Current>,
    fetched_at: i64,
    failed_at: i64,
}

/// Where a provider answers, and its keys.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) keys: Arc<KeySet>,
}

/// What is read of a discovery document (`OpenID` Connect Discovery, section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    jwks_uri: String,
}

/// Why what a provider publishes cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishedFault {
    #[error("{0}: {1}")]
    Fetch(KeysUrl, FetchFault),
    #[error("{0}: not a discovery document of this issuer with https endpoints")]
    Discovery(KeysUrl),
    #[error("{0}: {1}")]
    Keys(KeysUrl, KeysFault),
    #[error("the last try failed less than {RETRY_SECONDS} seconds ago")]
    JustFailed,
}

impl Provider {
    /// Loads our keys.
    pub(super) fn open(config: &Config) -> Result<Self, ClientKeyFault> {
        Ok(Self {
            signing: SigningKey::load(&config.signing_key)?,
            decryption: DecryptionKey::load(&config.encryption_key)?,
            config: config.clone(),
            published: RwLock::default(),
            fetching: Mutex::default(),
            conversations: Arc::new(Semaphore::new(CONVERSATIONS_MAX)),
        })
    }

    /// Where it answers, and its keys, at `now` (seconds since 1970). If a key `is_missing`, they are fetched again unless
    /// that was done a moment ago.
    pub(super) async fn current(
        &self,
        client: &Client,
        now: i64,
        is_missing: bool,
    ) -> Result<Current, PublishedFault> {
        let fresh_for = if is_missing { ASKED_SECONDS } else { FRESH_SECONDS };
        if let Some(settled) = self.settled(now, fresh_for) {
            return settled;
        }
        let _turn = match self.fetching.try_lock() {
            Ok(turn) => turn,
            Err(_) => match self.last() {
                // Somebody else fetches, which may take long: what was fetched last will do.
                Some(current) if !is_missing => return Ok(current),
                _ => self.fetching.lock().await,
            },
        };
        if let Some(settled) = self.settled(now, fresh_for) {
            return settled;
        }
        let fetched = self.fetch(client).await;
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(current) => {
                published.current = Some(current.clone());
                published.fetched_at = now;
                Ok(current)
            }
            Err(fault) => {
                published.failed_at = now;
                let provider = &self.config.name;
                tracing::warn!(provider, %fault, "what an identity provider publishes cannot be fetched");
                published.current.clone().ok_or(fault)
            }
        }
    }

    /// A place among the conversations with this provider, if there is one.
    pub(super) fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.conversations).try_acquire_owned().ok()
    }

    /// What was fetched last.
    fn last(&self) -> Option<Current> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).current.clone()
    }

    /// What is to be used without another fetch; `None` if one is due.
    fn settled(&self, now: i64, fresh_for: i64) -> Option<Result<Current, PublishedFault>> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: i64, seconds: i64| (0..seconds).contains(&now.saturating_sub(at));
        let just_failed = is_recent(published.failed_at, RETRY_SECONDS);
        match &published.current {
            Some(current) if just_failed || is_recent(published.fetched_at, fresh_for) => {
                Some(Ok(current.clone()))
            }
            None if just_failed => Some(Err(PublishedFault::JustFailed)),
            _ => None,
        }
    }

    async fn fetch(&self, client: &Client) -> Result<Current, PublishedFault> {
        let endpoints = match &self.config.endpoints {
            Some(endpoints) => endpoints.clone(),
            None => self.discover(client).await?,
        };
        let url = &endpoints.jwks;
        let fetched = client.get(url).await;
        let fetched = fetched.map_err(|fault| PublishedFault::Fetch(url.clone(), fault))?;
        let read = KeySet::parse(&fetched.document, self.config.profile.signatures());
        let read = read.map_err(|fault| PublishedFault::Keys(url.clone(), fault))?;
        Ok(Current { endpoints: Arc::new(endpoints), keys: Arc::new(read.keys) })
    }

    async fn discover(&self, client: &Client) -> Result<Endpoints, PublishedFault> {
        let url = self.config.discovery.clone();
        let answer = client.ask(&url, Ask::Get("application/json")).await;
        let answer = answer.map_err(|fault| PublishedFault::Fetch(url.clone(), fault))?;
        let found: Option<Discovery> =
            if answer.status.is_success() { document(&answer.body) } else { None };
        let found = found.filter(|found| found.issuer == self.config.issuer);
        found.and_then(endpoints_in).ok_or(PublishedFault::Discovery(url))
    }
}

/// A JSON document without a member twice.
pub(super) fn document<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_value(unique_json::parse(bytes).ok()?).ok()
}

fn endpoints_in(found: Discovery) -> Option<Endpoints> {
    let url = |text: String| text.parse().ok();
    Some(Endpoints {
        authorization: url(found.authorization_endpoint)?,
        token: url(found.token_endpoint)?,
        userinfo: url(found.userinfo_endpoint)?,
        revocation: found.revocation_endpoint.and_then(url),
        jwks: url(found.jwks_uri)?,
    })
}
