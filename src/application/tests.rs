//! Valid applications and every fault.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::{Sample, day, faults_of};
use super::*;
use crate::civic::{CANARIES, Language};
use crate::schemes::iscro::IncomeLine;

#[test]
fn the_example_is_valid_in_every_year() {
    for window in Rules::builtin().campaigns().filter(|w| w.campaign.scheme == Scheme::Iscro) {
        let application = Sample::of(window.campaign.year).read().unwrap();
        assert_eq!(application.campaign(), window.campaign);
    }
    let application = Sample::of(2024).read().unwrap();
    assert_eq!(application.applicant.email, "mario@example.it");
    assert_eq!(application.applicant.phone, "+390612345678");
    assert_eq!(application.payment.iban.as_str(), "IT60X0542811101000000123456");
    assert_eq!(application.mandate, None);
    let Facts::Iscro(facts) = application.facts else { panic!() };
    assert_eq!(facts.activity.vat_number.as_str(), "00743110157");
    assert_eq!(facts.activity.vat_opened_on, day("2015-03-01"));
    let last = facts.incomes.years_back(1).unwrap();
    assert!(last.line == IncomeLine::Lm && last.amount.to_string() == "3000.00");
    assert!(facts.incomes.years_back(0).is_none() && facts.incomes.years_back(4).is_none());
    assert_eq!(facts.earlier_benefits[0].begun_in, 2021);
}

#[test]
fn an_application_to_be_stored_has_8_kib_at_most_and_its_spaces_count() {
    let example = example(&FiscalCode::made_up(1), 2024);
    let padded = |bytes: usize| format!("{example:bytes$}").into_bytes();
    let rules = Rules::builtin();
    assert!(parse_bounded(&padded(APPLICATION_BYTES_MAX), rules).is_ok());
    let long = padded(APPLICATION_BYTES_MAX + 1);
    let Err(ParseError::Invalid(faults)) = parse_bounded(&long, rules) else { panic!() };
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("", FaultCode::TooLong));
    let detail = faults[0].detail(Language::English);
    assert_eq!(detail, "The text is too long. At most: 8192 bytes.");
    assert!(parse(&long, rules).is_ok(), "what was stored before is still read");
}

#[test]
fn the_canary_may_apply_but_nobody_redeems_a_pin_of_it() {
    let rules = Rules::builtin();
    for canary in CANARIES {
        let application = parse(example(&canary, 2024).as_bytes(), rules).unwrap();
        assert_eq!(application.applicant.fiscal_code, canary);
        let code = canary.as_str();
        let asked =
            json!({ "fiscalCode": code, "pin": "01234567", "scheme": "iscro", "year": 2024 });
        let Err(ParseError::Invalid(faults)) =
            parse_redemption(asked.to_string().as_bytes(), rules)
        else {
            panic!("it was taken")
        };
        assert_eq!(faults[0].code, FaultCode::FiscalCodeReserved);
    }
}

