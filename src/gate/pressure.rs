//! Load shedding inside: the more requests of sessions are under way, the more classes of them are refused.
//!
//! Classes in the order in which they are refused: `read`, `step`. `finish` is never refused, because its capacity was
//! reserved on entering. Requests of people outside are bounded by their CPU time instead
//! ([`admission`](super::admission)).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Priority of a request under load: the lowest is shed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Asks to enter: the admission controller decides.
    Enter = 0,
    /// Reads.
    Read = 1,
    /// Prepares: a draft, an estimate, a withdrawal.
    Step = 2,
    /// Submits an application.
    Finish = 3,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Enter, Self::Read, Self::Step, Self::Finish];

    /// The class's name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::Read => "read",
            Self::Step => "step",
            Self::Finish => "finish",
        }
    }

    /// Requests under way from which this class is refused, in percent of the maximum; `None` if it is bounded by
    /// something else: `enter` by the admission controller, `finish` by leases.
    const fn refused_from_percent(self) -> Option<usize> {
        match self {
            Self::Enter | Self::Finish => None,
            Self::Read => Some(70),
            Self::Step => Some(85),
        }
    }
}

/// Counts the requests under way on the public listener, over all runtimes.
#[derive(Clone)]
pub struct Pressure(Arc<Load>);

struct Load {
    requests_max: usize,
    under_way: AtomicUsize,
}

/// A request that is under way, until this is dropped.
pub struct Admitted(Arc<Load>);

/// Too many requests are under way for this class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed(pub Class);

impl Pressure {
    /// At most `requests_max` requests under way, not counting `finish`.
    #[must_use]
    pub fn new(requests_max: usize) -> Self {
        Self(Arc::new(Load { requests_max, under_way: AtomicUsize::new(0) }))
    }

    /// Admits a request of `class`.
    ///
    /// # Errors
    /// [`Shed`]: refuse the request before its body is read.
    pub fn admit(&self, class: Class) -> Result<Admitted, Shed> {
        let under_way = self.0.under_way.fetch_add(1, Ordering::AcqRel);
        // Made before the check: if the request is refused, dropping it reduces the count again.
        let admitted = Admitted(Arc::clone(&self.0));
        let full = |percent| under_way >= self.0.requests_max.saturating_mul(percent) / 100;
        if class.refused_from_percent().is_some_and(full) {
            return Err(Shed(class));
        }
        Ok(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_promised_goes_first_and_finish_never() {
        let pressure = Pressure::new(100);
        let mut held = Vec::new();
        let mut refused_from = Vec::new();
        for class in [Class::Read, Class::Step, Class::Finish] {
            while held.len() < 200 {
                match pressure.admit(class) {
                    Ok(admitted) => held.push(admitted),
                    Err(Shed(shed)) => {
                        assert_eq!(shed, class);
                        break;
                    }
                }
            }
            refused_from.push(held.len());
        }
        assert_eq!(refused_from, [70, 85, 200]);
        held.clear();
        assert!(pressure.admit(Class::Read).is_ok());
    }
}
