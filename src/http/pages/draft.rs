//! The draft of an application, as its pages fill it in: a citizen's own, or that of a client whose mandate the path names.

use bytes::Bytes;

use super::super::{
    problem::{Kind, Problem},
    request::{Head, Public},
    segment::{self, escaped},
};
use crate::{
    application::form::{Complaint, Entries, Form, Kind as FieldKind, Written},
    civic::FiscalCode,
    civic::Language,
    identity::Audience,
    intake::{DraftOf, DraftingFault, ShownMandate},
    ledger::drafts::{DraftFault, Expected, version_of},
    schemes::{Campaign, Scheme},
    session::scope::Scope,
    vault::Subject,
};

/// An application that is being filled in.
pub(super) struct Draft {
    pub(super) campaign: Campaign,
    /// The mandate of the client for whom an office fills it in.
    pub(super) client: Option<Client>,
    pub(super) entries: Entries,
    pub(super) form: Form,
    /// The version that is stored; `None` before anything was saved.
    pub(super) version: Option<String>,
}

/// A client of an office, as their mandate names them.
pub(super) struct Client {
    /// The reference of the mandate.
    pub(super) mandate: String,
    /// Who signed it.
    pub(super) grantor: Subject,
}

impl Draft {
    /// The draft of the scheme or mandate in the path: what was saved, or else what the institute knows already of a
    /// citizen.
    pub(super) async fn load(
        public: &Public,
        scope: Scope<'_>,
        head: &Head<'_>,
        language: Language,
    ) -> Result<Self, Problem> {
        let intake = &public.counter.intake;
        let (campaign, client) = whose(public, scope, head).await?;
        let stored = intake.draft(scope, which(campaign, client.as_ref())).await?;
        let (entries, version) = match stored {
            Some(stored) => {
                let stored = scope.open(stored).ok_or_else(Problem::internal)?;
                let entries = Entries::from_document(&stored).unwrap_or_default();
                (entries, Some(version_of(&stored)))
            }
            None => (known(public, scope, campaign, language).await?, None),
        };
        let form = form(public, campaign, &entries, language, client.is_some())?;
        Ok(Self { campaign, client, entries, form, version })
    }

    /// Where its pages are, below the visit.
    pub(super) fn path(&self) -> String {
        match &self.client {
            Some(client) => format!("/clients/{}", escaped(&client.mandate)),
            None => format!("/apply/{}", self.campaign.scheme),
        }
    }

    /// Changes the entries, and with them what the form asks for.
    pub(super) fn change(
        &mut self,
        public: &Public,
        change: impl FnOnce(&Form, &mut Entries),
    ) -> Result<(), Kind> {
        change(&self.form, &mut self.entries);
        let language = self.form.language();
        self.form = form(public, self.campaign, &self.entries, language, self.client.is_some())?;
        Ok(())
    }

    /// The application as it would be submitted.
    pub(super) fn written(&self, scope: Scope<'_>) -> Written {
        match &self.client {
            Some(client) => self.form.write(None, &self.entries, Some(&client.mandate)),
            None => self.form.write(Some(scope.fiscal_code()), &self.entries, None),
        }
    }

    /// What is wrong with it.
    pub(super) fn complaints(&self, public: &Public, written: &Written) -> Vec<Complaint<'_>> {
        let faults = public.counter.intake.faults(&written.json);
        let mut complaints = self.form.complaints(written, &faults, &self.entries);
        complaints.splice(0..0, self.other_client(public));
        complaints
    }

    /// The complaint that the fiscal code is not that of the person who signed the mandate.
    fn other_client(&self, public: &Public) -> Option<Complaint<'_>> {
        let client = self.client.as_ref()?;
        let field = self.form.fields().find(|field| field.kind == FieldKind::FiscalCode)?;
        let named = FiscalCode::parse(self.entries.of(&field.name)).ok()?;
        let is_theirs = public.counter.intake.keys().subject(&named) == client.grantor;
        let text = self.form.language().of(
            "La delega è di un'altra persona: controlla il codice fiscale.",
            "The mandate is another person's: check the fiscal code.",
        );
        (!is_theirs).then(|| Complaint { field: Some(field), text: text.to_owned() })
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
        let which = which(self.campaign, self.client.as_ref());
        match intake.save_draft(scope, which, json, expected).await {
            Ok(()) => Ok(true),
            Err(DraftingFault::Draft(DraftFault::Changed)) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}

fn which(campaign: Campaign, client: Option<&Client>) -> DraftOf<'_> {
    let mandate = client.map(|client| client.mandate.as_str());
    DraftOf { scheme: campaign.scheme, mandate }
}

fn form(
    public: &Public,
    campaign: Campaign,
    entries: &Entries,
    language: Language,
    is_for_client: bool,
) -> Result<Form, Kind> {
    let intake = &public.counter.intake;
    let form = if is_for_client {
        intake.form_for_client(campaign, entries, language)
    } else {
        intake.form(campaign, entries, language)
    };
    form.ok_or(Kind::CampaignClosed)
}

/// The open campaign, and the client if an office applies for one. A citizen names the scheme, an office a mandate.
async fn whose(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
) -> Result<(Campaign, Option<Client>), Problem> {
    let open = |scheme| public.counter.intake.open_campaign(scheme).ok_or(Kind::CampaignClosed);
    let mandate = segment::mandate(head)?;
    match (scope.audience(), mandate) {
        (Audience::Citizens, None) => {
            let scheme = head.segments.named("scheme").and_then(Scheme::from_name);
            Ok((open(scheme.ok_or(Kind::NotFound)?)?, None))
        }
        (Audience::Intermediaries, Some(mandate)) => {
            let shown = public.counter.intake.mandate(scope, &mandate).await?;
            let ShownMandate { mandate, holds } =
                scope.open(shown).ok_or_else(Problem::internal)?;
            if !holds {
                return Err(Kind::NoMandate.into());
            }
            if open(mandate.campaign.scheme)? != mandate.campaign {
                return Err(Kind::CampaignClosed.into());
            }
            let client = Client { mandate: mandate.reference, grantor: mandate.grantor };
            Ok((mandate.campaign, Some(client)))
        }
        _ => Err(Kind::NotFound.into()),
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
