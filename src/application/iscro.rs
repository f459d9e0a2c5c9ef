//! The schema of an application for ISCRO.

use super::fault::{Allowed, FaultCode};
use super::fields::{self, one_of};
use super::walk::{Cursor, Object};
use crate::civic::Euro;
use crate::schemes::INCOME_YEARS_MAX;
use crate::schemes::iscro::{
    Activity, ActivityKind, BenefitBase, Consents, EarlierBenefit, Facts, Income, IncomeLine,
    Incomes, Parameters, PoliticalOffice, Standing, TaxScheme, UnemploymentBenefit,
};

/// The most earlier benefits that an application may list.
const EARLIER_BENEFITS_MAX: usize = 8;
/// The first year of ISCRO.
const BENEFITS_SINCE: i16 = 2021;
/// The bounds of other years if the year of the application is itself faulty.
const PLAUSIBLE_YEARS: (i16, i16) = (2000, 2099);

/// Parses the fields that only this scheme has; without parameters, what depends on the year is not checked.
pub(super) fn facts(
    document: &mut Object<'_, '_>,
    year: Option<i16>,
    parameters: Option<&Parameters>,
) -> Option<Facts> {
    let activity = document.required("activity", activity);
    let incomes = document.required("incomes", |cursor| incomes(cursor, parameters));
    let certified_income = certified_income(document, parameters);
    let standing = document.required("standing", standing);
    let tax_scheme = document.required("taxScheme", |cursor| {
        one_of(cursor, &[("ordinary", TaxScheme::Ordinary), ("flatRate", TaxScheme::FlatRate)])
    });
    let consents = document.required("consents", consents);
    let earlier_benefits =
        document.optional("earlierBenefits", |cursor| earlier_benefits(cursor, parameters));
    Some(Facts {
        year: year?,
        activity: activity?,
        incomes: incomes?,
        certified_income,
        standing: standing?,
        tax_scheme: tax_scheme?,
        consents: consents?,
        earlier_benefits: earlier_benefits.unwrap_or_default(),
    })
}

fn activity(cursor: Cursor<'_, '_>) -> Option<Activity> {
    cursor.object(|object| {
        let vat_number = object.required("vatNumber", fields::vat_number);
        let vat_opened_on = object.required("vatOpenedOn", fields::date);
        let kind = object.required("kind", |cursor| {
            one_of(
                cursor,
                &[
                    ("individual", ActivityKind::Individual),
                    ("associatedPractice", ActivityKind::AssociatedPractice),
                    ("simplePartnership", ActivityKind::SimplePartnership),
                ],
            )
        });
        Some(Activity { vat_number: vat_number?, vat_opened_on: vat_opened_on?, kind: kind? })
    })
}

/// Parses the incomes: a year may be missing, and an officer then decides; no year may be given twice.
fn incomes(cursor: Cursor<'_, '_>, parameters: Option<&Parameters>) -> Option<Incomes> {
    let (first, last) = parameters.map_or(PLAUSIBLE_YEARS, |parameters| {
        let year = parameters.campaign().year;
        (year - 1 - i16::from(parameters.statute().reference_years), year - 1)
    });
    let mut incomes = Incomes::default();
    let mut years = Vec::with_capacity(INCOME_YEARS_MAX);
    cursor.list(INCOME_YEARS_MAX, |cursor| {
        let (year, income) = cursor.object(|object| {
            let year = object.required("year", |cursor| {
                let year = fields::year(cursor, first, last)?;
                if years.contains(&year) {
                    return cursor.fault(FaultCode::DuplicateYear, Allowed::Anything);
                }
                years.push(year);
                Some(year)
            });
            let line = object.required("line", |cursor| {
                one_of(
                    cursor,
                    &[("RE", IncomeLine::Re), ("RH", IncomeLine::Rh), ("LM", IncomeLine::Lm)],
                )
            });
            let amount = object.required("amount", fields::amount);
            Some((year?, Income { line: line?, amount: amount? }))
        })?;
        incomes.declare(u8::try_from(last + 1 - year).ok()?, income)
    })?;
    Some(incomes)
}

