//! Each article, each requirement, and what must hold for any facts.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::application::sample::Sample;
use crate::schemes::{Decision, Outcome, Requirement};

/// Every category that this office pays.
const PAID: [&str; 8] = [
    "professional",
    "collaborator",
    "artisan",
    "trader",
    "farmer",
    "seasonalTourism",
    "farmWorker",
    "showBusiness",
];

/// The outcome, and the requirements that are not met.
fn told(decision: &Decision) -> String {
    let unmet = decision.grounds.iter().filter(|ground| !ground.met);
    let unmet: Vec<_> = unmet.map(|ground| ground.requirement.as_str()).collect();
    format!("{} {}", decision.outcome.as_str(), unmet.join(" ")).trim_end().to_owned()
}

fn slugs(decision: &Decision) -> Vec<&'static str> {
    decision.grounds.iter().map(|ground| ground.requirement.as_str()).collect()
}

#[test]
fn every_category_is_paid_the_same_for_march() {
    for category in PAID {
        let decision = Sample::allowance(category).decided();
        assert_eq!(told(&decision), "granted", "{category}");
        let award = decision.award.unwrap();
        let figures = [award.monthly, award.gross_total, award.withheld_monthly];
        assert_eq!(figures.map(|figure| figure.to_string()), ["600.00", "600.00", "0.00"]);
        let days = (award.starts_on.to_string(), award.months, award.ends_on.to_string());
        assert_eq!(days, ("2020-03-01".to_owned(), 1, "2020-03-31".to_owned()));
        assert_eq!(decision.parameters.to_string(), "allowance600-2020");
    }
}

#[test]
fn a_category_lists_what_its_article_asks() {
    for (category, own) in [
        (
            "professional",
            &["separate-management", "active-on-reference-day", "no-other-insurance"][..],
        ),
        ("collaborator", &["separate-management", "active-on-reference-day", "no-other-insurance"]),
        ("artisan", &["special-fund", "no-other-insurance"]),
        ("trader", &["special-fund", "no-other-insurance"]),
        ("farmer", &["special-fund", "no-other-insurance"]),
        (
            "seasonalTourism",
            &["seasonal-work", "job-ended", "job-ended-involuntarily", "not-employed"],
        ),
        ("farmWorker", &["fixed-term-work", "work-days"]),
        (
            "showBusiness",
            &["show-business-fund", "daily-contributions", "income-ceiling", "not-employed"],
        ),
    ] {
        let after = ["no-direct-pension", "no-incompatible-benefit", "consents"];
        let expected = [&["window", "right-office"], own, &after].concat();
        assert_eq!(slugs(&Sample::allowance(category).decided()), expected, "{category}");
    }
}

#[test]
fn each_fact_is_a_ground_of_its_own() {
    for (category, fact, value, expected) in [
        ("professional", "separateManagement", json!(false), "refused separate-management"),
        ("professional", "otherCompulsoryInsurance", json!(true), "refused no-other-insurance"),
        ("professional", "vatOpenedOn", json!("2020-02-23"), "granted"),
        ("professional", "vatOpenedOn", json!("2020-02-24"), "refused active-on-reference-day"),
        ("professional", "vatClosedOn", json!("2020-02-22"), "refused active-on-reference-day"),
        ("professional", "vatClosedOn", json!("2020-02-23"), "granted"),
        ("collaborator", "contractStartedOn", json!("2020-02-23"), "granted"),
        (
            "collaborator",
            "contractStartedOn",
            json!("2020-02-24"),
            "refused active-on-reference-day",
        ),
        ("collaborator", "contractEndedOn", json!("2020-02-22"), "refused active-on-reference-day"),
        ("collaborator", "contractEndedOn", json!("2020-02-23"), "granted"),
        ("collaborator", "separateManagement", json!(false), "refused separate-management"),
        ("artisan", "specialFund", json!(false), "refused special-fund"),
        ("trader", "otherCompulsoryInsurance", json!(true), "refused no-other-insurance"),
        ("seasonalTourism", "seasonalWork", json!(false), "refused seasonal-work"),
        ("seasonalTourism", "jobEndedOn", json!(null), "refused job-ended"),
        ("seasonalTourism", "jobEndedOn", json!("2018-12-31"), "refused job-ended"),
        ("seasonalTourism", "jobEndedOn", json!("2019-01-01"), "granted"),
        ("seasonalTourism", "jobEndedOn", json!("2020-03-17"), "granted"),
        ("seasonalTourism", "jobEndedOn", json!("2020-03-18"), "refused job-ended"),
        (
            "seasonalTourism",
            "jobEndedInvoluntarily",
            json!(false),
            "refused job-ended-involuntarily",
        ),
        ("seasonalTourism", "employedOnReferenceDay", json!(true), "refused not-employed"),
        ("farmWorker", "fixedTermWork", json!(false), "refused fixed-term-work"),
        ("farmWorker", "workDays", json!(49), "refused work-days"),
        ("farmWorker", "workDays", json!(50), "granted"),
        ("showBusiness", "showBusinessFund", json!(false), "refused show-business-fund"),
        ("showBusiness", "dailyContributions", json!(29), "refused daily-contributions"),
        ("showBusiness", "dailyContributions", json!(30), "granted"),
        ("showBusiness", "income", json!("50000.00"), "granted"),
        ("showBusiness", "income", json!("50000.01"), "refused income-ceiling"),
        ("showBusiness", "employedOnReferenceDay", json!(true), "refused not-employed"),
    ] {
        let decision = Sample::allowance(category).with(&format!("/facts/{fact}"), value.clone());
        assert_eq!(told(&decision.decided()), expected, "{category} {fact} {value}");
    }
}

