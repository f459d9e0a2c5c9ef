//! Mandates, the list of applications, and disclosures.

use std::collections::BTreeSet;

use hyper::StatusCode;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};

use super::{
    Case, Checked, check_refused,
    model::{Body, Kept, MandateOf, OFFICES, Refused},
};

/// Mandates in one answer.
const PAGE_MANDATES_MAX: usize = 100;

impl Case<'_> {
    pub(super) async fn list_mandates(&mut self, at: usize, after: Option<MandateOf>) -> Checked {
        let after = after.map(|named| self.model.reference(named)).unwrap_or_default();
        let path = if after.is_empty() { String::new() } else { format!("/after/{after}") };
        let answer = self.ask(at, "GET", &format!("/mandates{path}"), "", "").await?;
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let party = self.model.sessions[at].party;
        self.model.disclosed.note(party, "mandates-shown", party.who(), None);
        let known: Vec<String> = match party.office() {
            Some(office) => self.mandates[usize::from(office == OFFICES[1])].clone(),
            None => {
                MandateOf::of_person(party.who()).map(|named| self.model.reference(named)).into()
            }
        };
        let from = known.partition_point(|reference| *reference <= after);
        let page = &known[from..known.len().min(from + PAGE_MANDATES_MAX)];
        let next = page.last().filter(|_| from + page.len() < known.len());
        let json = answer.json();
        prop_assert_eq!(&json["next"], &json!(next));
        let shown = json["mandates"].as_array().unwrap();
        let references: Vec<_> =
            shown.iter().map(|one| one["reference"].as_str().unwrap()).collect();
        prop_assert_eq!(references, page);
        for one in shown {
            // The others of an office are those of other cases.
            let reference = one["reference"].as_str().unwrap();
            if let Some(mandate) = self.model.mandate(reference) {
                prop_assert_eq!(one, &mandate);
            } else {
                prop_assert_eq!(one["office"].as_str(), party.office());
            }
        }
        Ok(())
    }

    pub(super) async fn show_mandate(&mut self, at: usize, named: MandateOf) -> Checked {
        let reference = self.model.reference(named);
        let answer = self.ask(at, "GET", &format!("/mandates/{reference}"), "", "").await?;
        let party = self.model.sessions[at].party;
        if !named.is_seen_by(party) {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        self.model.disclosed.note(party, "mandates-shown", named.of, None);
        prop_assert_eq!(Some(answer.json()), self.model.mandate(&reference));
        Ok(())
    }

    pub(super) async fn revoke(&mut self, at: usize, named: MandateOf) -> Checked {
        let reference = self.model.reference(named);
        let answer = self.ask(at, "DELETE", &format!("/mandates/{reference}"), "", "").await?;
        let party = self.model.sessions[at].party;
        if party.office().is_some() {
            return check_refused(&answer, Refused(403, "not-grantor"));
        }
        if !named.is_seen_by(party) {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer);
        self.model.disclosed.note(party, "revocation-asked", named.of, None);
        self.totals.revocations += u64::from(self.model.revoked.insert(named));
        self.see_revoked(named).await
    }

    /// What the office's clerks see and may do for the person from now on: random requests would seldom ask for it.
    async fn see_revoked(&mut self, MandateOf { office, of }: MandateOf) -> Checked {
        let theirs: Vec<_> =
            self.model.applications.iter().filter(|kept| kept.of == of).cloned().collect();
        for at in 0..self.model.sessions.len() {
            if self.model.sessions[at].party.office() != Some(office) {
                continue;
            }
            for application in &theirs {
                self.read_kept(at, application).await?;
            }
            self.show_draft(at, of).await?;
            self.estimate(at, Body { of, version: 0, fits: true }).await?;
        }
        Ok(())
    }

    pub(super) async fn list_applications(&mut self, at: usize) -> Checked {
        let answer = self.ask(at, "GET", "/applications", "", "").await?;
        let party = self.model.sessions[at].party;
        if party.office().is_some() {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        self.model.disclosed.note(party, "applications-listed", party.who(), None);
        let mut json = answer.json();
        let latest = self.model.latest_of(party.who());
        let shown = json.pointer_mut("/applications/0").and_then(Value::as_object_mut);
        if let (Some(shown), Some(latest)) = (shown, latest) {
            let [state, outcome] = ["state", "outcome"].map(|member| shown.remove(member).unwrap());
            // When it is decided is open.
            prop_assert_eq!(state == "withdrawn", latest.is_withdrawn, "{}", state);
            prop_assert!(state != "received" || outcome.is_null(), "{}", outcome);
        }
        let expected: Vec<_> = latest.map(Kept::listed).into_iter().collect();
        prop_assert_eq!(json, json!({ "applications": expected }));
        Ok(())
    }

    pub(super) async fn disclosures(&mut self, at: usize, by_number: bool) -> Checked {
        self.write_trail().await;
        let path = if by_number { "/disclosures/after/0" } else { "/disclosures" };
        let party = self.model.sessions[at].party;
        let who = party.who();
        let is_too_early = self.model.disclosed.is_too_early(who);
        let answer = self.ask(at, "GET", path, "", "").await?;
        if party.office().is_some() {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        if is_too_early {
            return check_refused(&answer, Refused(429, "too-many-requests"));
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let json = answer.json();
        prop_assert!(json["next"].is_null());
        let receipts = self.model.receipts_of(who);
        let shown = json["disclosures"].as_array().unwrap().iter();
        let shown = shown.filter_map(|one| self.model.disclosed.required(who, &receipts, one));
        prop_assert_eq!(shown.collect::<BTreeSet<_>>(), self.model.disclosed.to(who));
        self.totals.disclosures += 1;
        self.model.disclosed.answered(who);
        self.model.disclosed.note(party, "disclosures-shown", who, None);
        Ok(())
    }
}