#[test]
fn what_may_be_left_out_may_be_left_out() {
    let sparse = Sample::of(2024).without("/earlierBenefits").without("/certifiedIncome");
    let Facts::Iscro(facts) = sparse.read().unwrap().facts else { panic!() };
    assert!(facts.earlier_benefits.is_empty() && facts.certified_income.is_none());
    let by_intermediary = Sample::of(2024).with("/mandate", "CAF-0012/2024");
    assert_eq!(by_intermediary.read().unwrap().mandate.as_deref(), Some("CAF-0012/2024"));
    assert!(Sample::of(2024).without("/incomes/1").read().is_ok());
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn each_fault_is_named_at_its_place() {
    use FaultCode::*;
    for (pointer, value, code) in [
        ("/scheme", json!("bonus"), UnknownScheme),
        ("/scheme", json!(1), WrongType),
        ("/year", json!("2024"), WrongType),
        ("/year", json!(2024.0), WrongType),
        ("/year", json!(2020), UnknownYear),
        ("/year", json!(2027), UnknownYear),
        ("/year", json!(99_999_999), UnknownYear),
        ("/applicant", json!([]), WrongType),
        ("/applicant/fiscalCode", json!("RSSMRA80A01H501"), FiscalCodeLength),
        ("/applicant/fiscalCode", json!("RSSMRA80A01H5O1U"), FiscalCodeCharacter),
        ("/applicant/fiscalCode", json!("RSSMRA80A00H501U"), FiscalCodeBirthDate),
        ("/applicant/fiscalCode", json!("RSSMRA80A01H501A"), FiscalCodeCheckLetter),
        ("/applicant/fiscalCode", json!(null), WrongType),
        ("/applicant/email", json!("mario"), EmailShape),
        ("/applicant/email", json!("a\u{0}@example.it"), ControlCharacter),
        ("/applicant/email", json!(format!("a@{}.it", "b.".repeat(200))), TooLong),
        ("/applicant/email", json!("a\u{7f}@example.it"), ControlCharacter),
        ("/applicant/email", json!("a\u{85}@example.it"), ControlCharacter),
        ("/applicant/phone", json!("0612345678"), PhoneShape),
        ("/applicant/phone", json!("+1234567"), PhoneShape),
        ("/applicant/phone", json!("+1234567890123456"), PhoneShape),
        ("/applicant/name", json!("Mario"), UnknownField),
        ("/activity/vatNumber", json!("0074311015"), VatNumberLength),
        ("/activity/vatNumber", json!("IT743110157"), VatNumberCharacter),
        ("/activity/vatNumber", json!("00000000000"), VatNumberSerial),
        ("/activity/vatNumber", json!("00743110158"), VatNumberCheckDigit),
        ("/activity/vatOpenedOn", json!("1.3.2015"), DateShape),
        ("/activity/vatOpenedOn", json!("2015-02-29"), DateShape),
        ("/activity/vatOpenedOn", json!("1972-12-31"), DateOutOfRange),
        ("/activity/vatOpenedOn", json!("2100-01-01"), DateOutOfRange),
        ("/activity/kind", json!("company"), UnknownValue),
        ("/incomes", json!({}), WrongType),
        ("/incomes", json!([1]), WrongType),
        ("/incomes", json!([{}, {}, {}, {}, {}]), TooMany),
        ("/incomes/0/year", json!(2024), YearOutOfRange),
        ("/incomes/2/year", json!(2020), YearOutOfRange),
        ("/incomes/1/year", json!(2023), DuplicateYear),
        ("/incomes/0/line", json!("LX"), UnknownValue),
        ("/incomes/0/amount", json!(3000), WrongType),
        ("/incomes/0/amount", json!("3.000,00"), AmountShape),
        ("/incomes/0/amount", json!("1000000000"), AmountTooLarge),
        ("/certifiedIncome", json!("6000.00"), NotExpected),
        ("/standing/directPension", json!("no"), WrongType),
        ("/standing/directPension", json!(null), WrongType),
        ("/standing/contributionsRegular", json!("yes"), WrongType),
        ("/standing/unemploymentBenefit", json!("NASPI"), UnknownValue),
        ("/standing/politicalOffice", json!(""), UnknownValue),
        ("/taxScheme", json!("forfettario"), UnknownValue),
        ("/payment/iban", json!("IT60X054281110100000012345"), IbanLength),
        ("/payment/iban", json!("FR1420041010050500013M02606"), IbanCountry),
        ("/payment/iban", json!("IT60x0542811101000000123456"), IbanShape),
        ("/payment/iban", json!("IT60X0542811101000000123457"), IbanCheckDigits),
        ("/consents/siislSharing", json!(1), WrongType),
        ("/earlierBenefits", json!(null), WrongType),
        ("/earlierBenefits/0/begunIn", json!(2020), YearOutOfRange),
        ("/earlierBenefits/0/begunIn", json!(2025), YearOutOfRange),
        ("/earlierBenefits/0/outcome", json!("refused"), UnknownField),
        ("/mandate", json!(""), MandateShape),
        ("/mandate", json!("two words"), MandateShape),
        ("/mandate", json!("é".repeat(64)), MandateShape),
        ("/mandate", json!(null), WrongType),
        ("/submittedOn", json!("2024-09-16"), UnknownField),
        ("/a~1b", json!(0), UnknownField),
    ] {
        let sample = Sample::of(2024).with(pointer, value.clone());
        let told = if pointer == "/incomes" && code == WrongType && value.is_array() {
            "/incomes/0".to_owned()
        } else {
            pointer.replace("~1", "~01")
        };
        let faults = sample.faults();
        // A wrong year of the application is no fault of its incomes.
        assert_eq!(faults, [(told, code)], "{value}");
    }
}

#[test]
fn what_just_keeps_a_bound_is_valid() {
    let domain = [61, 61, 62].map(|count| "b".repeat(count)).join(".");
    let longest_email = format!("{}@{domain}.it", "a".repeat(64));
    assert_eq!(longest_email.len(), 254);
    for (pointer, value) in [
        ("/applicant/email", json!(longest_email)),
        ("/applicant/phone", json!("+12345678")),
        ("/applicant/phone", json!("+123456789012345")),
        ("/activity/vatOpenedOn", json!("1973-01-01")),
        ("/activity/vatOpenedOn", json!("2099-12-31")),
        ("/incomes/0/amount", json!("-999999999.99")),
        ("/mandate", json!("x".repeat(64))),
        ("/earlierBenefits", json!(vec![json!({ "begunIn": 2024 }); 8])),
    ] {
        assert!(Sample::of(2024).with(pointer, value).read().is_ok(), "{pointer}");
    }
    let overlong = Sample::of(2024).with("/applicant/email", format!("{longest_email}c"));
    assert_eq!(overlong.faults(), [("/applicant/email".to_owned(), FaultCode::TooLong)]);
}

#[test]
fn every_required_field_is_missed() {
    for pointer in [
        "/scheme",
        "/year",
        "/applicant",
        "/applicant/fiscalCode",
        "/applicant/email",
        "/applicant/phone",
        "/activity",
        "/activity/vatNumber",
        "/activity/vatOpenedOn",
        "/activity/kind",
        "/incomes",
        "/incomes/0/year",
        "/incomes/0/line",
        "/incomes/0/amount",
        "/standing",
        "/standing/separateManagement",
        "/standing/directPension",
        "/standing/invalidityAllowance",
        "/standing/otherCompulsoryInsurance",
        "/standing/inclusionAllowance",
        "/standing/unemploymentBenefit",
        "/standing/politicalOffice",
        "/standing/contributionsRegular",
        "/taxScheme",
        "/payment",
        "/payment/iban",
        "/consents",
        "/consents/truthOfStatements",
        "/consents/siislSharing",
        "/earlierBenefits/0/begunIn",
    ] {
        let faults = Sample::of(2024).without(pointer).faults();
        assert_eq!(faults, [(pointer.to_owned(), FaultCode::MissingField)]);
    }
    let uncertified = Sample::of(2021).without("/certifiedIncome").faults();
    assert_eq!(uncertified, [("/certifiedIncome".to_owned(), FaultCode::MissingField)]);
    let uncertified = Sample::of(2021).with("/certifiedIncome", Value::Null).faults();
    assert_eq!(uncertified, [("/certifiedIncome".to_owned(), FaultCode::WrongType)]);
}

#[test]
fn all_faults_come_at_once_in_document_order() {
    let body = br#"{ "zeta": 1, "payment": { "iban": "IT" }, "scheme": "iscro",
        "applicant": { "phone": 5, "fiscalCode": "x", "email": "@", "phone": 6 }, "year": 1 }"#;
    let faults: Vec<_> = faults_of(body)
        .into_iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.code.as_str()))
        .collect();
    assert_eq!(
        faults,
        [
            "/zeta unknown-field",
            "/payment/iban iban-length",
            "/applicant/phone wrong-type",
            "/applicant/fiscalCode fiscal-code-length",
            "/applicant/email email-shape",
            "/applicant/phone duplicate-field",
            "/year unknown-year",
            "/activity missing-field",
            "/incomes missing-field",
            "/standing missing-field",
            "/taxScheme missing-field",
            "/consents missing-field",
        ]
    );
}

