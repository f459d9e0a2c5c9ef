//! `/visit/{visit}/{language}/apply/{scheme}/{step}`, and for a client of an office `.../clients/{mandate}/{step}`: one step of
//! an application, saved as soon as it is sent.

use askama::Template;
use hyper::StatusCode;

use super::{
    super::{
        body::Unread,
        guard::Reply,
        html::Frame,
        problem::{Kind, Problem},
        request::{Head, Public},
    },
    draft::Draft,
    posted::Posted,
    visit::Visit,
};
use crate::{
    application::form::{Complaint, Entries, Field, Kind as FieldKind, Step},
    civic::Language,
    ledger::drafts::version_of,
    session::scope::Scope,
};

/// How often a step is saved when another device saves at the same time.
const TRIES_MAX: usize = 3;
/// The hidden field that says what was stored of the step when the page was shown.
const SEEN: &str = "seen";

/// Where a person comes from and goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the step before to the step after.
    Onward,
    /// From the check and back to it.
    BackToCheck,
}

#[derive(Template)]
#[template(path = "pages/step.html")]
struct StepPage<'f> {
    frame: Frame,
    form_token: String,
    action: String,
    back: String,
    number: usize,
    /// The titles of all steps, the check included.
    steps: Vec<&'static str>,
    hint: Option<&'f str>,
    /// That of the client for whom it is filled in.
    mandate: Option<&'f str>,
    groups: Vec<Group<'f>>,
    faults: Vec<(String, String)>,
    seen: String,
    /// What another device has saved meanwhile, by label.
    elsewhere: Vec<(&'f str, String)>,
}

/// Consecutive fields under one legend.
struct Group<'f> {
    legend: Option<&'f str>,
    fields: Vec<Shown<'f>>,
}

/// One field as a page shows it.
struct Shown<'f> {
    name: &'f str,
    label: &'f str,
    hint: Option<&'f str>,
    fault: Option<String>,
    is_optional: bool,
    control: Control,
}

enum Control {
    Text {
        value: String,
        /// `type`, `inputmode`, `autocomplete`.
        input: [&'static str; 3],
    },
    /// Value, label, whether it is chosen.
    Radios(Vec<(&'static str, &'static str, bool)>),
    /// Value when ticked, and whether it is.
    Tick(String, bool),
}

/// What a step is shown with.
struct Remarks<'f> {
    /// What is wrong with it.
    complaints: &'f [Complaint<'f>],
    /// What another device has saved meanwhile, by label.
    elsewhere: Vec<(&'f str, String)>,
    /// The hash of what is stored of it.
    seen: String,
}

impl Remarks<'_> {
    fn none(draft: &Draft, at: &At) -> Self {
        let seen = fingerprint(at.step(draft), &draft.entries);
        Self { complaints: &[], elsewhere: Vec::new(), seen }
    }
}

/// The step that a path names, in its application.
struct At {
    name: &'static str,
    number: usize,
}

impl At {
    fn of(head: &Head<'_>, draft: &Draft) -> Result<Self, Kind> {
        let named = head.segments.named("step").unwrap_or_default();
        let (number, step) = draft.form.step(named).ok_or(Kind::NotFound)?;
        Ok(Self { name: step.name, number })
    }

    fn step<'d>(&self, draft: &'d Draft) -> &'d Step {
        &draft.form.steps[self.number]
    }
}

pub(super) async fn show(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    way: Way,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let draft = Draft::load(public, scope, head, visit.language).await?;
    let at = At::of(head, &draft)?;
    let html = render(&visit, &draft, &at, way, Remarks::none(&draft, &at));
    Ok(visit.show_own(scope, StatusCode::OK, &html))
}

