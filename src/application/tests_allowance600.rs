//! Valid applications for the 600-euro allowance, and every fault.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::{Sample, faults_of};
use super::*;
use crate::civic::Language;
use crate::schemes::allowance600::Occupation;

const CATEGORIES: [&str; 9] = [
    "professional",
    "collaborator",
    "artisan",
    "trader",
    "farmer",
    "seasonalTourism",
    "farmWorker",
    "showBusiness",
    "journalist",
];

#[test]
fn every_category_is_valid_and_of_the_one_campaign() {
    for category in CATEGORIES {
        let application = Sample::allowance(category).read().unwrap();
        assert_eq!(application.campaign().to_string(), "allowance600-2020", "{category}");
        let Facts::Allowance600(facts) = application.facts else { panic!() };
        let is_journalist = matches!(facts.occupation, Occupation::Journalist);
        assert_eq!(is_journalist, category == "journalist");
    }
    let open = Sample::allowance("professional").without("/facts/vatClosedOn");
    let Facts::Allowance600(facts) = open.read().unwrap().facts else { panic!() };
    let Occupation::Professional { active, .. } = facts.occupation else { panic!() };
    assert!(active.last.is_none());
}

#[test]
fn each_fault_is_named_at_its_place() {
    use FaultCode::*;
    for (category, pointer, value, code) in [
        ("professional", "/year", json!(2020), UnknownField),
        ("professional", "/activity", json!({}), UnknownField),
        ("professional", "/category", json!("inventor"), UnknownValue),
        ("professional", "/facts", json!([]), WrongType),
        ("professional", "/facts/vatNumber", json!("00743110158"), VatNumberCheckDigit),
        ("professional", "/facts/vatOpenedOn", json!("1972-12-31"), DateOutOfRange),
        ("professional", "/facts/vatClosedOn", json!("2015-02-28"), DateOutOfRange),
        ("professional", "/facts/vatClosedOn", json!(false), WrongType),
        ("professional", "/facts/workDays", json!(50), OtherCategory),
        ("professional", "/facts/specialFund", json!(true), OtherCategory),
        ("professional", "/facts/inventions", json!(3), UnknownField),
        ("collaborator", "/facts/vatNumber", json!("00743110157"), OtherCategory),
        ("collaborator", "/facts/contractEndedOn", json!("2019-08-31"), DateOutOfRange),
        ("artisan", "/facts/separateManagement", json!(true), OtherCategory),
        ("seasonalTourism", "/facts/jobEndedOn", json!("yesterday"), DateShape),
        ("seasonalTourism", "/facts/employedOnReferenceDay", json!(null), WrongType),
        ("farmWorker", "/facts/workDays", json!(367), NumberOutOfRange),
        ("farmWorker", "/facts/workDays", json!(-1), NumberOutOfRange),
        ("farmWorker", "/facts/workDays", json!("50"), WrongType),
        ("showBusiness", "/facts/income", json!("a lot"), AmountShape),
        ("showBusiness", "/facts/jobEndedOn", json!(null), OtherCategory),
        ("journalist", "/facts/directPension", json!(false), OtherCategory),
        ("journalist", "/consents/siislSharing", json!(true), UnknownField),
    ] {
        let faults = Sample::allowance(category).with(pointer, value.clone()).faults();
        assert_eq!(faults, [(pointer.to_owned(), code)], "{category} {value}");
    }
}

#[test]
fn what_just_keeps_a_bound_is_valid() {
    for (category, fact, value) in [
        ("professional", "vatClosedOn", json!("2015-03-01")),
        ("farmWorker", "workDays", json!(0)),
        ("farmWorker", "workDays", json!(366)),
        ("showBusiness", "income", json!("-0.01")),
    ] {
        assert!(Sample::allowance(category).with(&format!("/facts/{fact}"), value).read().is_ok());
    }
}

#[test]
fn every_fact_of_a_category_is_missed() {
    for category in CATEGORIES {
        let sample = Sample::allowance(category);
        for fact in sample.document()["facts"].as_object().unwrap().keys() {
            let pointer = format!("/facts/{fact}");
            let faults = sample.clone().without(&pointer);
            if fact == "vatClosedOn" {
                assert!(faults.read().is_ok());
            } else {
                assert_eq!(faults.faults(), [(pointer, FaultCode::MissingField)], "{category}");
            }
        }
        for pointer in ["/category", "/facts", "/payment", "/consents/truthOfStatements"] {
            let faults = sample.clone().without(pointer).faults();
            assert_eq!(faults, [(pointer.to_owned(), FaultCode::MissingField)], "{category}");
        }
    }
}

#[test]
fn a_fact_of_another_category_is_told_apart_from_a_misspelt_one() {
    let body = Sample::allowance("farmer").with("/facts/workDays", 1).document().to_string();
    let fault = &faults_of(body.as_bytes())[0];
    let italian = "Campo previsto solo per un'altra categoria.";
    assert_eq!(fault.detail(Language::Italian), italian);
    assert_eq!(fault.detail(Language::English), "The field belongs to another category.");
}

#[test]
fn rules_without_the_scheme_know_no_application_for_it() {
    let rules = Rules::from_files(&[include_str!("../schemes/parameters/iscro-2024.json")]);
    let body = Sample::allowance("trader").document().to_string();
    let Err(ParseError::Invalid(faults)) = parse(body.as_bytes(), &rules.unwrap()) else {
        panic!()
    };
    assert_eq!(faults[0].code, FaultCode::UnknownScheme);
    assert!(faults[0].detail(Language::English).ends_with("Allowed: iscro."));
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn facts_fit_their_own_category_and_no_other(own in 0..CATEGORIES.len(), other in 0..CATEGORIES.len()) {
        let facts = Sample::allowance(CATEGORIES[own]).document()["facts"].clone();
        let sample = Sample::allowance(CATEGORIES[other]).with("/facts", facts.clone());
        let expected = Sample::allowance(CATEGORIES[other]).document()["facts"].clone();
        let names = |facts: &Value| facts.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let same = names(&facts) == names(&expected);
        prop_assert_eq!(sample.read().is_ok(), same);
        if !same {
            use FaultCode::{MissingField, OtherCategory};
            prop_assert!(sample.faults().iter().all(|(_, code)| matches!(code, MissingField | OtherCategory)));
        }
    }
}
