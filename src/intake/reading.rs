//! Reading and withdrawing an application.

use std::sync::Arc;

use jiff::civil::Date;

use super::opening::Intake;
use crate::{
    application,
    gate::limits::TooOften,
    identity::Audience,
    ledger::{
        Contents, Ledger,
        audit::{Action, QueueFull},
        book::{
            change::State,
            record::{Header, RecordFault},
        },
        fault::{CommitFault, ReadFault, StorageFault, Untraced},
        filings::FilingsFault,
        position::Position,
        receipt::{Receipt, ReceiptCode},
    },
    metrics as list,
    schemes::withheld,
    session::scope::{Personal, Scope},
    trace::{Part, time},
    vault::Subject,
};

/// Why an application is not shown or withdrawn.
#[derive(Debug)]
pub enum LookupFault {
    /// There is none under this receipt, or it is another person's; the caller cannot tell the two apart.
    NotFound,
    /// The person asked for a list less than a second ago.
    TooOften(TooOften),
    /// The index of what offices handed in is being rebuilt.
    Incomplete,
    /// The ledger did not take the withdrawal.
    Commit(CommitFault),
    /// The ledger could not be read.
    Read(ReadFault),
    /// The audit trail takes nothing at present.
    Untraced(Untraced),
}

impl From<ReadFault> for LookupFault {
    fn from(fault: ReadFault) -> Self {
        Self::Read(fault)
    }
}

impl From<StorageFault> for LookupFault {
    fn from(fault: StorageFault) -> Self {
        Self::Read(fault.into())
    }
}

impl From<FilingsFault> for LookupFault {
    fn from(fault: FilingsFault) -> Self {
        match fault {
            FilingsFault::Storage(fault) => fault.into(),
            FilingsFault::Incomplete => Self::Incomplete,
        }
    }
}

/// An application as its person sees it.
pub struct SubmittedApplication {
    /// Its receipt code.
    pub receipt: ReceiptCode,
    /// Its state.
    pub state: State,
    /// The filing date, Europe/Rome.
    pub received_on: Date,
    /// Its bytes as they were sent, and the decision as JSON; for an office without the institute's own figures.
    pub contents: Contents,
}

impl Intake {
    /// The application under a receipt.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub async fn read<'s>(
        &self,
        scope: Scope<'s>,
        code: ReceiptCode,
    ) -> Result<Personal<'s, SubmittedApplication>, LookupFault> {
        let Found { ledger, position, state, header } = self.find(scope, code).await?;
        let object = Some((ledger.campaign(), position));
        self.note(scope, Action::ApplicationShown, header.subject, object)
            .await
            .map_err(LookupFault::Untraced)?;
        // A citizen's own key opens it. An intermediary was entrusted with the record, as its header has shown.
        let subject = match scope.audience() {
            Audience::Citizens => scope.subject(),
            Audience::Intermediaries => header.subject,
        };
        let mut contents = ledger.read(position, subject).await?;
        let received_on = header.received_on;
        if scope.audience() == Audience::Intermediaries {
            self.withhold(&mut contents, received_on)?;
        }
        let submitted = SubmittedApplication { receipt: code, state, received_on, contents };
        Ok(scope.personal(owner(scope, &header), submitted))
    }

    /// The receipt itself, the same to the letter as when the application was accepted.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub async fn receipt<'s>(
        &self,
        scope: Scope<'s>,
        code: ReceiptCode,
    ) -> Result<Personal<'s, Receipt>, LookupFault> {
        let Found { ledger, position, header, .. } = self.find(scope, code).await?;
        let receipt = ledger.receipt(position).await?;
        Ok(scope.personal(owner(scope, &header), receipt.ok_or(LookupFault::NotFound)?))
    }

    /// Withdraws the application under a receipt. A second withdrawal changes nothing.
    ///
    /// # Errors
    /// [`LookupFault`].
    pub async fn withdraw(&self, scope: Scope<'_>, code: ReceiptCode) -> Result<(), LookupFault> {
        let Found { ledger, position, header, .. } = self.find(scope, code).await?;
        let object = Some((ledger.campaign(), position));
        self.note(scope, Action::WithdrawalAsked, header.subject, object)
            .await
            .map_err(LookupFault::Untraced)?;
        let _committing = time(Part::Commit);
        ledger.withdraw(position).await.map_err(LookupFault::Commit)?;
        Ok(())
    }

    /// Removes from the decision what an office may not see: figures that only the institute knows.
    fn withhold(&self, contents: &mut Contents, received_on: Date) -> Result<(), LookupFault> {
        let Some(stored) = &contents.decision else { return Ok(()) };
        let application = application::parse(&contents.application, self.rules).ok();
        let stated =
            application.map(|application| self.rules.decide(&application.facts, received_on));
        let shown = withheld(stored, stated.as_ref());
        contents.decision = Some(shown.ok_or(LookupFault::Read(RecordFault::Format.into()))?);
        Ok(())
    }

    /// Looks up a receipt that this session may see, and notices who asks for others.
    async fn find(&self, scope: Scope<'_>, code: ReceiptCode) -> Result<Found, LookupFault> {
        let found = self.look_up(scope, code).await;
        if let Err(LookupFault::NotFound) = found {
            self.notice_unknown(scope);
        }
        found
    }

    /// Counts a request for an unknown receipt, which for this session another person's is, too. The event of one who
    /// repeats it does not delay the answer, which reveals nothing.
    fn notice_unknown(&self, scope: Scope<'_>) {
        list::UNKNOWN_RECEIPTS.counter(&[]).increment(1);
        let session = scope.session();
        if self.limits.load().repeats_unknown(session.person) && self.space.admits_events().is_ok()
        {
            let (person, who) = (session.person, self.who(session));
            self.trail
                .note_soon(Action::UnknownReceiptsAsked, person, who, None)
                .unwrap_or_else(QueueFull::lost);
        }
    }

    async fn look_up(&self, scope: Scope<'_>, code: ReceiptCode) -> Result<Found, LookupFault> {
        let ledger = self.shelf.get(code.campaign()).ok_or(LookupFault::NotFound)?;
        let found = ledger.find(code).await?;
        let (position, state) = found.ok_or(LookupFault::NotFound)?;
        let header = ledger.header(position).await?;
        if owner(scope, &header) != scope.subject() {
            return Err(LookupFault::NotFound);
        }
        // What an office sees ends with its mandate.
        if scope.audience() == Audience::Intermediaries {
            let (person, campaign) = (header.subject, ledger.campaign());
            if !self.is_covered(scope, person, campaign, None).await? {
                return Err(LookupFault::NotFound);
            }
        }
        Ok(Found { ledger, position, state, header })
    }
}

struct Found {
    ledger: Arc<dyn Ledger>,
    position: Position,
    state: State,
    header: Header,
}

/// Who may see the record: its person, or the intermediary that submitted it as long as a mandate covers it, depending on
/// the audience of the session.
pub(super) fn owner(scope: Scope<'_>, header: &Header) -> Subject {
    match scope.audience() {
        Audience::Citizens => header.subject,
        Audience::Intermediaries => header.principal,
    }
}
