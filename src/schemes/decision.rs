//! Decisions: the results of the rules engine.

use std::fmt::{self, Write as _};

use jiff::civil::Date;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::campaign::Campaign;
use super::ground::Grounds;
use crate::civic::Euro;
use crate::civic::calendar::Written;

/// Usual bytes of a decision as JSON, so that writing one allocates once.
const JSON_BYTES_USUAL: usize = 2_560;

/// The decision on an application: its outcome, the award if granted, and every ground.
///
/// Personal data, so `Debug` prints the outcome and which grounds are met, but no figure.
#[derive(Clone, PartialEq, Eq)]
pub struct Decision {
    /// The outcome.
    pub outcome: Outcome,
    /// What is paid; only if granted.
    pub award: Option<Award>,
    /// Every requirement of the scheme, met or not, in the scheme's order.
    pub grounds: Grounds,
    /// The campaign whose parameters were used.
    pub parameters: Campaign,
}

/// The outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every requirement is met.
    Granted,
    /// A requirement is not met, whatever the missing answers are.
    Refused,
    /// Waits for an answer of a registry.
    Pending,
    /// An officer must decide.
    Review,
}

impl Outcome {
    /// Every outcome, for metrics.
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
    /// The amount for a month, before tax.
    pub monthly: Euro,
    /// The amount for all months, before tax.
    pub gross_total: Euro,
    /// Tax withheld each month.
    pub withheld_monthly: Euro,
    /// The number of months.
    pub months: u8,
    /// The first day it is due for.
    pub starts_on: Date,
    /// The last day it is due for.
    pub ends_on: Date,
}

impl Decision {
    /// The decision as JSON, equal to what [`Serialize`] writes, at a third of its cost.
    ///
    /// No text in a decision needs escaping: each is a word of the contract, a figure or a source from a
    /// parameter file.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = String::with_capacity(JSON_BYTES_USUAL);
        let award = self.award.as_ref();
        push(&mut json, &["{\"outcome\":\"", self.outcome.as_str(), "\""]);
        push_figure(&mut json, "monthlyAmount", award.map(|award| award.monthly));
        push_figure(&mut json, "grossTotal", award.map(|award| award.gross_total));
        push_figure(&mut json, "withheldMonthly", award.map(|award| award.withheld_monthly));
        json.push_str(",\"months\":");
        match award {
            Some(award) => push_display(&mut json, &award.months),
            None => json.push_str("null"),
        }
        push_figure(&mut json, "startsOn", award.map(|award| Written(award.starts_on)));
        push_figure(&mut json, "endsOn", award.map(|award| Written(award.ends_on)));
        let mut before = ",\"grounds\":[{\"requirement\":\"";
        for ground in self.grounds.iter() {
            let met = if ground.met { "true" } else { "false" };
            let requirement = ground.requirement.as_str();
            push(&mut json, &[before, requirement, "\",\"met\":", met, ",\"found\":\""]);
            push_display(&mut json, &ground.found);
            json.push_str("\",\"required\":\"");
            push_display(&mut json, &ground.required);
            push(&mut json, &["\",\"source\":\"", ground.source, "\"}"]);
            before = ",{\"requirement\":\"";
        }
        json.push_str("],\"parameters\":\"");
        push_display(&mut json, &self.parameters);
        json.push_str("\"}");
        json.into_bytes()
    }
}

fn push(json: &mut String, pieces: &[&str]) {
    for piece in pieces {
        json.push_str(piece);
    }
}

fn push_display(json: &mut String, value: &impl fmt::Display) {
    // Writing to a string does not fail.
    let _written = write!(json, "{value}");
}

/// Adds a member after others: its figure as a string, or null.
fn push_figure(json: &mut String, name: &str, figure: Option<impl fmt::Display>) {
    push(json, &[",\"", name, "\":"]);
    match figure {
        Some(figure) => {
            json.push('"');
            push_display(json, &figure);
            json.push('"');
        }
        None => json.push_str("null"),
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
