//! The worked examples of the law, each requirement, and what must hold for any figures.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::application::parse;
use crate::application::sample::{Sample, day};
use crate::civic::Euro;
use crate::schemes::{Decision, Outcome, Requirement, Rules};

/// The outcome, the monthly amount or `-`, and the requirements that are not met.
fn told(decision: &Decision) -> String {
    let monthly = decision.award.map_or("-".to_owned(), |award| award.monthly.to_string());
    let unmet: Vec<_> = decision
        .grounds
        .iter()
        .filter(|ground| !ground.met)
        .map(|ground| ground.requirement.as_str())
        .collect();
    format!("{} {monthly} {}", decision.outcome.as_str(), unmet.join(" ")).trim_end().to_owned()
}

/// The JSON of a decision, each ground on a line of its own.
fn by_line(decision: &Decision) -> String {
    let json = String::from_utf8(decision.to_json()).unwrap();
    json.replace(r#"{"requirement""#, "\n  {\"requirement\"")
}

/// What a requirement found and asked, as a person reads it.
fn ground(decision: &Decision, requirement: Requirement) -> (bool, String, String) {
    let ground = decision.grounds.iter().find(|ground| ground.requirement == requirement).unwrap();
    (ground.met, ground.found.to_string(), ground.required.to_string())
}

#[test]
fn incomes_decide_as_in_the_worked_examples() {
    for (year, incomes, expected) in [
        (2024, ["3000.00", "5000.00", "6000.00"], "granted 687.50"),
        (2024, ["3849.99", "5000.00", "6000.00"], "granted 687.50"),
        (2024, ["3850.00", "5000.00", "6000.00"], "refused - income-drop"),
        (2024, ["1000.00", "1500.00", "2000.00"], "granted 250.00"),
        (2025, ["1000.00", "1500.00", "2000.00"], "granted 252.00"),
        (2025, ["4000.00", "7000.00", "6000.00"], "granted 806.40"),
        (2024, ["12000.00", "20000.00", "20000.00"], "granted 800.00"),
        (2024, ["12000.01", "20000.00", "20000.00"], "refused - income-ceiling"),
        (2024, ["0", "0", "0"], "refused - income-drop"),
        (2024, ["1000.00", "5001.00", "6001.00"], "granted 687.63"),
        (2024, ["0", "1840.00", "1840.00"], "granted 250.00"),
        (2024, ["0", "7200.00", "7200.00"], "granted 800.00"),
        (2026, ["12749.18", "20000.00", "20000.00"], "granted 817.69"),
        (2026, ["12749.19", "20000.00", "20000.00"], "refused - income-ceiling"),
    ] {
        let decision = Sample::of(year).earning(&incomes).decided();
        assert_eq!(told(&decision), expected, "{year} {incomes:?}");
    }
}

#[test]
fn the_first_statute_has_formulas_of_its_own() {
    for (year, incomes, certified, expected) in [
        (2021, ["6000.00", "20000.00", "10000.00", "10000.00"], "6000.00", "granted 750.00"),
        (2021, ["6000.00", "12000.00", "12000.00", "12000.00"], "6000.00", "refused - income-drop"),
        (2021, ["5999.99", "12000.00", "12000.00", "12000.00"], "6000.00", "granted 750.00"),
        (2021, ["6000.00", "20000.00", "10000.00", "10000.00"], "568.00", "granted 250.00"),
        (2021, ["6000.00", "20000.00", "10000.00", "10000.00"], "6725.00", "granted 800.00"),
        (2022, ["8299.76", "30000.00", "30000.00", "30000.00"], "0", "granted 254.75"),
        (2022, ["8299.77", "30000.00", "30000.00", "30000.00"], "0", "refused - income-ceiling"),
        (2023, ["8972.04", "30000.00", "30000.00", "30000.00"], "9000.00", "granted 881.23"),
        (2021, ["6000.00", "20000.00", "10000.00", "10000.00"], "-1.00", "review -"),
    ] {
        let sample = Sample::of(year).earning(&incomes).with("/certifiedIncome", certified);
        assert_eq!(told(&sample.decided()), expected, "{year} {incomes:?} {certified}");
    }
}

#[test]
fn the_amount_was_not_taxed_before_2024() {
    for (year, scheme, withheld) in [
        (2023, "ordinary", "0.00"),
        (2023, "flatRate", "0.00"),
        (2024, "ordinary", "137.50"),
        (2024, "flatRate", "0.00"),
    ] {
        let award = Sample::of(year).with("/taxScheme", scheme).decided().award.unwrap();
        assert_eq!(award.withheld_monthly.to_string(), withheld, "{year} {scheme}");
        assert_eq!(award.gross_total, award.monthly.checked_mul(6).unwrap());
    }
}

#[test]
fn the_window_holds_its_first_and_its_last_day() {
    for (year, day, expected) in [
        (2024, "2024-07-31", "refused - window"),
        (2024, "2024-08-01", "granted 687.50"),
        (2024, "2024-10-31", "granted 687.50"),
        (2024, "2024-11-01", "refused - window"),
        (2025, "2025-06-15", "refused - window"),
        (2025, "2025-06-16", "granted 687.50"),
        (2026, "2026-11-02", "refused - window"),
        (2021, "2021-11-02", "granted 750.00"),
        (2021, "2021-11-03", "refused - window"),
    ] {
        assert_eq!(told(&Sample::of(year).submitted(day)), expected, "{day}");
    }
    let decision = Sample::of(2024).submitted("2024-10-31");
    let award = decision.award.unwrap();
    assert_eq!(
        (award.starts_on.to_string(), award.ends_on.to_string()),
        ("2024-11-01".to_owned(), "2025-04-30".to_owned())
    );
    assert_eq!(
        ground(&decision, Requirement::Window),
        (true, "2024-10-31".to_owned(), "2024-08-01/2024-10-31".to_owned())
    );
}

#[test]
fn the_vat_number_is_old_enough_on_its_anniversary() {
    for (year, opened, filed, met, required) in [
        (2024, "2021-10-01", "2024-09-30", false, "<= 2021-09-30"),
        (2024, "2021-10-01", "2024-10-01", true, "<= 2021-10-01"),
        (2021, "2017-10-01", "2021-09-30", false, "<= 2017-09-30"),
        (2021, "2017-10-01", "2021-10-01", true, "<= 2017-10-01"),
        (2024, "2030-01-01", "2024-10-01", false, "<= 2021-10-01"),
    ] {
        let decision = Sample::of(year).with("/activity/vatOpenedOn", opened).submitted(filed);
        let expected = (met, opened.to_owned(), required.to_owned());
        assert_eq!(ground(&decision, Requirement::VatAge), expected);
        assert_eq!(decision.outcome == Outcome::Granted, met);
    }
}

#[test]
fn an_earlier_benefit_bars_for_two_years() {
    for (year, begun, found, required) in [
        (2025, &[2024][..], "2024", "none in 2024/2025"),
        (2026, &[2024], "2024", "none in 2024/2026"),
        (2026, &[2024, 2025], "2025", "none in 2024/2026"),
        (2024, &[2024], "2024", "none in 2024"),
        (2024, &[2021, 2022, 2023], "none", "none in 2024"),
        (2025, &[2023], "none", "none in 2024/2025"),
        (2025, &[], "none", "none in 2024/2025"),
        (2022, &[2021], "2021", "none in 2021/2022"),
        (2023, &[2021], "2021", "none in 2021/2023"),
    ] {
        let benefits: Vec<Value> = begun.iter().map(|year| json!({ "begunIn": year })).collect();
        let decision = Sample::of(year).with("/earlierBenefits", benefits).decided();
        let expected = (found == "none", found.to_owned(), required.to_owned());
        assert_eq!(ground(&decision, Requirement::NotBarred), expected, "{year} {begun:?}");
    }
}

#[test]
fn a_third_year_is_free_again_and_its_deadline_rolls_over() {
    let file = include_str!("../parameters/iscro-2024.json").replace("2026", "2027");
    let rules = Rules::from_files(&[file.leak()]).unwrap();
    let body = Sample::of(2024)
        .with("/year", 2027)
        .with("/earlierBenefits", json!([{ "begunIn": 2024 }]))
        .earning(&["3000.00", "5000.00", "6000.00"]);
    let application = parse(body.document().to_string().as_bytes(), &rules).unwrap();
    for (filed, expected) in [("2027-11-02", "granted 687.50"), ("2027-11-03", "refused - window")]
    {
        assert_eq!(told(&rules.decide(&application.facts, day(filed))), expected);
    }
}

#[test]
fn each_statement_is_a_ground_of_its_own() {
    for (pointer, value, expected) in [
        ("/standing/separateManagement", json!(false), "refused - separate-management"),
        ("/standing/directPension", json!(true), "refused - no-direct-pension"),
        ("/standing/invalidityAllowance", json!(true), "granted 687.50"),
        ("/standing/otherCompulsoryInsurance", json!(true), "refused - no-other-insurance"),
        ("/standing/inclusionAllowance", json!(true), "refused - no-incompatible-benefit"),
        ("/standing/unemploymentBenefit", json!("naspi"), "refused - no-incompatible-benefit"),
        ("/standing/unemploymentBenefit", json!("disColl"), "refused - no-incompatible-benefit"),
        ("/standing/unemploymentBenefit", json!("alas"), "refused - no-incompatible-benefit"),
        ("/standing/politicalOffice", json!("attendanceFee"), "granted 687.50"),
        ("/standing/politicalOffice", json!("paid"), "refused - no-paid-office"),
        ("/standing/contributionsRegular", json!(false), "refused - contributions-regular"),
        ("/standing/contributionsRegular", json!(null), "pending - contributions-regular"),
        ("/consents/truthOfStatements", json!(false), "refused - consents"),
        ("/consents/siislSharing", json!(false), "refused - consents"),
        ("/activity/kind", json!("associatedPractice"), "granted 687.50"),
        ("/activity/kind", json!("simplePartnership"), "granted 687.50"),
    ] {
        let decision = Sample::of(2024).with(pointer, value.clone()).decided();
        assert_eq!(told(&decision), expected, "{pointer} {value}");
    }
    let without_siisl = Sample::of(2023).with("/consents/siislSharing", false);
    assert_eq!(told(&without_siisl.decided()), "granted 750.00");
}

#[test]
fn both_incompatible_benefits_are_named() {
    let decision = Sample::of(2024)
        .with("/standing/inclusionAllowance", true)
        .with("/standing/unemploymentBenefit", "naspi")
        .decided();
    assert_eq!(
        ground(&decision, Requirement::NoIncompatibleBenefit),
        (false, "inclusionAllowance, naspi".to_owned(), "none".to_owned())
    );
}

#[test]
fn a_missing_year_or_a_loss_goes_to_an_officer() {
    for (incomes, expected) in [
        (&["3000.00", "5000.00"][..], "review - income-drop"),
        (&["1000.00", "5000.00"], "review -"),
        (&["3000.00"], "review - income-drop"),
        (&[], "review - income-drop income-ceiling"),
        (&["-1.00", "5000.00", "6000.00"], "review -"),
        (&["3000.00", "-5000.00", "6000.00"], "review - income-drop"),
        (&["12000.01", "5000.00"], "refused - income-drop income-ceiling"),
    ] {
        assert_eq!(told(&Sample::of(2024).earning(incomes).decided()), expected, "{incomes:?}");
    }
    // Without last year's income nothing is known of a fall.
    let last_missing = Sample::of(2024).without("/incomes/0").decided();
    assert_eq!(told(&last_missing), "review - income-drop income-ceiling");
    let loss = Sample::of(2024).earning(&["3000.00", "-5000.00", "6000.00"]).decided();
    let expected = (false, "3000.00".to_owned(), "< 350.00".to_owned());
    assert_eq!(ground(&loss, Requirement::IncomeDrop), expected);
    let nothing_known = Sample::of(2024).earning(&[]).decided();
    let expected = (false, "unknown".to_owned(), "< 0.00".to_owned());
    assert_eq!(ground(&nothing_known, Requirement::IncomeDrop), expected);
}

#[test]
fn the_worst_ground_decides() {
    let pending = Sample::of(2024).with("/standing/contributionsRegular", Value::Null);
    let review = pending.clone().earning(&["1000.00", "5000.00"]);
    let refused = review.clone().with("/standing/directPension", true);
    assert_eq!(pending.decided().outcome, Outcome::Pending);
    assert_eq!(review.decided().outcome, Outcome::Review);
    assert_eq!(refused.decided().outcome, Outcome::Refused);
}

#[test]
fn a_limit_between_two_cents_is_told_exactly() {
    for (incomes, met, required) in [
        (["3850.00", "5000.00", "6000.01"], true, "<= 3850.00"),
        (["3850.01", "5000.00", "6000.01"], false, "<= 3850.00"),
        (["3850.00", "5000.00", "6000.00"], false, "< 3850.00"),
    ] {
        let decision = Sample::of(2024).earning(&incomes).decided();
        let expected = (met, incomes[0].to_owned(), required.to_owned());
        assert_eq!(ground(&decision, Requirement::IncomeDrop), expected);
    }
}

#[test]
fn a_granted_decision_reads_as_the_contract_says() {
    let decision = Sample::of(2024).with("/taxScheme", "ordinary").submitted("2024-09-16");
    insta::assert_snapshot!(by_line(&decision));
}

#[test]
fn a_refused_decision_reads_as_the_contract_says() {
    let decision = Sample::of(2024)
        .earning(&["3850.01", "5000.00", "6000.01"])
        .with("/standing/contributionsRegular", Value::Null)
        .submitted("2024-11-01");
    insta::assert_snapshot!(by_line(&decision));
}

#[test]
fn no_figure_is_printed_for_debugging() {
    let decision = Sample::of(2024).submitted("2024-09-16");
    let printed = format!("{decision:?} {:?}", decision.award);
    assert!(!printed.contains("3000") && !printed.contains("687"), "{printed}");
    assert!(printed.contains("income-drop: met"), "{printed}");
    assert!(printed.contains("Award(..)"), "{printed}");
    assert_eq!(format!("{:?}", decision.grounds[0].found), "Finding(..)");
}

fn amount() -> impl Strategy<Value = String> {
    (-100_000..3_000_000_i64).prop_map(|cents| Euro::from_cents(cents).to_string())
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn earning_more_never_mends_the_drop(
        last in 0..2_000_000_i64, more in 0..2_000_000_i64, second in amount(), third in amount(),
    ) {
        let decide = |last: i64| {
            let last = Euro::from_cents(last).to_string();
            Sample::of(2024).earning(&[&last, &second, &third]).decided()
        };
        let (before, after) = (decide(last), decide(last + more));
        if !ground(&before, Requirement::IncomeDrop).0 {
            prop_assert!(!ground(&after, Requirement::IncomeDrop).0);
            prop_assert_ne!(after.outcome, Outcome::Granted);
        }
    }

    #[test]
    fn the_amount_stays_between_minimum_and_maximum(
        year in 2021..=2026_i16, incomes in proptest::array::uniform4(amount()), certified in amount(),
    ) {
        let under_first = year < 2024;
        let count = if under_first { 4 } else { 3 };
        let incomes: Vec<&str> = incomes.iter().take(count).map(String::as_str).collect();
        let mut sample = Sample::of(year).earning(&incomes);
        if under_first {
            sample = sample.with("/certifiedIncome", certified);
        }
        let decision = sample.decided();
        prop_assert_eq!(decision.award.is_some(), decision.outcome == Outcome::Granted);
        if let Some(award) = decision.award {
            let parameters = Rules::builtin().iscro(year).unwrap();
            prop_assert!(award.monthly >= parameters.monthly_min());
            prop_assert!(award.monthly <= parameters.monthly_max());
        }
    }

    #[test]
    fn the_order_of_incomes_changes_nothing(
        amounts in proptest::array::uniform3(amount()), turn in 0..3_usize, swap in any::<bool>(),
    ) {
        let sample = Sample::of(2024).earning(&amounts.each_ref().map(String::as_str));
        let mut incomes = sample.document()["incomes"].as_array().unwrap().clone();
        incomes.rotate_left(turn);
        if swap {
            incomes.swap(0, 1);
        }
        let shuffled = sample.clone().with("/incomes", incomes);
        prop_assert!(sample.read().unwrap() == shuffled.read().unwrap());
        prop_assert_eq!(sample.decided().to_json(), shuffled.decided().to_json());
    }

    #[test]
    fn both_ways_of_writing_a_decision_agree(
        incomes in prop::collection::vec(amount(), 0..4), late in any::<bool>(), ordinary in any::<bool>(),
        regular in any::<Option<bool>>(),
    ) {
        let incomes: Vec<&str> = incomes.iter().map(String::as_str).collect();
        let decision = Sample::of(2024)
            .earning(&incomes)
            .with("/taxScheme", if ordinary { "ordinary" } else { "flatRate" })
            .with("/standing/contributionsRegular", regular)
            .submitted(if late { "2024-11-01" } else { "2024-10-31" });
        prop_assert_eq!(decision.to_json(), serde_json::to_vec(&decision).unwrap());
    }

    #[test]
    fn the_told_limit_is_the_limit(second in amount(), third in amount(), last in amount()) {
        let decision = Sample::of(2024).earning(&[&last, &second, &third]).decided();
        let (_, found, required) = ground(&decision, Requirement::IncomeDrop);
        let (relation, limit) = required.rsplit_once(' ').unwrap();
        let (found, limit) = (Euro::parse(&found).unwrap(), Euro::parse(limit).unwrap());
        let told = if relation == "<" { found < limit } else { found <= limit };
        prop_assert_eq!(told, ground(&decision, Requirement::IncomeDrop).0);
    }
}