/// Saves what was entered, faulty or not; then the next step follows, or this one again with what is wrong.
pub(super) async fn save(
    public: &Public,
    scope: Scope<'_>,
    head: &Head<'_>,
    body: Unread,
    way: Way,
) -> Result<Reply, Problem> {
    let visit = Visit::of(public, scope, head)?;
    let posted = Posted::read_inside(public, head, body).await?;
    for _ in 0..TRIES_MAX {
        let mut draft = Draft::load(public, scope, head, visit.language).await?;
        let at = At::of(head, &draft)?;
        let seen = fingerprint(at.step(&draft), &draft.entries);
        let was_changed = posted.of(SEEN) != seen;
        // The page is one of a draft that was submitted or discarded elsewhere: saving it would begin another one.
        if was_changed && draft.version.is_none() && !posted.of(SEEN).is_empty() {
            return Err(Kind::DraftChanged.into());
        }
        let elsewhere = enter(public, &mut draft, &at, &posted)?;
        if was_changed && !elsewhere.is_empty() {
            let elsewhere = changed(at.step(&draft), &elsewhere, visit.language);
            let remarks = Remarks { complaints: &[], elsewhere, seen };
            let html = render(&visit, &draft, &at, way, remarks);
            return Ok(visit.show_own(scope, StatusCode::CONFLICT, &html));
        }
        if !draft.save(public, scope).await? {
            continue;
        }
        let apply = draft.path();
        if !posted.of("later").is_empty() {
            let list = if draft.client.is_some() { "/mandates" } else { "/applications" };
            return Ok(visit.go(list));
        }
        let written = draft.written(scope);
        let complaints = draft.complaints(public, &written);
        let own: Vec<_> =
            complaints.into_iter().filter(|one| is_of(at.step(&draft), one)).collect();
        if !own.is_empty() {
            let remarks = Remarks { complaints: &own, ..Remarks::none(&draft, &at) };
            let html = render(&visit, &draft, &at, way, remarks);
            return Ok(visit.show_own(scope, StatusCode::UNPROCESSABLE_ENTITY, &html));
        }
        let next = draft.form.steps.get(at.number + 1).filter(|_| way == Way::Onward);
        return Ok(visit.go(&format!("{apply}/{}", next.map_or("check", |step| step.name))));
    }
    Err(Kind::DraftChanged.into())
}

fn is_of(step: &Step, complaint: &Complaint<'_>) -> bool {
    let Some(field) = complaint.field else { return false };
    step.fields.iter().any(|own| own.name == field.name)
}

/// Enters what was posted; returns what was stored of the step in its place, if that is something else.
fn enter(public: &Public, draft: &mut Draft, at: &At, posted: &Posted) -> Result<Entries, Kind> {
    let stored = draft.entries.clone();
    draft.change(public, |form, entries| {
        for field in &form.steps[at.number].fields {
            entries.enter(field, &posted.of(&field.name), form.language());
        }
    })?;
    let differs = |field: &&Field| {
        let stored = stored.of(&field.name);
        !stored.is_empty() && stored != draft.entries.of(&field.name)
    };
    let mut elsewhere = Entries::default();
    for field in at.step(draft).fields.iter().filter(differs) {
        elsewhere.put(&field.name, stored.of(&field.name));
    }
    Ok(elsewhere)
}

fn changed<'f>(step: &'f Step, elsewhere: &Entries, language: Language) -> Vec<(&'f str, String)> {
    let fields = step.fields.iter().filter(|field| !elsewhere.of(&field.name).is_empty());
    fields.map(|field| (&*field.label, field.answer(elsewhere, language))).collect()
}

/// A short hash of what is entered in a step, to notice that another device has changed it.
fn fingerprint(step: &Step, entries: &Entries) -> String {
    let values: Vec<_> = step.fields.iter().map(|field| entries.of(&field.name)).collect();
    version_of(values.join("\n").as_bytes())
}

