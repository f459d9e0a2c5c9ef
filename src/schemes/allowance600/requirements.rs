//! The requirements of the allowance, a function each.

use jiff::civil::Date;

use super::assumptions::CLOSING_DAY_COUNTS_AS_ACTIVE;
use super::facts::{OtherBenefits, Period};
use super::parameters::Values;
use crate::civic::Euro;
use crate::schemes::campaign::CampaignWindow;
use crate::schemes::check::Check;
use crate::schemes::ground::Finding;

/// The office at which the allowance is claimed, and the one for journalists.
const THIS_OFFICE: &str = "INPS";
const OFFICE_OF_JOURNALISTS: &str = "INPGI: apply there";

/// Applied inside the window, both ends included. DL 34/2020 art. 84 c. 14.
pub(super) fn window(window: CampaignWindow, submitted_on: Date) -> Check {
    Check::of(
        window.contains(submitted_on),
        Finding::Date(submitted_on),
        Finding::DateRange(window.opens_on, window.closes_on),
    )
}

/// Applied at the office that pays the category: journalists insured with INPGI go there. Art. 44.
pub(super) fn right_office(is_journalist: bool) -> Check {
    let found = if is_journalist { OFFICE_OF_JOURNALISTS } else { THIS_OFFICE };
    Check::of(!is_journalist, Finding::Text(found), Finding::Text(THIS_OFFICE))
}

/// Enrolled in *Gestione separata*. Art. 27.
pub(super) fn separate_management(enrolled: bool) -> Check {
    Check::flag(enrolled, true)
}

/// Enrolled in the special fund of artisans, traders or farmers. Art. 28.
pub(super) fn special_fund(enrolled: bool) -> Check {
    Check::flag(enrolled, true)
}

/// Enrolled in the pension fund of show business. Art. 38.
pub(super) fn show_business_fund(enrolled: bool) -> Check {
    Check::flag(enrolled, true)
}

/// No pension. Art. 27-30 and 38.
pub(super) fn no_direct_pension(benefits: OtherBenefits) -> Check {
    Check::flag(benefits.direct_pension, false)
}

/// No compulsory pension insurance other than the category's own; for art. 28 *Gestione separata* does not
/// count. Art. 27 and 28.
pub(super) fn no_other_insurance(insured: bool) -> Check {
    Check::flag(insured, false)
}

/// The VAT number or the contract active on the reference day. Art. 27.
pub(super) fn active_on_reference_day(active: Period, values: &Values) -> Check {
    let day = values.active_on;
    let met = active.first <= day
        && active
            .last
            .is_none_or(|last| if CLOSING_DAY_COUNTS_AS_ACTIVE { day <= last } else { day < last });
    Check::of(met, Finding::DateSpan(active.first, active.last), Finding::DateWithin(day))
}

/// Seasonal employment in tourism or at a spa. Art. 29.
pub(super) fn seasonal_work(seasonal: bool) -> Check {
    Check::flag(seasonal, true)
}

/// The seasonal job ended between two days, both included. Art. 29.
pub(super) fn job_ended(ended_on: Option<Date>, values: &Values) -> Check {
    let (since, until) = (values.job_ended_since, values.job_ended_until);
    let found = ended_on.map_or(Finding::Text("none"), Finding::Date);
    let met = ended_on.is_some_and(|day| (since..=until).contains(&day));
    Check::of(met, found, Finding::DateRange(since, until))
}

/// The seasonal job ended against the worker's will. Art. 29.
pub(super) fn job_ended_involuntarily(involuntarily: bool) -> Check {
    Check::flag(involuntarily, true)
}

/// No employment on the reference day. Art. 29 and 38.
pub(super) fn not_employed(employed: bool) -> Check {
    Check::flag(employed, false)
}

/// Farm work with a fixed term. Art. 30.
pub(super) fn fixed_term_work(fixed_term: bool) -> Check {
    Check::flag(fixed_term, true)
}

/// The minimum days of farm work in the year before. Art. 30.
pub(super) fn work_days(days: u16, values: &Values) -> Check {
    at_least(days, values.work_days_min)
}

/// The minimum daily contributions to the show-business fund in the year before. Art. 38.
pub(super) fn daily_contributions(days: u16, values: &Values) -> Check {
    at_least(days, values.daily_contributions_min)
}

/// Income of show-business workers in the year before not above the ceiling. Art. 38.
pub(super) fn income_ceiling(income: Euro, values: &Values) -> Check {
    let ceiling = values.income_ceiling;
    Check::of(income <= ceiling, Finding::Euro(income), Finding::EuroAtMost(ceiling))
}

/// No *Reddito di cittadinanza*. Art. 31.
///
/// The kinds of the allowance exclude each other; the ledger ensures this, since a person has one application in the
/// campaign, whatever the category.
pub(super) fn no_incompatible_benefit(benefits: OtherBenefits) -> Check {
    let found = if benefits.citizens_income { "citizensIncome" } else { "none" };
    Check::of(!benefits.citizens_income, Finding::Text(found), Finding::Text("none"))
}

/// The declaration that the statements are true. DPR 445/2000 art. 46-47.
pub(super) fn consents(truth_of_statements: bool) -> Check {
    let found = if truth_of_statements { "truthOfStatements" } else { "none" };
    Check::of(truth_of_statements, Finding::Text(found), Finding::Text("truthOfStatements"))
}

fn at_least(found: u16, required: u16) -> Check {
    Check::of(found >= required, Finding::Count(found), Finding::CountAtLeast(required))
}
