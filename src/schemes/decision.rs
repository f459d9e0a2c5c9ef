//! What the rules engine answers.

use std::fmt;

use jiff::civil::Date;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::campaign::Campaign;
use super::ground::Grounds;
use crate::civic::Euro;
use crate::civic::calendar::Written;

/// About how long a decision is as JSON, so that writing one allocates once.
const JSON_BYTES_USUAL: usize = 2_560;

/// The answer to an application: its outcome, the award if any, and every ground.
///
/// Personal data, so `Debug` prints the outcome and which grounds are met, but no figure.
#[derive(Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// What is paid; only when granted.
    pub award: Option<Award>,
    /// Every requirement of the scheme, met or not, in the scheme's order.
    pub grounds: Grounds,
    /// Which parameters the decision rests on.
    pub parameters: Campaign,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every requirement is met.
    Granted,
    /// A requirement fails, and no missing answer could mend that.
    Refused,
    /// Waits for a registry or a document.
    Pending,
    /// An officer must look at it.
    Review,
}

impl Outcome {
    /// Every outcome, for metrics that count each.
    pub const ALL: [Self; 4] = [Self::Granted, Self::Refused, Self::Pending, Self::Review];

    /// The word in a decision, such as `granted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Pending => "pending",
            Self::Review => "review",
        }
    }
}

/// What is paid, how much of it is withheld, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Award {
    /// Each month, before tax.
    pub monthly: Euro,
    /// All months together, before tax.
    pub gross_total: Euro,
    /// Tax kept back each month.
    pub withheld_monthly: Euro,
    /// For how many months.
    pub months: u8,
    /// The first day it is due for.
    pub starts_on: Date,
    /// The last day it is due for.
    pub ends_on: Date,
}

impl Decision {
    /// The decision as the contract's JSON, written in one pass.
    ///
    /// # Panics
    ///
    /// Never: writing to memory does not fail.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(JSON_BYTES_USUAL);
        serde_json::to_writer(&mut json, self).expect("writing to memory does not fail");
        json
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let award = self.award.as_ref();
        let mut json = serializer.serialize_struct("Decision", 9)?;
        json.serialize_field("outcome", self.outcome.as_str())?;
        json.serialize_field("monthlyAmount", &award.map(|award| award.monthly))?;
        json.serialize_field("grossTotal", &award.map(|award| award.gross_total))?;
        json.serialize_field("withheldMonthly", &award.map(|award| award.withheld_monthly))?;
        json.serialize_field("months", &award.map(|award| award.months))?;
        json.serialize_field("startsOn", &award.map(|award| Written(award.starts_on)))?;
        json.serialize_field("endsOn", &award.map(|award| Written(award.ends_on)))?;
        json.serialize_field("grounds", &self.grounds)?;
        json.serialize_field("parameters", &self.parameters)?;
        json.end()
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("outcome", &self.outcome)
            .field("grounds", &self.grounds)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Award {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Award(..)")
    }
}
