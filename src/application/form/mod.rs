//! Forms: one description of each scheme's fields, in steps, with their words.
//!
//! The pages ask, read, check and show an application by this description alone: a new scheme needs its own file
//! here and no other page code. Nothing here decides whether a value is valid; [`parse`](super::parse) does, and
//! [`Form::complaints`] brings its faults back to the fields.
//!
//! From the bottom up: `wording` is to whom the words speak, `field` is a field and its step, `typed` converts between what people type and what a document
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
mod wording;
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
            let (_, entries) = filled(campaign, &text, Language::Italian);
            let form = Form::for_client(campaign, Rules::builtin(), &entries, Language::Italian);
            let form = form.unwrap();
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

    /// Everything that a form says.
    fn words(form: &Form) -> String {
        let steps = form.steps.iter().flat_map(|step| {
            let fields = step.fields.iter().flat_map(|field| {
                let choices = match field.kind {
                    Kind::Choice(choices) => choices,
                    _ => &[],
                };
                let choices = choices.iter().map(|choice| choice.label(form.language()));
                let own = [Some(&*field.label), field.hint, field.group.as_deref()];
                own.into_iter().flatten().chain(choices).collect::<Vec<_>>()
            });
            [Some(step.title), step.hint.as_deref()].into_iter().flatten().chain(fields)
        });
        steps.collect::<Vec<_>>().join("\n")
    }

    /// Words to the applicant, or of the applicant alone, by language.
    const OF_APPLICANT: [&[&str]; 2] = [
        &[
            "tuo", "tua", "tuoi", "tue", "sei", "hai", "vuoi", "fai", "eri", "avevi", "ho",
            "dichiaro", "accetto",
        ],
        &["you", "your", "yours", "my", "i"],
    ];
    /// What a clerk reads of themselves: the client is theirs, and it is they who may not know.
    const OF_CLERK: [&str; 5] =
        ["il tuo cliente", "your client", "if you leave", "non lo so", "i do not know"];

    #[test]
    fn a_form_for_a_client_speaks_of_the_client_and_has_the_same_fields() {
        for window in Rules::builtin().campaigns() {
            for category in
                ["professional", "artisan", "seasonalTourism", "farmWorker", "showBusiness"]
            {
                let mut entries = Entries::default();
                entries.put("category", category);
                for language in LANGUAGES {
                    let rules = Rules::builtin();
                    let own = Form::new(window.campaign, rules, &entries, language).unwrap();
                    let form =
                        Form::for_client(window.campaign, rules, &entries, language).unwrap();
                    let names = form.fields().skip(1).map(|field| &field.name);
                    assert!(names.eq(own.fields().map(|field| &field.name)));
                    let said = words(&form).to_lowercase();
                    let of_client =
                        said.lines().filter(|line| !OF_CLERK.iter().any(|own| line.contains(own)));
                    for word in
                        of_client.flat_map(|line| line.split(|one: char| !one.is_alphanumeric()))
                    {
                        let of_applicant = OF_APPLICANT[language as usize];
                        assert!(!of_applicant.contains(&word), "{language:?}: {word} in {said}");
                    }
                    let spoken = words(&own).to_lowercase();
                    assert!(!spoken.contains("client"), "{spoken}");
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
