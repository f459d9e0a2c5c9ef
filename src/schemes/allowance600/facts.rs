//! What the rules of the allowance look at.

use jiff::civil::Date;

use crate::civic::opaque::debug_without_contents;
use crate::civic::{Euro, VatNumber};

/// What the rules of the allowance look at.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The year of the application.
    pub year: i16,
    /// The applicant's occupation, with the facts that its article asks for.
    pub occupation: Occupation,
    /// The applicant declares that the statements are true.
    pub truth_of_statements: bool,
}

/// The applicant's occupation, with the facts that its article asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occupation {
    /// A professional with a VAT number, art. 27.
    Professional {
        /// The number.
        vat_number: VatNumber,
        /// The period in which it was active.
        active: Period,
        /// Enrolment in *Gestione separata* and in other insurances.
        insurance: Insurance,
        /// Benefits that exclude the allowance.
        benefits: OtherBenefits,
    },
    /// A collaborator (*co.co.co.*), art. 27.
    Collaborator {
        /// The period of the contract.
        active: Period,
        /// Enrolment in *Gestione separata* and in other insurances.
        insurance: Insurance,
        /// Benefits that exclude the allowance.
        benefits: OtherBenefits,
    },
    /// An artisan, trader or farmer, art. 28.
    OwnBusiness {
        /// The kind of business.
        kind: OwnBusiness,
        /// Enrolment in the special fund and in other insurances except *Gestione separata*.
        insurance: Insurance,
        /// Benefits that exclude the allowance.
        benefits: OtherBenefits,
    },
    /// A seasonal worker of tourism or a spa, art. 29.
    SeasonalTourism {
        /// Employed for a season in tourism or at a spa.
        seasonal: bool,
        /// The day on which that job ended, if it has.
        ended_on: Option<Date>,
        /// Whether it ended against the worker's will.
        involuntarily: bool,
        /// Employed on the reference day.
        employed: bool,
        /// Benefits that exclude the allowance.
        benefits: OtherBenefits,
    },
    /// A farm worker, art. 30.
    FarmWorker {
        /// Employed with a fixed term.
        fixed_term: bool,
        /// Days worked in the year before.
        work_days: u16,
        /// Benefits that exclude the allowance.
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
        /// Benefits that exclude the allowance.
        benefits: OtherBenefits,
    },
    /// A journalist insured with INPGI, who applies there, art. 44.
    Journalist,
}

/// A period that may be ongoing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first day.
    pub first: Date,
    /// Its last day, not before the first; `None` while it is ongoing.
    pub last: Option<Date>,
}

/// Compulsory pension insurance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Insurance {
    /// Enrolled in the fund of the category.
    pub enrolled: bool,
    /// Enrolled in another one.
    pub other: bool,
}

/// The kind of one's own business, each insured in a special fund.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OwnBusiness {
    /// *Artigiano*.
    Artisan,
    /// *Commerciante*.
    Trader,
    /// *Coltivatore diretto, colono, mezzadro*.
    Farmer,
}

/// Benefits that exclude the allowance in every category.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OtherBenefits {
    /// Has a direct pension.
    pub direct_pension: bool,
    /// Has *Reddito di cittadinanza*.
    pub citizens_income: bool,
}

debug_without_contents!(Facts, Occupation);
