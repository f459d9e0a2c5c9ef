//! What the rules of ISCRO look at.

use jiff::civil::Date;

use crate::civic::opaque::debug_without_contents;
use crate::civic::{Euro, VatNumber};
use crate::schemes::answers::INCOME_YEARS_MAX;

/// What the rules of ISCRO look at.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The year of the application: years of income count back from it.
    pub year: i16,
    /// The activity under a VAT number.
    pub activity: Activity,
    /// The incomes declared.
    pub incomes: Incomes,
    /// The last income that the Revenue Agency certified; present if and only if the statute asks for it.
    pub certified_income: Option<Euro>,
    /// Insurance, benefits and offices.
    pub standing: Standing,
    /// How the activity is taxed.
    pub tax_scheme: TaxScheme,
    /// Declarations and consents.
    pub consents: Consents,
    /// Earlier ISCRO benefits that began; one that was refused or revoked from the outset never began.
    pub earlier_benefits: Vec<EarlierBenefit>,
}

/// The activity under a VAT number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The number.
    pub vat_number: VatNumber,
    /// The day since which it is active.
    pub vat_opened_on: Date,
    /// The form of practice.
    pub kind: ActivityKind,
}

/// The form in which a profession is practised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ActivityKind {
    /// Alone.
    Individual,
    /// In an associated practice.
    AssociatedPractice,
    /// As a partner in a simple partnership.
    SimplePartnership,
}

/// Declared incomes by year; the order in which they were listed makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Incomes([Option<Income>; INCOME_YEARS_MAX]);

impl Incomes {
    /// Sets the income of a number of years before the application's; `None` if there is no room for that year.
    pub(crate) fn declare(&mut self, years_back: u8, income: Income) -> Option<()> {
        let index = usize::from(years_back).checked_sub(1)?;
        *self.0.get_mut(index)? = Some(income);
        Some(())
    }

    /// The income declared for a number of years before the application's, from 1.
    #[must_use]
    pub fn years_back(&self, years: u8) -> Option<Income> {
        let index = usize::from(years).checked_sub(1)?;
        self.0.get(index).copied().flatten()
    }
}

/// One year's income from self-employment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Income {
    /// The line of the tax return.
    pub line: IncomeLine,
    /// The amount; negative for a loss.
    pub amount: Euro,
}

/// The lines of the tax return that count as self-employment income.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IncomeLine {
    /// RE: an individual professional.
    Re,
    /// RH: a partner of an associated practice or simple partnership.
    Rh,
    /// LM: the flat-rate scheme.
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
    /// Contributions are in order; `None` if the registry is yet to answer.
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
    /// Ordinary taxation.
    Ordinary,
    /// Flat rate (*regime forfettario*): no tax is withheld.
    FlatRate,
}

/// Declarations and consents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Consents {
    /// The applicant declares that the statements are true.
    pub truth_of_statements: bool,
    /// The applicant consents to passing contact data to SIISL.
    pub siisl_sharing: bool,
}

/// An earlier ISCRO benefit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EarlierBenefit {
    /// The year in which it began.
    pub begun_in: i16,
}

debug_without_contents!(Facts, Activity, ActivityKind, Incomes, Income, IncomeLine, Standing);
debug_without_contents!(UnemploymentBenefit, PoliticalOffice, TaxScheme, Consents, EarlierBenefit);
