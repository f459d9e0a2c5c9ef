//! What a row of a file came to, and lists of that to download.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::super::super::problem::{Kind, Problem};
use crate::{
    application::sheet::{CellFault, line},
    civic::Language,
    intake::{Accepted, SubmitFault},
    session::scope::{Personal, Scope},
};

/// What a row came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its application was submitted.
    Submitted,
    /// It had been submitted before: nothing has changed.
    Before,
    /// It was not submitted.
    Refused,
}

impl Outcome {
    pub(super) fn in_words(self, language: Language) -> &'static str {
        match self {
            Self::Submitted => language.of("presentata", "submitted"),
            Self::Before => language.of("già presentata prima", "submitted before"),
            Self::Refused => language.of("non presentata", "not submitted"),
        }
    }
}

/// A row, and what it came to.
pub(super) struct Told {
    pub(super) number: usize,
    pub(super) mandate: String,
    pub(super) outcome: Outcome,
    pub(super) receipt: Option<String>,
    pub(super) faults: Vec<CellFault>,
}

impl Told {
    pub(super) fn refused(number: usize, mandate: String, faults: Vec<CellFault>) -> Self {
        Self { number, mandate, outcome: Outcome::Refused, receipt: None, faults }
    }

    /// What the use case has answered.
    pub(super) fn new<'s>(
        scope: Scope<'s>,
        (number, mandate): (usize, String),
        answer: Result<Personal<'s, Accepted>, SubmitFault>,
        language: Language,
    ) -> Self {
        let opened = answer.map(|accepted| scope.open(accepted));
        let fault = match opened {
            Ok(Some(Accepted { receipt, is_new })) => {
                let outcome = if is_new { Outcome::Submitted } else { Outcome::Before };
                let receipt = Some(receipt.receipt.clone());
                return Self { number, mandate, outcome, receipt, faults: Vec::new() };
            }
            Ok(None) => CellFault::new("", later(language)),
            Err(fault) => {
                let earlier = match &fault {
                    SubmitFault::AlreadyApplied(Some(receipt)) => Some(receipt.receipt.clone()),
                    _ => None,
                };
                let fault = fault_of(fault, scope, language);
                let refused = Self::refused(number, mandate, vec![fault]);
                return Self { receipt: earlier, ..refused };
            }
        };
        Self::refused(number, mandate, vec![fault])
    }

    /// Its line in a list, with the first of its faults.
    pub(super) fn line(&self, language: Language) -> String {
        let Some(first) = self.faults.first() else { return self.line_with("", "", language) };
        match self.faults.len() - 1 {
            0 => self.line_with(&first.column, &first.text, language),
            more => self.line_with(&first.column, &format!("{} (+{more})", first.text), language),
        }
    }

    /// Its lines in a list, one for each fault.
    pub(super) fn lines(&self, language: Language) -> String {
        let faults = self.faults.iter();
        faults.map(|fault| self.line_with(&fault.column, &fault.text, language)).collect()
    }

    fn line_with(&self, column: &str, text: &str, language: Language) -> String {
        let number = self.number.to_string();
        let outcome = self.outcome.in_words(language);
        let receipt = self.receipt.as_deref().unwrap_or_default();
        line([&*number, &self.mandate, outcome, receipt, column, text], language)
    }
}

/// Bytes of one part of a list. Its link is a third longer, and browsers follow none longer than 2 MiB.
const LIST_PART_BYTES_MAX: usize = 1024 * 1024;
/// Parts of a list: 5,000 rows with one line each take two.
const LIST_PARTS_MAX: usize = 3;

/// A list to download, in parts. A link holds each, because the server keeps nothing that could be downloaded later. It
/// names rows, columns, mandates and receipts, as paths do, and no person.
pub(super) struct List {
    language: Language,
    parts: Vec<String>,
    /// Whether something found no room.
    pub(super) is_cut: bool,
}

impl List {
    pub(super) fn new(language: Language) -> Self {
        Self { language, parts: vec![first_line(language)], is_cut: false }
    }

