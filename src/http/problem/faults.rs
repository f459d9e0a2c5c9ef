//! The problems of the use cases' faults, apart from those of entering and submitting.

use super::{Kind, Problem, used_up};
use crate::{
    intake::{
        BatchFault, DisclosureFault, DraftingFault, LookupFault, MandateFault, TelephoneFault,
    },
    ledger::drafts::DraftFault,
};

impl From<BatchFault> for Problem {
    fn from(fault: BatchFault) -> Self {
        match fault {
            BatchFault::IntermediariesOnly => Kind::IntermediariesOnly.into(),
            BatchFault::OneAtATime => Kind::BatchUnderWay.into(),
            BatchFault::Full => Self::shedding(Kind::Busy, "uploads"),
            BatchFault::Commit(fault) => fault.into(),
        }
    }
}

impl From<DraftFault> for Problem {
    fn from(fault: DraftFault) -> Self {
        match fault {
            DraftFault::Changed => Kind::DraftChanged.into(),
            DraftFault::TooMany => Kind::TooManyDrafts.into(),
            DraftFault::Read(fault) => fault.into(),
            DraftFault::Busy => Self::shedding(Kind::Busy, "drafts"),
            DraftFault::Failed => Kind::DraftsUnavailable.into(),
            DraftFault::Away => Self::shedding(Kind::StorageUnavailable, "drafts"),
            DraftFault::Untraced(_) => Kind::AccessSuspended.into(),
        }
    }
}

impl From<DraftingFault> for Problem {
    fn from(fault: DraftingFault) -> Self {
        match fault {
            DraftingFault::NoMandate => Kind::NoMandate.into(),
            DraftingFault::Draft(fault) => fault.into(),
        }
    }
}

impl From<MandateFault> for Problem {
    fn from(fault: MandateFault) -> Self {
        match fault {
            MandateFault::NotFound => Kind::NotFound.into(),
            MandateFault::NotGrantor => Kind::NotGrantor.into(),
            MandateFault::Storage(fault) => fault.into(),
            MandateFault::Untraced(_) => Kind::AccessSuspended.into(),
        }
    }
}

impl From<TelephoneFault> for Problem {
    fn from(fault: TelephoneFault) -> Self {
        match fault {
            TelephoneFault::CitizensOnly => Kind::CitizensOnly.into(),
            TelephoneFault::ContactCentersOnly => Kind::ContactCentersOnly.into(),
            TelephoneFault::Invalid(error) => Self::of(Kind::Redemption, error),
            TelephoneFault::Refused => Kind::PinRefused.into(),
            TelephoneFault::UsedUp { is_clerk, until, now } => {
                let kind = if is_clerk { Kind::TriesUsedUp } else { Kind::PinsUsedUp };
                used_up(kind, until.duration_since(now))
            }
            TelephoneFault::Storage(fault) => fault.into(),
            TelephoneFault::Untraced(_) => Kind::AccessSuspended.into(),
        }
    }
}

impl From<DisclosureFault> for Problem {
    fn from(fault: DisclosureFault) -> Self {
        match fault {
            DisclosureFault::NotFound => Kind::NotFound.into(),
            DisclosureFault::TooOften(too_often) => too_often.into(),
            DisclosureFault::Untraced(_) => Kind::AccessSuspended.into(),
            DisclosureFault::Busy => Self::shedding(Kind::Busy, "searches"),
            DisclosureFault::Search(fault) => {
                tracing::error!(%fault, "searching the audit trail failed");
                Kind::StorageUnavailable.into()
            }
        }
    }
}

impl From<LookupFault> for Problem {
    fn from(fault: LookupFault) -> Self {
        match fault {
            LookupFault::NotFound => Kind::NotFound.into(),
            LookupFault::TooOften(too_often) => too_often.into(),
            LookupFault::Incomplete => Self::shedding(Kind::Busy, "filings"),
            LookupFault::Commit(fault) => fault.into(),
            LookupFault::Read(fault) => fault.into(),
            LookupFault::Untraced(_) => Kind::AccessSuspended.into(),
        }
    }
}
