//! The cases: the worked examples of 2024, each statement changed once, and a thousand generated ones.

use serde_json::{Value, json};

/// The changes of a case to the example application, and the same facts as numbers.
#[derive(Clone)]
pub struct Case {
    day: u32,
    /// Incomes of 2023, 2022 and 2021, in cents.
    incomes: [i64; 3],
    vat_opened_on: u32,
    is_flat_rate: bool,
    /// A statement that differs from the example, and the same as a number.
    changed: Option<(&'static str, &'static str, &'static str, Value)>,
}

const EXAMPLE: Case = Case {
    day: 2024_09_16,
    incomes: [300_000, 500_000, 600_000],
    vat_opened_on: 2015_03_01,
    is_flat_rate: true,
    changed: None,
};

pub fn all() -> Vec<Case> {
    let incomes = [
        [300_000, 500_000, 600_000],
        [384_999, 500_000, 600_000],
        [385_000, 500_000, 600_000],
        [100_000, 150_000, 200_000],
        [1_200_000, 2_000_000, 2_000_000],
        [1_200_001, 2_000_000, 2_000_000],
        [0, 0, 0],
        [100_000, 500_100, 600_100],
        [-1, 500_000, 600_000],
        [300_000, -500_000, 600_000],
    ]
    .map(|incomes| Case { incomes, ..EXAMPLE });
    let days = [2024_07_31, 2024_08_01, 2024_10_31, 2024_11_01].map(|day| Case { day, ..EXAMPLE });
    let vat =
        [2024_09_30, 2024_10_01].map(|day| Case { day, vat_opened_on: 2021_10_01, ..EXAMPLE });
    let taxed = Case { is_flat_rate: false, ..EXAMPLE };
    let statements = statements().map(|changed| Case { changed: Some(changed), ..EXAMPLE });
    let made_up = (0..1_000).map(made_up);
    incomes
        .into_iter()
        .chain(days)
        .chain(vat)
        .chain([taxed])
        .chain(statements)
        .chain(made_up)
        .collect()
}

fn statements() -> [(&'static str, &'static str, &'static str, Value); 13] {
    [
        (
            "\"separateManagement\": true",
            "\"separateManagement\": false",
            "separateManagement",
            json!(false),
        ),
        ("\"directPension\": false", "\"directPension\": true", "directPension", json!(true)),
        (
            "\"otherCompulsoryInsurance\": false",
            "\"otherCompulsoryInsurance\": true",
            "otherInsurance",
            json!(true),
        ),
        (
            "\"inclusionAllowance\": false",
            "\"inclusionAllowance\": true",
            "inclusionAllowance",
            json!(true),
        ),
        (
            "\"unemploymentBenefit\": \"none\"",
            "\"unemploymentBenefit\": \"naspi\"",
            "unemploymentBenefit",
            json!(1),
        ),
        (
            "\"unemploymentBenefit\": \"none\"",
            "\"unemploymentBenefit\": \"alas\"",
            "unemploymentBenefit",
            json!(3),
        ),
        (
            "\"politicalOffice\": \"none\"",
            "\"politicalOffice\": \"attendanceFee\"",
            "politicalOffice",
            json!(1),
        ),
        (
            "\"politicalOffice\": \"none\"",
            "\"politicalOffice\": \"paid\"",
            "politicalOffice",
            json!(2),
        ),
        (
            "\"contributionsRegular\": true",
            "\"contributionsRegular\": false",
            "contributions",
            json!(0),
        ),
        (
            "\"contributionsRegular\": true",
            "\"contributionsRegular\": null",
            "contributions",
            json!(2),
        ),
        ("\"begunIn\": 2021", "\"begunIn\": 2024", "lastBegunIn", json!(2024)),
        (
            "\"truthOfStatements\": true",
            "\"truthOfStatements\": false",
            "truthOfStatements",
            json!(false),
        ),
        ("\"siislSharing\": true", "\"siislSharing\": false", "siislSharing", json!(false)),
    ]
}

/// Generated incomes and days, by a multiplicative hash; the same in every run.
fn made_up(number: u32) -> Case {
    let dice = i64::from(number.wrapping_mul(2_654_435_761) >> 8);
    let statements = statements();
    let changed =
        (number % 5 == 0).then(|| statements[number as usize / 5 % statements.len()].clone());
    Case {
        day: 2024_09_01 + number % 28,
        incomes: [dice / 7 % 500_000, dice / 11 % 900_000, dice / 13 % 1_200_000],
        is_flat_rate: number % 3 > 0,
        changed,
        ..EXAMPLE
    }
}

impl Case {
    /// The application of the case.
    pub fn apply(&self, example: &str) -> String {
        let [last, second, third] = self.incomes.map(amount);
        let mut body = example
            .replacen('{', &format!("{{ \"submittedOn\": \"{}\",", day(self.day)), 1)
            .replace("\"3000.00\"", &last)
            .replace("\"5000.00\"", &second)
            .replace("\"6000.00\"", &third)
            .replace("2015-03-01", &day(self.vat_opened_on));
        if !self.is_flat_rate {
            body = body.replace("\"flatRate\"", "\"ordinary\"");
        }
        if let Some((from, to, ..)) = &self.changed {
            assert!(body.contains(from), "{from}");
            body = body.replacen(from, to, 1);
        }
        body
    }

    /// The facts as numbers and flags: amounts in cents, days as eight digits, words by their index.
    pub fn flat(&self) -> Value {
        let mut flat = json!({
            "day": self.day, "last": self.incomes[0], "second": self.incomes[1], "third": self.incomes[2],
            "vatOpenedOn": self.vat_opened_on, "contributions": 1, "unemploymentBenefit": 0,
            "politicalOffice": 0, "lastBegunIn": 2021, "separateManagement": true, "directPension": false,
            "otherInsurance": false, "inclusionAllowance": false, "truthOfStatements": true,
            "siislSharing": true, "flatRate": self.is_flat_rate,
        });
        if let Some((_, _, name, value)) = &self.changed {
            flat[*name] = value.clone();
        }
        flat
    }
}

fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("\"{sign}{}.{:02}\"", cents / 100, cents % 100)
}

fn day(digits: u32) -> String {
    format!("{:04}-{:02}-{:02}", digits / 10_000, digits / 100 % 100, digits % 100)
}
