//! What one requirement says of an application, and how the worst of them decides.

use super::decision::Outcome;
use super::ground::Finding;

/// What a requirement says of an application, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Assessment {
    /// Met for certain.
    Met,
    /// Waits for an answer from outside.
    Pending,
    /// An officer must look.
    Review,
    /// Not met, and no missing answer could change that.
    Failed,
}

impl Assessment {
    /// What is decided when this is the worst assessment of all.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Met => Outcome::Granted,
            Self::Pending => Outcome::Pending,
            Self::Review => Outcome::Review,
            Self::Failed => Outcome::Refused,
        }
    }
}

/// An assessment with its reasons.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) assessment: Assessment,
    /// Whether it is met by what is known, though the assessment may ask for an officer.
    pub(super) met: bool,
    pub(super) found: Finding,
    pub(super) required: Finding,
}

impl Check {
    pub(super) fn of(met: bool, found: Finding, required: Finding) -> Self {
        let assessment = if met { Assessment::Met } else { Assessment::Failed };
        Self { assessment, met, found, required }
    }

    pub(super) fn flag(found: bool, required: bool) -> Self {
        Self::of(found == required, Finding::Flag(found), Finding::Flag(required))
    }
}
