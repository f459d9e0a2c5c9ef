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

    /// Its lines in a list to download: one, or one for each fault.
    pub(super) fn lines(&self, language: Language) -> String {
        let number = self.number.to_string();
        let outcome = self.outcome.in_words(language);
        let receipt = self.receipt.as_deref().unwrap_or_default();
        let one = |column: &str, text: &str| {
            line([&*number, &self.mandate, outcome, receipt, column, text], language)
        };
        if self.faults.is_empty() {
            return one("", "");
        }
        self.faults.iter().map(|fault| one(&fault.column, &fault.text)).collect()
    }
}

/// The first line of such a list.
pub(super) fn first_line(language: Language) -> String {
    let names = match language {
        Language::Italian => ["riga", "delega", "esito", "ricevuta", "colonna", "errore"],
        Language::English => ["row", "mandate", "outcome", "receipt", "column", "fault"],
    };
    format!("\u{feff}{}", line(names, language))
}

/// A list as the address of a link: the server keeps nothing that could be downloaded later. It names rows, columns,
/// mandates and receipts, as paths do, and no person.
pub(super) fn download(list: &str) -> String {
    format!("data:text/csv;charset=utf-8;base64,{}", STANDARD.encode(list))
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
