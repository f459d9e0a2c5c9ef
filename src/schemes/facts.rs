//! The facts of an application, of whatever scheme.

use super::campaign::{Campaign, Scheme};
use super::{allowance600, iscro};
use crate::civic::opaque::debug_without_contents;

/// Everything in an application that the rules of its scheme look at.
///
/// Personal data, so `Debug` prints none of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facts {
    /// Of the self-employed whose income fell.
    Iscro(iscro::Facts),
    /// Of those who lost their income in the spring of 2020.
    Allowance600(allowance600::Facts),
}

impl Facts {
    /// The campaign whose rules they are for.
    #[must_use]
    pub fn campaign(&self) -> Campaign {
        match self {
            Self::Iscro(facts) => Campaign { scheme: Scheme::Iscro, year: facts.year },
            Self::Allowance600(facts) => {
                Campaign { scheme: Scheme::Allowance600, year: facts.year }
            }
        }
    }
}

debug_without_contents!(Facts);
