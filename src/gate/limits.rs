//! Rate limits by address and by person, with a bound on the number of keys in memory.

use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};

use super::network::client_of;
use crate::vault::Subject;

/// Requests for unknown receipts that one person may make before it is recorded: who mistypes their own receipt does not
/// make so many.
const UNKNOWN_RECEIPTS: Quota = Quota::per_minute(NonZeroU32::new(4).unwrap());
/// Audit events about that: nobody may fill the trail.
const UNKNOWN_NOTED: Quota = Quota::per_minute(NonZeroU32::MIN);
/// Time between two searches of the audit trail for one person: each reads all of it.
const DISCLOSURES_EVERY: Duration = Duration::from_mins(1);
/// Time between two pages of lists of applications for one person: each reads an index and up to a hundred records.
const LISTS_EVERY: Duration = Duration::from_secs(1);

/// How many requests one key may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, sustained.
    pub per_second: NonZeroU32,
    /// Requests in a burst.
    pub burst: NonZeroU32,
}

/// The limits of the public listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Public reads, by address.
    pub read_by_address: Rate,
    /// Entering, by address.
    pub enter_by_address: Rate,
    /// Entering, by person.
    pub enter_by_person: Rate,
    /// Everything under a session, by person.
    pub session_by_person: Rate,
    /// Saving and deleting drafts, by person.
    pub draft_by_person: Rate,
    /// Lines of batches, by person.
    pub line_by_person: Rate,
    /// Whether loopback addresses have no limit, for a demo.
    pub loopback_is_free: bool,
    /// Keys that each limit keeps. Each check between two calls of [`Limits::tidy`] counts as a new key: counting
    /// checks is cheaper than counting keys.
    pub keys_max: usize,
}

/// Too many requests of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// Time until the next request is allowed.
    pub wait: Duration,
    /// Requests in a burst, for the `RateLimit` field.
    pub burst: u32,
}

/// All limits of the public listener.
pub struct Limits {
    read_by_address: Keyed<IpAddr>,
    loopback_is_free: bool,
    enter_by_address: Keyed<IpAddr>,
    enter_by_person: Keyed<[u8; 16]>,
    session_by_person: Keyed<[u8; 16]>,
    draft_by_person: Keyed<[u8; 16]>,
    unknown_by_person: Keyed<[u8; 16]>,
    unknown_noted: Keyed<[u8; 16]>,
    line_by_person: Keyed<[u8; 16]>,
    disclosures_by_person: Keyed<[u8; 16]>,
    lists_by_person: Keyed<[u8; 16]>,
}

struct Keyed<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    burst: u32,
    keys_max: usize,
    /// Checks left before the keys are counted again.
    checks_left: AtomicUsize,
}

