//! The grounds of a decision: each requirement, what was found and what the law asks.

use std::fmt;
use std::ops::Deref;

use jiff::civil::Date;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::civic::Euro;
use crate::civic::calendar::{self, Written};

/// The most requirements a scheme may have.
pub const GROUNDS_MAX: usize = 12;

/// A requirement of some scheme.
///
/// The first twelve are those of ISCRO, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Requirement {
    /// Applied inside the campaign's window.
    Window,
    /// Enrolled in *Gestione separata*.
    SeparateManagement,
    /// No direct pension.
    NoDirectPension,
    /// No other compulsory pension insurance.
    NoOtherInsurance,
    /// Income below a share of the mean of earlier years.
    IncomeDrop,
    /// Income not above the ceiling.
    IncomeCeiling,
    /// VAT number active for the required years.
    VatAge,
    /// Contributions in order.
    ContributionsRegular,
    /// No incompatible benefit.
    NoIncompatibleBenefit,
    /// No paid political or elective office.
    NoPaidOffice,
    /// Not barred by an earlier benefit.
    NotBarred,
    /// The statements and consents required by law.
    Consents,
    /// Applied at the office that pays the category.
    RightOffice,
    /// Enrolled in the special fund of artisans, traders or farmers.
    SpecialFund,
    /// Enrolled in the pension fund of show business.
    ShowBusinessFund,
    /// VAT number or contract active on the reference day.
    ActiveOnReferenceDay,
    /// Seasonal employment in tourism or at a spa.
    SeasonalWork,
    /// The seasonal job ended in the required period.
    JobEnded,
    /// The seasonal job ended against the worker's will.
    JobEndedInvoluntarily,
    /// Not employed on the reference day.
    NotEmployed,
    /// Farm work with a fixed term.
    FixedTermWork,
    /// Enough days of work.
    WorkDays,
    /// Enough daily contributions.
    DailyContributions,
}

impl Requirement {
    /// Every requirement of every scheme, for the API description.
    pub const ALL: [Self; 23] = [
        Self::Window,
        Self::SeparateManagement,
        Self::NoDirectPension,
        Self::NoOtherInsurance,
        Self::IncomeDrop,
        Self::IncomeCeiling,
        Self::VatAge,
        Self::ContributionsRegular,
        Self::NoIncompatibleBenefit,
        Self::NoPaidOffice,
        Self::NotBarred,
        Self::Consents,
        Self::RightOffice,
        Self::SpecialFund,
        Self::ShowBusinessFund,
        Self::ActiveOnReferenceDay,
        Self::SeasonalWork,
        Self::JobEnded,
        Self::JobEndedInvoluntarily,
        Self::NotEmployed,
        Self::FixedTermWork,
        Self::WorkDays,
        Self::DailyContributions,
    ];

    /// The slug in a decision, such as `income-drop`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::SeparateManagement => "separate-management",
            Self::NoDirectPension => "no-direct-pension",
            Self::NoOtherInsurance => "no-other-insurance",
            Self::IncomeDrop => "income-drop",
            Self::IncomeCeiling => "income-ceiling",
            Self::VatAge => "vat-age",
            Self::ContributionsRegular => "contributions-regular",
            Self::NoIncompatibleBenefit => "no-incompatible-benefit",
            Self::NoPaidOffice => "no-paid-office",
            Self::NotBarred => "not-barred",
            Self::Consents => "consents",
            Self::RightOffice => "right-office",
            Self::SpecialFund => "special-fund",
            Self::ShowBusinessFund => "show-business-fund",
            Self::ActiveOnReferenceDay => "active-on-reference-day",
            Self::SeasonalWork => "seasonal-work",
            Self::JobEnded => "job-ended",
            Self::JobEndedInvoluntarily => "job-ended-involuntarily",
            Self::NotEmployed => "not-employed",
            Self::FixedTermWork => "fixed-term-work",
            Self::WorkDays => "work-days",
            Self::DailyContributions => "daily-contributions",
        }
    }
}

