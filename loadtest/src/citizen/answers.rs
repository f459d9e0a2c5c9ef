//! What a person types into the pages: the application of the run, field by field, with an address of their own.

use std::collections::HashMap;

use serde_json::Value;

use crate::owner::email;

/// The answers of one person, by the names of the fields: the members' names, joined by dots.
pub(super) struct Answers(HashMap<String, String>);

impl Answers {
    /// Those of the person with fiscal code `code`, from their application as JSON.
    pub(super) fn of(code: &str, application: &[u8]) -> Self {
        let application = serde_json::from_slice(application).unwrap_or_default();
        let mut answers = HashMap::new();
        gather(String::new(), &application, &mut answers);
        answers.insert("applicant.email".to_owned(), email(code));
        Self(answers)
    }

    /// What is typed into a field; `None` leaves it as it is.
    pub(super) fn typed(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Elements of a list are named after their year, as in `incomes.2023.amount`.
fn gather(name: String, value: &Value, answers: &mut HashMap<String, String>) {
    let below = |member: &str| {
        if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") }
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| gather(below(member), value, answers));
        }
        Value::Array(elements) => {
            for element in elements {
                let year = element.get("year").map(Value::to_string).unwrap_or_default();
                gather(below(&year), element, answers);
            }
        }
        Value::String(text) => drop(answers.insert(name, text.clone())),
        other => drop(answers.insert(name, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::Answers;
    use crate::application::{Campaign, Form, Scheme};

    #[test]
    fn the_answers_of_an_application_have_the_names_of_its_members() {
        let form = Form::of(Campaign { scheme: Scheme::Iscro, year: 2024 });
        let code = "RSSMRA80A01H501U";
        let answers = Answers::of(code, &form.filled_for(code));
        for (name, expected) in [
            ("applicant.email", "rssmra80a01h501u@surge.example"),
            ("activity.vatNumber", "00743110157"),
            ("incomes.2022.line", "RE"),
            ("standing.directPension", "false"),
            ("certifiedIncome", "null"),
        ] {
            assert_eq!(answers.typed(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(answers.typed("form"), None);
    }
}
