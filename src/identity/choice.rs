//! A choice among a few named values, written as a list such as `ES256, RS256`.

use std::{fmt, marker::PhantomData, str::FromStr};

/// A value that can be chosen.
pub trait Named: Copy + PartialEq + 'static {
    /// Every value, at most eight.
    const ALL: &'static [Self];

    /// Its name in lists.
    fn name(self) -> &'static str;
}

/// At least one of the values of `T`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Choice<T> {
    /// One bit a value, in the order of [`Named::ALL`].
    chosen: u8,
    of: PhantomData<T>,
}

impl<T: Named> Choice<T> {
    /// Every value.
    pub const ALL: Self = Self { chosen: u8::MAX >> (8 - T::ALL.len()), of: PhantomData };

    /// The same without a value.
    #[must_use]
    pub fn without(self, value: T) -> Self {
        let place = T::ALL.iter().position(|other| *other == value);
        let bit = place.map_or(0, |place| 1 << place);
        Self { chosen: self.chosen & !bit, of: PhantomData }
    }

    /// Whether a value is chosen.
    #[must_use]
    pub fn has(self, value: T) -> bool {
        T::ALL.iter().position(|other| *other == value).is_some_and(|at| self.chosen >> at & 1 == 1)
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        T::ALL.iter().filter(move |value| self.has(**value)).map(|value| value.name())
    }
}

/// A list is empty, or one of its values does not exist or is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of these values")]
pub struct NoChoice;

impl<T: Named> FromStr for Choice<T> {
    type Err = NoChoice;

    fn from_str(list: &str) -> Result<Self, NoChoice> {
        let mut chosen = 0;
        for name in list.split(',') {
            let at = T::ALL.iter().position(|value| value.name() == name.trim()).ok_or(NoChoice)?;
            if chosen >> at & 1 == 1 {
                return Err(NoChoice);
            }
            chosen |= 1 << at;
        }
        Ok(Self { chosen, of: PhantomData })
    }
}

impl<T: Named> fmt::Display for Choice<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

impl<T: Named> fmt::Debug for Choice<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::algorithm::Algorithm, *};

    #[test]
    fn a_list_reads_as_it_is_written_and_holds_each_value_once() {
        let parse = |list: &str| list.parse::<Choice<Algorithm>>();
        assert_eq!(parse("EdDSA, ES256, PS256, RS256, RS512"), Ok(Choice::ALL));
        let two = parse(" RS256,EdDSA").unwrap();
        assert_eq!(two.to_string(), "EdDSA, RS256");
        assert!(two.has(Algorithm::Rs256) && !two.has(Algorithm::Es256));
        assert_eq!(two.without(Algorithm::EdDsa).without(Algorithm::Ps256).to_string(), "RS256");
        for bad in ["", "RS256,", "none", "HS256", "rs256", "RS256, RS256", "RS256 EdDSA"] {
            assert_eq!(parse(bad), Err(NoChoice), "{bad}");
        }
    }
}
