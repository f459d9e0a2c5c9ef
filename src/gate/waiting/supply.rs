//! How many people may enter.

/// How many people may enter, as far as it is known outside of the room.
#[derive(Clone, Copy, Debug)]
pub struct Supply {
    /// People who may enter at this moment.
    pub free: usize,
    /// Free leases: `free` is less while the rate of admissions is the bound.
    pub places: usize,
    /// People a second who may enter while places are free.
    pub per_second: f64,
    /// Polls a second for which there is CPU time.
    pub polls_per_second: f64,
}

impl Supply {
    /// Free leases, and no other bound.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self { free: places, places, per_second: f64::INFINITY, polls_per_second: f64::INFINITY }
    }
}
