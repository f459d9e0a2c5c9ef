//! One application as the rules of its year see it.

use jiff::civil::Date;

use super::assumptions::ANSWER_COUNTS_OVER_STATEMENT;
use super::facts::Facts;
use super::parameters::Parameters;
use crate::civic::Euro;
use crate::schemes::answers::Answers;

/// One application, and everything that its decision depends on.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) facts: &'a Facts,
    pub(super) parameters: &'a Parameters,
    pub(super) submitted_on: Date,
    pub(super) answers: &'a Answers,
}

impl Case<'_> {
    /// The income of a number of years before the application: the institute's own figure, else the one declared.
    pub(super) fn income(&self, years_back: u8) -> Option<Euro> {
        let declared = self.facts.incomes.years_back(years_back).map(|income| income.amount);
        let year = self.parameters.campaign().year - i16::from(years_back);
        preferred(self.answers.income(year), declared)
    }

    /// The years between the earliest reference year and the application.
    fn earliest_years_back(&self) -> u8 {
        self.parameters.statute().reference_years + 1
    }

    /// The sum over the reference years, in cents; a missing year counts as zero.
    pub(super) fn reference_income_cents(&self) -> i128 {
        (2..=self.earliest_years_back())
            .map(|years_back| i128::from(self.income(years_back).unwrap_or_default().cents()))
            .sum()
    }

    /// Whether the last or a reference year is missing or has a loss.
    pub(super) fn lacks_income(&self) -> bool {
        (1..=self.earliest_years_back())
            .any(|years_back| self.income(years_back).is_none_or(|amount| amount < Euro::ZERO))
    }
}

/// The answer or the declared value, whichever takes precedence; the other one if it is missing.
pub(super) fn preferred<T>(answered: Option<T>, declared: Option<T>) -> Option<T> {
    if ANSWER_COUNTS_OVER_STATEMENT { answered.or(declared) } else { declared.or(answered) }
}
