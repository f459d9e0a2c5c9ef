//! The example applications with some fields changed, for tests.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Application, Fault, FaultCode, ParseError, example, example_allowance600, parse};
use crate::civic::{FiscalCode, calendar};
use crate::schemes::{Decision, Rules};

/// An example application, to be changed before it is parsed.
#[derive(Clone)]
pub(crate) struct Sample {
    document: Value,
}

impl Sample {
    pub(crate) fn of(year: i16) -> Self {
        let mario = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        Self { document: serde_json::from_str(&example(&mario, year)).unwrap() }
    }

    /// A valid application for the 600-euro allowance, in any category.
    pub(crate) fn allowance(category: &str) -> Self {
        let mario = FiscalCode::parse("RSSMRA80A01H501U").unwrap();
        let document = serde_json::from_str(&example_allowance600(&mario)).unwrap();
        let mut facts = match category {
            "professional" => return Self { document },
            "collaborator" => json!({ "contractStartedOn": "2019-09-01",
                "separateManagement": true, "otherCompulsoryInsurance": false }),
            "artisan" | "trader" | "farmer" => {
                json!({ "specialFund": true, "otherCompulsoryInsurance": false })
            }
            "seasonalTourism" => json!({ "seasonalWork": true, "jobEndedOn": "2019-10-15",
                "jobEndedInvoluntarily": true, "employedOnReferenceDay": false }),
            "farmWorker" => json!({ "fixedTermWork": true, "workDays": 102 }),
            "showBusiness" => json!({ "showBusinessFund": true, "dailyContributions": 45,
                "income": "18000.00", "employedOnReferenceDay": false }),
            _ => json!({}),
        };
        if category != "journalist" {
            facts["directPension"] = json!(false);
            facts["citizensIncome"] = json!(false);
        }
        Self { document }.with("/category", category).with("/facts", facts)
    }

    /// With another value at a pointer; its parent must exist.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match self.document.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.insert(name.to_owned(), value.into())),
            Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.into(),
            _ => panic!("nothing can be at {pointer}"),
        }
        self
    }

    /// Without the field or element at a pointer.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match self.document.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.remove(name).unwrap()),
            Value::Array(list) => drop(list.remove(name.parse().unwrap())),
            _ => panic!("nothing is at {pointer}"),
        }
        self
    }

    /// With these incomes of the years before, the last year's first.
    pub(crate) fn earning(self, amounts: &[&str]) -> Self {
        let year = self.document["year"].as_i64().unwrap();
        let incomes: Vec<Value> = (1..)
            .zip(amounts)
            .map(|(back, amount)| {
                serde_json::json!({ "year": year - back, "line": "RE", "amount": amount })
            })
            .collect();
        self.with("/incomes", incomes)
    }

    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    pub(crate) fn read(&self) -> Result<Application, ParseError> {
        parse(self.document.to_string().as_bytes(), Rules::builtin())
    }

    /// Pointer and code of every fault.
    pub(crate) fn faults(&self) -> Vec<(String, FaultCode)> {
        faults_of(self.document.to_string().as_bytes())
            .into_iter()
            .map(|fault| (fault.pointer, fault.code))
            .collect()
    }

    /// The decision if it is submitted on a day.
    pub(crate) fn submitted(&self, day: &str) -> Decision {
        Rules::builtin().decide(&self.read().unwrap().facts, self::day(day))
    }

    /// The decision if it is submitted inside the window of its year.
    pub(crate) fn decided(&self) -> Decision {
        let application = self.read().unwrap();
        let window = Rules::builtin().window(application.campaign()).unwrap();
        Rules::builtin().decide(&application.facts, window.closes_on)
    }
}

/// Every fault of a body that is a document but no application.
pub(crate) fn faults_of(body: &[u8]) -> Vec<Fault> {
    match parse(body, Rules::builtin()) {
        Err(ParseError::Invalid(faults)) => faults,
        other => panic!("not invalid: {other:?}"),
    }
}

pub(crate) fn day(text: &str) -> Date {
    calendar::parse_date(text).unwrap()
}
