//! Steps, fields, and what is entered into them.

use std::borrow::Cow;

use crate::civic::Language;

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
#[derive(Clone)]
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
    /// A fiscal code.
    FiscalCode,
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
    pub(super) const fn new(
        value: &'static str,
        italian: &'static str,
        english: &'static str,
    ) -> Self {
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

impl Field {
    pub(super) fn new(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        label: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (name, label) = (name.into(), label.into());
        Self { name, label, hint: None, group: None, kind, empty: Empty::Missing }
    }

    pub(super) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub(super) fn group(self, group: impl Into<Cow<'static, str>>) -> Self {
        Self { group: Some(group.into()), ..self }
    }

    pub(super) fn or(self, empty: Empty) -> Self {
        Self { empty, ..self }
    }

    /// Whether it may be left empty.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.empty != Empty::Missing
    }
}
