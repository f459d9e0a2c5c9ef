//! The 600-euro allowance of March 2020: flat, for one month, not taxed.
//!
//! DL 18/2020 (*Cura Italia*) art. 27-31 and 38. Each category has its own article and requirements; a decision
//! lists those of its category only. The values of the decree are data in `parameters/`; each requirement is a
//! function in `requirements`.

pub mod assumptions;
mod facts;
mod parameters;
mod requirements;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

pub use facts::{Facts, Insurance, Occupation, OtherBenefits, OwnBusiness, Period};
pub use parameters::{Parameters, Values};

use self::requirements as rule;
use super::check::{Assessment, Check};
use super::decision::{Award, Decision, Outcome};
use super::ground::{Ground, Grounds, Requirement};
use crate::civic::{Euro, calendar};

/// The grounds of a decision so far, and the worst assessment among them.
struct Lines {
    grounds: Grounds,
    worst: Assessment,
}

impl Lines {
    fn add(&mut self, requirement: Requirement, check: Check, source: &'static str) {
        let Check { assessment, met, found, required } = check;
        self.worst = self.worst.max(assessment);
        self.grounds.push(Ground { requirement, met, found, required, source });
    }
}

/// Decides on the facts of an application.
pub(super) fn decide(facts: &Facts, parameters: &Parameters, submitted_on: Date) -> Decision {
    let sources = parameters.sources();
    let mut lines = Lines { grounds: Grounds::default(), worst: Assessment::Met };
    let window = rule::window(parameters.window(), submitted_on);
    lines.add(Requirement::Window, window, sources.window);
    let (article, benefits) = of_category(&facts.occupation, parameters, &mut lines);
    if let Some(benefits) = benefits {
        let pension = rule::no_direct_pension(benefits);
        lines.add(Requirement::NoDirectPension, pension, article);
        let incompatible = rule::no_incompatible_benefit(benefits);
        lines.add(Requirement::NoIncompatibleBenefit, incompatible, sources.articles.incompatible);
    }
    let consents = rule::consents(facts.truth_of_statements);
    lines.add(Requirement::Consents, consents, sources.articles.consents);

    let outcome = lines.worst.outcome();
    Decision {
        outcome,
        award: (outcome == Outcome::Granted).then(|| award(parameters.values())),
        grounds: lines.grounds,
        parameters: parameters.campaign(),
    }
}

/// Adds the requirements of the category's own article. Returns the article, and the facts about other benefits, which
/// every category but journalists has.
fn of_category(
    occupation: &Occupation,
    parameters: &Parameters,
    lines: &mut Lines,
) -> (&'static str, Option<OtherBenefits>) {
    use Requirement as R;
    let (values, sources) = (parameters.values(), parameters.sources());
    let articles = &sources.articles;
    let article = match occupation {
        Occupation::Professional { .. } | Occupation::Collaborator { .. } => {
            articles.separate_management
        }
        Occupation::OwnBusiness { .. } => articles.own_business,
        Occupation::SeasonalTourism { .. } => articles.seasonal_tourism,
        Occupation::FarmWorker { .. } => articles.farm_worker,
        Occupation::ShowBusiness { .. } => articles.show_business,
        Occupation::Journalist => articles.journalist,
    };
    let is_journalist = matches!(occupation, Occupation::Journalist);
    lines.add(R::RightOffice, rule::right_office(is_journalist), article);
    let benefits = match *occupation {
        Occupation::Professional { active, insurance, benefits, .. }
        | Occupation::Collaborator { active, insurance, benefits } => {
            let enrolled = rule::separate_management(insurance.enrolled);
            lines.add(R::SeparateManagement, enrolled, article);
            let active = rule::active_on_reference_day(active, values);
            lines.add(R::ActiveOnReferenceDay, active, sources.active_on);
            lines.add(R::NoOtherInsurance, rule::no_other_insurance(insurance.other), article);
            benefits
        }
        Occupation::OwnBusiness { insurance, benefits, .. } => {
            lines.add(R::SpecialFund, rule::special_fund(insurance.enrolled), article);
            lines.add(R::NoOtherInsurance, rule::no_other_insurance(insurance.other), article);
            benefits
        }
        Occupation::SeasonalTourism { seasonal, ended_on, involuntarily, employed, benefits } => {
            lines.add(R::SeasonalWork, rule::seasonal_work(seasonal), article);
            lines.add(R::JobEnded, rule::job_ended(ended_on, values), sources.job_ended);
            let involuntarily = rule::job_ended_involuntarily(involuntarily);
            lines.add(R::JobEndedInvoluntarily, involuntarily, article);
            lines.add(R::NotEmployed, rule::not_employed(employed), sources.not_employed);
            benefits
        }
        Occupation::FarmWorker { fixed_term, work_days, benefits } => {
            lines.add(R::FixedTermWork, rule::fixed_term_work(fixed_term), article);
            lines.add(R::WorkDays, rule::work_days(work_days, values), sources.work_days);
            benefits
        }
        Occupation::ShowBusiness { enrolled, contributions, income, employed, benefits } => {
            lines.add(R::ShowBusinessFund, rule::show_business_fund(enrolled), article);
            let contributions = rule::daily_contributions(contributions, values);
            lines.add(R::DailyContributions, contributions, sources.daily_contributions);
            let income = rule::income_ceiling(income, values);
            lines.add(R::IncomeCeiling, income, sources.income_ceiling);
            lines.add(R::NotEmployed, rule::not_employed(employed), sources.not_employed);
            benefits
        }
        Occupation::Journalist => return (article, None),
    };
    (article, Some(benefits))
}

/// The award, the same for everyone; it is not taxed, so nothing is withheld.
fn award(values: &Values) -> Award {
    let months = i64::from(values.months);
    Award {
        monthly: values.amount,
        gross_total: Euro::from_cents(values.amount.cents().saturating_mul(months)),
        withheld_monthly: Euro::ZERO,
        months: values.months,
        starts_on: values.starts_on,
        ends_on: calendar::period_end(values.starts_on, values.months),
    }
}
