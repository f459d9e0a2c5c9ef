//! The amount and the duration of ISCRO.

use super::assumptions::{HALF_CENT_GOES_UP, INCOME_MISSING_OR_LOSS};
use super::case::Case;
use super::facts::TaxScheme;
use super::parameters::BenefitBase;
use crate::civic::{Euro, calendar};
use crate::schemes::check::Assessment;
use crate::schemes::decision::Award;

/// Whether the amount can be computed without an officer: not from a certified loss.
pub(super) fn assessment(case: &Case<'_>) -> Assessment {
    match (case.parameters.statute().benefit_base, case.facts.certified_income) {
        (BenefitBase::CertifiedIncome, Some(income)) if income >= Euro::ZERO => Assessment::Met,
        (BenefitBase::CertifiedIncome, _) => INCOME_MISSING_OR_LOSS,
        (BenefitBase::ReferenceMean, _) => Assessment::Met,
    }
}

/// The award of an application that is granted.
pub(super) fn award(case: &Case<'_>) -> Award {
    let statute = case.parameters.statute();
    let monthly = monthly(case);
    let withholding = match case.facts.tax_scheme {
        TaxScheme::Ordinary => i128::from(statute.withholding_percent),
        TaxScheme::FlatRate => 0,
    };
    // "From the day after the application": that day is the first of the period.
    let starts_on = case.submitted_on.tomorrow().unwrap_or(case.submitted_on);
    Award {
        monthly,
        gross_total: Euro::from_cents(monthly.cents().saturating_mul(i64::from(statute.months))),
        withheld_monthly: rounded(i128::from(monthly.cents()) * withholding, 100),
        months: statute.months,
        starts_on,
        ends_on: calendar::period_end(starts_on, statute.months),
    }
}

/// The monthly amount: the statute's percentage of half its base, between the year's minimum and maximum.
fn monthly(case: &Case<'_>) -> Euro {
    let statute = case.parameters.statute();
    let (income_cents, years) = match statute.benefit_base {
        BenefitBase::ReferenceMean => {
            (case.reference_income_cents(), i128::from(statute.reference_years))
        }
        BenefitBase::CertifiedIncome => {
            (i128::from(case.facts.certified_income.unwrap_or_default().cents()), 1)
        }
    };
    // Mean, half and percentage in one fraction, so that only the result is rounded.
    let numerator = income_cents * i128::from(statute.benefit_percent_of_half);
    let amount = rounded(numerator, years * 2 * 100);
    // Rounding keeps the order and the bounds are whole cents: clamping afterwards gives the same as clamping the
    // exact amount.
    amount.clamp(case.parameters.monthly_min(), case.parameters.monthly_max())
}

/// A fraction of cents, rounded to the cent.
fn rounded(numerator: i128, denominator: i128) -> Euro {
    let half = if HALF_CENT_GOES_UP { denominator } else { denominator - 1 };
    let cents = (2 * numerator + half).div_euclid(2 * denominator);
    Euro::from_cents(i64::try_from(cents).unwrap_or(if cents < 0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_cent_goes_up() {
        for (numerator, denominator, cents) in [
            (1_100_200, 16, 68_763),
            (1, 2, 1),
            (1, 3, 0),
            (2, 3, 1),
            (-1, 2, 0),
            (-3, 2, -1),
            (7, 1, 7),
        ] {
            assert_eq!(rounded(numerator, denominator).cents(), cents, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn a_fraction_beyond_all_bounds_saturates() {
        assert_eq!(rounded(i128::from(i64::MAX) * 2, 1).cents(), i64::MAX);
        assert_eq!(rounded(i128::from(i64::MIN) * 2, 1).cents(), i64::MIN);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn rounding_moves_by_half_a_cent_at_most(numerator in -1_000_000..1_000_000_i128, by in 1..500_i128) {
            let error = 2 * (i128::from(rounded(numerator, by).cents()) * by - numerator);
            prop_assert!(-by < error && error <= by);
        }
    }
}
