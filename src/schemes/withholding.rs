//! A stored decision as an office may see it: without figures that only the institute knows.
//!
//! An office has stated what its client told it. A decision on these statements alone has nothing of the institute's own in
//! it, so a figure is shown only if that decision has the same. No record of a figure's origin is needed, and when
//! statements can no longer be decided on, every figure is withheld. Outcome, amounts, and whether each requirement is met
//! stay: the office has to tell its client.

use serde_json::Value;

use super::decision::Decision;

/// The members of a ground that may hold a figure of the institute: what was found, and a limit that follows from it.
const FIGURES: [&str; 2] = ["found", "required"];

/// A stored decision, as JSON, with every figure that `stated` does not have replaced by null; `None` if it is not a
/// decision. `stated` is the decision on the statements alone, if there is one.
#[must_use]
pub fn withheld(stored: &[u8], stated: Option<&Decision>) -> Option<Vec<u8>> {
    let mut decision: Value = serde_json::from_slice(stored).ok()?;
    for ground in decision.get_mut("grounds")?.as_array_mut()? {
        let requirement = ground.get("requirement")?.as_str()?.to_owned();
        let alike = stated.and_then(|stated| {
            stated.grounds.iter().find(|ground| ground.requirement.as_str() == requirement)
        });
        let known = alike.map(|ground| [ground.found, ground.required].map(|one| one.to_string()));
        for (place, name) in FIGURES.iter().enumerate() {
            let figure = ground.get_mut(*name)?;
            if figure.as_str() != known.as_ref().map(|known| known[place].as_str()) {
                *figure = Value::Null;
            }
        }
    }
    Some(decision.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::application::sample::Sample;
    use crate::civic::Euro;
    use crate::schemes::{Answers, Rules};

    /// The decision with the institute's answers and the one on statements alone.
    fn decided(sample: &Sample, answers: &Answers) -> [Decision; 2] {
        let facts = sample.read().unwrap().facts;
        let day = jiff::civil::date(2024, 9, 16);
        [answers, &Answers::NONE].map(|answers| Rules::builtin().decide_with(&facts, day, answers))
    }

    #[test]
    fn nothing_of_the_institutes_own_is_shown() {
        let sample = Sample::of(2024).with("/standing/contributionsRegular", Value::Null);
        let incomes = [654_321, 700_000, 312_345].map(|cents| Some(Euro::from_cents(cents)));
        let incomes = [incomes[0], incomes[1], incomes[2], None];
        let [full, stated] = decided(&sample, &Answers::new(Some(true), 2021, incomes));
        let stored = full.to_json();
        let shown: Value =
            serde_json::from_slice(&withheld(&stored, Some(&stated)).unwrap()).unwrap();
        let mut expected: Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(expected["grounds"][4]["found"], "3123.45");
        for (ground, figure) in [(4, "found"), (4, "required"), (5, "found"), (7, "found")] {
            assert!(!expected["grounds"][ground][figure].is_null());
            expected["grounds"][ground][figure] = Value::Null;
        }
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_the_office_stated_itself_is_shown() {
        let [full, stated] = decided(&Sample::of(2024), &Answers::NONE);
        assert_eq!(withheld(&full.to_json(), Some(&stated)).unwrap(), full.to_json());
    }

    #[test]
    fn every_figure_is_withheld_when_the_statements_cannot_be_decided_on() {
        let [full, _] = decided(&Sample::of(2024), &Answers::NONE);
        let shown: Value =
            serde_json::from_slice(&withheld(&full.to_json(), None).unwrap()).unwrap();
        let grounds = shown["grounds"].as_array().unwrap();
        assert!(
            grounds.iter().all(|ground| ground["found"].is_null() && ground["met"].is_boolean())
        );
        for wrong in ["", "[]", "{}", "{\"grounds\":1}", "{\"grounds\":[{}]}"] {
            assert_eq!(withheld(wrong.as_bytes(), None), None, "{wrong}");
        }
        let unknown = json!({ "grounds": [{ "requirement": "x", "found": "1", "required": "2" }] });
        let shown = withheld(unknown.to_string().as_bytes(), None).unwrap();
        assert!(!String::from_utf8(shown).unwrap().contains('1'));
    }
}
