//! Keys that an issuer publishes at a URL: fetched again before they are stale, and when a token names an unknown key.
//!
//! A request never waits for a fetch. A token with an unknown key is refused with 401 and asks for one; however many
//! tokens ask, there is at most one fetch in [`Pace::asked`], so forged names cause no load at the issuer. What was
//! fetched last stays in use until something newer is whole, and is kept on disk for a restart while the issuer cannot
//! be reached.

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::sleep};

use super::{
    algorithm::Algorithm,
    choice::Choice,
    condition::Condition,
    fetch::{Client, FetchFault, KeysUrl},
    jwks::{KeySet, KeysFault, Read},
};
use crate::{
    clock::Clock,
    private_files::{private_directory, replace_private},
};

/// Hexadecimal digits in the name of a file with kept keys.
const CACHE_NAME_DIGITS: usize = 16;

/// What a fetch was good for: how long the publisher says that the keys stay fresh. A failure is in the log.
pub(super) type Renewed = Result<Option<Duration>, ()>;

/// How often keys are fetched.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Shortest time that a set is used before it is fetched again, whatever its publisher says.
    pub fresh_min: Duration,
    /// Longest time, likewise: after that time at the latest a withdrawn key is not accepted any more.
    pub fresh_max: Duration,
    /// The time if its publisher says nothing.
    pub fresh_default: Duration,
    /// Time after a failed fetch until the next; it doubles with each failure up to `retry_max`.
    pub retry_min: Duration,
    /// The longest such time.
    pub retry_max: Duration,
    /// Shortest time between a fetch and the next that tokens with unknown keys ask for.
    pub asked: Duration,
    /// Time for a whole fetch. A start waits that long for an issuer whose keys are not on disk.
    pub fetch_max: Duration,
}

impl Pace {
    /// The pace of a server. Providers announce a new key at least a day before they use it.
    pub const USUAL: Self = Self {
        fresh_min: Duration::from_mins(1),
        fresh_max: Duration::from_hours(1),
        fresh_default: Duration::from_mins(15),
        retry_min: Duration::from_secs(5),
        retry_max: Duration::from_mins(5),
        asked: Duration::from_secs(30),
        fetch_max: Duration::from_secs(10),
    };
}

/// Keys at a URL.
pub(super) struct RemoteKeys {
    issuer: String,
    url: KeysUrl,
    algorithms: Choice<Algorithm>,
    /// The lock guards the pointer only.
    current: RwLock<Arc<KeySet>>,
    condition: Arc<Condition>,
    /// A token named an unknown key.
    unknown: Notify,
    /// An operator wants the keys fetched now.
    hurried: Notify,
    cache: PathBuf,
    clock: Clock,
}

/// A set on disk.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cached {
    issuer: String,
    url: String,
    /// Seconds since 1970.
    fetched_at: i64,
    document: String,
}

