//! The search for the highest rate that holds: doubles the rate, then bisects.

/// Factor between two rates while none broke yet, or none held yet.
const GROWTH: f64 = 2.0;
/// Lowest rate tried, sessions a second.
const RATE_MIN: f64 = 0.1;
/// Highest rate tried, sessions a second; no schedule beyond it fits into a run.
const RATE_MAX: f64 = 1e6;

/// Chooses the rate to try next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    first: f64,
    held: Option<f64>,
    broke: Option<f64>,
    precision: f64,
    steps_left: u32,
}

impl Search {
    /// A search that begins at `first` and takes at most `steps_max` steps.
    ///
    /// It ends when the rate that held and the rate that broke differ by at most the share `precision`, such as 0.05.
    #[must_use]
    pub fn new(first: f64, precision: f64, steps_max: u32) -> Self {
        Self { first, held: None, broke: None, precision, steps_left: steps_max }
    }

    /// Returns the rate to try next; `None` when the search is over.
    pub fn next_rate(&mut self) -> Option<f64> {
        let rate = match (self.held, self.broke) {
            (None, None) => self.first,
            (Some(held), None) => held * GROWTH,
            (None, Some(broke)) => broke / GROWTH,
            (Some(held), Some(broke)) if broke / held <= 1.0 + self.precision => return None,
            // The geometric mean, because precision is a ratio.
            (Some(held), Some(broke)) => (held * broke).sqrt(),
        };
        if self.steps_left == 0 || !(RATE_MIN..=RATE_MAX).contains(&rate) {
            return None;
        }
        self.steps_left -= 1;
        Some(rate)
    }

    /// Records whether `rate` held.
    pub fn record(&mut self, rate: f64, held: bool) {
        let place = if held { &mut self.held } else { &mut self.broke };
        *place = Some(rate);
    }

    /// Highest rate that held.
    #[must_use]
    pub fn held(&self) -> Option<f64> {
        self.held
    }

    /// Lowest rate that broke.
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
            search.record(rate, rate <= capacity);
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
