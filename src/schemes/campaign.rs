//! Schemes, their yearly campaigns, and when each takes applications.

use std::fmt;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use crate::civic::Language;

/// A benefit with its own rules. Receipts depend on the order of the variants: add new ones at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scheme {
    /// *Indennità straordinaria di continuità reddituale e operativa*: income support for the
    /// self-employed enrolled in *Gestione separata*.
    Iscro,
    /// The 600-euro allowance of March 2020.
    Allowance600,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 2] = [Self::Iscro, Self::Allowance600];

    /// The scheme's name in applications, metrics and commands, such as `iscro`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iscro => "iscro",
            Self::Allowance600 => "allowance600",
        }
    }

    /// The prefix of its receipts, such as `ISCRO`.
    #[must_use]
    pub const fn receipt_prefix(self) -> &'static str {
        match self {
            Self::Iscro => "ISCRO",
            Self::Allowance600 => "ALLOWANCE600",
        }
    }

    /// The scheme with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.as_str() == name)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Scheme {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One year of one scheme. A person applies once in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Campaign {
    /// The benefit.
    pub scheme: Scheme,
    /// The year in which it is applied for.
    pub year: i16,
}

impl Campaign {
    /// Parses a campaign's name as [`Display`](fmt::Display) writes it; whether it has rules is not checked.
    ///
    /// ```
    /// use sportello::schemes::{Campaign, Scheme};
    ///
    /// let campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
    /// assert_eq!(Campaign::from_name("iscro-2024"), Some(campaign));
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (scheme, year) = name.rsplit_once('-')?;
        let campaign = Self { scheme: Scheme::from_name(scheme)?, year: year.parse().ok()? };
        // Only one spelling: no plus sign, no leading zeros.
        (campaign.year.to_string() == year).then_some(campaign)
    }

    /// What people call it, such as `ISCRO 2024`.
    #[must_use]
    pub fn title(self, language: Language) -> String {
        let name = match self.scheme {
            Scheme::Iscro => "ISCRO",
            Scheme::Allowance600 => language.of("Indennità di 600 euro", "600-euro allowance"),
        };
        format!("{name} {}", self.year)
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.scheme, self.year)
    }
}

impl Serialize for Campaign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The days on which a campaign takes applications, in Europe/Rome, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CampaignWindow {
    /// The campaign.
    pub campaign: Campaign,
    /// Its first day.
    pub opens_on: Date,
    /// Its last day, already moved past a holiday.
    pub closes_on: Date,
}

impl CampaignWindow {
    /// Whether an application of that day is inside the window.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        (self.opens_on..=self.closes_on).contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_scheme() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_name(scheme.as_str()), Some(scheme));
            assert_eq!(scheme.receipt_prefix(), scheme.as_str().to_uppercase());
        }
        assert_eq!(Scheme::from_name("ISCRO"), None);
    }

    #[test]
    fn a_campaign_is_named_by_scheme_and_year() {
        let campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
        assert_eq!(campaign.to_string(), "iscro-2024");
        assert_eq!(Campaign::from_name("iscro-2024"), Some(campaign));
        for name in
            ["", "iscro", "iscro-", "other-2024", "iscro-+2024", "iscro-02024", "iscro-99999"]
        {
            assert_eq!(Campaign::from_name(name), None, "{name}");
        }
    }
}
