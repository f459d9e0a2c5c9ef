//! The application each citizen submits: the contract's example with the citizen's own fiscal code.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// A scheme that surge can apply for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The income support for freelancers.
    Iscro,
    /// The 600 euros of March 2020.
    Allowance600,
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 2] = [Self::Iscro, Self::Allowance600];

    /// Its name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iscro => "iscro",
            Self::Allowance600 => "allowance600",
        }
    }
}

/// The campaign that all citizens of a run apply for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The benefit.
    pub scheme: Scheme,
    /// The year in which it is applied for.
    pub year: u16,
}

impl fmt::Display for Campaign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.scheme.name(), self.year)
    }
}

/// A valid application for one campaign, split at the place of the fiscal code.
///
/// A body costs two copies and one allocation: the generator shares its cores with the server.
#[derive(Clone, Debug)]
pub struct Form {
    scheme: Scheme,
    before_code: String,
    after_code: String,
}

impl Form {
    /// The form for a campaign.
    #[must_use]
    pub fn of(campaign: Campaign) -> Self {
        match campaign.scheme {
            Scheme::Iscro => Self::of_iscro(campaign.year),
            Scheme::Allowance600 => Self::of_allowance600(),
        }
    }

    /// For campaigns up to 2023 the law also requires a certified income and a fourth year.
    fn of_iscro(year: u16) -> Self {
        let (certified, fourth) = if year <= 2023 {
            let fourth = format!(r#",{{"year":{},"line":"RE","amount":"9000.00"}}"#, year - 4);
            ("\"6000.00\"", fourth)
        } else {
            ("null", String::new())
        };
        let before_code =
            format!(r#"{{"scheme":"iscro","year":{year},"applicant":{{"fiscalCode":""#);
        let after_code = format!(
            concat!(
                r#"","email":"cittadino@example.it","phone":"+390612345678"}},"#,
                r#""activity":{{"vatNumber":"00743110157","vatOpenedOn":"2015-03-01","kind":"individual"}},"#,
                r#""incomes":[{{"year":{y1},"line":"LM","amount":"3000.00"}},"#,
                r#"{{"year":{y2},"line":"RE","amount":"5000.00"}},"#,
                r#"{{"year":{y3},"line":"RE","amount":"6000.00"}}{fourth}],"#,
                r#""certifiedIncome":{certified},"#,
                r#""standing":{{"separateManagement":true,"directPension":false,"invalidityAllowance":false,"#,
                r#""otherCompulsoryInsurance":false,"inclusionAllowance":false,"unemploymentBenefit":"none","#,
                r#""politicalOffice":"none","contributionsRegular":true}},"#,
                r#""taxScheme":"flatRate","#,
                r#""payment":{{"iban":"IT60X0542811101000000123456"}},"#,
                r#""consents":{{"truthOfStatements":true,"siislSharing":true}}}}"#,
            ),
            y1 = year - 1,
            y2 = year - 2,
            y3 = year - 3,
            fourth = fourth,
            certified = certified,
        );
        Self { scheme: Scheme::Iscro, before_code, after_code }
    }

    /// The application of a professional.
    fn of_allowance600() -> Self {
        let before_code = r#"{"scheme":"allowance600","applicant":{"fiscalCode":""#;
        let after_code = concat!(
            r#"","email":"cittadino@example.it","phone":"+390612345678"},"#,
            r#""category":"professional","#,
            r#""facts":{"vatNumber":"00743110157","vatOpenedOn":"2015-03-01","vatClosedOn":null,"#,
            r#""separateManagement":true,"otherCompulsoryInsurance":false,"#,
            r#""directPension":false,"citizensIncome":false},"#,
            r#""payment":{"iban":"IT60X0542811101000000123456"},"#,
            r#""consents":{"truthOfStatements":true}}"#,
        );
        Self {
            scheme: Scheme::Allowance600,
            before_code: before_code.to_owned(),
            after_code: after_code.to_owned(),
        }
    }

    /// The scheme that it applies for.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The body for the person with fiscal code `code`, which must need no escape in JSON.
    #[must_use]
    pub fn filled_for(&self, code: &str) -> Bytes {
        let length = self.before_code.len() + code.len() + self.after_code.len();
        let mut body = BytesMut::with_capacity(length);
        body.extend_from_slice(self.before_code.as_bytes());
        body.extend_from_slice(code.as_bytes());
        body.extend_from_slice(self.after_code.as_bytes());
        body.freeze()
    }
}

impl Form {
    /// The line of a batch for the client with `code`, under `mandate`; neither may need an escape in JSON.
    #[must_use]
    pub fn under_mandate(&self, mandate: &str, code: &str) -> Bytes {
        let body = self.filled_for(code);
        let mut line = BytesMut::with_capacity(body.len() + mandate.len() + 16);
        line.extend_from_slice(b"{\"mandate\":\"");
        line.extend_from_slice(mandate.as_bytes());
        line.extend_from_slice(b"\",");
        line.extend_from_slice(body.get(1..).unwrap_or_default());
        line.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::{Campaign, Form, Scheme};

    fn form() -> Form {
        Form::of(Campaign { scheme: Scheme::Iscro, year: 2024 })
    }

    #[test]
    fn every_form_is_json_with_the_citizen_s_own_code() {
        for (scheme, year) in
            [(Scheme::Iscro, 2021), (Scheme::Iscro, 2025), (Scheme::Allowance600, 2020)]
        {
            let body = Form::of(Campaign { scheme, year }).filled_for("RSSMRA80A01H501U");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("the form is JSON");
            assert_eq!(body["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
        }
    }

    #[test]
    fn a_filled_form_is_the_citizen_s_own() {
        let body = form().filled_for("RSSMRA80A01H501U");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("the form is JSON");
        assert_eq!(body["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
        assert_eq!(body["incomes"][2]["year"], 2021);
        assert!(body["certifiedIncome"].is_null());
    }

    #[test]
    fn a_batch_s_line_is_the_client_s_under_a_mandate() {
        let line = form().under_mandate("M-1", "RSSMRA80A01H501U");
        let line: serde_json::Value = serde_json::from_slice(&line).expect("the line is JSON");
        assert_eq!(line["mandate"], "M-1");
        assert_eq!(line["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
    }
}
