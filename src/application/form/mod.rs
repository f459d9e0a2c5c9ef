//! Forms: one description of each scheme's fields, in steps, with their words.
//!
//! The pages ask, read, check and show an application by this description alone: a new scheme needs its own file
//! here and no other page code. Nothing here decides whether a value is valid; [`parse`](super::parse) does, and
//! [`Form::complaints`] brings its faults back to the fields.
//!
//! From the bottom up: `field` is a field and its step, `typed` converts between what people type and what a document
//! has, `entries` holds what was entered, `shared`, `iscro` and `allowance600` are the steps, `steps` is the form of a
//! campaign, `written` the document that it writes.

mod allowance600;
mod complaints;
mod entries;
mod field;
mod iscro;
mod shared;
mod steps;
mod typed;
mod union;
mod written;

pub use self::{
    complaints::Complaint,
    entries::Entries,
    field::{Choice, Empty, Field, Kind, Step},
    steps::Form,
    union::union_of_fields,
    written::Written,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Application, ParseError, example, example_allowance600, parse};
    use crate::civic::FiscalCode;
    use crate::civic::Language;
    use crate::schemes::{Campaign, Rules, Scheme};

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
                let written = form.write(Some(person), &typed, None);
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
                let written = form.write(Some(FiscalCode::made_up(1)), &entries, None);
                let Err(ParseError::Invalid(faults)) = parsed(&written) else { panic!() };
                for Complaint { field, text } in form.complaints(&written, &faults, &entries) {
                    assert!(field.is_some(), "{}: {text}", window.campaign);
                }
            }
        }
    }

    #[test]
    fn an_office_says_first_for_whom_it_applies_and_under_which_mandate() {
        for (campaign, text) in examples() {
            let (form, entries) = filled(campaign, &text, Language::Italian);
            let form = form.for_client();
            assert_eq!(form.steps[0].fields[0].name, "applicant.fiscalCode");
            let application = parsed(&form.write(None, &entries, Some("M-7"))).unwrap();
            assert!(application.applicant.fiscal_code == FiscalCode::made_up(1), "{campaign}");
            assert_eq!(application.mandate.as_deref(), Some("M-7"));

            let written = form.write(None, &Entries::default(), Some("M-7"));
            let Err(ParseError::Invalid(faults)) = parsed(&written) else { panic!() };
            let complaints = form.complaints(&written, &faults, &Entries::default());
            let first = complaints.first().and_then(|complaint| complaint.field);
            assert_eq!(first.map(|field| &*field.name), Some("applicant.fiscalCode"));
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
