//! Telephone PINs: a person makes and revokes one, and a Contact Center redeems it for a mandate of the day.

use jiff::Timestamp;

use super::{mandates::ShownMandate, opening::Intake};
use crate::{
    application::{self, ParseError, Redemption},
    civic::local_time,
    identity::{Audience, Office},
    ledger::{
        Channel, StorageFault,
        audit::{Action, QueueFull, Who},
        fault::Untraced,
        telephone::{MadePin, PinFault, PinStanding, RedeemFault, Redeeming},
    },
    session::{
        Session,
        scope::{Personal, Scope},
    },
};

/// Why a telephone PIN is not made, shown or redeemed.
#[derive(Debug)]
pub enum TelephoneFault {
    /// Only people who act for themselves have one.
    CitizensOnly,
    /// Only a Contact Center redeems one.
    ContactCentersOnly,
    /// It is not a redemption; every fault is named.
    Invalid(ParseError),
    /// The person has none, it is another one, or it cannot be redeemed any more; the caller cannot tell these apart.
    Refused,
    /// The person has made, or the clerk has tried in vain, as many today as are allowed.
    UsedUp {
        /// Whether it was the clerk.
        is_clerk: bool,
        /// When the next day begins.
        until: Timestamp,
        /// When they asked.
        now: Timestamp,
    },
    /// The store does not answer.
    Storage(StorageFault),
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
}

impl Intake {
    /// Makes a telephone PIN for a citizen, in place of the one that they have. It is shown once.
    ///
    /// # Errors
    /// [`TelephoneFault`]; the earlier one stays.
    pub async fn make_pin<'s>(
        &self,
        scope: Scope<'s>,
    ) -> Result<Personal<'s, MadePin>, TelephoneFault> {
        self.note_of_citizen(scope, Action::TelephonePinMade).await?;
        let person = scope.subject();
        let now = self.clock.now();
        let made = self.mandates.make_pin(person, now).await.map_err(|fault| match fault {
            PinFault::UsedUp => used_up(false, now),
            PinFault::Storage(fault) => TelephoneFault::Storage(fault),
        })?;
        Ok(scope.personal(person, made))
    }

    /// What a citizen may know of the PIN that they made last, as long as anybody can redeem it.
    ///
    /// # Errors
    /// [`TelephoneFault::CitizensOnly`], [`TelephoneFault::Storage`].
    pub async fn pin<'s>(
        &self,
        scope: Scope<'s>,
    ) -> Result<Personal<'s, Option<PinStanding>>, TelephoneFault> {
        if scope.audience() != Audience::Citizens {
            return Err(TelephoneFault::CitizensOnly);
        }
        let standing = self.mandates.pin(scope.subject(), self.clock.now()).await;
        Ok(scope.personal(scope.subject(), standing.map_err(TelephoneFault::Storage)?))
    }

    /// Revokes a citizen's PIN, if they have one. Mandates that were given with it stay until their day ends or they are
    /// revoked.
    ///
    /// # Errors
    /// [`TelephoneFault`]; it is not revoked.
    pub async fn revoke_pin(&self, scope: Scope<'_>) -> Result<(), TelephoneFault> {
        self.note_of_citizen(scope, Action::TelephonePinRevoked).await?;
        self.mandates.revoke_pin(scope.subject()).await.map_err(TelephoneFault::Storage)
    }

    /// Redeems a caller's PIN for a mandate of today.
    ///
    /// # Errors
    /// [`TelephoneFault`].
    pub async fn redeem<'s>(
        &self,
        scope: Scope<'s>,
        body: &[u8],
    ) -> Result<Personal<'s, ShownMandate>, TelephoneFault> {
        let session = scope.session();
        let office = self.may_redeem(scope)?;
        let asked = application::parse_redemption(body, self.rules);
        let Redemption { fiscal_code, pin, campaign } = asked.map_err(TelephoneFault::Invalid)?;
        self.space.admits_events().map_err(TelephoneFault::Untraced)?;
        let (person, now) = (self.keys.subject(&fiscal_code), self.clock.now());
        let clerk = session.person;
        let redeeming = Redeeming { office, clerk, person, pin, campaign, at: now };
        let redeemed = self.mandates.redeem(redeeming).await;
        let (action, result) = match redeemed {
            Ok(mandate) => (Action::TelephonePinRedeemed, Ok(mandate)),
            Err(RedeemFault::Refused) => {
                (Action::TelephonePinRefused, Err(TelephoneFault::Refused))
            }
            // It was not tried, so it is no event.
            Err(RedeemFault::UsedUp) => return Err(used_up(true, now)),
            Err(RedeemFault::Storage(fault)) => return Err(TelephoneFault::Storage(fault)),
        };
        // Every try is an event of its own, also if it follows another one at once.
        if let Err(untraced) = self.trail.note(action, person, self.who(session), None).await {
            // It happened, so it is recorded when that can be, perhaps twice.
            let noted = self.trail.note_soon(action, person, self.who(session), None);
            noted.unwrap_or_else(QueueFull::lost);
            return Err(TelephoneFault::Untraced(untraced));
        }
        let mandate = result?;
        let holds = mandate.holds_on(local_time::date_at(now));
        Ok(scope.personal(scope.subject(), ShownMandate { mandate, holds }))
    }

    /// The Contact Center at which the session is. Ask before a body is read.
    ///
    /// # Errors
    /// [`TelephoneFault::ContactCentersOnly`].
    pub fn may_redeem<'s>(&self, scope: Scope<'s>) -> Result<&'s Office, TelephoneFault> {
        let office = scope.session().office.as_ref().filter(|_| self.is_contact_center(scope));
        office.ok_or(TelephoneFault::ContactCentersOnly)
    }

    /// The channel of what a session does.
    #[must_use]
    pub fn channel(&self, scope: Scope<'_>) -> Channel {
        self.channel_of(scope.session())
    }

    /// Whether the session is at a Contact Center.
    #[must_use]
    pub fn is_contact_center(&self, scope: Scope<'_>) -> bool {
        self.channel(scope) == Channel::ContactCenter
    }

    fn channel_of(&self, session: &Session) -> Channel {
        match session.audience {
            Audience::Citizens if session.is_canary() => Channel::Canary,
            Audience::Citizens => Channel::Citizen,
            Audience::Intermediaries if self.mandates.is_contact_center(session.subject) => {
                Channel::ContactCenter
            }
            Audience::Intermediaries => Channel::Intermediary,
        }
    }

    /// Who is logged in, and through which channel they act, for the audit trail.
    pub(super) fn who<'s>(&self, session: &'s Session) -> Who<'s> {
        Who {
            is_contact_center: self.channel_of(session) == Channel::ContactCenter,
            ..session.who()
        }
    }

    /// Records what a citizen does with their PIN: each time an event of its own.
    async fn note_of_citizen(
        &self,
        scope: Scope<'_>,
        action: Action,
    ) -> Result<(), TelephoneFault> {
        if scope.audience() != Audience::Citizens {
            return Err(TelephoneFault::CitizensOnly);
        }
        self.space.admits_events().map_err(TelephoneFault::Untraced)?;
        let noted = self.trail.note(action, scope.subject(), self.who(scope.session()), None).await;
        noted.map_err(TelephoneFault::Untraced)
    }
}

/// Nothing more until the next day.
fn used_up(is_clerk: bool, now: Timestamp) -> TelephoneFault {
    let tomorrow = local_time::date_at(now).tomorrow();
    let until = tomorrow.map_or(Timestamp::MAX, local_time::start_of);
    TelephoneFault::UsedUp { is_clerk, until, now }
}
