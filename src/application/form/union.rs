//! Every field that a form may ask for, whatever is answered.

use super::{Entries, Field, Form, Kind};
use crate::civic::Language;
use crate::schemes::{Campaign, Rules};

/// The fields of a campaign's form for a client, in the order in which they are asked, with those that only some answers
/// lead to. `None` if the campaign has no rules.
#[must_use]
pub fn union_of_fields(
    campaign: Campaign,
    rules: &Rules,
    language: Language,
) -> Option<Vec<Field>> {
    let form = |entries: &Entries| Form::for_client(campaign, rules, entries, language);
    let first = form(&Entries::default())?;
    let mut fields: Vec<Field> = first.fields().cloned().collect();
    for field in first.fields() {
        let Kind::Choice(choices) = field.kind else { continue };
        for choice in choices {
            let mut entries = Entries::default();
            entries.put(&field.name, choice.value);
            add(&mut fields, &form(&entries)?);
        }
    }
    Some(fields)
}

/// Adds the fields that are missing, each before the one that it precedes.
fn add(fields: &mut Vec<Field>, form: &Form) {
    let asked: Vec<_> = form.fields().collect();
    for (at, field) in asked.iter().enumerate() {
        let place = |wanted: &Field| fields.iter().position(|known| known.name == wanted.name);
        if place(field).is_none() {
            let next = asked[at..].iter().find_map(|later| place(later));
            fields.insert(next.unwrap_or(fields.len()), (*field).clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::example_allowance600;
    use crate::civic::FiscalCode;

    #[test]
    fn fields_that_some_answers_lead_to_stand_where_they_are_asked() {
        let campaign = Campaign::from_name("allowance600-2020").unwrap();
        let fields = union_of_fields(campaign, Rules::builtin(), Language::English).unwrap();
        let names: Vec<_> = fields.iter().map(|field| &*field.name).collect();
        assert_eq!(
            names[..4],
            ["applicant.fiscalCode", "applicant.email", "applicant.phone", "category"]
        );
        let at = |name: &str| names.iter().position(|own| *own == name).unwrap();
        assert!(at("facts.vatNumber") < at("facts.workDays"), "{names:?}");
        assert!(at("facts.dailyContributions") < at("payment.iban"), "{names:?}");
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
        let entries =
            Entries::from_document(example_allowance600(&FiscalCode::made_up(1)).as_bytes());
        let form = Form::new(campaign, Rules::builtin(), &entries.unwrap(), Language::English);
        for field in form.unwrap().fields() {
            assert!(names.contains(&&*field.name), "{}", field.name);
        }
    }
}