/// Why keys could not be renewed.
#[derive(Debug, thiserror::Error)]
enum RenewFault {
    #[error("{0}")]
    Fetch(#[from] FetchFault),
    #[error("what it answers cannot be used: {0}")]
    Keys(#[from] KeysFault),
}

impl RemoteKeys {
    /// Of an issuer at a URL, with what the directory `cache` holds of them.
    pub(super) fn new(
        (issuer, url): (&str, KeysUrl),
        algorithms: Choice<Algorithm>,
        condition: Arc<Condition>,
        cache: &Path,
        clock: Clock,
    ) -> Self {
        let name = blake3::hash(format!("{issuer}\n{url}").as_bytes()).to_hex();
        let keys = Self {
            issuer: issuer.to_owned(),
            url,
            algorithms,
            current: RwLock::default(),
            condition,
            unknown: Notify::new(),
            hurried: Notify::new(),
            cache: cache.join(format!("{}.json", &name[..CACHE_NAME_DIGITS])),
            clock,
        };
        keys.recall();
        keys
    }

    /// The keys in use; none if none were ever fetched.
    pub(super) fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for a fetch because a token named a key that is not in the set.
    pub(super) fn is_missing_a_key(&self) {
        self.unknown.notify_one();
    }

    /// Asks for a fetch now.
    pub(super) fn hurry(&self) {
        self.hurried.notify_one();
    }

    /// Fetches the keys whenever they are due, for ever; the first time at once, unless that is `done` already.
    pub(super) async fn keep(&self, client: &Client, pace: &Pace, mut done: Option<Renewed>) {
        let mut failures = 0;
        loop {
            let renewed = match done.take() {
                Some(renewed) => renewed,
                None => self.renew(client).await,
            };
            let wait = if let Ok(fresh_for) = renewed {
                failures = 0;
                fresh_for.unwrap_or(pace.fresh_default).clamp(pace.fresh_min, pace.fresh_max)
            } else {
                let doubled = 2_u32.saturating_pow(failures);
                failures = failures.saturating_add(1);
                pace.retry_min.saturating_mul(doubled).min(pace.retry_max)
            };
            let asked = async {
                // In this order a token that asks at once is heard when its time has come.
                sleep(pace.asked).await;
                self.unknown.notified().await;
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = asked => {}
                () = self.hurried.notified() => {}
            }
        }
    }

    /// Fetches the keys once.
    pub(super) async fn renew(&self, client: &Client) -> Renewed {
        let fetched = async {
            let fetched = client.get(&self.url).await?;
            let read = KeySet::parse(&fetched.document, self.algorithms)?;
            Ok::<_, RenewFault>((fetched, read))
        };
        match fetched.await {
            Ok((fetched, read)) => {
                self.remember(&fetched.document);
                self.install(read, Duration::ZERO);
                Ok(fetched.fresh_for)
            }
            Err(fault) => {
                self.condition.fail(&format_args!("{}: {fault}", self.url));
                Err(())
            }
        }
    }

    fn install(&self, Read { keys, skipped }: Read, ago: Duration) {
        let kids = |keys: &KeySet| keys.kids().map(ToOwned::to_owned).collect::<Vec<_>>();
        let kids = (kids(&self.current()), kids(&keys));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.condition.confirm(ago);
        self.condition.skip(&skipped);
        if kids.0 != kids.1 {
            tracing::info!(issuer = self.issuer, was = ?kids.0, is = ?kids.1, "the issuer's keys have changed");
        }
    }

    /// Keeps a set on disk. That it fails stops nothing: a restart then needs the issuer.
    fn remember(&self, document: &[u8]) {
        let cached = Cached {
            issuer: self.issuer.clone(),
            url: self.url.to_string(),
            fetched_at: self.clock.real().as_second(),
            document: String::from_utf8_lossy(document).into_owned(),
        };
        let kept = serde_json::to_vec(&cached).map_err(Into::into).and_then(|cached| {
            private_directory(self.cache.parent().unwrap_or(Path::new(".")))?;
            replace_private(&self.cache, &cached)
        });
        if let Err(fault) = kept {
            tracing::warn!(path = %self.cache.display(), %fault, "the issuer's keys cannot be kept for a restart");
        }
    }

    /// Takes the set that was kept on disk, if it is this issuer's and can be used.
    fn recall(&self) {
        let Ok(text) = std::fs::read(&self.cache) else { return };
        let cached = serde_json::from_slice::<Cached>(&text)
            .ok()
            .filter(|cached| cached.issuer == self.issuer && cached.url == self.url.to_string());
        let read = cached.and_then(|cached| {
            let read = KeySet::parse(cached.document.as_bytes(), self.algorithms).ok()?;
            Some((read, self.clock.real().as_second().saturating_sub(cached.fetched_at)))
        });
        if let Some((read, seconds)) = read {
            self.install(read, Duration::from_secs(seconds.try_into().unwrap_or(0)));
        } else {
            tracing::warn!(path = %self.cache.display(), "the kept keys of the issuer cannot be used");
        }
    }
}
