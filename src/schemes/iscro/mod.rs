//! ISCRO: income support for the self-employed whose income fell.
//!
//! Two statutes share one shape: L. 178/2020 art. 1 c. 386-400 (2021-2023, experimental) and
//! L. 213/2023 art. 1 c. 142-155 (2024 on, structural). What differs between them and from year to year
//! is data in `parameters/`; what a requirement means is a function of its own in `requirements`.

mod amount;
pub mod assumptions;
mod parameters;
mod requirements;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

pub use parameters::{BenefitBase, Parameters, Statute};

use super::check::Check;
use super::decision::{Decision, Outcome};
use super::ground::{GROUNDS_MAX, Ground, Grounds, Requirement};
use crate::application::Iscro;

/// One application before the rules of its year.
#[derive(Clone, Copy)]
struct Case<'a> {
    facts: &'a Iscro,
    parameters: &'a Parameters,
    submitted_on: Date,
}

/// A requirement, and the function that checks it.
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

/// Decides on the facts of an application by the parameters of its year.
pub(super) fn decide(facts: &Iscro, parameters: &Parameters, submitted_on: Date) -> Decision {
    let case = Case { facts, parameters, submitted_on };
    let mut worst = amount::verdict(&case);
    let lines = RULES.map(|(requirement, check)| {
        let check = check(&case);
        worst = worst.max(check.verdict);
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