impl Limits {
    /// Limits without any key yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            read_by_address: Keyed::new(config.read_by_address, config.keys_max),
            loopback_is_free: config.loopback_is_free,
            enter_by_address: Keyed::new(config.enter_by_address, config.keys_max),
            enter_by_person: Keyed::new(config.enter_by_person, config.keys_max),
            session_by_person: Keyed::new(config.session_by_person, config.keys_max),
            draft_by_person: Keyed::new(config.draft_by_person, config.keys_max),
            unknown_by_person: Keyed::of(UNKNOWN_RECEIPTS, config.keys_max),
            unknown_noted: Keyed::of(UNKNOWN_NOTED, config.keys_max),
            line_by_person: Keyed::new(config.line_by_person, config.keys_max),
            disclosures_by_person: Keyed::once_in(DISCLOSURES_EVERY, config.keys_max),
            lists_by_person: Keyed::once_in(LISTS_EVERY, config.keys_max),
        }
    }

    /// Counts a public read from an address; all IPv6 addresses of a /64 share one key.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn read_from(&self, address: Option<IpAddr>) -> Result<(), TooOften> {
        self.check_address(&self.read_by_address, address)
    }

    /// Counts an attempt to enter from an address; all IPv6 addresses of a /64 share one key.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn enter_from(&self, address: Option<IpAddr>) -> Result<(), TooOften> {
        self.check_address(&self.enter_by_address, address)
    }

    /// `None` is an address that many people share: the proxy there limits each of them.
    fn check_address(
        &self,
        limit: &Keyed<IpAddr>,
        address: Option<IpAddr>,
    ) -> Result<(), TooOften> {
        match address {
            None => Ok(()),
            Some(address) if self.loopback_is_free && address.to_canonical().is_loopback() => {
                Ok(())
            }
            Some(address) => limit.check(&client_of(address)),
        }
    }

    /// Counts an attempt to enter by a person.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn enter_as(&self, person: Subject) -> Result<(), TooOften> {
        self.enter_by_person.check(&person.key())
    }

    /// Counts a request under a person's session.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn session_of(&self, person: Subject) -> Result<(), TooOften> {
        self.session_by_person.check(&person.key())
    }

    /// Counts a draft that a person saves or deletes.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn draft_of(&self, person: Subject) -> Result<(), TooOften> {
        self.draft_by_person.check(&person.key())
    }

    /// Counts a person's request for a receipt that is unknown to them, and returns whether to record now that they
    /// repeat it: at the fifth at once, or above four a minute, and then once a minute.
    #[must_use]
    pub fn repeats_unknown(&self, person: Subject) -> bool {
        let person = person.key();
        self.unknown_by_person.check(&person).is_err() && self.unknown_noted.check(&person).is_ok()
    }

    /// Counts a line of a person's batch.
    ///
    /// # Errors
    /// [`TooOften`]: read the line after this time.
    pub fn line_of(&self, person: Subject) -> Result<(), TooOften> {
        self.line_by_person.check(&person.key())
    }

    /// Counts a search of the audit trail for a person: one a minute.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn disclosures_of(&self, person: Subject) -> Result<(), TooOften> {
        self.disclosures_by_person.check(&person.key())
    }

    /// Counts a page of a list of applications for a person: one a second.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn list_of(&self, person: Subject) -> Result<(), TooOften> {
        self.lists_by_person.check(&person.key())
    }

    /// Drops keys whose burst is available in full again. Call it every few seconds.
    pub fn tidy(&self) {
        self.read_by_address.tidy();
        self.enter_by_address.tidy();
        self.enter_by_person.tidy();
        self.session_by_person.tidy();
        self.draft_by_person.tidy();
        self.unknown_by_person.tidy();
        self.unknown_noted.tidy();
        self.line_by_person.tidy();
        self.disclosures_by_person.tidy();
        self.lists_by_person.tidy();
    }
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate, keys_max: usize) -> Self {
        Self::of(Quota::per_second(rate.per_second).allow_burst(rate.burst), keys_max)
    }

    /// One request in each period; a period of no length is one of a nanosecond.
    fn once_in(period: Duration, keys_max: usize) -> Self {
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        Self::of(quota, keys_max)
    }

    fn of(quota: Quota, keys_max: usize) -> Self {
        Self {
            limiter: RateLimiter::dashmap(quota),
            burst: quota.burst_size().get(),
            keys_max,
            checks_left: AtomicUsize::new(keys_max),
        }
    }

    fn tidy(&self) {
        self.limiter.retain_recent();
        let checks_left = self.keys_max.saturating_sub(self.limiter.len());
        self.checks_left.store(checks_left, Ordering::Release);
    }

    /// When no checks are left, everybody is refused until `tidy` drops old keys: bounded memory matters more than a
    /// delay of seconds.
    fn check(&self, key: &K) -> Result<(), TooOften> {
        let too_often = |wait| TooOften { wait, burst: self.burst };
        let one_less = |checks_left: usize| checks_left.checked_sub(1);
        self.checks_left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
            .map_err(|_| too_often(Duration::from_secs(1)))?;
        self.limiter
            .check_key(key)
            .map_err(|until| too_often(until.wait_time_from(self.limiter.clock().now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(keys_max: usize, loopback_is_free: bool) -> Limits {
        let rate = |burst| Rate {
            per_second: NonZeroU32::new(1).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        Limits::new(&Config {
            read_by_address: rate(3),
            enter_by_address: rate(2),
            enter_by_person: rate(2),
            session_by_person: rate(2),
            draft_by_person: rate(3),
            line_by_person: rate(2),
            loopback_is_free,
            keys_max,
        })
    }

    #[test]
    fn a_burst_is_allowed_and_the_next_request_has_to_wait() {
        let limits = limits(100, false);
        let address = "192.0.2.1".parse().ok();
        assert!(limits.enter_from(address).is_ok() && limits.enter_from(address).is_ok());
        let refused = limits.enter_from(address).unwrap_err();
        assert_eq!(refused.burst, 2);
        assert!(refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(1));
        assert!(limits.enter_from("192.0.2.2".parse().ok()).is_ok());
        let shared = (0..9).all(|_| limits.enter_from(None).is_ok());
        assert!(shared, "an address that many people share has no limit of its own");
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let limits = limits(100, false);
        for host in ["2001:db8::1", "2001:db8::2"] {
            assert!(limits.enter_from(host.parse().ok()).is_ok());
        }
        assert!(limits.enter_from("2001:db8::3".parse().ok()).is_err());
        assert!(limits.enter_from("2001:db8:0:1::3".parse().ok()).is_ok());
    }

    #[test]
    fn loopback_has_limits_except_in_a_demo() {
        for loopback_is_free in [false, true] {
            let limits = limits(100, loopback_is_free);
            for address in ["::ffff:127.0.0.1", "::1"] {
                let entered = (0..5).all(|_| limits.enter_from(address.parse().ok()).is_ok());
                let read = (0..5).all(|_| limits.read_from(address.parse().ok()).is_ok());
                assert_eq!((entered, read), (loopback_is_free, loopback_is_free));
            }
        }
    }

    #[test]
    fn drafts_have_a_rate_of_their_own() {
        let limits = limits(100, false);
        let person = Subject([1; 16]);
        assert!((0..3).all(|_| limits.draft_of(person).is_ok()));
        assert_eq!(limits.draft_of(person).unwrap_err().burst, 3);
        assert!(limits.draft_of(Subject([2; 16])).is_ok());
        assert!(limits.session_of(person).is_ok(), "everything else is counted apart");
    }

    #[test]
    fn a_person_who_repeats_requests_for_unknown_receipts_is_recorded_once_a_minute() {
        let limits = limits(100, false);
        let person = Subject([1; 16]);
        let recorded: Vec<_> = (1..=20).filter(|_| limits.repeats_unknown(person)).collect();
        assert_eq!(recorded, [5]);
        assert!(!limits.repeats_unknown(Subject([2; 16])));
    }

    #[test]
    fn keys_are_bounded() {
        let limits = limits(10, false);
        let admitted =
            (0..100).filter(|n| limits.enter_from(Some([192, 0, 2, *n].into())).is_ok()).count();
        assert_eq!(admitted, 10);
        limits.tidy();
        assert!(
            limits.enter_from(Some([192, 0, 2, 200].into())).is_err(),
            "no key has its burst back yet"
        );
    }
}