#[test]
fn a_key_given_twice_is_seen_wherever_it_stands() {
    let twice = Sample::of(2024).document().to_string();
    let twice = twice.replacen(r#""year":2024"#, r#""year":2024,"year":2025"#, 1);
    let faults = faults_of(twice.as_bytes());
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("/year", FaultCode::DuplicateField));
}

#[test]
fn what_is_no_object_is_one_fault_of_the_document() {
    for body in ["null", "[]", "7", "\"iscro\""] {
        let faults = faults_of(body.as_bytes());
        assert_eq!(faults.len(), 1);
        assert_eq!((faults[0].pointer.as_str(), faults[0].code), ("", FaultCode::WrongType));
    }
}

#[test]
fn the_list_of_faults_is_bounded() {
    // An object of 64 members in each of the two places that take one freely.
    let many = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|n| (format!("m{n}"), Value::Null)).collect()
    };
    let crowded =
        |count| Sample::of(2024).with("/applicant", many(64)).with("/payment", many(count));
    // 64 and 32 unknown members, and four missing fields.
    assert_eq!(crowded(32).faults().len(), 100);
    let crowded = crowded(33);
    let faults = crowded.faults();
    assert_eq!(faults.len(), 101);
    assert_eq!(faults[100], (String::new(), FaultCode::MoreFaults));
    let faults = Sample::of(2024).with("/payment", many(65)).faults();
    assert_eq!(faults, [("/payment".to_owned(), FaultCode::TooMany)]);
}

