//! What the parameter files of all schemes share: values with their sources, a window, and the faults of a file.

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use thiserror::Error;

use super::campaign::{Campaign, CampaignWindow};
use crate::civic::{Euro, calendar};

/// Why a parameter file is refused. Our own fault, never an applicant's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterFault {
    /// It is not the expected JSON: correct the file at the place named.
    #[error("the parameters cannot be read: {0}")]
    Unreadable(String),
    /// Its values contradict each other: correct them.
    #[error("the parameters of {campaign} contradict themselves: {reason}")]
    Contradiction {
        /// The campaign of the values.
        campaign: Campaign,
        /// The contradiction.
        reason: &'static str,
    },
}

/// A check for a contradiction: whether it was found, and its description.
pub(super) type CannotBe = (bool, &'static str);

/// Reads a file, or the head of one.
///
/// # Errors
///
/// [`ParameterFault::Unreadable`] with line and column.
pub(super) fn read<T: Deserialize<'static>>(text: &'static str) -> Result<T, ParameterFault> {
    serde_json::from_str(text).map_err(|fault| ParameterFault::Unreadable(fault.to_string()))
}

/// Refuses the parameters of a campaign that contradict themselves.
///
/// # Errors
///
/// [`ParameterFault::Contradiction`] with the first one found.
pub(super) fn refuse(
    campaign: Campaign,
    cannot_be: impl IntoIterator<Item = CannotBe>,
) -> Result<(), ParameterFault> {
    let found = cannot_be.into_iter().find_map(|(found, reason)| found.then_some(reason));
    found.map_or(Ok(()), |reason| Err(ParameterFault::Contradiction { campaign, reason }))
}

/// A campaign's window as a file has it: its last day may be a holiday.
#[derive(Clone, Copy)]
pub(super) struct WrittenWindow {
    pub(super) campaign: Campaign,
    pub(super) opens_on: Date,
    pub(super) closes_on: Date,
}

impl WrittenWindow {
    /// The contradictions that a window may have.
    pub(super) fn cannot_be(&self) -> [CannotBe; 3] {
        let Self { campaign, opens_on, closes_on } = *self;
        [
            (opens_on.year() != campaign.year, "the window opens in another year"),
            (closes_on.year() != campaign.year, "the window closes in another year"),
            (closes_on < opens_on, "the window closes before it opens"),
        ]
    }

    /// The window with its last day moved past holidays.
    pub(super) fn rolled_over(self) -> CampaignWindow {
        let Self { campaign, opens_on, closes_on } = self;
        CampaignWindow { campaign, opens_on, closes_on: calendar::roll_over(closes_on) }
    }
}

/// A value and its source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sourced<'a, T> {
    pub(super) value: T,
    pub(super) source: &'a str,
}

pub(super) struct WrittenEuro(pub(super) Euro);

impl<'de> Deserialize<'de> for WrittenEuro {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        Euro::parse(text).map(Self).map_err(D::Error::custom)
    }
}

pub(super) struct WrittenDate(pub(super) Date);

impl<'de> Deserialize<'de> for WrittenDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        calendar::parse_date(text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("a date is written YYYY-MM-DD"))
    }
}
