//! The result of checking one requirement, and how the worst result decides.

use super::decision::Outcome;
use super::ground::Finding;

/// How far an application meets a requirement, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Assessment {
    /// Met.
    Met,
    /// Needs an answer of a registry.
    Pending,
    /// Needs an officer.
    Review,
    /// Not met, whatever the missing answers are.
    Failed,
}

impl Assessment {
    /// The outcome if this is the worst assessment of all requirements.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Met => Outcome::Granted,
            Self::Pending => Outcome::Pending,
            Self::Review => Outcome::Review,
            Self::Failed => Outcome::Refused,
        }
    }
}

/// An assessment with what was found and what is required.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) assessment: Assessment,
    /// Whether it is met by what is known; the assessment may still be [`Assessment::Review`].
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
