//! The columns of a campaign's table.

use super::super::form::{Empty, Field, Kind, union_of_fields};
use crate::civic::Language;
use crate::schemes::{Campaign, Rules};

/// The column that names the client's mandate.
pub(super) const MANDATE: &str = "mandate";

/// The columns of a campaign, the mandate first.
pub struct Columns {
    pub(super) campaign: Campaign,
    pub(super) language: Language,
    pub(super) fields: Vec<Field>,
}

/// A column, as it is explained to the person who fills it in.
pub struct Column {
    /// Its name in the first row.
    pub name: String,
    /// What it is.
    pub label: String,
    /// What to write.
    pub how: String,
}

impl Columns {
    /// The columns of a campaign; `None` if it has no rules.
    #[must_use]
    pub fn of(campaign: Campaign, rules: &Rules, language: Language) -> Option<Self> {
        let fields = union_of_fields(campaign, rules, language)?;
        Some(Self { campaign, language, fields })
    }

    /// Their names, in the order of the template.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(MANDATE).chain(self.fields.iter().map(|field| &*field.name))
    }

    /// Each with what to write into it.
    #[must_use]
    pub fn explained(&self) -> Vec<Column> {
        let say = |italian, english| self.language.of(italian, english);
        let mandate = Column {
            name: MANDATE.to_owned(),
            label: say("Riferimento della delega", "Reference of the mandate").to_owned(),
            how: say("quello delle pagine delle deleghe", "that of the pages of mandates")
                .to_owned(),
        };
        let others = self.fields.iter().map(|field| Column {
            name: field.name.clone().into_owned(),
            label: match &field.group {
                Some(group) => format!("{group}, {}", field.label),
                None => field.label.clone().into_owned(),
            },
            how: how(field, self.language),
        });
        std::iter::once(mandate).chain(others).collect()
    }
}

fn how(field: &Field, language: Language) -> String {
    let say = |italian, english| language.of(italian, english);
    let text = match field.kind {
        Kind::Flag => say("sì o no", "yes or no").to_owned(),
        Kind::Statement => say("sì", "yes").to_owned(),
        Kind::Year(_) => say("sì, o vuoto", "yes, or empty").to_owned(),
        Kind::Choice(choices) => {
            let choices = choices.iter();
            let said: Vec<_> = choices
                .map(|choice| {
                    format!("{} ({})", written(choice.value, language), choice.label(language))
                })
                .collect();
            said.join(", ")
        }
        Kind::Amount => say("per esempio 3000,00", "such as 3000.00").to_owned(),
        Kind::Date => say("per esempio 31/12/2015", "such as 31/12/2015").to_owned(),
        Kind::Count => say("un numero intero", "a whole number").to_owned(),
        Kind::VatNumber => say(
            "11 cifre; scritta con IT davanti conserva gli zeri",
            "11 digits; written with IT before them it keeps its zeros",
        )
        .to_owned(),
        Kind::FiscalCode | Kind::Email | Kind::Phone | Kind::Iban => {
            field.hint.unwrap_or_default().to_owned()
        }
    };
    if field.empty == Empty::Missing || matches!(field.kind, Kind::Year(_)) {
        return text;
    }
    format!("{text} {}", say("(facoltativo)", "(optional)"))
}

/// How a value of a document is written into a cell: literals in words.
pub(super) fn written(value: &str, language: Language) -> &str {
    match value {
        "true" => language.of("sì", "yes"),
        "false" => "no",
        "null" => UNKNOWN,
        other => other,
    }
}

/// The word for an answer that the institute is to find out itself.
pub(super) const UNKNOWN: &str = "?";