/// What was found, or what is required: a value, formatted only when it is printed.
///
/// May be personal data, so `Debug` prints none of it; `Display` prints all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An amount.
    Euro(Euro),
    /// Less than this amount.
    EuroBelow(Euro),
    /// This amount or less.
    EuroAtMost(Euro),
    /// A day.
    Date(Date),
    /// This day or an earlier one.
    DateAtMost(Date),
    /// A day from the first to the second, both included.
    DateRange(Date, Date),
    /// From the first day to the last, both included, or ongoing.
    DateSpan(Date, Option<Date>),
    /// A period that includes this day.
    DateWithin(Date),
    /// A number, such as of days.
    Count(u16),
    /// This number or more.
    CountAtLeast(u16),
    /// A year.
    Year(i16),
    /// No year from the first to the second, both included.
    NoYearIn(i16, i16),
    /// Yes or no.
    Flag(bool),
    /// One or more words of the contract.
    Text(&'static str),
    /// Not known yet.
    Unknown,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Euro(amount) => amount.fmt(f),
            Self::EuroBelow(limit) => {
                f.write_str("< ")?;
                limit.fmt(f)
            }
            Self::EuroAtMost(limit) => {
                f.write_str("<= ")?;
                limit.fmt(f)
            }
            Self::Date(day) => Written(*day).fmt(f),
            Self::DateAtMost(limit) => {
                f.write_str("<= ")?;
                Written(*limit).fmt(f)
            }
            Self::DateRange(first, last) => {
                Written(*first).fmt(f)?;
                f.write_str("/")?;
                Written(*last).fmt(f)
            }
            Self::DateSpan(first, last) => {
                Written(*first).fmt(f)?;
                f.write_str("/")?;
                match last {
                    Some(last) => Written(*last).fmt(f),
                    None => f.write_str(".."),
                }
            }
            Self::DateWithin(day) => {
                f.write_str("includes ")?;
                Written(*day).fmt(f)
            }
            Self::Count(count) => write!(f, "{count}"),
            Self::CountAtLeast(least) => write!(f, ">= {least}"),
            Self::Year(year) => write!(f, "{year}"),
            Self::NoYearIn(first, last) if first == last => write!(f, "none in {first}"),
            Self::NoYearIn(first, last) => write!(f, "none in {first}/{last}"),
            Self::Flag(flag) => f.write_str(if *flag { "true" } else { "false" }),
            Self::Text(text) => f.write_str(text),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl Finding {
    /// The finding that `Display` has written for this requirement; `None` for words of the contract.
    pub(super) fn parse(text: &str, requirement: Requirement) -> Option<Self> {
        let euro = |text: &str| Euro::parse(text).ok().filter(|_| text.contains('.'));
        let date = calendar::parse_date;
        let count = |text: &str| text.parse().ok();
        let year = |text: &str| text.parse().ok();
        let pair = |text: &str| text.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()));
        Some(match text {
            "true" | "false" => Self::Flag(text == "true"),
            "unknown" => Self::Unknown,
            _ if text.starts_with("< ") => Self::EuroBelow(euro(&text[2..])?),
            _ if text.starts_with(">= ") => Self::CountAtLeast(count(&text[3..])?),
            _ if text.starts_with("<= ") => {
                let limit = &text[3..];
                euro(limit).map(Self::EuroAtMost).or_else(|| date(limit).map(Self::DateAtMost))?
            }
            _ if text.starts_with("includes ") => Self::DateWithin(date(&text[9..])?),
            _ if text.starts_with("none in ") => {
                let (first, last) = pair(&text[8..])
                    .unwrap_or_else(|| (text[8..].to_owned(), text[8..].to_owned()));
                Self::NoYearIn(year(&first)?, year(&last)?)
            }
            _ if text.ends_with("/..") => Self::DateSpan(date(&text[..text.len() - 3])?, None),
            _ => match pair(text) {
                Some((first, last)) => Self::DateRange(date(&first)?, date(&last)?),
                None if requirement == Requirement::NotBarred => Self::Year(year(text)?),
                None => euro(text)
                    .map(Self::Euro)
                    .or_else(|| date(text).map(Self::Date))
                    .or_else(|| count(text).map(Self::Count))?,
            },
        })
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finding(..)")
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(true) => serializer.serialize_str("true"),
            Self::Flag(false) => serializer.serialize_str("false"),
            _ => serializer.collect_str(self),
        }
    }
}

/// One line of a decision.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// The requirement.
    pub requirement: Requirement,
    /// Whether it is met by what is known; false while the answer is missing.
    pub met: bool,
    /// What the application or a registry says.
    pub found: Finding,
    /// What the law asks.
    pub required: Finding,
    /// The article that asks for it.
    pub source: &'static str,
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.requirement.as_str(), if self.met { "met" } else { "not met" })
    }
}

impl Serialize for Ground {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_struct("Ground", 5)?;
        line.serialize_field("requirement", self.requirement.as_str())?;
        line.serialize_field("met", &self.met)?;
        line.serialize_field("found", &self.found)?;
        line.serialize_field("required", &self.required)?;
        line.serialize_field("source", self.source)?;
        line.end()
    }
}

/// Fills the unused lines of [`Grounds`].
const UNUSED: Ground = Ground {
    requirement: Requirement::Window,
    met: false,
    found: Finding::Unknown,
    required: Finding::Unknown,
    source: "",
};

/// The grounds of a decision in the scheme's order, stored without allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    lines: [Ground; GROUNDS_MAX],
    count: usize,
}

impl Grounds {
    /// The grounds of a scheme with [`GROUNDS_MAX`] requirements.
    #[must_use]
    pub const fn of(lines: [Ground; GROUNDS_MAX]) -> Self {
        Self { lines, count: GROUNDS_MAX }
    }

    /// Adds a line.
    ///
    /// # Panics
    ///
    /// If there are [`GROUNDS_MAX`] lines already; no scheme has more.
    pub(super) fn push(&mut self, line: Ground) {
        self.lines[self.count] = line;
        self.count += 1;
    }
}

impl Default for Grounds {
    /// No ground yet.
    fn default() -> Self {
        Self { lines: [UNUSED; GROUNDS_MAX], count: 0 }
    }
}

impl Deref for Grounds {
    type Target = [Ground];

    fn deref(&self) -> &[Ground] {
        &self.lines[..self.count]
    }
}

impl fmt::Debug for Grounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Grounds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