    /// Adds lines, to a new part if the last one is full.
    pub(super) fn add(&mut self, lines: &str) {
        if self.is_cut {
            return;
        }
        let is_full = |part: &String| part.len() + lines.len() > LIST_PART_BYTES_MAX;
        if self.parts.last().is_none_or(is_full) {
            self.is_cut = self.parts.len() == LIST_PARTS_MAX;
            if self.is_cut {
                return;
            }
            self.parts.push(first_line(self.language));
        }
        if let Some(part) = self.parts.last_mut() {
            part.push_str(lines);
        }
    }

    /// The addresses of its parts.
    pub(super) fn links(&self) -> Vec<String> {
        let link =
            |part: &String| format!("data:text/csv;charset=utf-8;base64,{}", STANDARD.encode(part));
        self.parts.iter().map(link).collect()
    }
}

/// The first line of a list.
fn first_line(language: Language) -> String {
    let names = match language {
        Language::Italian => ["riga", "delega", "esito", "ricevuta", "colonna", "errore"],
        Language::English => ["row", "mandate", "outcome", "receipt", "column", "fault"],
    };
    format!("\u{feff}{}", line(names, language))
}

/// Why a row was not submitted, or could not be.
pub(super) fn fault_of(fault: SubmitFault, scope: Scope<'_>, language: Language) -> CellFault {
    let problem = Problem::of_submission(fault, scope.subject());
    let (column, text): (_, Cow<'_, str>) = match problem.kind() {
        Kind::NoMandate => ("mandate", problem.detail(language).into()),
        Kind::AlreadyApplied | Kind::TooManyApplications | Kind::QuotaUsedUp => {
            ("", problem.detail(language).into())
        }
        Kind::CampaignClosed => (
            "",
            language
                .of(
                    "Oggi per questa prestazione non si possono presentare domande.",
                    "No applications for this scheme can be submitted today.",
                )
                .into(),
        ),
        Kind::Invalid | Kind::Malformed => {
            ("", language.of("La domanda non è valida.", "The application is not valid.").into())
        }
        _ => ("", later(language).into()),
    };
    CellFault::new(column, &text)
}

fn later(language: Language) -> &'static str {
    language.of(
        "Adesso non è possibile. Carica di nuovo lo stesso file tra poco: le domande già presentate non si ripetono.",
        "Not possible now. Upload the same file again in a moment: what was submitted is not repeated.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(faults: &[&str]) -> Told {
        let faults = faults.iter().map(|text| CellFault::new("a.b", text)).collect();
        Told::refused(7, "=M-1".to_owned(), faults)
    }

    #[test]
    fn a_list_has_a_line_for_each_row_or_for_each_fault_and_no_formula() {
        let told = refused(&["x, y", "z"]);
        let english = Language::English;
        assert_eq!(told.line(english), "7,'=M-1,not submitted,,a.b,\"x, y (+1)\"\r\n");
        let lines = "7,'=M-1,not submitted,,a.b,\"x, y\"\r\n7,'=M-1,not submitted,,a.b,z\r\n";
        assert_eq!(told.lines(english), lines);
        assert_eq!(refused(&[]).line(Language::Italian), "7;'=M-1;non presentata;;;\r\n");
    }

    #[test]
    fn a_list_is_divided_before_its_links_are_too_long_and_cut_at_its_bound() {
        let (mut list, line) = (List::new(Language::English), "x".repeat(1023) + "\n");
        let mut added = 0;
        while !list.is_cut {
            list.add(&line);
            added += 1;
        }
        list.add("short\n");
        let links = list.links();
        assert_eq!(links.len(), LIST_PARTS_MAX);
        assert!(links.iter().all(|link| link.len() < 2 * 1024 * 1024));
        let kept: usize = list.parts.iter().map(|part| part.matches("x\n").count()).sum();
        assert_eq!(kept, added - 1, "all but the line that found no room");
        assert!(list.parts.iter().all(|part| part.starts_with("\u{feff}row,mandate,")));
        assert!(!list.parts.concat().contains("short"), "nothing comes after what is cut");
    }
}