fn render(
    visit: &Visit<'_>,
    draft: &Draft,
    at: &At,
    way: Way,
    Remarks { complaints, elsewhere, seen }: Remarks<'_>,
) -> String {
    let (step, language) = (at.step(draft), visit.language);
    let apply = draft.path();
    let change = if way == Way::BackToCheck { "/change" } else { "" };
    let rest = format!("{apply}/{}{change}", at.name);
    let before = at.number.checked_sub(1).map(|number| draft.form.steps[number].name);
    let back = match (way, before) {
        (Way::BackToCheck, _) => format!("{apply}/check"),
        (Way::Onward, Some(before)) => format!("{apply}/{before}"),
        (Way::Onward, None) => apply.clone(),
    };
    let fault_of = |field: &Field| {
        let own = complaints.iter().find(|one| one.field.is_some_and(|one| one.name == field.name));
        own.map(|complaint| complaint.text.clone())
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for field in &step.fields {
        let shown = shown(field, &draft.entries, fault_of(field), language);
        match groups.last_mut() {
            Some(group) if group.legend == field.group.as_deref() => group.fields.push(shown),
            _ => groups.push(Group { legend: field.group.as_deref(), fields: vec![shown] }),
        }
    }
    let faults = complaints.iter().filter_map(|complaint| {
        let field = complaint.field?;
        Some((first_id(field), format!("{}: {}", labelled(field), complaint.text)))
    });
    let check = language.of("Controlla le risposte", "Check the answers");
    let mut frame = visit.frame(step.title, &rest);
    frame.is_faulty = !complaints.is_empty();
    let page = StepPage {
        frame,
        form_token: visit.form_token(),
        action: visit.path(&rest),
        back: visit.path(&back),
        number: at.number + 1,
        steps: draft.form.steps.iter().map(|step| step.title).chain([check]).collect(),
        hint: step.hint.as_deref(),
        mandate: draft.client.as_ref().map(|client| client.mandate.as_str()),
        groups,
        faults: faults.collect(),
        seen,
        elsewhere,
    };
    page.to_string()
}

/// The label of a field with that of its group.
pub(super) fn labelled(field: &Field) -> String {
    match &field.group {
        Some(group) => format!("{group}, {}", field.label),
        None => field.label.clone().into_owned(),
    }
}

/// The id of what takes the focus when a field is gone to.
fn first_id(field: &Field) -> String {
    match field.kind {
        FieldKind::Flag | FieldKind::Choice(_) => format!("{}-0", field.name),
        _ => field.name.clone().into_owned(),
    }
}

fn shown<'f>(
    field: &'f Field,
    entries: &Entries,
    fault: Option<String>,
    language: Language,
) -> Shown<'f> {
    let value = field.shown(entries, language);
    let control = match field.kind {
        FieldKind::Flag => Control::Radios(vec![
            ("true", language.of("Sì", "Yes"), value == "true"),
            ("false", "No", value == "false"),
        ]),
        FieldKind::Choice(choices) => Control::Radios(
            choices
                .iter()
                .map(|choice| (choice.value, choice.label(language), choice.value == value))
                .collect(),
        ),
        FieldKind::Statement => Control::Tick("true".to_owned(), value == "true"),
        FieldKind::Year(year) => Control::Tick(year.to_string(), !value.is_empty()),
        FieldKind::Email => Control::Text { value, input: ["email", "email", "email"] },
        FieldKind::Phone => Control::Text { value, input: ["tel", "tel", "tel"] },
        FieldKind::Amount => Control::Text { value, input: ["text", "decimal", "off"] },
        FieldKind::VatNumber | FieldKind::Count => {
            Control::Text { value, input: ["text", "numeric", "off"] }
        }
        FieldKind::Iban | FieldKind::Date | FieldKind::FiscalCode => {
            Control::Text { value, input: ["text", "text", "off"] }
        }
    };
    Shown {
        name: &field.name,
        label: &field.label,
        hint: field.hint,
        fault,
        is_optional: field.is_optional() && matches!(control, Control::Text { .. }),
        control,
    }
}
