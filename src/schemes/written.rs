//! What the parameter files of all schemes have in common: values with their sources, a window, and how a file is refused.

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use thiserror::Error;

use super::campaign::{Campaign, CampaignWindow};
use crate::civic::{Euro, calendar};

/// Why a file of parameters is refused. A fault of ours, never of an applicant.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterFault {
    /// It is not the JSON it should be; correct the file where it says.
    #[error("the parameters cannot be read: {0}")]
    Unreadable(String),
    /// Its values contradict each other; correct them.
    #[error("the parameters of {campaign} contradict themselves: {reason}")]
    Contradiction {
        /// The campaign whose values they are.
        campaign: Campaign,
        /// What cannot be.
        reason: &'static str,
    },
}

/// Something that cannot be, whether it is so, and how that is told.
pub(super) type CannotBe = (bool, &'static str);

/// Reads a file, or the head of one.
///
/// # Errors
///
/// [`ParameterFault::Unreadable`] with the place.
pub(super) fn read<T: Deserialize<'static>>(text: &'static str) -> Result<T, ParameterFault> {
    serde_json::from_str(text).map_err(|fault| ParameterFault::Unreadable(fault.to_string()))
}

/// Refuses the parameters of a campaign that say what cannot be.
///
/// # Errors
///
/// [`ParameterFault::Contradiction`] with the first reason.
pub(super) fn refuse(
    campaign: Campaign,
    cannot_be: impl IntoIterator<Item = CannotBe>,
) -> Result<(), ParameterFault> {
    let found = cannot_be.into_iter().find_map(|(found, reason)| found.then_some(reason));
    found.map_or(Ok(()), |reason| Err(ParameterFault::Contradiction { campaign, reason }))
}

/// A campaign's window as a file writes it: its last day may be a holiday.
#[derive(Clone, Copy)]
pub(super) struct WrittenWindow {
    pub(super) campaign: Campaign,
    pub(super) opens_on: Date,
    pub(super) closes_on: Date,
}

impl WrittenWindow {
    /// What cannot be of any window.
    pub(super) fn cannot_be(&self) -> [CannotBe; 3] {
        let Self { campaign, opens_on, closes_on } = *self;
        [
            (opens_on.year() != campaign.year, "the window opens in another year"),
            (closes_on.year() != campaign.year, "the window closes in another year"),
            (closes_on < opens_on, "the window closes before it opens"),
        ]
    }

    /// The window that counts.
    pub(super) fn rolled_over(self) -> CampaignWindow {
        let Self { campaign, opens_on, closes_on } = self;
        CampaignWindow { campaign, opens_on, closes_on: calendar::roll_over(closes_on) }
    }
}

/// A value, and where it comes from.
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