#[test]
fn a_pension_or_citizens_income_excludes_in_every_category() {
    for category in PAID {
        for (pointer, value, expected) in [
            ("/facts/directPension", true, "refused no-direct-pension"),
            ("/facts/citizensIncome", true, "refused no-incompatible-benefit"),
            ("/consents/truthOfStatements", false, "refused consents"),
        ] {
            let decision = Sample::allowance(category).with(pointer, value).decided();
            assert_eq!(told(&decision), expected, "{category}");
        }
    }
}

#[test]
fn the_window_holds_its_first_and_its_last_day() {
    for (day, expected) in [
        ("2020-03-31", "refused window"),
        ("2020-04-01", "granted"),
        ("2020-06-03", "granted"),
        ("2020-06-04", "refused window"),
    ] {
        assert_eq!(told(&Sample::allowance("trader").submitted(day)), expected, "{day}");
    }
}

#[test]
fn journalists_are_told_the_right_office() {
    let decision = Sample::allowance("journalist").decided();
    assert_eq!(told(&decision), "refused right-office");
    assert_eq!(slugs(&decision), ["window", "right-office", "consents"]);
    let ground = decision.grounds[1];
    assert_eq!(ground.requirement, Requirement::RightOffice);
    assert_eq!(ground.found.to_string(), "INPGI: apply there");
    assert_eq!(ground.required.to_string(), "INPS");
}

#[test]
fn decisions_read_as_the_contract_says() {
    let told: Vec<String> = [PAID.as_slice(), &["journalist"]]
        .concat()
        .into_iter()
        .map(|category| {
            let decision = Sample::allowance(category).submitted("2020-04-01");
            let json = String::from_utf8(decision.to_json()).unwrap();
            format!("{category}\n{}", json.replace(r#"{"requirement""#, "\n  {\"requirement\""))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn nothing_but_six_hundred_is_ever_paid_and_never_with_an_unmet_ground(
        category in 0..PAID.len(), flags in prop::collection::vec(any::<bool>(), 20),
        days in 0..=366_u16, late in any::<bool>(),
    ) {
        let sample = Sample::allowance(PAID[category]);
        let facts = sample.document()["facts"].as_object().unwrap().clone();
        let mut changed = sample;
        for ((name, value), flag) in facts.iter().zip(flags) {
            let other = match value {
                Value::Bool(_) => json!(flag),
                Value::Number(_) => json!(days),
                _ => continue,
            };
            changed = changed.with(&format!("/facts/{name}"), other);
        }
        let decision = changed.submitted(if late { "2020-06-04" } else { "2020-05-01" });
        let all_met = decision.grounds.iter().all(|ground| ground.met);
        prop_assert_eq!(decision.outcome == Outcome::Granted, all_met);
        prop_assert_eq!(decision.award.map(|award| award.gross_total.cents()), all_met.then_some(60_000));
        prop_assert_eq!(decision.to_json(), serde_json::to_vec(&decision).unwrap());
    }

    #[test]
    fn more_days_never_turn_a_grant_into_a_refusal(days in 0..366_u16) {
        for (category, fact) in [("farmWorker", "workDays"), ("showBusiness", "dailyContributions")] {
            let decided = |days: u16| Sample::allowance(category).with(&format!("/facts/{fact}"), days).decided();
            let was_granted = decided(days).outcome == Outcome::Granted;
            prop_assert!(!was_granted || decided(days + 1).outcome == Outcome::Granted);
        }
    }
}
