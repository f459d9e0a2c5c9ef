//! What people read who were not signed in at their identity provider.

use super::{Kind, Problem};
use crate::{identity::openid::LoginFault, intake::SignInFault};

impl From<SignInFault> for Problem {
    fn from(fault: SignInFault) -> Self {
        match fault {
            SignInFault::Enter(fault) => fault.into(),
            SignInFault::Login(fault) => match fault {
                LoginFault::UnknownProvider => Kind::NotFound.into(),
                LoginFault::Stale => Kind::SignInStale.into(),
                LoginFault::Refused => Kind::SignInRefused.into(),
                LoginFault::NotCompleted => Kind::SignInNotCompleted.into(),
                LoginFault::LevelTooLow => Kind::AssuranceTooLow.into(),
                LoginFault::Unavailable => Kind::ProviderUnavailable.into(),
                LoginFault::Untrusted => Kind::SignInUntrusted.into(),
                LoginFault::Busy => Self::shedding(Kind::Busy, "providers"),
            },
        }
    }
}
