//! Forms: one description of each scheme's fields, in steps, with their words.
//!
//! The pages ask, read, check and show an application by this description alone: a new scheme needs its own file
//! here and no other page code. Nothing here decides whether a value is valid; [`parse`](super::parse) does, and
//! [`Form::complaints`] brings its faults back to the fields.
//!
//! `entries` holds what was entered and converts it into a document and back, `typed` converts between what people
//! type and what a document has, `iscro` and `allowance600` are the fields of their schemes.

mod allowance600;
mod complaints;
mod entries;
mod iscro;
mod typed;

use std::borrow::Cow;

pub use self::complaints::Complaint;
pub use self::entries::{Entries, Written};
use crate::civic::Language;
use crate::schemes::{Answers, Campaign, Rules, Scheme};

/// The form of one campaign in one language.
pub struct Form {
    /// Its campaign.
    pub campaign: Campaign,
    /// Its language.
    pub language: Language,
    /// Its steps, in the order in which they are asked.
    pub steps: Vec<Step>,
    /// Objects that the document has even if no field of them is asked for.
    objects: &'static [&'static str],
}

/// Fields that are asked for together, on one page.
pub struct Step {
    /// Its name in paths.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What to know before answering.
    pub hint: Option<Cow<'static, str>>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// One field.
pub struct Field {
    /// The path to it in the document, joined by points, such as `incomes.2023.amount`.
    pub name: Cow<'static, str>,
    /// What is asked.
    pub label: Cow<'static, str>,
    /// How to answer, or where to find the answer.
    pub hint: Option<&'static str>,
    /// What the label and hint belong to, if several fields do.
    pub group: Option<Cow<'static, str>>,
    /// What is entered.
    pub kind: Kind,
    /// What an empty field means.
    pub empty: Empty,
}

/// What is entered into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An IBAN.
    Iban,
    /// A VAT number.
    VatNumber,
    /// An amount in euro.
    Amount,
    /// A day.
    Date,
    /// A whole number.
    Count,
    /// Yes or no.
    Flag,
    /// One of several answers.
    Choice(&'static [Choice]),
    /// Something to tick, which is `true` then and `false` otherwise.
    Statement,
    /// Something to tick, which is this year then and missing otherwise.
    Year(i16),
}

/// One of several answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its value in the document; `null`, `true` and `false` are JSON literals.
    pub value: &'static str,
    label: (&'static str, &'static str),
}

impl Choice {
    const fn new(value: &'static str, italian: &'static str, english: &'static str) -> Self {
        Self { value, label: (italian, english) }
    }

    /// What it says.
    #[must_use]
    pub fn label(&self, language: Language) -> &'static str {
        language.of(self.label.0, self.label.1)
    }
}

/// What an empty field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// An answer is missing.
    Missing,
    /// There is nothing to enter: the field is left out of the document.
    LeftOut,
    /// There is nothing to enter: the document says `null`.
    Null,
}

impl Form {
    /// The form of a campaign; what it asks for may depend on what was entered before. `None` if the campaign has no
    /// rules.
    ///
    /// ```
    /// use sportello::{application::form::{Entries, Form}, civic::Language};
    /// use sportello::schemes::{Campaign, Rules};
    ///
    /// let campaign = Campaign::from_name("iscro-2024").unwrap();
    /// let form = Form::new(campaign, Rules::builtin(), &Entries::default(), Language::English).unwrap();
    /// assert!(form.fields().any(|field| field.name == "incomes.2023.amount"));
    /// ```
    #[must_use]
    pub fn new(
        campaign: Campaign,
        rules: &Rules,
        entries: &Entries,
        language: Language,
    ) -> Option<Self> {
        let (mut steps, objects, statements): (Vec<Step>, &'static [&'static str], Vec<Field>) =
            match campaign.scheme {
                Scheme::Iscro => {
                    let parameters = rules.iscro(campaign.year)?;
                    (
                        iscro::steps(parameters, language),
                        &[],
                        iscro::statements(parameters, language),
                    )
                }
                Scheme::Allowance600 => {
                    rules.allowance600()?;
                    let steps = allowance600::steps(entries, language);
                    (steps, &["facts"], allowance600::statements(language))
                }
            };
        steps.insert(0, contacts(language));
        steps.push(payment(language));
        steps.push(Step {
            name: "statements",
            title: language.of("Dichiarazioni", "Statements"),
            hint: Some(
                language
                    .of(
                        "Le dichiarazioni hanno valore di dichiarazioni sostitutive (artt. 46 e 47 DPR 445/2000): chi dichiara il falso è punito dalla legge.",
                        "These statements stand in for certificates (arts. 46 and 47 DPR 445/2000): false statements are punished by law.",
                    )
                    .into(),
            ),
            fields: statements,
        });
        Some(Self { campaign, language, steps, objects })
    }

    /// Every field, in the order of the steps.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.steps.iter().flat_map(|step| &step.fields)
    }

    /// Enters what the institute knows of the person already.
    pub fn fill_in(&self, answers: &Answers, entries: &mut Entries) {
        if self.campaign.scheme == Scheme::Iscro {
            iscro::fill_in(self, answers, entries);
        }
    }

    /// The step with this name, and its place.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.name == name)
    }
}

