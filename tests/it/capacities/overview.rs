//! Mandates, the list of applications, and disclosures.

use std::{collections::BTreeSet, time::Duration};

use hyper::StatusCode;
use proptest::{prop_assert, prop_assert_eq, sample::Index, test_runner::TestCaseError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Case, Checked, check_refused,
    listed::Asked,
    model::{Body, MandateOf, OFFICES, Refused},
};
use crate::harness::PATIENCE;

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

    /// A citizen's list has everything in their name; an office's what it handed in, here and in other cases, except for
    /// the last seconds.
    pub(super) async fn list_applications(&mut self, at: usize, after: Option<Index>) -> Checked {
        let after = after.and_then(|which| self.model.application(which));
        let after = after.map(|kept| kept.code().to_owned()).unwrap_or_default();
        let mut json = self.ask_list(at, &after).await?;
        let party = self.model.sessions[at].party;
        let next = json["next"].as_str().map(str::to_owned);
        let shown = json["applications"].as_array_mut().unwrap();
        let receipts = shown.iter().map(|one| one["receipt"].as_str().unwrap().to_owned());
        let receipts: Vec<_> = receipts.collect();
        prop_assert!(receipts.is_sorted_by(|one, other| one < other), "{:?}", receipts);
        prop_assert!(receipts.first().is_none_or(|first| *first > after), "{:?}", receipts);
        let mut expected = self.model.listed(party, &after);
        if party.office().is_some() {
            expected.retain(|kept| receipts.iter().any(|receipt| receipt == kept.code()));
            let office = json!(party.office());
            prop_assert!(shown.iter().all(|one| one["office"] == office), "{:?}", shown);
            let theirs = |one: &Value| {
                self.model.applications.iter().any(|kept| kept.receipt["receipt"] == one["receipt"])
            };
            shown.retain(theirs);
        } else {
            prop_assert_eq!(next, None);
        }
        prop_assert_eq!(shown.len(), expected.len(), "{:?}", shown);
        self.totals.filings += if party.office().is_some() { shown.len() as u64 } else { 0 };
        for (shown, kept) in shown.iter_mut().zip(expected) {
            let members = shown.as_object_mut().unwrap();
            let [state, outcome] =
                ["state", "outcome"].map(|member| members.remove(member).unwrap());
            // When it is decided is open.
            prop_assert_eq!(state == "withdrawn", kept.is_withdrawn, "{}", state);
            prop_assert!(state != "received" || outcome.is_null(), "{}", outcome);
            prop_assert_eq!(&*shown, &kept.listed());
        }
        Ok(())
    }

    /// The list after a receipt, once a second has passed since the person's last one.
    async fn ask_list(&mut self, at: usize, after: &str) -> Result<Value, TestCaseError> {
        let path = if after.is_empty() { String::new() } else { format!("/after/{after}") };
        let party = self.model.sessions[at].party;
        let who = party.who();
        loop {
            let sent = Instant::now();
            let answer = self.ask(at, "GET", &format!("/applications{path}"), "", "").await?;
            let asked = Asked { sent, answered: Instant::now() };
            if answer.status == StatusCode::OK {
                prop_assert!(self.model.lists.may_show(who, asked), "a list too early");
                self.model.lists.shown(who, asked);
                self.model.disclosed.note(party, "applications-listed", who, None);
                self.totals.lists += 1;
                return Ok(answer.json());
            }
            check_refused(&answer, Refused(429, "too-many-requests"))?;
            prop_assert!(self.model.lists.may_refuse(who, asked), "{:?}", answer);
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until the office's list has what it handed in last and may see still.
    pub(super) async fn find_filings(&mut self, at: usize) -> Checked {
        let party = self.model.sessions[at].party;
        let seen = self.model.applications.iter().rfind(|kept| self.model.sees(party, kept));
        let Some(code) = seen.map(|kept| kept.code().to_owned()) else { return Ok(()) };
        // Right before it, however many other cases there are.
        let before = format!("{}0000", &code[..code.len() - 4]);
        let watch = Instant::now();
        while watch.elapsed() < PATIENCE {
            self.counter.signal("HUP");
            let json = self.ask_list(at, &before).await?;
            if json["applications"].as_array().unwrap().iter().any(|one| one["receipt"] == code) {
                return self.list_applications(at, None).await;
            }
        }
        Err(TestCaseError::fail(format!("{code} is not listed")))
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
