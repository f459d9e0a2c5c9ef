//! The two synthetic people, and what they say of themselves: nothing that one says occurs in what the other says.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    application::{example, example_allowance600},
    civic::{CANARIES, FiscalCode, VatNumber},
    schemes::{Campaign, Scheme},
};

/// One of them.
pub(super) struct Person {
    pub(super) code: FiscalCode,
    email: &'static str,
    /// Last year's income, above every ceiling: the law refuses both, so that nothing would be paid even if the exclusion
    /// of the canary failed.
    pub(super) income: &'static str,
    vat_number: VatNumber,
}

/// Both.
pub(super) fn people() -> [Person; 2] {
    let [first, second] = CANARIES;
    [
        Person {
            code: first,
            email: "canary-one@example.org",
            income: "711234.56",
            vat_number: VatNumber::made_up(2_999_999_698),
        },
        Person {
            code: second,
            email: "canary-two@example.org",
            income: "822345.67",
            vat_number: VatNumber::made_up(2_999_999_699),
        },
    ]
}

impl Person {
    /// Their application in a campaign, the same to the letter each time.
    pub(super) fn application(&self, campaign: Campaign) -> Bytes {
        let example = match campaign.scheme {
            Scheme::Iscro => example(&self.code, campaign.year),
            Scheme::Allowance600 => example_allowance600(&self.code),
        };
        let mut application: Value = serde_json::from_str(&example).unwrap_or_default();
        application["applicant"]["email"] = self.email.into();
        let place = match campaign.scheme {
            Scheme::Iscro => {
                application["incomes"][0]["amount"] = self.income.into();
                "activity"
            }
            Scheme::Allowance600 => {
                application["facts"]["directPension"] = true.into();
                "facts"
            }
        };
        application[place]["vatNumber"] = self.vat_number.as_str().into();
        application.to_string().into()
    }

    /// A draft of theirs with a secret of this round.
    pub(super) fn draft(&self, secret: &str) -> Bytes {
        let Self { code, email, income, .. } = self;
        json!({ "canary": secret, "applicant": { "fiscalCode": code.as_str(), "email": email }, "income": income })
            .to_string()
            .into()
    }

    /// What names them in answers, whatever the round.
    pub(super) fn traces(&self) -> [String; 5] {
        [
            self.code.as_str().to_owned(),
            self.code.masked().as_str().to_owned(),
            self.email.to_owned(),
            self.income.to_owned(),
            self.vat_number.as_str().to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        application::parse,
        schemes::{Outcome, Rules},
    };

    #[test]
    fn each_application_is_valid_refused_and_without_a_trace_of_the_other_person() {
        let [one, other] = people();
        for window in Rules::builtin().campaigns() {
            for (mine, yours) in [(&one, &other), (&other, &one)] {
                let bytes = mine.application(window.campaign);
                assert_eq!(bytes, mine.application(window.campaign));
                let application = parse(&bytes, Rules::builtin()).unwrap();
                assert_eq!(application.applicant.fiscal_code, mine.code);
                assert_eq!(application.campaign(), window.campaign);
                let decision = Rules::builtin().decide(&application.facts, window.opens_on);
                assert_eq!(decision.outcome, Outcome::Refused, "{}", window.campaign);
                let written = [&bytes[..], &decision.to_json(), &mine.draft("secret")].concat();
                let written = String::from_utf8(written).unwrap();
                for trace in yours.traces() {
                    assert!(!written.contains(&trace), "{trace} in {written}");
                }
            }
        }
    }
}
