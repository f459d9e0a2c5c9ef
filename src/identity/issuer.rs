//! A trusted issuer of identity tokens: its name, what it may assert, and its keys.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    Assurance, ProvedBy,
    algorithm::Algorithm,
    choice::Choice,
    condition::Condition,
    fetch::KeysUrl,
    jwks::{KeySet, KeysFault, Read, SET_BYTES_MAX, Unusable},
    remote_keys::RemoteKeys,
};
use crate::{
    clock::Clock,
    metrics,
    registry::live_file::{LiveFile, Opened},
};

/// Settings of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name, `iss` in its tokens.
    pub name: String,
    /// What its tokens must be meant for, `aud`.
    pub audience: String,
    /// Where its keys are.
    pub keys: KeysFrom,
    /// Algorithms that its keys may use.
    pub algorithms: Choice<Algorithm>,
    /// Levels that it may assert.
    pub levels: Choice<Assurance>,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// One Ed25519 key in a PEM file, for tokens with any `kid` or none.
    Pem(PathBuf),
    /// A JWK set in a file.
    File(PathBuf),
    /// A JWK set at a URL.
    Url(KeysUrl),
}

/// Why the keys of an issuer cannot be used at the start.
#[derive(Debug, thiserror::Error)]
#[error("keys of the issuer {issuer}, {path}: {source}")]
pub struct IssuerFault {
    issuer: String,
    path: PathBuf,
    source: KeysFault,
}

/// An issuer and its keys.
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) audience: String,
    pub(super) levels: Choice<Assurance>,
    /// What its tokens count as.
    pub(super) proved_by: ProvedBy,
    keys: Keys,
    condition: Arc<Condition>,
}

enum Keys {
    /// They never change.
    Fixed(Arc<KeySet>),
    /// A file, which may be replaced.
    File { file: LiveFile<KeySet>, read: ReadKeys },
    /// A URL.
    Remote(Box<RemoteKeys>),
}

/// How a file is read.
struct ReadKeys {
    /// What the keys of a JWK set may use; `None` for a PEM file.
    set: Option<Choice<Algorithm>>,
    /// Whether the file that was read last is the one in use.
    is_whole: AtomicBool,
}

impl ReadKeys {
    fn of(set: Option<Choice<Algorithm>>) -> Self {
        Self { set, is_whole: AtomicBool::new(false) }
    }

    fn load(
        &self,
        Opened { input, .. }: Opened,
        condition: &Condition,
    ) -> Result<KeySet, KeysFault> {
        self.is_whole.store(false, Relaxed);
        let mut bytes = Vec::new();
        input.take(SET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        let Read { keys, skipped } = match self.set {
            None => Read { keys: KeySet::from_pem(&bytes)?, skipped: Vec::new() },
            Some(algorithms) => KeySet::parse(&bytes, algorithms)?,
        };
        self.is_whole.store(true, Relaxed);
        condition.skip(&skipped);
        Ok(keys)
    }
}

impl Issuer {
    /// Loads the keys of an issuer from its file; of a URL, what was kept in the directory `cache`.
    pub(super) fn open(config: &Config, cache: &Path, clock: &Clock) -> Result<Self, IssuerFault> {
        let Config { name, audience, keys, algorithms, levels } = config;
        let condition = Arc::new(Condition::unknown(name));
        let open = |path: &Path, read: ReadKeys| {
            let file = LiveFile::open(path, |opened| read.load(opened, &condition));
            let file = file.map_err(|source| IssuerFault {
                issuer: name.clone(),
                path: path.to_owned(),
                source,
            })?;
            condition.confirm(Duration::ZERO);
            Ok(Keys::File { file, read })
        };
        let keys = match keys {
            KeysFrom::Pem(path) => open(path, ReadKeys::of(None))?,
            KeysFrom::File(path) => open(path, ReadKeys::of(Some(*algorithms)))?,
            KeysFrom::Url(url) => Keys::Remote(Box::new(RemoteKeys::new(
                (name, url.clone()),
                *algorithms,
                Arc::clone(&condition),
                cache,
                clock.clone(),
            ))),
        };
        let (name, audience) = (name.clone(), audience.clone());
        let proved_by = ProvedBy::Token;
        Ok(Self { name, audience, levels: *levels, proved_by, keys, condition })
    }

    /// An issuer whose keys never change.
    pub(super) fn fixed(name: &str, audience: &str, keys: KeySet, proved_by: ProvedBy) -> Self {
        Self {
            name: name.to_owned(),
            audience: audience.to_owned(),
            levels: Choice::ALL,
            proved_by,
            keys: Keys::Fixed(Arc::new(keys)),
            condition: Arc::new(Condition::unknown(name)),
        }
    }

    /// An issuer with one Ed25519 key.
    pub(super) fn of_only(name: &str, audience: &str, key: &[u8]) -> Result<Self, Unusable> {
        Ok(Self::fixed(name, audience, KeySet::of_only(key)?, ProvedBy::Token))
    }

    /// Its keys.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        match &self.keys {
            Keys::Fixed(keys) => Arc::clone(keys),
            Keys::File { file, .. } => file.current(),
            Keys::Remote(remote) => remote.current(),
        }
    }

    /// Its keys, if they are at a URL.
    pub(super) fn remote(&self) -> Option<&RemoteKeys> {
        match &self.keys {
            Keys::Remote(remote) => Some(remote),
            Keys::Fixed(_) | Keys::File { .. } => None,
        }
    }

    /// Loads its file again if it has changed.
    pub(super) fn look_at_file(&self) {
        let Keys::File { file, read } = &self.keys else { return };
        match file.reload(|opened| read.load(opened, &self.condition)) {
            Ok(Some(keys)) => {
                self.condition.confirm(Duration::ZERO);
                let kids: Vec<_> = keys.kids().collect();
                tracing::info!(
                    issuer = self.name,
                    ?kids,
                    "the issuer's file of keys has changed: it is in use"
                );
            }
            Ok(None) if read.is_whole.load(Relaxed) => self.condition.confirm(Duration::ZERO),
            // A faulty file is not read again before it changes.
            Ok(None) => {}
            Err(fault) => self.condition.fail(&fault),
        }
    }

    /// Publishes how many keys it has, how old they are and how often they could not be read.
    pub(super) fn publish(&self) {
        if matches!(self.keys, Keys::Fixed(_)) {
            return;
        }
        let issuer = || vec![self.name.clone()];
        #[expect(clippy::cast_precision_loss, reason = "a set has few keys")]
        metrics::IDENTITY_KEYS.gauge_of(issuer()).set(self.keys().len() as f64);
        if let Some(age) = self.condition.age() {
            metrics::IDENTITY_KEYS_AGE.gauge_of(issuer()).set(age.as_secs_f64());
        }
        metrics::IDENTITY_KEY_FAULTS.counter_of(issuer()).absolute(self.condition.faults());
    }
}
