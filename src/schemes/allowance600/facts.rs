//! What the rules of the allowance look at.

use jiff::civil::Date;

use crate::civic::opaque::debug_without_contents;
use crate::civic::{Euro, VatNumber};

/// What the rules of the allowance look at.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The year of the application.
    pub year: i16,
    /// As what the applicant works, and what the article about it asks.
    pub occupation: Occupation,
    /// That the statements are true.
    pub truth_of_statements: bool,
}

/// As what the applicant works, and what the article about it asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occupation {
    /// A professional with a VAT number, art. 27.
    Professional {
        /// The number.
        vat_number: VatNumber,
        /// While it was active.
        active: Period,
        /// Enrolled in *Gestione separata*, and elsewhere.
        insurance: Insurance,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// A collaborator (*co.co.co.*), art. 27.
    Collaborator {
        /// While the contract ran.
        active: Period,
        /// Enrolled in *Gestione separata*, and elsewhere.
        insurance: Insurance,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// An artisan, trader or farmer, art. 28.
    OwnBusiness {
        /// Which of the three.
        kind: OwnBusiness,
        /// Enrolled in the special fund, and elsewhere but in *Gestione separata*.
        insurance: Insurance,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// A seasonal worker of tourism or a spa, art. 29.
    SeasonalTourism {
        /// Employed for a season in tourism or at a spa.
        seasonal: bool,
        /// When that job ended, if it has.
        ended_on: Option<Date>,
        /// Whether it ended against the worker's will.
        involuntarily: bool,
        /// Employed on the reference day.
        employed: bool,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// A farm worker, art. 30.
    FarmWorker {
        /// Employed with a fixed term.
        fixed_term: bool,
        /// Days worked in the year before.
        work_days: u16,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// A worker of show business, art. 38.
    ShowBusiness {
        /// Enrolled in the pension fund of show business.
        enrolled: bool,
        /// Daily contributions to it in the year before.
        contributions: u16,
        /// Income of the year before.
        income: Euro,
        /// Employed on the reference day.
        employed: bool,
        /// What excludes the allowance.
        benefits: OtherBenefits,
    },
    /// A journalist insured with INPGI, who applies there, art. 44.
    Journalist,
}

/// A time whose last day is not known while it lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first day.
    pub first: Date,
    /// Its last day, not before the first.
    pub last: Option<Date>,
}

/// Compulsory pension insurance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Insurance {
    /// Enrolled where the category is insured.
    pub enrolled: bool,
    /// Enrolled elsewhere.
    pub other: bool,
}

/// A business of one's own, insured in a special fund.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OwnBusiness {
    /// *Artigiano*.
    Artisan,
    /// *Commerciante*.
    Trader,
    /// *Coltivatore diretto, colono, mezzadro*.
    Farmer,
}

/// What excludes the allowance in every category.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OtherBenefits {
    /// Has a direct pension.
    pub direct_pension: bool,
    /// Has *Reddito di cittadinanza*.
    pub citizens_income: bool,
}

debug_without_contents!(Facts, Occupation);