/// Parses the certified income, which only the statute that computes the amount from it asks for.
fn certified_income(
    document: &mut Object<'_, '_>,
    parameters: Option<&Parameters>,
) -> Option<Euro> {
    const NAME: &str = "certifiedIncome";
    match parameters.map(|parameters| parameters.statute().benefit_base) {
        Some(BenefitBase::CertifiedIncome) => document.required(NAME, fields::amount),
        Some(BenefitBase::ReferenceMean) => document.optional(NAME, |cursor| {
            if cursor.is_null() {
                return None;
            }
            cursor.fault(FaultCode::NotExpected, Allowed::Anything)
        }),
        None => document
            .optional(NAME, |cursor| if cursor.is_null() { None } else { fields::amount(cursor) }),
    }
}

fn standing(cursor: Cursor<'_, '_>) -> Option<Standing> {
    cursor.object(|object| {
        let separate_management = object.required("separateManagement", fields::flag);
        let direct_pension = object.required("directPension", fields::flag);
        let invalidity_allowance = object.required("invalidityAllowance", fields::flag);
        let other_compulsory_insurance = object.required("otherCompulsoryInsurance", fields::flag);
        let inclusion_allowance = object.required("inclusionAllowance", fields::flag);
        let unemployment_benefit = object.required("unemploymentBenefit", unemployment_benefit);
        let political_office = object.required("politicalOffice", political_office);
        let contributions_regular = object.required("contributionsRegular", |cursor| {
            if cursor.is_null() { Some(None) } else { cursor.flag().map(Some) }
        });
        Some(Standing {
            separate_management: separate_management?,
            direct_pension: direct_pension?,
            invalidity_allowance: invalidity_allowance?,
            other_compulsory_insurance: other_compulsory_insurance?,
            inclusion_allowance: inclusion_allowance?,
            unemployment_benefit: unemployment_benefit?,
            political_office: political_office?,
            contributions_regular: contributions_regular?,
        })
    })
}

fn unemployment_benefit(cursor: Cursor<'_, '_>) -> Option<UnemploymentBenefit> {
    one_of(
        cursor,
        &[
            ("none", UnemploymentBenefit::None),
            ("naspi", UnemploymentBenefit::Naspi),
            ("disColl", UnemploymentBenefit::DisColl),
            ("alas", UnemploymentBenefit::Alas),
        ],
    )
}

fn political_office(cursor: Cursor<'_, '_>) -> Option<PoliticalOffice> {
    one_of(
        cursor,
        &[
            ("none", PoliticalOffice::None),
            ("attendanceFee", PoliticalOffice::AttendanceFee),
            ("paid", PoliticalOffice::Paid),
        ],
    )
}

fn consents(cursor: Cursor<'_, '_>) -> Option<Consents> {
    cursor.object(|object| {
        let truth_of_statements = object.required("truthOfStatements", fields::flag);
        let siisl_sharing = object.required("siislSharing", fields::flag);
        Some(Consents { truth_of_statements: truth_of_statements?, siisl_sharing: siisl_sharing? })
    })
}

fn earlier_benefits(
    cursor: Cursor<'_, '_>,
    parameters: Option<&Parameters>,
) -> Option<Vec<EarlierBenefit>> {
    let last = parameters.map_or(PLAUSIBLE_YEARS.1, |parameters| parameters.campaign().year);
    cursor.list(EARLIER_BENEFITS_MAX, |cursor| {
        cursor.object(|object| {
            let begun_in =
                object.required("begunIn", |cursor| fields::year(cursor, BENEFITS_SINCE, last));
            Some(EarlierBenefit { begun_in: begun_in? })
        })
    })
}
