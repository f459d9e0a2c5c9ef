//! The faults of a document, at the fields of its form and in words for the person who fills it in.

use super::{
    entries::Entries,
    field::{Field, Kind},
    steps::Form,
    wording::Wording,
    written::Written,
};
use crate::application::{Fault, FaultCode};

/// What a person has to correct.
pub struct Complaint<'f> {
    /// The field; `None` if it is none of the form.
    pub field: Option<&'f Field>,
    /// What to do.
    pub text: String,
}

impl Form {
    /// What is wrong with a document that this form has written, in the order of its fields.
    #[must_use]
    pub fn complaints(
        &self,
        written: &Written,
        faults: &[Fault],
        entries: &Entries,
    ) -> Vec<Complaint<'_>> {
        let field_of = |pointer: &str| {
            let place = written.pointers.iter().position(|own| own == pointer);
            place.and_then(|place| self.fields().nth(place).map(|field| (place, field)))
        };
        let mut complaints: Vec<_> = faults
            .iter()
            .map(|fault| {
                let found = field_of(&fault.pointer);
                let text = found.map_or_else(
                    || fault.detail(self.language()),
                    |(_, field)| text(field, fault, entries, self.wording),
                );
                (
                    found.map(|(place, _)| place),
                    Complaint { field: found.map(|(_, field)| field), text },
                )
            })
            .collect();
        complaints.sort_by_key(|(place, _)| place.unwrap_or(usize::MAX));
        complaints.into_iter().map(|(_, complaint)| complaint).collect()
    }
}

/// What to do about a fault of a field, where the parser's text speaks to programs.
fn text(field: &Field, fault: &Fault, entries: &Entries, wording: Wording) -> String {
    let is_empty = field.entry(entries).is_empty();
    let say =
        |italian: &'static str, english: &'static str| wording.say(italian, english).to_owned();
    match (fault.code, field.kind) {
        (_, Kind::Flag | Kind::Choice(_)) => say("Scegli una risposta.", "Choose an answer."),
        (FaultCode::MissingField | FaultCode::WrongType, Kind::Amount) if is_empty => wording
            .apart(
                (
                    "Scrivi l'importo; se non hai avuto reddito scrivi 0.",
                    "Enter the amount; if you had no income enter 0.",
                ),
                (
                    "Scrivi l'importo; se il cliente non ha avuto reddito scrivi 0.",
                    "Enter the amount; if the client had no income enter 0.",
                ),
            )
            .to_owned(),
        (FaultCode::MissingField | FaultCode::WrongType, Kind::Date) if is_empty => {
            say("Scrivi la data.", "Enter the date.")
        }
        (FaultCode::MissingField, _) => say("Compila questo campo.", "Fill in this field."),
        (FaultCode::WrongType, Kind::Count) => {
            say("Scrivi un numero intero, per esempio 50.", "Enter a whole number, such as 50.")
        }
        (FaultCode::DateShape, _) => say(
            "Scrivi la data con giorno, mese e anno, per esempio 31/12/2023.",
            "Enter day, month and year, such as 31/12/2023.",
        ),
        (FaultCode::AmountShape, _) => say(
            "Scrivi l'importo in cifre, per esempio 3000,00.",
            "Enter the amount in digits, such as 3000.00.",
        ),
        (FaultCode::PhoneShape, _) => say(
            "Scrivi un numero di telefono con almeno 8 cifre, per esempio 333 123 4567.",
            "Enter a telephone number of at least 8 digits, such as 333 123 4567.",
        ),
        (FaultCode::EmailShape, _) => say(
            "Scrivi un indirizzo come nome@esempio.it.",
            "Enter an address such as name@example.it.",
        ),
        _ => fault.detail(wording.language),
    }
}
