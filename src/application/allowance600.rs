//! The schema of an application for the 600-euro allowance of March 2020.
//!
//! It has a `category`, and in `facts` exactly what the article of that category asks for:
//!
//! | category | law | facts |
//! |---|---|---|
//! | `professional` | DL 18/2020 art. 27 | `vatNumber`, `vatOpenedOn`, `vatClosedOn` (missing or null while active), `separateManagement`, `otherCompulsoryInsurance` |
//! | `collaborator` | art. 27 | `contractStartedOn`, `contractEndedOn` (missing or null while it runs), `separateManagement`, `otherCompulsoryInsurance` |
//! | `artisan`, `trader`, `farmer` | art. 28 | `specialFund`, `otherCompulsoryInsurance` (*Gestione separata* does not count) |
//! | `seasonalTourism` | art. 29 | `seasonalWork`, `jobEndedOn` (null if it has not ended), `jobEndedInvoluntarily`, `employedOnReferenceDay` |
//! | `farmWorker` | art. 30 | `fixedTermWork`, `workDays` (in 2019) |
//! | `showBusiness` | art. 38 | `showBusinessFund`, `dailyContributions` (in 2019), `income` (of 2019), `employedOnReferenceDay` |
//! | `journalist` | art. 44 | none: journalists apply to INPGI |
//!
//! Every category but `journalist` also has `directPension` (art. 27-30 and 38) and `citizensIncome` (art. 31).
//! There is no `year`: the scheme has one campaign.

use super::fault::FaultCode;
use super::fields::{self, one_of};
use super::walk::{Cursor, Object};
use crate::schemes::allowance600::{
    Facts, Insurance, Occupation, OtherBenefits, OwnBusiness, Period,
};

/// Days of a year: the most that can be worked in one.
const DAYS_MAX: u16 = 366;

/// The facts of all categories, to distinguish a fact of another category from a misspelt name.
const FACTS: [&str; 19] = [
    "vatNumber",
    "vatOpenedOn",
    "vatClosedOn",
    "contractStartedOn",
    "contractEndedOn",
    "separateManagement",
    "specialFund",
    "otherCompulsoryInsurance",
    "seasonalWork",
    "jobEndedOn",
    "jobEndedInvoluntarily",
    "employedOnReferenceDay",
    "fixedTermWork",
    "workDays",
    "showBusinessFund",
    "dailyContributions",
    "income",
    "directPension",
    "citizensIncome",
];

/// A category, before its facts are parsed.
#[derive(Clone, Copy)]
enum Category {
    Professional,
    Collaborator,
    OwnBusiness(OwnBusiness),
    SeasonalTourism,
    FarmWorker,
    ShowBusiness,
    Journalist,
}

/// Parses the fields that only this scheme has.
pub(super) fn facts(document: &mut Object<'_, '_>, year: Option<i16>) -> Option<Facts> {
    let category = document.required("category", category);
    let occupation = document.required("facts", |cursor| {
        cursor.object(|facts| {
            let Some(category) = category else {
                // The facts depend on the category: no more faults can be reported.
                facts.ignore_rest();
                return None;
            };
            let occupation = occupation(facts, category);
            facts.refuse(&FACTS, FaultCode::OtherCategory);
            occupation
        })
    });
    let truth_of_statements = document.required("consents", |cursor| {
        cursor.object(|consents| consents.required("truthOfStatements", fields::flag))
    });
    Some(Facts { year: year?, occupation: occupation?, truth_of_statements: truth_of_statements? })
}

fn category(cursor: Cursor<'_, '_>) -> Option<Category> {
    one_of(
        cursor,
        &[
            ("professional", Category::Professional),
            ("collaborator", Category::Collaborator),
            ("artisan", Category::OwnBusiness(OwnBusiness::Artisan)),
            ("trader", Category::OwnBusiness(OwnBusiness::Trader)),
            ("farmer", Category::OwnBusiness(OwnBusiness::Farmer)),
            ("seasonalTourism", Category::SeasonalTourism),
            ("farmWorker", Category::FarmWorker),
            ("showBusiness", Category::ShowBusiness),
            ("journalist", Category::Journalist),
        ],
    )
}

