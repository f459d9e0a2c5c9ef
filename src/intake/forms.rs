//! What the pages need of the use cases to have an application filled in: its form, its faults, and what is known already.

use bytes::Bytes;
use jiff::civil::Date;

use super::opening::Intake;
use crate::{
    application::{
        self, Fault, ParseError,
        form::{Entries, Form},
        sheet::{Columns, FileFault, Rows},
    },
    civic::{Language, local_time},
    identity::Audience,
    ledger::{audit::Action, fault::Untraced},
    schemes::{Answers, Campaign, Scheme},
    session::scope::{Personal, Scope},
};

impl Intake {
    /// The day at this counter, Europe/Rome.
    #[must_use]
    pub fn today(&self) -> Date {
        local_time::date_at(self.clock.now())
    }

    /// The campaign of a scheme that takes applications today.
    #[must_use]
    pub fn open_campaign(&self, scheme: Scheme) -> Option<Campaign> {
        let today = self.today();
        let mut open = self.rules.campaigns().filter(|window| window.contains(today));
        open.find(|window| window.campaign.scheme == scheme).map(|window| window.campaign)
    }

    /// The form of a campaign, as far as it was filled in.
    #[must_use]
    pub fn form(&self, campaign: Campaign, entries: &Entries, language: Language) -> Option<Form> {
        Form::new(campaign, self.rules, entries, language)
    }

    /// The same, as an office fills it in for a client.
    #[must_use]
    pub fn form_for_client(
        &self,
        campaign: Campaign,
        entries: &Entries,
        language: Language,
    ) -> Option<Form> {
        Form::for_client(campaign, self.rules, entries, language)
    }

    /// The columns of the table that offices fill in for a campaign.
    #[must_use]
    pub fn columns(&self, campaign: Campaign, language: Language) -> Option<Columns> {
        Columns::of(campaign, self.rules, language)
    }

    /// The rows of a file with these columns, or of NDJSON.
    ///
    /// # Errors
    /// [`FileFault`].
    pub fn rows(
        &self,
        columns: Columns,
        name: &str,
        content: Bytes,
    ) -> Result<Rows<'static>, FileFault> {
        Rows::open(columns, self.rules, name, content)
    }

    /// What is wrong with a document that a form has written.
    #[must_use]
    pub fn faults(&self, document: &[u8]) -> Vec<Fault> {
        match application::parse_bounded(document, self.rules) {
            Err(ParseError::Invalid(faults)) => faults,
            // A form writes JSON.
            Ok(_) | Err(ParseError::Malformed { .. }) => Vec::new(),
        }
    }

    /// What the institute knows of a citizen, to fill in for them; nothing for an office.
    ///
    /// # Errors
    /// [`Untraced`]: show nothing of it.
    pub async fn known<'s>(&self, scope: Scope<'s>) -> Result<Personal<'s, Answers>, Untraced> {
        let answers = match scope.audience() {
            Audience::Citizens => self.registry.answers(&scope.fiscal_code()),
            Audience::Intermediaries => Answers::NONE,
        };
        if answers != Answers::NONE {
            self.note(scope, Action::EstimateShown, scope.session().person, None).await?;
        }
        Ok(scope.personal(scope.subject(), answers))
    }
}
