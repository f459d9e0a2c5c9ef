//! What was entered into a form, and what a document says of it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::{
    field::{Empty, Field, Kind},
    typed,
};
use crate::civic::Language;

/// Members whose value names an element of a list, so that it is found whatever its place.
pub(super) const NAMES_OF_ELEMENTS: [&str; 2] = ["year", "begunIn"];

/// What was entered, by the name of its field. Values are those of the document; what cannot be one is kept as it was
/// typed, so that it can be shown and corrected.
///
/// Personal data, so `Debug` prints none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Entries(BTreeMap<String, String>);

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries(..)")
    }
}

impl Entries {
    /// What a document says; `None` if it is not a JSON object.
    #[must_use]
    pub fn from_document(json: &[u8]) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_slice(json).ok()?;
        let mut entries = Self::default();
        entries.gather("", &Value::Object(document));
        Some(entries)
    }

    fn gather(&mut self, name: &str, value: &Value) {
        let below = |member: &str| {
            if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") }
        };
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(member, value)| self.gather(&below(member), value));
            }
            Value::Array(elements) => {
                for (place, element) in elements.iter().enumerate() {
                    let named =
                        NAMES_OF_ELEMENTS.iter().find_map(|member| element[*member].as_i64());
                    let own = named.map_or_else(|| place.to_string(), |name| name.to_string());
                    self.gather(&below(&own), element);
                }
            }
            Value::String(text) => self.put(name, text),
            other => self.put(name, &other.to_string()),
        }
    }

    /// The value of a field; empty if there is none.
    #[must_use]
    pub fn of(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Sets the value of a field, as the document has it.
    pub fn put(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Sets the value of a field from what a person typed or chose.
    pub fn enter(&mut self, field: &Field, typed: &str, language: Language) {
        self.put(&field.name, &typed::read(field.kind, typed, language));
    }

    /// Whether nothing was entered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Field {
    /// What it shows a person of what was entered.
    #[must_use]
    pub fn shown(&self, entries: &Entries, language: Language) -> String {
        typed::show(self.kind, self.entry(entries), language)
    }

    /// The same in words, for a list of answers.
    #[must_use]
    pub fn answer(&self, entries: &Entries, language: Language) -> String {
        typed::answer(self.kind, self.entry(entries), language)
    }

    /// What was entered into it. A `null` of a document is an answer only if it can be chosen.
    pub(super) fn entry<'e>(&self, entries: &'e Entries) -> &'e str {
        let entry = entries.of(&self.name);
        if entry == "null" && !matches!(self.kind, Kind::Choice(_)) { "" } else { entry }
    }

    /// Its value in the document; `None` if it is left out.
    pub(super) fn value(&self, entries: &Entries) -> Option<Value> {
        let entry = self.entry(entries);
        match (entry, self.kind) {
            ("", Kind::Statement) => Some(false.into()),
            ("", _) => (self.empty == Empty::Null).then_some(Value::Null),
            (_, Kind::Flag | Kind::Statement | Kind::Choice(_) | Kind::Count | Kind::Year(_)) => {
                Some(literal(entry))
            }
            _ => Some(entry.into()),
        }
    }
}

/// A JSON literal or whole number as such, everything else as a string.
pub(super) fn literal(entry: &str) -> Value {
    match entry {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        _ => entry.parse::<i32>().map_or_else(|_| entry.into(), Value::from),
    }
}
