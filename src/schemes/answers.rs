//! What the institute itself knows about an applicant.

use std::fmt;

use crate::civic::Euro;

/// The most years of income that any rules look at: the last year and three to compare it with.
pub const INCOME_YEARS_MAX: usize = 4;

/// Answers of a registry about one person: inputs of a decision, like the application.
///
/// An answer takes precedence over the applicant's statement. Personal data, so `Debug` prints none of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    contributions_regular: Option<bool>,
    first_year: i16,
    incomes: [Option<Euro>; INCOME_YEARS_MAX],
}

impl Answers {
    /// No answer at all.
    pub const NONE: Self =
        Self { contributions_regular: None, first_year: 0, incomes: [None; INCOME_YEARS_MAX] };

    /// Answers about the contributions, and about the incomes of the years from `first_year` on.
    #[must_use]
    pub const fn new(
        contributions_regular: Option<bool>,
        first_year: i16,
        incomes: [Option<Euro>; INCOME_YEARS_MAX],
    ) -> Self {
        Self { contributions_regular, first_year, incomes }
    }

    /// Whether contributions are in order (*DURC online*); `None` if not answered.
    #[must_use]
    pub const fn contributions_regular(&self) -> Option<bool> {
        self.contributions_regular
    }

    /// The income of a year as the institute holds it; negative for a loss.
    #[must_use]
    pub fn income(&self, year: i16) -> Option<Euro> {
        let place = usize::try_from(i32::from(year) - i32::from(self.first_year)).ok()?;
        self.incomes.get(place).copied().flatten()
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_income_is_found_under_its_year_and_no_other() {
        let amount = Some(Euro::from_cents(300_000));
        let answers = Answers::new(Some(true), 2021, [None, None, amount, None]);
        assert_eq!(answers.income(2023), amount);
        for year in [i16::MIN, 0, 2020, 2021, 2024, 2025, i16::MAX] {
            assert_eq!(answers.income(year), None, "{year}");
        }
        assert_eq!(answers.contributions_regular(), Some(true));
        assert_eq!(format!("{answers:?}"), "Answers(..)");
        assert!(Answers::default().income(0).is_none());
    }
}
