//! The draft of a citizen's application, as its pages fill it in.

use bytes::Bytes;

use super::super::{
    problem::{Kind, Problem},
    request::{Head, Public},
};
use crate::{
    application::form::{Complaint, Entries, Form, Written},
    civic::Language,
    identity::Audience,
    intake::{DraftOf, DraftingFault},
    ledger::drafts::{DraftFault, Expected, version_of},
    schemes::{Campaign, Scheme},
    session::scope::Scope,
};

/// An application that is being filled in.
pub(super) struct Draft {
    pub(super) campaign: Campaign,
    pub(super) entries: Entries,
    pub(super) form: Form,
    /// The version that is stored; `None` before anything was saved.
    pub(super) version: Option<String>,
}

impl Draft {
    /// The draft of the scheme in the path: what was saved, or else what the institute knows already.
    pub(super) async fn load(
        public: &Public,
        scope: Scope<'_>,
        head: &Head<'_>,
        language: Language,
    ) -> Result<Self, Problem> {
        let intake = &public.counter.intake;
        let scheme = head.segments.named("scheme").and_then(Scheme::from_name);
        if scope.audience() == Audience::Intermediaries {
            return Err(Kind::NotFound.into());
        }
        let scheme = scheme.ok_or(Kind::NotFound)?;
        let campaign = intake.open_campaign(scheme).ok_or(Kind::CampaignClosed)?;
        let stored = intake.draft(scope, DraftOf { scheme, mandate: None }).await?;
        let (entries, version) = match stored {
            Some(stored) => {
                let stored = scope.open(stored).ok_or_else(Problem::internal)?;
                let entries = Entries::from_document(&stored).unwrap_or_default();
                (entries, Some(version_of(&stored)))
            }
            None => (known(public, scope, campaign, language).await?, None),
        };
        let form = intake.form(campaign, &entries, language).ok_or(Kind::CampaignClosed)?;
        Ok(Self { campaign, entries, form, version })
    }

    /// Changes the entries, and with them what the form asks for.
    pub(super) fn change(
        &mut self,
        public: &Public,
        change: impl FnOnce(&Form, &mut Entries),
    ) -> Result<(), Kind> {
        change(&self.form, &mut self.entries);
        let form = public.counter.intake.form(self.campaign, &self.entries, self.form.language);
        self.form = form.ok_or(Kind::CampaignClosed)?;
        Ok(())
    }

    /// The application as it would be submitted.
    pub(super) fn written(&self, scope: Scope<'_>) -> Written {
        self.form.write(scope.fiscal_code(), &self.entries, None)
    }

    /// What is wrong with it.
    pub(super) fn complaints(&self, public: &Public, written: &Written) -> Vec<Complaint<'_>> {
        let faults = public.counter.intake.faults(&written.json);
        self.form.complaints(written, &faults, &self.entries)
    }

    /// Stores it, unless another device has stored another version meanwhile: false then.
    pub(super) async fn save(&self, public: &Public, scope: Scope<'_>) -> Result<bool, Problem> {
        let intake = &public.counter.intake;
        intake.admits()?;
        intake.limit_drafts(scope)?;
        let json = Bytes::from(self.written(scope).json);
        let expected = match &self.version {
            Some(version) => Expected::OneOf(vec![version.clone()]),
            None => Expected::Anything,
        };
        let which = DraftOf { scheme: self.campaign.scheme, mandate: None };
        match intake.save_draft(scope, which, json, expected).await {
            Ok(()) => Ok(true),
            Err(DraftingFault::Draft(DraftFault::Changed)) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}

/// What the institute knows of the person, as far as the form asks for it.
async fn known(
    public: &Public,
    scope: Scope<'_>,
    campaign: Campaign,
    language: Language,
) -> Result<Entries, Problem> {
    let intake = &public.counter.intake;
    let known = intake.known(scope).await.map_err(|_| Kind::AccessSuspended)?;
    let answers = scope.open(known).ok_or_else(Problem::internal)?;
    let mut entries = Entries::default();
    let form = intake.form(campaign, &entries, language).ok_or(Kind::CampaignClosed)?;
    form.fill_in(&answers, &mut entries);
    Ok(entries)
}
