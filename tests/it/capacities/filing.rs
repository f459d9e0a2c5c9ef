//! Drafts, estimates, applications and batches.

use hyper::{Request, StatusCode};
use proptest::{prop_assert_eq, sample::Index, test_runner::TestCaseError};
use serde_json::Value;

use super::{
    Case, Checked, check_refused,
    model::{Applicant, Body, Kept, Model, Refused, Taken},
};

impl Case<'_> {
    pub(super) async fn save_draft(&mut self, at: usize, of: Applicant, n: u8) -> Checked {
        let draft = self.model.draft_of(at, of);
        let content = format!("{{\"n\":{n},\"of\":\"{}\"}}", draft.path());
        let answer = self.ask(at, "PUT", &draft.path(), &content, "").await?;
        if !draft.can_exist() {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        if !self.model.may_keep(&draft) {
            return check_refused(&answer, Refused(403, "no-mandate"));
        }
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer);
        let party = self.model.sessions[at].party;
        self.model.disclosed.note(party, "draft-saved", of, None);
        self.model.drafts.insert(draft, content);
        Ok(())
    }

    pub(super) async fn show_draft(&mut self, at: usize, of: Applicant) -> Checked {
        let draft = self.model.draft_of(at, of);
        let answer = self.ask(at, "GET", &draft.path(), "", "").await?;
        if !draft.can_exist() || !self.model.may_keep(&draft) {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        // Also if there is none.
        let party = self.model.sessions[at].party;
        self.model.disclosed.note(party, "draft-shown", draft.of, None);
        match self.model.drafts.get(&draft) {
            Some(content) => {
                prop_assert_eq!(answer.status, StatusCode::OK);
                prop_assert_eq!(&answer.body, content.as_bytes());
                Ok(())
            }
            None => check_refused(&answer, Refused(404, "not-found")),
        }
    }

    pub(super) async fn delete_draft(&mut self, at: usize, of: Applicant) -> Checked {
        let draft = self.model.draft_of(at, of);
        let answer = self.ask(at, "DELETE", &draft.path(), "", "").await?;
        if draft.can_exist() {
            // Its writer may delete it also after the end of the mandate.
            let party = self.model.sessions[at].party;
            self.model.disclosed.note(party, "draft-deleted", party.who(), None);
        }
        if self.model.drafts.remove(&draft).is_none() {
            return check_refused(&answer, Refused(404, "not-found"));
        }
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT);
        Ok(())
    }

    pub(super) async fn estimate(&mut self, at: usize, body: Body) -> Checked {
        let text = self.model.text_of(at, body);
        let answer = self.ask(at, "POST", "/estimates", &text, "").await?;
        if let Some(refused) = self.model.refuses(at, body) {
            return check_refused(&answer, refused);
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        prop_assert_eq!(&answer.json()["monthlyAmount"], &Value::from(body.amount()));
        Ok(())
    }

    pub(super) async fn submit(&mut self, at: usize, body: Body, key: u8) -> Checked {
        let text = self.model.text_of(at, body);
        let answer =
            self.ask(at, "POST", "/applications", &text, &format!("{}-{key}", self.first)).await?;
        if let Some(refused) = self.model.refuses(at, body) {
            return check_refused(&answer, refused);
        }
        let path = self.model.sessions[at].path.clone();
        let taken = self.model.submit(at, body.of, &format!("chosen {key}"), &text);
        self.settle(at, body, &text, &taken, (answer.status, answer.json()))?;
        if matches!(taken, Taken::New | Taken::Again(_)) {
            let code = answer.json()["receipt"].as_str().unwrap_or_default().to_owned();
            prop_assert_eq!(answer.header("location"), format!("{}/applications/{}", path, code));
        }
        self.forget_draft(at, body.of, &taken).await
    }

    pub(super) async fn batch(&mut self, at: usize, bodies: Vec<Body>) -> Checked {
        let lines: Vec<_> =
            bodies.iter().map(|body| self.model.text_of(at, *body).replace('\n', " ")).collect();
        let session = &self.model.sessions[at];
        let request = Request::post(format!("{}{}/batches", self.counter.public, session.path))
            .header("authorization", format!("Bearer {}", session.token))
            .header("content-type", "application/x-ndjson");
        let answer = self.counter.send(request.body(lines.join("\n").into()).unwrap()).await;
        let answer = answer.map_err(TestCaseError::fail)?;
        self.totals.answers += 1;
        prop_assert_eq!(answer.header("subject-tag"), &*session.tag);
        if session.party.office().is_none() {
            return check_refused(&answer, Refused(403, "intermediaries-only"));
        }
        let answers: Vec<Value> = answer
            .body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        prop_assert_eq!((answer.status, answers.len()), (StatusCode::OK, lines.len()));
        let mut kept_lease = Vec::new();
        for ((body, line), json) in bodies.into_iter().zip(&lines).zip(answers) {
            self.totals.answers += 1;
            if let Some(Refused(status, _)) = self.model.refuses(at, body) {
                prop_assert_eq!(json["status"].as_u64(), Some(status.into()), "{}", json);
                continue;
            }
            let taken = self.model.submit(at, body.of, &format!("content {line}"), line);
            kept_lease.push(self.model.sessions[at].has_lease);
            let status = json["status"].as_u64().map_or(201, |status| status.try_into().unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            self.settle(at, body, line, &taken, (status, json))?;
            self.forget_draft(at, body.of, &taken).await?;
        }
        self.settle_lease(at, &kept_lease).await;
        Ok(())
    }

    /// The lease of a session after lines each of which would have kept it or not.
    pub(super) async fn settle_lease(&mut self, at: usize, kept: &[bool]) {
        if kept.contains(&true) && kept.contains(&false) {
            // Lines are taken at the same time: which one gave the lease back last is open.
            let held = self.gauges().await[1] - self.before[1];
            self.model.sessions[at].has_lease = false;
            self.model.sessions[at].has_lease = held > self.model.leases();
        }
    }

    /// Compares the answer to a submission, and keeps the receipt.
    fn settle(
        &mut self,
        at: usize,
        body: Body,
        text: &str,
        taken: &Taken,
        (status, json): (StatusCode, Value),
    ) -> Checked {
        match taken {
            Taken::New => {
                prop_assert_eq!(status, StatusCode::CREATED, "{}", json);
                prop_assert_eq!(json["digest"].as_str(), Some(&*Model::digest(text)));
                let codes = self.model.applications.iter().map(|kept| &kept.receipt["receipt"]);
                prop_assert_eq!(codes.filter(|code| **code == json["receipt"]).count(), 0);
                self.model.keep(at, body.of, text, json);
            }
            Taken::Again(application) => {
                prop_assert_eq!(status, StatusCode::CREATED, "{}", json);
                prop_assert_eq!(&json, &self.model.applications[*application].receipt);
            }
            Taken::KeyReused => {
                prop_assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:idempotency-key-reused");
            }
            Taken::AlreadyApplied(application) => {
                prop_assert_eq!(status, StatusCode::CONFLICT, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:already-applied");
                let application = &self.model.applications[*application];
                let shown = self.model.sees(self.model.sessions[at].party, application);
                let expected = if shown { &application.receipt } else { &Value::Null };
                prop_assert_eq!(&json["receipt"], expected);
            }
            Taken::Exhausted => {
                prop_assert_eq!(status, StatusCode::CONFLICT, "{}", json);
                prop_assert_eq!(&json["type"], "urn:sportello:problem:too-many-applications");
            }
        }
        Ok(())
    }

    /// A receipt removes the draft of its slot, soon after the answer.
    pub(super) async fn forget_draft(
        &mut self,
        at: usize,
        of: Applicant,
        taken: &Taken,
    ) -> Checked {
        let draft = self.model.draft_of(at, of);
        if !matches!(taken, Taken::New | Taken::Again(_))
            || self.model.drafts.remove(&draft).is_none()
        {
            return Ok(());
        }
        let party = self.model.sessions[at].party;
        self.model.disclosed.note(party, "draft-shown", of, None);
        for _ in 0..200 {
            let answer = self.ask(at, "GET", &draft.path(), "", "").await?;
            if answer.status == StatusCode::NOT_FOUND {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        Err(TestCaseError::fail(format!("the draft stays: {draft:?}")))
    }

    pub(super) async fn read(&mut self, at: usize, which: Index) -> Checked {
        let Some(application) = self.model.application(which) else { return Ok(()) };
        self.read_kept(at, &application).await
    }

    pub(super) async fn read_kept(&mut self, at: usize, application: &Kept) -> Checked {
        let answer = self.ask(at, "GET", &application.path(), "", "").await?;
        let party = self.model.sessions[at].party;
        if !self.model.sees(party, application) {
            self.model.disclosed.note_unknown(party);
            return check_refused(&answer, Refused(404, "not-found"));
        }
        let receipt = Some(&application.receipt["receipt"]);
        self.model.disclosed.note(party, "application-shown", application.of, receipt);
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let (json, sent) =
            (answer.json(), serde_json::from_str::<Value>(&application.text).unwrap());
        prop_assert_eq!(&json["application"], &sent);
        prop_assert_eq!(&json["receipt"], &application.receipt["receipt"]);
        prop_assert_eq!(json["state"] == "withdrawn", application.is_withdrawn, "{}", json);
        Ok(())
    }

    pub(super) async fn withdraw(&mut self, at: usize, which: Index) -> Checked {
        let Some(application) = self.model.application(which) else { return Ok(()) };
        let answer = self.ask(at, "DELETE", &application.path(), "", "").await?;
        let party = self.model.sessions[at].party;
        if !self.model.sees(party, &application) {
            self.model.disclosed.note_unknown(party);
            return check_refused(&answer, Refused(404, "not-found"));
        }
        let receipt = Some(&application.receipt["receipt"]);
        self.model.disclosed.note(party, "withdrawal-asked", application.of, receipt);
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer);
        self.model.withdraw(which);
        Ok(())
    }
}