fn occupation(facts: &mut Object<'_, '_>, category: Category) -> Option<Occupation> {
    match category {
        Category::Professional => professional(facts),
        Category::Collaborator => collaborator(facts),
        Category::OwnBusiness(kind) => {
            let insurance = insurance(facts, "specialFund");
            let benefits = other_benefits(facts);
            Some(Occupation::OwnBusiness { kind, insurance: insurance?, benefits: benefits? })
        }
        Category::SeasonalTourism => seasonal_tourism(facts),
        Category::FarmWorker => farm_worker(facts),
        Category::ShowBusiness => show_business(facts),
        Category::Journalist => Some(Occupation::Journalist),
    }
}

fn professional(facts: &mut Object<'_, '_>) -> Option<Occupation> {
    let vat_number = facts.required("vatNumber", fields::vat_number);
    let active = period(facts, "vatOpenedOn", "vatClosedOn");
    let insurance = insurance(facts, "separateManagement");
    let benefits = other_benefits(facts);
    Some(Occupation::Professional {
        vat_number: vat_number?,
        active: active?,
        insurance: insurance?,
        benefits: benefits?,
    })
}

fn collaborator(facts: &mut Object<'_, '_>) -> Option<Occupation> {
    let active = period(facts, "contractStartedOn", "contractEndedOn");
    let insurance = insurance(facts, "separateManagement");
    let benefits = other_benefits(facts);
    Some(Occupation::Collaborator { active: active?, insurance: insurance?, benefits: benefits? })
}

fn seasonal_tourism(facts: &mut Object<'_, '_>) -> Option<Occupation> {
    let seasonal = facts.required("seasonalWork", fields::flag);
    let ended_on = facts.required("jobEndedOn", |cursor| {
        if cursor.is_null() { Some(None) } else { fields::date(cursor).map(Some) }
    });
    let involuntarily = facts.required("jobEndedInvoluntarily", fields::flag);
    let employed = facts.required("employedOnReferenceDay", fields::flag);
    let benefits = other_benefits(facts);
    Some(Occupation::SeasonalTourism {
        seasonal: seasonal?,
        ended_on: ended_on?,
        involuntarily: involuntarily?,
        employed: employed?,
        benefits: benefits?,
    })
}

fn farm_worker(facts: &mut Object<'_, '_>) -> Option<Occupation> {
    let fixed_term = facts.required("fixedTermWork", fields::flag);
    let work_days = facts.required("workDays", days);
    let benefits = other_benefits(facts);
    Some(Occupation::FarmWorker {
        fixed_term: fixed_term?,
        work_days: work_days?,
        benefits: benefits?,
    })
}

fn show_business(facts: &mut Object<'_, '_>) -> Option<Occupation> {
    let enrolled = facts.required("showBusinessFund", fields::flag);
    let contributions = facts.required("dailyContributions", days);
    let income = facts.required("income", fields::amount);
    let employed = facts.required("employedOnReferenceDay", fields::flag);
    let benefits = other_benefits(facts);
    Some(Occupation::ShowBusiness {
        enrolled: enrolled?,
        contributions: contributions?,
        income: income?,
        employed: employed?,
        benefits: benefits?,
    })
}

fn days(cursor: Cursor<'_, '_>) -> Option<u16> {
    fields::count(cursor, 0, DAYS_MAX)
}

fn insurance(facts: &mut Object<'_, '_>, fund: &'static str) -> Option<Insurance> {
    let enrolled = facts.required(fund, fields::flag);
    let other = facts.required("otherCompulsoryInsurance", fields::flag);
    Some(Insurance { enrolled: enrolled?, other: other? })
}

fn other_benefits(facts: &mut Object<'_, '_>) -> Option<OtherBenefits> {
    let direct_pension = facts.required("directPension", fields::flag);
    let citizens_income = facts.required("citizensIncome", fields::flag);
    Some(OtherBenefits { direct_pension: direct_pension?, citizens_income: citizens_income? })
}

fn period(
    facts: &mut Object<'_, '_>,
    first_name: &'static str,
    last_name: &'static str,
) -> Option<Period> {
    let first = facts.required(first_name, fields::date);
    let last = facts.defaulting(last_name, None, |cursor| {
        if cursor.is_null() { Some(None) } else { fields::date_from(cursor, first).map(Some) }
    });
    Some(Period { first: first?, last: last? })
}
