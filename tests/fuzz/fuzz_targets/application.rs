//! Input: an application, or a report on a running benefit. Any bytes are either valid, and the rules answer, or are
//! refused with faults that can be reported.
#![no_main]

use jiff::civil::{Date, date};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sportello::{
    application::{
        Application, Fault, FaultCode, ParseError, parse, parse_report, parse_submitted,
    },
    civic::Language,
    http::problem::Problem,
    schemes::{Rules, Scheme},
};

/// Number of requirements that every decision on ISCRO lists.
const ISCRO_GROUNDS: usize = 12;
/// The languages of public text.
const LANGUAGES: [Language; 2] = [Language::Italian, Language::English];
/// The last day that an application may say it was submitted on.
const SUBMITTED_ON_MAX: Date = date(2099, 12, 31);

fuzz_target!(|body: &[u8]| {
    let rules = Rules::builtin();
    match parse(body, rules) {
        Ok(application) => {
            let window = rules.window(application.campaign()).expect("only a campaign parses");
            for day in [window.opens_on, window.closes_on, SUBMITTED_ON_MAX] {
                decides(rules, &application, day);
            }
        }
        Err(error) => can_be_reported(body, error),
    }
    match parse_submitted(body, rules) {
        Ok((application, submitted_on)) => {
            decides(rules, &application, submitted_on);
            assert!(
                parse(body, rules).is_err(),
                "`submittedOn` is accepted, but the server must take the day from its own clock"
            );
        }
        Err(error) => can_be_reported(body, error),
    }
    match parse_report(body, rules) {
        Ok(report) => {
            let months = report.award.months;
            let running =
                rules.running(report.campaign, &report.award, &report.events, report.months_paid);
            let running = running.expect("only a campaign that runs parses");
            assert!(running.months_due <= months && running.recovery <= running.undue);
        }
        Err(error) => can_be_reported(body, error),
    }
});

fn decides(rules: &Rules, application: &Application, submitted_on: Date) {
    let decision = rules.decide(&application.facts, submitted_on);
    let json: Value = serde_json::from_slice(&decision.to_json()).expect("a decision is JSON");
    let grounds = json["grounds"].as_array().map_or(0, Vec::len);
    assert!(
        grounds > 0 && (application.campaign().scheme != Scheme::Iscro || grounds == ISCRO_GROUNDS)
    );
    assert_eq!(json, serde_json::to_value(&decision).expect("a decision serializes"));
    assert_eq!(json["monthlyAmount"].is_string(), json["outcome"] == "granted");
    assert!(
        decision == rules.decide(&application.facts, submitted_on),
        "deciding twice gives different decisions"
    );
}

fn can_be_reported(body: &[u8], error: ParseError) {
    let fault_count = match &error {
        ParseError::Malformed { line, fault, .. } => {
            assert!(*line >= 1);
            assert!(LANGUAGES.iter().all(|language| !fault.detail(*language).is_empty()));
            0
        }
        ParseError::Invalid(faults) => {
            assert!(!faults.is_empty(), "refused without a fault");
            let document =
                serde_json::from_slice(body).expect("an invalid application is well-formed JSON");
            points_into(&document, faults);
            faults.len()
        }
    };
    let problem = Problem::from(error).at_line(1);
    for language in LANGUAGES {
        let json: Value = serde_json::from_slice(&problem.to_json(language)).expect("JSON");
        assert_eq!(json["errors"].as_array().map_or(0, Vec::len), fault_count);
    }
}

/// Asserts that every pointer is valid (RFC 6901) and that its target exists; for a missing field, the object that
/// lacks it.
fn points_into(document: &Value, faults: &[Fault]) {
    let has = |code| faults.iter().any(|fault| fault.code == code);
    // The parser keeps the first of duplicate members and `Value` the last; faults beyond the bound are not listed.
    let is_one_tree = !has(FaultCode::DuplicateField) && !has(FaultCode::MoreFaults);
    for fault in faults {
        let pointer = fault.pointer.as_str();
        assert!(is_pointer(pointer), "{pointer:?} is not a JSON pointer");
        assert!(LANGUAGES.iter().all(|language| !fault.detail(*language).is_empty()));
        let found = match fault.code {
            FaultCode::MissingField => {
                let (parent, name) = pointer.rsplit_once('/').expect("a field has a name");
                let object = document.pointer(parent).and_then(Value::as_object);
                object.is_some_and(|object| !object.contains_key(name))
            }
            _ => document.pointer(pointer).is_some(),
        };
        assert!(found || !is_one_tree, "{pointer:?} has no target: {:?}", fault.code);
    }
}

fn is_pointer(text: &str) -> bool {
    let is_escaped = |rest: &str| rest.starts_with('0') || rest.starts_with('1');
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(is_escaped)
}
