//! How many people may enter.

/// How many people may enter, as far as it is known outside of the room.
#[derive(Clone, Copy, Debug)]
pub struct Supply {
    /// People who may enter at this moment.
    pub free: usize,
    /// Free leases: `free` is less while the rate of admissions is the bound.
    pub places: usize,
    /// People who may enter while places are free.
    pub admissions: Rate,
    /// Polls for which there is CPU time.
    pub polls: Rate,
    /// Whether more people knock than can be let into the room.
    pub is_crowded: bool,
}

impl Supply {
    /// Free leases, and no other bound.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self {
            free: places,
            places,
            admissions: Rate::UNBOUNDED,
            polls: Rate::UNBOUNDED,
            is_crowded: false,
        }
    }
}

/// A number of people or requests a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// No bound.
    pub const UNBOUNDED: Self = Self(f64::INFINITY);

    /// This many a second.
    #[must_use]
    pub const fn per_second(number: f64) -> Self {
        Self(number)
    }

    /// The lower one of two rates.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// The higher one of two rates.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// The sum of two rates.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// A share of it.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self(self.0 * share)
    }

    /// How many there are of it for each of another rate.
    #[must_use]
    pub fn for_each_of(self, other: Self) -> f64 {
        self.0 / other.0
    }

    /// How many within some seconds.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "people")]
    pub fn within(self, seconds: u32) -> usize {
        (self.0 * f64::from(seconds)) as usize
    }

    /// Seconds until this many have come, rounded up; `None` if that takes longer than a `u32` can say.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of seconds"
    )]
    pub fn seconds_for(self, number: usize) -> Option<u32> {
        let seconds = (number as f64 / self.0).ceil();
        (seconds <= f64::from(u32::MAX)).then_some(seconds as u32)
    }
}
