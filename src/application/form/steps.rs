//! The form of a campaign: its steps, from those that all schemes share and those of its own.

use super::{
    allowance600,
    entries::Entries,
    field::{Field, Step},
    iscro,
    shared::{client, contacts, payment},
    wording::{Reader, Wording},
};
use crate::civic::Language;
use crate::schemes::{Answers, Campaign, Rules, Scheme};

/// The form of one campaign in one language.
pub struct Form {
    /// Its campaign.
    pub campaign: Campaign,
    /// Its language, and whom it speaks to.
    pub(super) wording: Wording,
    /// Its steps, in the order in which they are asked.
    pub steps: Vec<Step>,
    /// Objects that the document has even if no field of them is asked for.
    pub(super) objects: &'static [&'static str],
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
        Self::of(campaign, rules, entries, Wording { language, reader: Reader::Applicant })
    }

    /// The same for an office, which first says for whom it applies: its words speak of the client.
    #[must_use]
    pub fn for_client(
        campaign: Campaign,
        rules: &Rules,
        entries: &Entries,
        language: Language,
    ) -> Option<Self> {
        let wording = Wording { language, reader: Reader::Clerk };
        let mut form = Self::of(campaign, rules, entries, wording)?;
        form.steps.insert(0, client(wording));
        Some(form)
    }

    fn of(campaign: Campaign, rules: &Rules, entries: &Entries, wording: Wording) -> Option<Self> {
        let (mut steps, objects, statements): (Vec<Step>, &'static [&'static str], Vec<Field>) =
            match campaign.scheme {
                Scheme::Iscro => {
                    let parameters = rules.iscro(campaign.year)?;
                    (iscro::steps(parameters, wording), &[], iscro::statements(parameters, wording))
                }
                Scheme::Allowance600 => {
                    rules.allowance600()?;
                    let steps = allowance600::steps(entries, wording);
                    (steps, &["facts"], allowance600::statements(wording))
                }
            };
        steps.insert(0, contacts(wording));
        steps.push(payment(wording));
        steps.push(Step {
            name: "statements",
            title: wording.say("Dichiarazioni", "Statements"),
            hint: Some(
                wording
                    .say(
                        "Le dichiarazioni hanno valore di dichiarazioni sostitutive (artt. 46 e 47 DPR 445/2000): chi dichiara il falso è punito dalla legge.",
                        "These statements stand in for certificates (arts. 46 and 47 DPR 445/2000): false statements are punished by law.",
                    )
                    .into(),
            ),
            fields: statements,
        });
        Some(Self { campaign, wording, steps, objects })
    }

    /// Its language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.wording.language
    }

    /// Every field, in the order of the steps.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.steps.iter().flat_map(|step| &step.fields)
    }

    /// Enters what the institute knows of the person already.
    pub fn fill_in(&self, answers: &Answers, entries: &mut Entries) {
        if self.campaign.scheme == Scheme::Iscro {
            iscro::fill_in(self.fields(), answers, entries);
        }
    }

    /// The step with this name, and its place.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.name == name)
    }
}
