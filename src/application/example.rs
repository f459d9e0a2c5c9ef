//! Examples of valid applications.

use crate::civic::FiscalCode;

/// A valid made-up ISCRO application, for the demo and the load tester.
///
/// Granted if submitted inside the year's window: from 2024 on 687.50 a month. Valid for every year from 2021
/// that has rules.
///
/// ```
/// use sportello::application::{example, parse};
/// use sportello::civic::FiscalCode;
/// use sportello::schemes::Rules;
///
/// let someone = FiscalCode::made_up(1);
/// let application = parse(example(&someone, 2025).as_bytes(), Rules::builtin()).unwrap();
/// assert_eq!(application.applicant.fiscal_code, someone);
/// assert_eq!(application.campaign().to_string(), "iscro-2025");
/// ```
#[must_use]
pub fn example(fiscal_code: &FiscalCode, year: i16) -> String {
    let (last, second, third, fourth) = (year - 1, year - 2, year - 3, year - 4);
    let under_first_statute = year < 2024;
    let fourth_income = if under_first_statute {
        format!(
            r#",
               {{ "year": {fourth}, "line": "RE", "amount": "9000.00" }}"#
        )
    } else {
        String::new()
    };
    let certified_income = if under_first_statute { r#""6000.00""# } else { "null" };
    let earlier_benefits = if under_first_statute { "" } else { r#"{ "begunIn": 2021 }"# };
    let fiscal_code = fiscal_code.as_str();
    format!(
        r#"{{ "scheme": "iscro", "year": {year},
  "applicant": {{ "fiscalCode": "{fiscal_code}", "email": "mario@example.it", "phone": "+390612345678" }},
  "activity": {{ "vatNumber": "00743110157", "vatOpenedOn": "2015-03-01", "kind": "individual" }},
  "incomes": [ {{ "year": {last}, "line": "LM", "amount": "3000.00" }},
               {{ "year": {second}, "line": "RE", "amount": "5000.00" }},
               {{ "year": {third}, "line": "RE", "amount": "6000.00" }}{fourth_income} ],
  "certifiedIncome": {certified_income},
  "standing": {{ "separateManagement": true, "directPension": false, "invalidityAllowance": false,
                "otherCompulsoryInsurance": false, "inclusionAllowance": false, "unemploymentBenefit": "none",
                "politicalOffice": "none", "contributionsRegular": true }},
  "taxScheme": "flatRate",
  "payment": {{ "iban": "IT60X0542811101000000123456" }},
  "consents": {{ "truthOfStatements": true, "siislSharing": true }},
  "earlierBenefits": [ {earlier_benefits} ] }}"#
    )
}

/// A valid made-up application for the 600-euro allowance, by a professional.
///
/// Granted if submitted inside the window, from 1 April 2020 on.
///
/// ```
/// use sportello::application::{example_allowance600, parse};
/// use sportello::civic::FiscalCode;
/// use sportello::schemes::Rules;
///
/// let body = example_allowance600(&FiscalCode::made_up(1));
/// let application = parse(body.as_bytes(), Rules::builtin()).unwrap();
/// assert_eq!(application.campaign().to_string(), "allowance600-2020");
/// ```
#[must_use]
pub fn example_allowance600(fiscal_code: &FiscalCode) -> String {
    let fiscal_code = fiscal_code.as_str();
    format!(
        r#"{{ "scheme": "allowance600",
  "applicant": {{ "fiscalCode": "{fiscal_code}", "email": "mario@example.it", "phone": "+390612345678" }},
  "category": "professional",
  "facts": {{ "vatNumber": "00743110157", "vatOpenedOn": "2015-03-01", "vatClosedOn": null,
             "separateManagement": true, "otherCompulsoryInsurance": false,
             "directPension": false, "citizensIncome": false }},
  "payment": {{ "iban": "IT60X0542811101000000123456" }},
  "consents": {{ "truthOfStatements": true }} }}"#
    )
}
