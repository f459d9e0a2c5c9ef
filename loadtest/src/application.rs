//! The application each citizen submits: the contract's example with the citizen's own fiscal code.

use bytes::{Bytes, BytesMut};

/// A valid `iscro` application for one campaign year, cut where the fiscal code goes.
///
/// A body is two copies and one allocation: the generator shares its cores with the server.
#[derive(Clone, Debug)]
pub struct Form {
    before_code: String,
    after_code: String,
}

impl Form {
    /// The form for campaign `year`; up to 2023 the law also asks for a certified income.
    #[must_use]
    pub fn for_year(year: u16) -> Self {
        let certified = if year <= 2023 { "\"6000.00\"" } else { "null" };
        let before_code =
            format!(r#"{{"scheme":"iscro","year":{year},"applicant":{{"fiscalCode":""#);
        let after_code = format!(
            concat!(
                r#"","email":"cittadino@example.it","phone":"+390612345678"}},"#,
                r#""activity":{{"vatNumber":"00743110157","vatOpenedOn":"2015-03-01","kind":"individual"}},"#,
                r#""incomes":[{{"year":{y1},"line":"LM","amount":"3000.00"}},"#,
                r#"{{"year":{y2},"line":"RE","amount":"5000.00"}},"#,
                r#"{{"year":{y3},"line":"RE","amount":"6000.00"}}],"#,
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
            certified = certified,
        );
        Self { before_code, after_code }
    }

    /// The body for the person with `code`, which must need no escape in JSON.
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
    use super::Form;

    #[test]
    fn a_filled_form_is_the_citizen_s_own() {
        let body = Form::for_year(2024).filled_for("RSSMRA80A01H501U");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("the form is JSON");
        assert_eq!(body["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
        assert_eq!(body["incomes"][2]["year"], 2021);
        assert!(body["certifiedIncome"].is_null());
    }

    #[test]
    fn a_batch_s_line_is_the_client_s_under_a_mandate() {
        let line = Form::for_year(2024).under_mandate("M-1", "RSSMRA80A01H501U");
        let line: serde_json::Value = serde_json::from_slice(&line).expect("the line is JSON");
        assert_eq!(line["mandate"], "M-1");
        assert_eq!(line["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
    }
}
