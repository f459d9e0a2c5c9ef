//! The search for the highest rate that holds: doubling, then halving the gap.

/// Above the rate that held by this factor while nothing broke yet, and below the one that broke while nothing held.
const GROWTH: f64 = 2.0;
/// Below it nobody looks for a capacity, sessions a second.
const RATE_MIN: f64 = 0.1;
/// Above it no schedule fits into a run, sessions a second.
const RATE_MAX: f64 = 1e6;

/// Which rate to try next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    first: f64,
    held: Option<f64>,
    broke: Option<f64>,
    precision: f64,
    steps_left: u32,
}

impl Search {
    /// A search that begins at `first`, ends when the rate that held and the one that broke are within `precision` of each
    /// other, such as 0.05, and takes `steps_max` steps at most.
    #[must_use]
    pub fn new(first: f64, precision: f64, steps_max: u32) -> Self {
        Self { first, held: None, broke: None, precision, steps_left: steps_max }
    }

    /// The rate to try next; `None` when the search is over.
    pub fn next_rate(&mut self) -> Option<f64> {
        let rate = match (self.held, self.broke) {
            (None, None) => self.first,
            (Some(held), None) => held * GROWTH,
            (None, Some(broke)) => broke / GROWTH,
            (Some(held), Some(broke)) if broke / held <= 1.0 + self.precision => return None,
            // The geometric mean: a rate's error counts by its ratio.
            (Some(held), Some(broke)) => (held * broke).sqrt(),
        };
        if self.steps_left == 0 || !(RATE_MIN..=RATE_MAX).contains(&rate) {
            return None;
        }
        self.steps_left -= 1;
        Some(rate)
    }

    /// Tells whether `rate` held.
    pub fn tell(&mut self, rate: f64, held: bool) {
        let place = if held { &mut self.held } else { &mut self.broke };
        *place = Some(rate);
    }

    /// The highest rate that held.
    #[must_use]
    pub fn held(&self) -> Option<f64> {
        self.held
    }

    /// The lowest rate that broke.
    #[must_use]
    pub fn broke(&self) -> Option<f64> {
        self.broke
    }
}

#[cfg(test)]
mod tests {
    use super::Search;

    fn found(capacity: f64, first: f64, steps_max: u32) -> (Search, u32) {
        let mut search = Search::new(first, 0.05, steps_max);
        let mut steps = 0;
        while let Some(rate) = search.next_rate() {
            search.tell(rate, rate <= capacity);
            steps += 1;
        }
        (search, steps)
    }

    #[test]
    fn the_capacity_is_found_from_below_and_from_above() {
        for (capacity, first) in [(1730.0, 100.0), (37.0, 1000.0), (100.0, 100.0)] {
            let (search, steps) = found(capacity, first, 40);
            let held = search.held().expect("something held");
            assert!(held <= capacity && held >= capacity / 1.05, "{held} of {capacity}");
            assert!(search.broke().expect("something broke") / held <= 1.05);
            assert!(steps <= 12, "{steps}");
        }
    }

    #[test]
    fn a_search_is_bounded_in_steps_and_in_rates() {
        assert_eq!(found(1e9, 100.0, 6).1, 6);
        let (search, _) = found(0.0, 100.0, 40);
        assert_eq!(search.held(), None);
        let (search, _) = found(1e9, 100.0, 40);
        assert_eq!(search.broke(), None);
    }
}