impl Field {
    fn new(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        label: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (name, label) = (name.into(), label.into());
        Self { name, label, hint: None, group: None, kind, empty: Empty::Missing }
    }

    fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    fn group(self, group: impl Into<Cow<'static, str>>) -> Self {
        Self { group: Some(group.into()), ..self }
    }

    fn or(self, empty: Empty) -> Self {
        Self { empty, ..self }
    }

    /// Whether it may be left empty.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.empty != Empty::Missing
    }
}

/// The statement of truth, which every scheme asks for.
fn truth(language: Language) -> Field {
    Field::new(
        "consents.truthOfStatements",
        Kind::Statement,
        language.of(
            "Dichiaro che quello che ho scritto è vero.",
            "I state that what I have written is true.",
        ),
    )
}

fn contacts(language: Language) -> Step {
    Step {
        name: "contacts",
        title: language.of("I tuoi contatti", "How to reach you"),
        hint: None,
        fields: vec![
            Field::new(
                "applicant.email",
                Kind::Email,
                language.of("Indirizzo di posta elettronica", "E-mail address"),
            )
            .hint(language.of(
                "Per esempio nome@esempio.it. Ti scriviamo qui se serve altro.",
                "For example name@example.it. We write here if we need anything.",
            )),
            Field::new("applicant.phone", Kind::Phone, language.of("Numero di telefono", "Telephone number"))
                .hint(language.of(
                    "Per esempio 333 123 4567. Per un numero estero scrivi prima + e il prefisso.",
                    "For example 333 123 4567. For a number abroad begin with + and the country's code.",
                )),
        ],
    }
}

fn payment(language: Language) -> Step {
    Step {
        name: "payment",
        title: language.of("Dove vuoi ricevere i soldi", "Where to pay you"),
        hint: None,
        fields: vec![
            Field::new("payment.iban", Kind::Iban, "IBAN").hint(language.of(
                "Il conto deve essere tuo. L'IBAN ha 27 caratteri e inizia con IT: lo trovi nell'app della banca.",
                "The account must be yours. The IBAN has 27 characters and begins with IT: your bank's app shows it.",
            )),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Application, ParseError, example, example_allowance600, parse};
    use crate::civic::FiscalCode;

    const LANGUAGES: [Language; 2] = [Language::Italian, Language::English];

    fn examples() -> Vec<(Campaign, String)> {
        let person = FiscalCode::made_up(1);
        Rules::builtin()
            .campaigns()
            .map(|window| match window.campaign {
                campaign @ Campaign { scheme: Scheme::Iscro, year } => {
                    (campaign, example(&person, year))
                }
                campaign => (campaign, example_allowance600(&person)),
            })
            .collect()
    }

    fn filled(campaign: Campaign, text: &str, language: Language) -> (Form, Entries) {
        let entries = Entries::from_document(text.as_bytes()).unwrap();
        (Form::new(campaign, Rules::builtin(), &entries, language).unwrap(), entries)
    }

    fn parsed(written: &Written) -> Result<Application, ParseError> {
        parse(&written.json, Rules::builtin())
    }

    #[test]
    fn an_application_of_any_campaign_is_the_same_after_it_was_shown_typed_and_read_again() {
        for (campaign, text) in examples() {
            for language in LANGUAGES {
                let (form, entries) = filled(campaign, &text, language);
                let mut typed = Entries::default();
                for field in form.fields() {
                    let shown = field.shown(&entries, language);
                    typed.enter(field, &shown, language);
                }
                let person = FiscalCode::made_up(1);
                let written = form.write(person, &typed, None);
                let expected = parse(text.as_bytes(), Rules::builtin()).unwrap();
                assert!(parsed(&written).unwrap() == expected, "{campaign} {language:?}");
            }
        }
    }

    #[test]
    fn every_fault_of_an_empty_form_is_at_a_field_of_it() {
        for window in Rules::builtin().campaigns() {
            for language in LANGUAGES {
                let entries = Entries::default();
                let form =
                    Form::new(window.campaign, Rules::builtin(), &entries, language).unwrap();
                let written = form.write(FiscalCode::made_up(1), &entries, None);
                let Err(ParseError::Invalid(faults)) = parsed(&written) else { panic!() };
                for Complaint { field, text } in form.complaints(&written, &faults, &entries) {
                    assert!(field.is_some(), "{}: {text}", window.campaign);
                }
            }
        }
    }

    #[test]
    fn names_of_fields_and_steps_are_distinct() {
        for (campaign, text) in examples() {
            let (form, _) = filled(campaign, &text, Language::Italian);
            let mut names: Vec<_> = form.fields().map(|field| &*field.name).collect();
            names.extend(form.steps.iter().map(|step| step.name));
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{campaign}");
        }
    }
}
