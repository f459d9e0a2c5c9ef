//! The requirements of ISCRO, a function each.
//!
//! The paragraphs named here are those of L. 213/2023 art. 1; a decision cites the statute of its year.

use super::assumptions::{INCOME_MISSING_OR_LOSS, SAME_YEAR_BARS, VAT_ANNIVERSARY_COUNTS};
use super::case::{Case, preferred};
use super::facts::{PoliticalOffice, UnemploymentBenefit};
use crate::civic::{Euro, calendar};
use crate::schemes::check::{Assessment, Check};
use crate::schemes::ground::Finding;

/// Applied inside the year's window, both ends included. C. 142-155 and the yearly notice.
pub(super) fn window(case: &Case<'_>) -> Check {
    let window = case.parameters.window();
    Check::of(
        window.contains(case.submitted_on),
        Finding::Date(case.submitted_on),
        Finding::DateRange(window.opens_on, window.closes_on),
    )
}

/// Enrolled in *Gestione separata* with a profession, also as a partner. C. 143.
pub(super) fn separate_management(case: &Case<'_>) -> Check {
    Check::flag(case.facts.standing.separate_management, true)
}

/// No direct pension; the ordinary invalidity allowance (L. 222/1984) does not count as one. C. 144 lett. a.
pub(super) fn no_direct_pension(case: &Case<'_>) -> Check {
    Check::flag(case.facts.standing.direct_pension, false)
}

/// No other compulsory pension insurance. C. 144 lett. a.
pub(super) fn no_other_insurance(case: &Case<'_>) -> Check {
    Check::flag(case.facts.standing.other_compulsory_insurance, false)
}

/// Last year's income strictly below the statute's percentage of the mean of the reference years. C. 144 lett. c.
///
/// A missing year or a loss goes to an officer, whatever the comparison gives.
pub(super) fn income_drop(case: &Case<'_>) -> Check {
    let statute = case.parameters.statute();
    let last = case.income(1);
    let numerator = case.reference_income_cents() * i128::from(statute.drop_below_percent);
    let denominator = 100 * i128::from(statute.reference_years);
    let met = i128::from(last.unwrap_or_default().cents()) * denominator < numerator;
    // A limit between two cents is the same as "at most the lower one".
    let cents = i64::try_from(numerator.div_euclid(denominator)).unwrap_or(i64::MAX);
    let required = if numerator.rem_euclid(denominator) == 0 {
        Finding::EuroBelow(Euro::from_cents(cents))
    } else {
        Finding::EuroAtMost(Euro::from_cents(cents))
    };
    let mut check = Check::of(met, last.map_or(Finding::Unknown, Finding::Euro), required);
    if case.lacks_income() {
        check.assessment = INCOME_MISSING_OR_LOSS;
        check.met = met && last.is_some();
    }
    check
}

/// Last year's income not above the ceiling. C. 144 lett. d.
pub(super) fn income_ceiling(case: &Case<'_>) -> Check {
    let ceiling = case.parameters.income_ceiling();
    let required = Finding::EuroAtMost(ceiling);
    match case.income(1) {
        Some(income) => Check::of(income <= ceiling, Finding::Euro(income), required),
        None => Check {
            assessment: INCOME_MISSING_OR_LOSS,
            met: false,
            found: Finding::Unknown,
            required,
        },
    }
}

/// The VAT number active for the required years on the day of the application. C. 144 lett. f.
pub(super) fn vat_age(case: &Case<'_>) -> Check {
    let counted_on = if VAT_ANNIVERSARY_COUNTS {
        case.submitted_on
    } else {
        case.submitted_on.yesterday().unwrap_or(case.submitted_on)
    };
    let latest = calendar::latest_with_anniversary(counted_on, case.parameters.vat_years());
    let opened_on = case.facts.activity.vat_opened_on;
    Check::of(opened_on <= latest, Finding::Date(opened_on), Finding::DateAtMost(latest))
}

/// Contributions in order (*DURC online*, DM 30-1-2015); the answer may come later. C. 144 lett. e.
pub(super) fn contributions_regular(case: &Case<'_>) -> Check {
    let declared = case.facts.standing.contributions_regular;
    match preferred(case.answers.contributions_regular(), declared) {
        Some(regular) => Check::flag(regular, true),
        None => Check {
            assessment: Assessment::Pending,
            met: false,
            found: Finding::Unknown,
            required: Finding::Flag(true),
        },
    }
}

/// No inclusion allowance and no unemployment benefit. C. 144 lett. b; INPS circ. 84/2024.
pub(super) fn no_incompatible_benefit(case: &Case<'_>) -> Check {
    let standing = &case.facts.standing;
    let found = match (standing.inclusion_allowance, standing.unemployment_benefit) {
        (false, UnemploymentBenefit::None) => "none",
        (false, UnemploymentBenefit::Naspi) => "naspi",
        (false, UnemploymentBenefit::DisColl) => "disColl",
        (false, UnemploymentBenefit::Alas) => "alas",
        (true, UnemploymentBenefit::None) => "inclusionAllowance",
        (true, UnemploymentBenefit::Naspi) => "inclusionAllowance, naspi",
        (true, UnemploymentBenefit::DisColl) => "inclusionAllowance, disColl",
        (true, UnemploymentBenefit::Alas) => "inclusionAllowance, alas",
    };
    Check::of(found == "none", Finding::Text(found), Finding::Text("none"))
}

/// No elective or political office, except one paid by attendance fee only. INPS circ. 84/2024.
pub(super) fn no_paid_office(case: &Case<'_>) -> Check {
    let (met, found) = match case.facts.standing.political_office {
        PoliticalOffice::None => (true, "none"),
        PoliticalOffice::AttendanceFee => (true, "attendanceFee"),
        PoliticalOffice::Paid => (false, "paid"),
    };
    Check::of(met, Finding::Text(found), Finding::Text("none or attendanceFee"))
}

/// No ISCRO benefit that began in the barred years. C. 142-155.
///
/// Refused applications and benefits revoked from the outset never began and are not listed.
pub(super) fn not_barred(case: &Case<'_>) -> Check {
    let statute = case.parameters.statute();
    let year = case.parameters.campaign().year;
    let first = (year - i16::from(statute.barred_for_years)).max(statute.bar_counts_since);
    let last = if SAME_YEAR_BARS { year } else { year - 1 };
    let barring = case
        .facts
        .earlier_benefits
        .iter()
        .map(|benefit| benefit.begun_in)
        .filter(|begun_in| (first..=last).contains(begun_in))
        .max();
    let found = barring.map_or(Finding::Text("none"), Finding::Year);
    Check::of(barring.is_none(), found, Finding::NoYearIn(first, last))
}

/// The declaration that the statements are true, and from 2024 the consent to pass contact data to SIISL. C. 142-155.
pub(super) fn consents(case: &Case<'_>) -> Check {
    let given = case.facts.consents;
    let found = match (given.truth_of_statements, given.siisl_sharing) {
        (true, true) => "truthOfStatements, siislSharing",
        (true, false) => "truthOfStatements",
        (false, true) => "siislSharing",
        (false, false) => "none",
    };
    let asks_siisl = case.parameters.statute().siisl_consent;
    let required = if asks_siisl { "truthOfStatements, siislSharing" } else { "truthOfStatements" };
    let met = given.truth_of_statements && (given.siisl_sharing || !asks_siisl);
    Check::of(met, Finding::Text(found), Finding::Text(required))
}
