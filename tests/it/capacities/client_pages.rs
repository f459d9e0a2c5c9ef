//! The pages on which an office fills in the application of a client.

use http_body_util::Full;
use hyper::StatusCode;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::Value;
use sportello::{
    application::form::{Entries, Form},
    civic::Language,
    schemes::{Campaign, Rules, Scheme},
};

use super::{
    Case, Checked,
    model::{Draft, MandateOf},
};
use crate::{browser::encoded, harness::Answer};

const PHONE: &str = "0612345678";

impl Case<'_> {
    /// Shows the contacts of the client who gave a mandate, and saves others.
    pub(super) async fn fill_in_for(&mut self, at: usize, named: MandateOf, n: u8) -> Checked {
        let reference = self.model.reference(named);
        let rest = format!("/clients/{reference}/contacts");
        let page = self.page_of(at, &rest).await?;
        let party = self.model.sessions[at].party;
        if party.office() != Some(named.office) {
            prop_assert_eq!(page.status, StatusCode::NOT_FOUND, "{:?}", page);
            return Ok(());
        }
        self.model.disclosed.note(party, "mandates-shown", named.of, None);
        if !self.model.is_covered(party, named.of) {
            prop_assert_eq!(page.status, StatusCode::FORBIDDEN, "{:?}", page);
            let html = text(&page);
            prop_assert!(html.contains("No mandate") && !html.contains(&reference), "{}", html);
            return Ok(());
        }
        prop_assert_eq!(page.status, StatusCode::OK, "{:?}", page);
        self.model.disclosed.note(party, "draft-shown", named.of, None);
        let draft = self.model.draft_of(at, named.of);
        let html = text(&page);
        let email = self.model.drafts.get(&draft).map_or(String::new(), |saved| email_in(saved));
        let field = format!("name=\"applicant.email\" value=\"{email}\"");
        prop_assert!(html.contains(&field), "{} is not in {}", field, html);
        prop_assert!(html.contains(&format!("<code>{reference}</code>")), "{}", html);
        self.save_contacts(at, draft, &html, &format!("{n}.{}@example.it", self.first)).await
    }

    async fn save_contacts(&mut self, at: usize, draft: Draft, html: &str, email: &str) -> Checked {
        let party = self.model.sessions[at].party;
        let reference = draft.mandate.clone().unwrap_or_default();
        let [form, seen] = ["form", "seen"].map(|name| hidden(html, name));
        let fields = [
            ("form", &*form),
            ("seen", &*seen),
            ("applicant.email", email),
            ("applicant.phone", PHONE),
        ];
        let request = self
            .page_request(at, &format!("/clients/{reference}/contacts"), "POST")
            .header("origin", &self.counter.public)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(encoded(&fields)));
        let saved = self.answer_with_tag(at, request.unwrap()).await?;
        prop_assert_eq!(saved.status, StatusCode::SEE_OTHER, "{:?}", saved);
        let next = format!("/clients/{reference}/activity");
        prop_assert!(saved.header("location").ends_with(&next), "{:?}", saved);
        self.model.disclosed.note(party, "draft-saved", draft.of, None);
        let before = self.model.drafts.get(&draft).map_or("{}", |saved| saved);
        let written = written(before, email, &reference);
        self.model.drafts.insert(draft, written);
        self.totals.steps += 1;
        Ok(())
    }
}

/// A draft after its contacts were entered on a page.
fn written(before: &str, email: &str, reference: &str) -> String {
    let mut entries = Entries::from_document(before.as_bytes()).unwrap();
    let campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
    let form = Form::for_client(campaign, Rules::builtin(), &entries, Language::English).unwrap();
    for field in form.fields() {
        match &*field.name {
            "applicant.email" => entries.enter(field, email, Language::English),
            "applicant.phone" => entries.enter(field, PHONE, Language::English),
            _ => {}
        }
    }
    String::from_utf8(form.write(None, &entries, Some(reference)).json).unwrap()
}

fn email_in(draft: &str) -> String {
    let draft: Value = serde_json::from_str(draft).unwrap();
    draft["applicant"]["email"].as_str().unwrap_or_default().to_owned()
}

fn hidden(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}
