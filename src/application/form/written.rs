//! The document that a form writes, and where in it each field is.

use serde_json::{Map, Value};

use super::{
    entries::{Entries, NAMES_OF_ELEMENTS, literal},
    steps::Form,
};
use crate::civic::FiscalCode;
use crate::schemes::Scheme;

/// The document of a form, and where in it each field is.
pub struct Written {
    /// The document.
    pub json: Vec<u8>,
    /// The JSON pointer of each field, by its place in the form.
    pub(super) pointers: Vec<String>,
}

impl Form {
    /// The document that was entered, for the person who applies, or for the one whom the form asks for
    /// ([`Form::for_client`]); under a mandate if an office does so for them.
    #[must_use]
    pub fn write(
        &self,
        person: Option<FiscalCode>,
        entries: &Entries,
        mandate: Option<&str>,
    ) -> Written {
        let mut document = Map::new();
        document.insert("scheme".to_owned(), self.campaign.scheme.as_str().into());
        if self.campaign.scheme == Scheme::Iscro {
            document.insert("year".to_owned(), self.campaign.year.into());
        }
        let applicant = object(&mut document, "applicant");
        if let Some(person) = person {
            applicant["fiscalCode"] = person.as_str().into();
        }
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
