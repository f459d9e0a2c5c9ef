//! Rate limits by address and by person, with a bound on the number of keys in memory.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};

use crate::vault::Subject;

/// How many requests one key may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, sustained.
    pub per_second: NonZeroU32,
    /// Requests in a burst.
    pub burst: NonZeroU32,
}

/// The limits of the public listener.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Entering, by address. Loopback addresses have no limit: they are a reverse proxy or a test.
    pub enter_by_address: Rate,
    /// Entering, by person.
    pub enter_by_person: Rate,
    /// Everything under a session, by person.
    pub session_by_person: Rate,
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
    enter_by_address: Keyed<IpAddr>,
    enter_by_person: Keyed<[u8; 16]>,
    session_by_person: Keyed<[u8; 16]>,
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
            enter_by_address: Keyed::new(config.enter_by_address, config.keys_max),
            enter_by_person: Keyed::new(config.enter_by_person, config.keys_max),
            session_by_person: Keyed::new(config.session_by_person, config.keys_max),
        }
    }

    /// Counts an attempt to enter from an address; all IPv6 addresses of a /64 share one key.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn enter_from(&self, address: IpAddr) -> Result<(), TooOften> {
        let address = address.to_canonical();
        if address.is_loopback() {
            Ok(())
        } else {
            self.enter_by_address.check(&network_of(address))
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

    /// Drops keys whose burst is available in full again. Call it every few seconds.
    pub fn tidy(&self) {
        self.enter_by_address.tidy();
        self.enter_by_person.tidy();
        self.session_by_person.tidy();
    }
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate, keys_max: usize) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::dashmap(quota),
            burst: rate.burst.get(),
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

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(keys_max: usize) -> Limits {
        let rate = |burst| Rate {
            per_second: NonZeroU32::new(1).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        Limits::new(&Config {
            enter_by_address: rate(2),
            enter_by_person: rate(2),
            session_by_person: rate(2),
            keys_max,
        })
    }

    #[test]
    fn a_burst_is_allowed_and_the_next_request_has_to_wait() {
        let limits = limits(100);
        let address = "192.0.2.1".parse().unwrap();
        assert!(limits.enter_from(address).is_ok() && limits.enter_from(address).is_ok());
        let refused = limits.enter_from(address).unwrap_err();
        assert_eq!(refused.burst, 2);
        assert!(refused.wait > Duration::ZERO && refused.wait <= Duration::from_secs(1));
        assert!(limits.enter_from("192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one_and_a_mapped_address_as_itself() {
        let limits = limits(100);
        for host in ["2001:db8::1", "2001:db8::2"] {
            assert!(limits.enter_from(host.parse().unwrap()).is_ok());
        }
        assert!(limits.enter_from("2001:db8::3".parse().unwrap()).is_err());
        assert!(limits.enter_from("2001:db8:0:1::3".parse().unwrap()).is_ok());
        for _ in 0..10 {
            assert!(limits.enter_from("::ffff:127.0.0.1".parse().unwrap()).is_ok());
        }
    }

    #[test]
    fn keys_are_bounded() {
        let limits = limits(10);
        let admitted =
            (0..100).filter(|n| limits.enter_from([192, 0, 2, *n].into()).is_ok()).count();
        assert_eq!(admitted, 10);
        limits.tidy();
        assert!(
            limits.enter_from([192, 0, 2, 200].into()).is_err(),
            "no key has its burst back yet"
        );
    }
}