#[test]
fn an_absurd_name_is_not_repeated() {
    let longest = format!("/{}", "x".repeat(64));
    assert_eq!(
        Sample::of(2024).with(&longest, 1).faults(),
        [(longest.clone(), FaultCode::UnknownField)]
    );
    let long = format!("/{}", "x".repeat(65));
    assert_eq!(
        Sample::of(2024).with(&long, 1).faults(),
        [(String::new(), FaultCode::UnknownField)]
    );
    let control = Sample::of(2024).with("/payment/\u{1}", 1).faults();
    assert_eq!(control, [("/payment".to_owned(), FaultCode::UnknownField)]);
}

#[test]
fn details_say_what_is_allowed_and_never_what_was_sent() {
    for (pointer, value, italian, english) in [
        (
            "/year",
            json!(1789),
            "Per quest'anno non si possono presentare domande. Ammesso: 2021 - 2026.",
            "There is no campaign in that year. Allowed: 2021 - 2026.",
        ),
        (
            "/incomes/0/line",
            json!("XY"),
            "Valore non ammesso. Ammessi: RE, RH, LM.",
            "The value is not allowed. Allowed: RE, RH, LM.",
        ),
        (
            "/applicant/phone",
            json!(17),
            "Tipo di valore errato. Atteso: una stringa.",
            "The value has the wrong type. Expected: a string.",
        ),
        (
            "/mandate",
            json!("x".repeat(65)),
            "Testo troppo lungo. Al massimo: 64.",
            "The text is too long. At most: 64.",
        ),
    ] {
        let body = Sample::of(2024).with(pointer, value).document().to_string();
        let fault = &faults_of(body.as_bytes())[0];
        assert_eq!(fault.detail(Language::Italian), italian);
        assert_eq!(fault.detail(Language::English), english);
    }
}

#[test]
fn evaluate_reads_the_day_of_submission_too() {
    let read = |sample: &Sample| {
        parse_submitted(sample.document().to_string().as_bytes(), Rules::builtin())
    };
    let dated = Sample::of(2024).with("/submittedOn", "2024-09-16");
    assert_eq!(read(&dated).unwrap().1, day("2024-09-16"));
    let Err(ParseError::Invalid(faults)) = read(&Sample::of(2024)) else { panic!() };
    assert_eq!(
        (faults[0].pointer.as_str(), faults[0].code),
        ("/submittedOn", FaultCode::MissingField)
    );
    let Err(ParseError::Invalid(faults)) = read(&dated.with("/submittedOn", "2019-12-31")) else {
        panic!()
    };
    assert_eq!(faults[0].code, FaultCode::DateOutOfRange);
}

#[test]
fn nothing_of_an_application_is_printed() {
    let application = Sample::of(2024).read().unwrap();
    let printed = format!("{application:?} {:?} {:?}", application.applicant, application.facts);
    let shown = "Application { campaign: iscro-2024, subject: RSS***********1U, .. } Applicant(..) Facts(..)";
    assert_eq!(printed, shown);
}

/// Any JSON value, of modest size.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}|[ -~]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z~/]{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every pointer into a document.
fn pointers(node: &Value, prefix: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match node {
        Value::Object(members) => {
            members.iter().map(|(name, child)| (name.clone(), child)).collect()
        }
        Value::Array(list) => {
            list.iter().enumerate().map(|(n, child)| (n.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{prefix}/{name}");
        pointers(child, &pointer, all);
        all.push(pointer);
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_bytes_are_read_or_their_faults_named(body in prop::collection::vec(any::<u8>(), 0..200)) {
        match parse(&body, Rules::builtin()) {
            Err(ParseError::Malformed { line, .. }) => prop_assert!(line >= 1),
            Err(ParseError::Invalid(faults)) => prop_assert!(!faults.is_empty()),
            Ok(_) => prop_assert!(false, "no such luck"),
        }
    }

    #[test]
    fn any_value_anywhere_is_read_or_its_faults_named(value in any_json(), at in any::<prop::sample::Index>()) {
        let sample = Sample::of(2024);
        let mut all = Vec::new();
        pointers(sample.document(), "", &mut all);
        let pointer = at.get(&all);
        let changed = sample.with(pointer, value);
        if let Err(fault) = changed.read() {
            let ParseError::Invalid(faults) = fault else { panic!("{fault:?}") };
            prop_assert!(!faults.is_empty());
            // Whatever was changed, the faults are there or below, unless a year or the scheme changed.
            let near = |fault: &Fault| fault.pointer.starts_with(pointer.as_str());
            let elsewhere = pointer.contains("year") || pointer == "/scheme" || pointer.starts_with("/incomes");
            prop_assert!(elsewhere || faults.iter().all(near), "{pointer}: {faults:?}");
            for fault in &faults {
                prop_assert!(!fault.detail(Language::Italian).is_empty());
            }
        }
    }
}
