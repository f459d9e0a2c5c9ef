//! Values as parameter files write them, each with its source.

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::civic::{Euro, calendar};

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
