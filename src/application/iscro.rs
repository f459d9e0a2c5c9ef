//! What an application for ISCRO says, and the schema of it.

use std::fmt;

use jiff::civil::Date;

use super::debug_without_contents;
use super::fault::{Allowed, FaultCode};
use super::fields::{self, one_of};
use super::walk::{Cursor, Object};
use crate::civic::{Euro, VatNumber};
use crate::schemes::iscro::{BenefitBase, Parameters};

/// The most incomes that any year's rules ask: the last year's and three to compare it with.
const INCOMES_MAX: usize = 4;
/// The most earlier benefits that may be listed.
const EARLIER_BENEFITS_MAX: usize = 8;
/// The year of the first benefit of this kind.
const BENEFITS_SINCE: i16 = 2021;
/// The bounds of a year when that of the application is itself at fault.
const PLAUSIBLE_YEARS: (i16, i16) = (2000, 2099);

/// What the rules of ISCRO look at.
#[derive(Clone, PartialEq, Eq)]
pub struct Iscro {
    /// The activity under a VAT number.
    pub activity: Activity,
    /// The incomes declared.
    pub incomes: Incomes,
    /// The last income that the Revenue Agency certified; there exactly when the statute asks for it.
    pub certified_income: Option<Euro>,
    /// Insurance, benefits and offices.
    pub standing: Standing,
    /// How the activity is taxed.
    pub tax_scheme: TaxScheme,
    /// What was declared and agreed to.
    pub consents: Consents,
    /// Benefits of this kind whose use began; one refused or revoked from the outset never did.
    pub earlier_benefits: Vec<EarlierBenefit>,
}

/// The activity under a VAT number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The number.
    pub vat_number: VatNumber,
    /// Since when it is active.
    pub vat_opened_on: Date,
    /// In which form.
    pub kind: ActivityKind,
}

/// In which form a profession is exercised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ActivityKind {
    /// Alone.
    Individual,
    /// In an associated practice.
    AssociatedPractice,
    /// As a partner in a simple partnership.
    SimplePartnership,
}

/// Incomes by their year; in which order they were listed makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Incomes([Option<Income>; INCOMES_MAX]);

impl Incomes {
    /// The income of so many years before the application's, if it was declared.
    #[must_use]
    pub fn years_back(&self, years: u8) -> Option<Income> {
        let index = usize::from(years).checked_sub(1)?;
        self.0.get(index).copied().flatten()
    }
}

/// One year's income from self-employment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Income {
    /// Where the tax return has it.
    pub line: IncomeLine,
    /// How much; negative for a loss.
    pub amount: Euro,
}

/// The lines of the tax return that count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IncomeLine {
    /// An individual professional.
    Re,
    /// A partner of an associated practice or simple partnership.
    Rh,
    /// The flat-rate scheme.
    Lm,
}

/// Insurance, benefits and offices on the day of the application.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own on the form")]
pub struct Standing {
    /// Enrolled in *Gestione separata*.
    pub separate_management: bool,
    /// Has a direct pension.
    pub direct_pension: bool,
    /// Has the ordinary invalidity allowance, which excludes nothing.
    pub invalidity_allowance: bool,
    /// Has another compulsory pension insurance.
    pub other_compulsory_insurance: bool,
    /// Has *Assegno di inclusione*, or until 2023 *Reddito di cittadinanza*.
    pub inclusion_allowance: bool,
    /// Has an unemployment benefit.
    pub unemployment_benefit: UnemploymentBenefit,
    /// Holds a political or elective office.
    pub political_office: PoliticalOffice,
    /// Contributions are in order; `None` if the registry has yet to say.
    pub contributions_regular: Option<bool>,
}

/// Unemployment benefits, all of which exclude ISCRO.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UnemploymentBenefit {
    /// Has none.
    None,
    /// `NASpI`, of employees.
    Naspi,
    /// DIS-COLL, of collaborators.
    DisColl,
    /// ALAS or IDIS, of show business.
    Alas,
}

/// A political or elective office.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PoliticalOffice {
    /// Holds none.
    None,
    /// Paid by attendance fee only (*gettone di presenza*).
    AttendanceFee,
    /// Paid otherwise.
    Paid,
}

/// How the activity is taxed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TaxScheme {
    /// Ordinarily.
    Ordinary,
    /// *Regime forfettario*: nothing is withheld.
    FlatRate,
}

/// What was declared and agreed to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Consents {
    /// That the statements are true.
    pub truth_of_statements: bool,
    /// That contact data go to SIISL.
    pub siisl_sharing: bool,
}

/// A benefit of this kind whose use began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EarlierBenefit {
    /// In which year.
    pub begun_in: i16,
}

debug_without_contents!(Iscro, Activity, ActivityKind, Incomes, Income, IncomeLine, Standing);
debug_without_contents!(UnemploymentBenefit, PoliticalOffice, TaxScheme, Consents, EarlierBenefit);

/// The schema of what ISCRO asks; without parameters, what depends on the year is not checked.
pub(super) fn facts(
    document: &mut Object<'_, '_>,
    parameters: Option<&Parameters>,
) -> Option<Iscro> {
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
    Some(Iscro {
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

/// A year may be missing, which an officer then looks at; none may come twice.
fn incomes(cursor: Cursor<'_, '_>, parameters: Option<&Parameters>) -> Option<Incomes> {
    let (first, last) = parameters.map_or(PLAUSIBLE_YEARS, |parameters| {
        let year = parameters.campaign().year;
        (year - 1 - i16::from(parameters.statute().reference_years), year - 1)
    });
    let mut incomes = Incomes::default();
    let mut years = Vec::with_capacity(INCOMES_MAX);
    cursor.list(INCOMES_MAX, |cursor| {
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
        let back = usize::try_from(last - year).ok()?;
        *incomes.0.get_mut(back)? = Some(income);
        Some(())
    })?;
    Some(incomes)
}

/// Asked for by the statute that computes the amount from it, and by no other.
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
