//! ISCRO: income support for the self-employed whose income fell.
//!
//! Two statutes share one shape: L. 178/2020 art. 1 c. 386-400 (2021-2023, experimental) and
//! L. 213/2023 art. 1 c. 142-155 (2024 on, structural). What differs between them and from year to year
//! is data in `parameters/`; each requirement is a function in `requirements`.

mod amount;
pub mod assumptions;
mod case;
mod facts;
mod parameters;
mod requirements;
pub mod running;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_answers;

use jiff::civil::Date;

pub use facts::{
    Activity, ActivityKind, Consents, EarlierBenefit, Facts, Income, IncomeLine, Incomes,
    PoliticalOffice, Standing, TaxScheme, UnemploymentBenefit,
};
pub use parameters::{BenefitBase, Parameters, Statute};

use self::case::Case;
use super::answers::Answers;
use super::check::Check;
use super::decision::{Decision, Outcome};
use super::ground::{GROUNDS_MAX, Ground, Grounds, Requirement};

/// A requirement and the function that checks it.
type Rule = (Requirement, fn(&Case<'_>) -> Check);

/// Every requirement, in the order of the contract.
const RULES: [Rule; GROUNDS_MAX] = [
    (Requirement::Window, requirements::window),
    (Requirement::SeparateManagement, requirements::separate_management),
    (Requirement::NoDirectPension, requirements::no_direct_pension),
    (Requirement::NoOtherInsurance, requirements::no_other_insurance),
    (Requirement::IncomeDrop, requirements::income_drop),
    (Requirement::IncomeCeiling, requirements::income_ceiling),
    (Requirement::VatAge, requirements::vat_age),
    (Requirement::ContributionsRegular, requirements::contributions_regular),
    (Requirement::NoIncompatibleBenefit, requirements::no_incompatible_benefit),
    (Requirement::NoPaidOffice, requirements::no_paid_office),
    (Requirement::NotBarred, requirements::not_barred),
    (Requirement::Consents, requirements::consents),
];

/// Decides on the facts of an application with the answers of a registry, by the parameters of its year.
pub(super) fn decide(
    facts: &Facts,
    parameters: &Parameters,
    submitted_on: Date,
    answers: &Answers,
) -> Decision {
    let case = Case { facts, parameters, submitted_on, answers };
    let mut worst = amount::assessment(&case);
    let lines = RULES.map(|(requirement, check)| {
        let check = check(&case);
        worst = worst.max(check.assessment);
        Ground {
            requirement,
            met: check.met,
            found: check.found,
            required: check.required,
            source: parameters.source(requirement),
        }
    });
    let outcome = worst.outcome();
    let award = (outcome == Outcome::Granted).then(|| amount::award(&case));
    Decision { outcome, award, grounds: Grounds::of(lines), parameters: parameters.campaign() }
}
