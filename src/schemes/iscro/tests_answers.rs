//! What answers from outside change, and what they leave alone.

use proptest::prelude::*;
use serde_json::Value;

use crate::application::sample::{Sample, day};
use crate::application::{example, parse};
use crate::civic::{Euro, FiscalCode};
use crate::schemes::{Answers, Decision, Outcome, Requirement, Rules};

fn euro(text: &str) -> Option<Euro> {
    Euro::parse(text).ok()
}

fn decided(sample: &Sample, answers: &Answers) -> Decision {
    Rules::builtin().decide_with(&sample.read().unwrap().facts, day("2024-09-16"), answers)
}

fn found(decision: &Decision, requirement: Requirement) -> String {
    let ground = decision.grounds.iter().find(|ground| ground.requirement == requirement);
    ground.unwrap().found.to_string()
}

#[test]
fn an_answer_about_contributions_turns_pending_into_a_decision() {
    for (stated, answered, outcome) in [
        (None, None, Outcome::Pending),
        (None, Some(true), Outcome::Granted),
        (None, Some(false), Outcome::Refused),
        (Some(true), None, Outcome::Granted),
        (Some(true), Some(false), Outcome::Refused),
        (Some(false), Some(true), Outcome::Granted),
        (Some(false), None, Outcome::Refused),
    ] {
        let sample = Sample::of(2024).with("/standing/contributionsRegular", stated);
        let decision = decided(&sample, &Answers::new(answered, 0, [None; 4]));
        assert_eq!(decision.outcome, outcome, "{stated:?} {answered:?}");
        let counted = answered.or(stated).map_or("unknown".to_owned(), |flag| flag.to_string());
        assert_eq!(found(&decision, Requirement::ContributionsRegular), counted);
    }
}

#[test]
fn what_was_pending_is_decided_again_when_the_answer_comes_and_nothing_else_changes() {
    let body = example(&FiscalCode::made_up(1), 2024);
    let body = body.replace(r#""contributionsRegular": true"#, r#""contributionsRegular": null"#);
    let rules = Rules::builtin();
    let application = parse(body.as_bytes(), rules).unwrap();
    let day = day("2024-09-16");
    let pending = rules.decide_with(&application.facts, day, &Answers::NONE);
    assert_eq!((pending.outcome, pending.award), (Outcome::Pending, None));
    assert_eq!(found(&pending, Requirement::ContributionsRegular), "unknown");
    for (answered, outcome, monthly) in
        [(true, Outcome::Granted, Some("687.50")), (false, Outcome::Refused, None)]
    {
        let answers = Answers::new(Some(answered), 0, [None; 4]);
        let again = rules.decide_with(&application.facts, day, &answers);
        let told = again.award.map(|award| award.monthly.to_string());
        assert_eq!((again.outcome, told.as_deref()), (outcome, monthly));
        assert_eq!(again.parameters, pending.parameters);
        for (now, before) in again.grounds.iter().zip(pending.grounds.iter()) {
            let is_answered = now.requirement == Requirement::ContributionsRegular;
            assert_eq!(now != before, is_answered, "{:?}", now.requirement);
        }
    }
}

#[test]
fn the_institutes_own_figures_replace_the_declared_ones() {
    for (incomes, outcome, monthly) in [
        ([None, None, None, None], Outcome::Granted, "687.50"),
        ([None, euro("8000.00"), None, None], Outcome::Granted, "800.00"),
        ([euro("1000.00"), euro("1000.00"), None, None], Outcome::Refused, "-"),
        ([None, None, euro("3850.00"), None], Outcome::Refused, "-"),
        ([None, None, euro("-1.00"), None], Outcome::Review, "-"),
        // A year that is not asked for changes nothing.
        ([None, None, None, euro("99999.00")], Outcome::Granted, "687.50"),
    ] {
        // Declared: 3,000 in 2023, 5,000 in 2022, 6,000 in 2021.
        let decision = decided(&Sample::of(2024), &Answers::new(None, 2021, incomes));
        let told = decision.award.map_or("-".to_owned(), |award| award.monthly.to_string());
        assert_eq!((decision.outcome, told.as_str()), (outcome, monthly));
    }
    let answers = Answers::new(None, 2020, [None, None, None, euro("2999.99")]);
    let decision = decided(&Sample::of(2024), &answers);
    assert_eq!(found(&decision, Requirement::IncomeDrop), "2999.99");
    assert_eq!(found(&decision, Requirement::IncomeCeiling), "2999.99");
}

#[test]
fn a_year_left_out_need_not_be_declared_if_the_institute_holds_it() {
    let sparse = Sample::of(2024).earning(&["3000.00", "5000.00"]);
    assert_eq!(decided(&sparse, &Answers::NONE).outcome, Outcome::Review);
    let held = Answers::new(None, 2021, [euro("6000.00"), None, None, None]);
    let decision = decided(&sparse, &held);
    assert_eq!(decision.award.unwrap().monthly.to_string(), "687.50");
    let all =
        Answers::new(Some(true), 2021, [euro("6000.00"), euro("5000.00"), euro("3000.00"), None]);
    let silent = Sample::of(2024)
        .with("/incomes", Value::Array(Vec::new()))
        .with("/standing/contributionsRegular", Value::Null);
    assert_eq!(decided(&silent, &all), decided(&Sample::of(2024), &Answers::NONE));
}

#[test]
fn the_allowance_of_2020_rests_on_statements_alone() {
    let application = Sample::allowance("showBusiness").read().unwrap();
    let answers = Answers::new(Some(false), 2019, [euro("999999.00"), None, None, None]);
    let rules = Rules::builtin();
    let day = day("2020-04-01");
    assert_eq!(
        rules.decide_with(&application.facts, day, &answers),
        rules.decide(&application.facts, day)
    );
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn answers_that_repeat_what_was_declared_change_nothing(
        cents in proptest::array::uniform3(-10_000..2_000_000_i64), regular in any::<bool>(),
    ) {
        let incomes = cents.map(Euro::from_cents);
        let texts = incomes.map(|amount| amount.to_string());
        let [last, second, third] = incomes.map(Some);
        let sample = Sample::of(2024)
            .earning(&texts.each_ref().map(String::as_str))
            .with("/standing/contributionsRegular", regular);
        let answers = Answers::new(Some(regular), 2021, [third, second, last, None]);
        prop_assert_eq!(decided(&sample, &answers), decided(&sample, &Answers::NONE));
    }

    #[test]
    fn with_all_answers_the_statements_about_them_do_not_matter(
        cents in proptest::array::uniform3(0..2_000_000_i64),
        declared in proptest::array::uniform3(-10_000..2_000_000_i64), regular in any::<bool>(), stated in any::<Option<bool>>(),
    ) {
        let [last, second, third] = cents.map(|cents| Some(Euro::from_cents(cents)));
        let answers = Answers::new(Some(regular), 2021, [third, second, last, None]);
        let texts = declared.map(|cents| Euro::from_cents(cents).to_string());
        let other = Sample::of(2024)
            .earning(&texts.each_ref().map(String::as_str))
            .with("/standing/contributionsRegular", stated);
        prop_assert_eq!(decided(&other, &answers), decided(&Sample::of(2024), &answers));
        prop_assert!(decided(&other, &answers).outcome != Outcome::Pending);
    }
}
