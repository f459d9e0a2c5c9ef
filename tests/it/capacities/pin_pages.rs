//! The pages of telephone PINs: a citizen makes and revokes one; no clerk of these offices can, nor redeem any.

use http_body_util::Full;
use hyper::StatusCode;
use proptest::{prop_assert, prop_assert_eq, test_runner::TestCaseError};
use sportello::ledger::telephone::PINS_PER_DAY_MAX;

use super::{Case, Checked};
use crate::{browser::encoded, harness::Answer};

/// What is done with a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    Make,
    Revoke,
    Redeem,
}

/// Everything that is done with one.
pub(super) const PINS: [Pin; 3] = [Pin::Make, Pin::Revoke, Pin::Redeem];

impl Case<'_> {
    pub(super) async fn pin(&mut self, at: usize, what: Pin) -> Checked {
        let token = self.see_pin(at).await?;
        let party = self.model.sessions[at].party;
        let (who, is_citizen) = (party.who(), party.office().is_none());
        let answer = self.post_pin(at, what, &token).await?;
        match what {
            _ if !is_citizen || what == Pin::Redeem => {
                prop_assert_eq!(answer.status, StatusCode::FORBIDDEN, "{:?}", answer);
            }
            Pin::Make => {
                self.model.disclosed.note(party, "telephone-pin-made", who, None);
                let is_used_up = !self.model.make_pin(who, PINS_PER_DAY_MAX);
                let status = if is_used_up { 429 } else { 200 };
                prop_assert_eq!(answer.status.as_u16(), status, "{:?}", answer);
                let html = String::from_utf8(answer.body.to_vec()).unwrap();
                prop_assert_eq!(
                    html.contains("Say this PIN to the clerk"),
                    !is_used_up,
                    "{}",
                    html
                );
            }
            Pin::Revoke | Pin::Redeem => {
                self.model.disclosed.note(party, "telephone-pin-revoked", who, None);
                self.model.revoke_pin(who);
                prop_assert_eq!(answer.status, StatusCode::SEE_OTHER, "{:?}", answer);
                prop_assert!(answer.header("location").ends_with("/en/mandates"));
            }
        }
        self.see_pin(at).await?;
        Ok(())
    }

    /// Looks at the page of mandates, which tells a citizen of their PIN; the token of its forms.
    async fn see_pin(&mut self, at: usize) -> Result<String, TestCaseError> {
        let page = self.page_of(at, "/mandates").await?;
        prop_assert_eq!(page.status, StatusCode::OK, "{:?}", page);
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        let party = self.model.sessions[at].party;
        let (who, is_citizen) = (party.who(), party.office().is_none());
        self.model.disclosed.note(party, "mandates-shown", who, None);
        let has_pin = self.model.has_pin(who);
        prop_assert_eq!(html.contains("You have a PIN"), is_citizen && has_pin, "{}", html);
        prop_assert_eq!(html.contains("Make a PIN"), is_citizen, "{}", html);
        let (_, token) = html.split_once("name=\"form\" value=\"").unwrap();
        Ok(token.split('"').next().unwrap().to_owned())
    }

    async fn post_pin(
        &mut self,
        at: usize,
        what: Pin,
        token: &str,
    ) -> Result<Answer, TestCaseError> {
        let rest = match what {
            Pin::Make => "/mandates/telephone-pin",
            Pin::Revoke => "/mandates/telephone-pin/revocation",
            Pin::Redeem => "/mandates/redemption",
        };
        let code = self.model.code_of(self.model.sessions[at].party.who());
        let fields = [
            ("form", token),
            ("fiscalCode", code.as_str()),
            ("pin", "12345678"),
            ("campaign", "iscro-2024"),
        ];
        let request = self
            .page_request(at, rest, "POST")
            .header("origin", &self.counter.public)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(encoded(&fields)));
        self.answer_with_tag(at, request.unwrap()).await
    }
}
