//! What was entered into a form, as a document and back.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::{Empty, Field, Form, Kind, typed};
use crate::civic::{FiscalCode, Language};
use crate::schemes::Scheme;

/// Members whose value names an element of a list, so that it is found whatever its place.
const NAMES_OF_ELEMENTS: [&str; 2] = ["year", "begunIn"];

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

/// The document of a form, and where in it each field is.
pub struct Written {
    /// The document.
    pub json: Vec<u8>,
    /// The JSON pointer of each field, by its place in the form.
    pub(super) pointers: Vec<String>,
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

impl Form {
    /// The document that was entered, for the person who applies; under a mandate if an office does so for them.
    #[must_use]
    pub fn write(&self, person: FiscalCode, entries: &Entries, mandate: Option<&str>) -> Written {
        let mut document = Map::new();
        document.insert("scheme".to_owned(), self.campaign.scheme.as_str().into());
        if self.campaign.scheme == Scheme::Iscro {
            document.insert("year".to_owned(), self.campaign.year.into());
        }
        object(&mut document, "applicant")["fiscalCode"] = person.as_str().into();
        for name in self.objects {
            object(&mut document, name);
        }
        let mut elements = Vec::new();
        let pointers = self.fields().map(|field| {
            let value = field.value(entries);
            match Path::of(&field.name) {
                Path::Member(name) => {
                    if let Some(value) = value {
                        document.insert(name.to_owned(), value);
                    }
                    format!("/{name}")
                }
                Path::Inner(outer, name) => {
                    let members = object(&mut document, outer);
                    if let Some(value) = value {
                        members[name] = value;
                    }
                    format!("/{outer}/{name}")
                }
                Path::Element { list, number, name } => {
                    let list_of = document.entry(list).or_insert_with(|| Value::Array(Vec::new()));
                    if self.is_empty_element(list, number, entries) {
                        return format!("/{list}");
                    }
                    let place = place_of(&mut elements, list, number);
                    if let (Some(list), Some(value)) = (list_of.as_array_mut(), value) {
                        if list.len() == place {
                            list.push(Map::new().into());
                        }
                        // A year that a field enters stands there already.
                        if !NAMES_OF_ELEMENTS.contains(&name) {
                            list[place]["year"] = literal(number);
                        }
                        list[place][name] = value;
                    }
                    format!("/{list}/{place}/{name}")
                }
            }
        });
        let pointers = pointers.collect();
        if let Some(mandate) = mandate {
            document.insert("mandate".to_owned(), mandate.into());
        }
        Written { json: Value::Object(document).to_string().into_bytes(), pointers }
    }

    /// Whether no field of an element of a list has an entry: the element is left out.
    fn is_empty_element(&self, list: &str, number: &str, entries: &Entries) -> bool {
        self.fields().all(|field| match Path::of(&field.name) {
            Path::Element { list: its, number: own, .. } if (its, own) == (list, number) => {
                field.entry(entries).is_empty()
            }
            _ => true,
        })
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
    fn value(&self, entries: &Entries) -> Option<Value> {
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
fn literal(entry: &str) -> Value {
    match entry {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        _ => entry.parse::<i32>().map_or_else(|_| entry.into(), Value::from),
    }
}

/// Where a field is in its document.
enum Path<'n> {
    /// In the document itself.
    Member(&'n str),
    /// In an object of the document.
    Inner(&'n str, &'n str),
    /// In an element of a list; the number is the element's year.
    Element { list: &'n str, number: &'n str, name: &'n str },
}

impl<'n> Path<'n> {
    fn of(field: &'n str) -> Self {
        match field.split_once('.') {
            None => Self::Member(field),
            Some((first, rest)) => match rest.split_once('.') {
                None => Self::Inner(first, rest),
                Some((number, name)) => Self::Element { list: first, number, name },
            },
        }
    }
}

/// An object of a document, empty if it was missing.
fn object<'d>(document: &'d mut Map<String, Value>, name: &str) -> &'d mut Value {
    document.entry(name).or_insert_with(|| Map::new().into())
}

/// The place of an element in its list, which is its place among those that were written before.
fn place_of<'n>(elements: &mut Vec<(&'n str, &'n str)>, list: &'n str, number: &'n str) -> usize {
    let of_list =
        |elements: &[(&str, &str)]| elements.iter().filter(|(its, _)| *its == list).count();
    let known = elements.iter().position(|element| *element == (list, number));
    let at = known.unwrap_or(elements.len());
    if known.is_none() {
        elements.push((list, number));
    }
    of_list(&elements[..at])
}
