//! Entering, showing and leaving a session, its page, and requests below another visit.

use http_body_util::Full;
use hyper::{Request, StatusCode};
use proptest::{prop_assert, prop_assert_eq, sample::Index, test_runner::TestCaseError};

use super::{
    Case, Checked, check_refused,
    model::{Applicant, Body, MandateOf, Party, Refused, Session},
    proofs::Proof,
};
use crate::harness::{Answer, new_session};

impl Case<'_> {
    pub(super) async fn enter(&mut self, party: Party, proof: Proof) -> Checked {
        if proof == Proof::OpenId && party.office().is_none() {
            return self.sign_in(party).await;
        }
        let (path, proof) = (new_session(), proof.of_programs());
        let answer = self.knock(party, proof, &path).await;
        prop_assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let session = self.entered((party, proof), (path, token), &answer)?;
        self.model.enter(session);
        Ok(())
    }

    /// Enters in a browser, in a visit that the server makes.
    async fn sign_in(&mut self, party: Party) -> Checked {
        let code = self.model.code_of(party.who());
        let (path, token) = self.trusted.provider.sign_in(self.counter, code).await;
        self.count_proof(Proof::OpenId);
        let answer = self.counter.ask("GET", &path, &token, "").await;
        self.totals.answers += 1;
        let session = self.entered((party, Proof::OpenId), (path, token), &answer)?;
        self.model.enter(session);
        Ok(())
    }

    pub(super) async fn enter_again(&mut self, at: usize, proof: Proof) -> Checked {
        let Session { party, path, tag, .. } = self.model.sessions[at].clone();
        let answer = self.knock(party, proof.of_programs(), &path).await;
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let session = self.entered((party, proof), (path, token), &answer)?;
        prop_assert_eq!(&session.tag, &tag);
        self.model.sessions[at].token = session.token;
        Ok(())
    }

    pub(super) async fn enter_where_taken(
        &mut self,
        party: Party,
        proof: Proof,
        at: Index,
    ) -> Checked {
        let taken = self.model.taken_from(party);
        let Some(path) = taken.get(at.index(taken.len().max(1))) else { return Ok(()) };
        let path = path.clone();
        let answer = self.knock(party, proof.of_programs(), &path).await;
        check_refused(&answer, Refused(409, "visit-taken"))
    }

    fn entered(
        &self,
        (party, proof): (Party, Proof),
        (path, token): (String, String),
        answer: &Answer,
    ) -> Result<Session, TestCaseError> {
        let json = answer.json();
        let masked = self.model.code_of(party.who()).masked().to_string();
        prop_assert_eq!(json["subject"].as_str(), Some(&*masked));
        prop_assert_eq!(json["audience"].as_str(), Some(party.audience()));
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        let tag = text("subjectTag");
        prop_assert_eq!(answer.header("subject-tag"), &*tag);
        Ok(Session { party, proof, path, token, tag, has_lease: true })
    }

    pub(super) async fn show(&mut self, at: usize) -> Checked {
        let answer = self.ask(at, "GET", "", "", "").await?;
        prop_assert_eq!(answer.status, StatusCode::OK);
        let (json, session) = (answer.json(), &self.model.sessions[at]);
        let masked = self.model.code_of(session.party.who()).masked().to_string();
        prop_assert_eq!(json["subject"].as_str(), Some(&*masked));
        prop_assert_eq!(json["audience"].as_str(), Some(session.party.audience()));
        prop_assert_eq!(json["subjectTag"].as_str(), Some(&*session.tag));
        Ok(())
    }

    pub(super) async fn leave(&mut self, at: usize) -> Checked {
        let answer = self.ask(at, "DELETE", "", "", "").await?;
        prop_assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let Session { path, token, .. } = self.model.end(at);
        let gone = self.counter.ask("GET", &path, &token, "").await;
        self.totals.answers += 1;
        check_refused(&gone, Refused(401, "unauthenticated"))?;
        let page = self.page_at(&path, &token).await?;
        self.is_no_page(&page)
    }

    /// Lists the own sessions of a session's party, which are all of its and nobody else's, and ends one of them.
    pub(super) async fn end_own(&mut self, at: usize, which: Index) -> Checked {
        let answer = self.ask(at, "GET", "/sessions", "", "").await?;
        let party = self.model.sessions[at].party;
        let own: Vec<_> = (0..self.model.sessions.len())
            .filter(|known| self.model.sessions[*known].party == party)
            .collect();
        let json = answer.json();
        let listed = json["sessions"].as_array().unwrap();
        prop_assert_eq!(listed.len(), own.len(), "{}", json);
        for (shown, known) in listed.iter().zip(&own) {
            let proved_by = self.model.sessions[*known].proof.name();
            prop_assert_eq!(shown["provedBy"].as_str(), Some(proved_by), "{}", json);
            prop_assert_eq!(shown["current"].as_bool(), Some(*known == at), "{}", json);
        }
        let place = which.index(own.len());
        let ending = format!("/sessions/{}", listed[place]["handle"].as_str().unwrap());
        // No session of another party ends it.
        let others = (0..self.model.sessions.len()).find(|known| !own.contains(known));
        if let Some(other) = others {
            let refused = self.ask(other, "DELETE", &ending, "", "").await?;
            check_refused(&refused, Refused(404, "not-found"))?;
        }
        let ended = self.ask(at, "DELETE", &ending, "", "").await?;
        prop_assert_eq!(ended.status, StatusCode::NO_CONTENT);
        self.totals.ended += 1;
        self.model.disclosed.note(party, "session-ended", party.who(), None);
        let Session { path, token, .. } = self.model.end(own[place]);
        let gone = self.counter.ask("GET", &path, &token, "").await;
        self.totals.answers += 1;
        check_refused(&gone, Refused(401, "unauthenticated"))
    }

    pub(super) async fn cross(&mut self, at: usize, by: usize, what: Index) -> Checked {
        if at == by {
            return Ok(());
        }
        let draft = self.model.draft_of(at, Applicant::First);
        let receipt = self.model.application(what).map_or("/x".to_owned(), |known| known.path());
        let [own, _] = MandateOf::of_person(self.model.sessions[by].party.who());
        let mandate = format!("/mandates/{}", self.model.reference(own));
        let application =
            self.model.text_of(by, Body { of: Applicant::First, version: 0, fits: true });
        let (path, token) = (&self.model.sessions[at].path, &self.model.sessions[by].token);
        let below = [
            ("GET", String::new(), ""),
            ("DELETE", String::new(), ""),
            ("GET", draft.path(), ""),
            ("PUT", draft.path(), "{}"),
            ("DELETE", draft.path(), ""),
            ("POST", "/estimates".to_owned(), &*application),
            ("POST", "/applications".to_owned(), &*application),
            ("POST", "/batches".to_owned(), &*application),
            ("GET", receipt.clone(), ""),
            ("DELETE", receipt, ""),
            ("GET", "/applications".to_owned(), ""),
            ("GET", "/applications/after/ISCRO-2024-0000-0000-0000-0000".to_owned(), ""),
            ("GET", "/disclosures".to_owned(), ""),
            ("GET", "/disclosures/after/0".to_owned(), ""),
            ("GET", "/mandates".to_owned(), ""),
            ("GET", "/mandates/after/a".to_owned(), ""),
            ("GET", mandate.clone(), ""),
            ("DELETE", mandate, ""),
            ("POST", "/mandates".to_owned(), "{}"),
            ("GET", "/telephone-pin".to_owned(), ""),
            ("POST", "/telephone-pin".to_owned(), ""),
            ("DELETE", "/telephone-pin".to_owned(), ""),
            ("GET", "/sessions".to_owned(), ""),
            ("DELETE", "/sessions/AAAAAAAAAAAAAAAA".to_owned(), ""),
        ];
        let (method, below, body) = &below[what.index(below.len())];
        let path = format!("{path}{below}");
        let answer = self.counter.try_ask(method, &path, token, body, "key").await;
        let answer = answer.map_err(TestCaseError::fail)?;
        self.totals.answers += 1;
        prop_assert_eq!(answer.header("subject-tag"), "");
        check_refused(&answer, Refused(404, "not-found"))
    }

    /// The page of one visit with the token of another, of the same or of none.
    pub(super) async fn page(&mut self, at: usize, by: Option<usize>) -> Checked {
        let Session { party, path, tag, .. } = self.model.sessions[at].clone();
        let token = by.map(|by| self.model.sessions[by].token.clone()).unwrap_or_default();
        let page = self.page_at(&path, &token).await?;
        if by != Some(at) {
            return self.is_no_page(&page);
        }
        prop_assert_eq!(page.status, StatusCode::OK, "{:?}", page);
        prop_assert_eq!(page.header("subject-tag"), tag);
        let html = std::str::from_utf8(&page.body).unwrap();
        let masked = self.model.code_of(party.who()).masked().to_string();
        let acting = if party.office().is_some() { "come intermediario" } else { "per te" };
        for expected in [masked.as_str(), acting] {
            prop_assert!(html.contains(&format!("<dd>{expected}</dd>")), "{} {}", expected, html);
        }
        Ok(())
    }

    /// The page of a session's visit with a token in the cookie.
    pub(super) async fn page_at(
        &mut self,
        session: &str,
        token: &str,
    ) -> Result<Answer, TestCaseError> {
        let path = session.replace("/v1/sessions/", "/visit/");
        let mut request = Request::get(format!("{}{path}/", self.counter.public));
        if !token.is_empty() {
            request = request.header("cookie", format!("__Host-session={token}"));
        }
        let page = self.counter.send(request.body(Full::default()).unwrap()).await;
        self.totals.answers += 1;
        page.map_err(TestCaseError::fail)
    }

    /// Asserts that a page is the one of a visit that nobody has opened.
    fn is_no_page(&self, page: &Answer) -> Checked {
        prop_assert_eq!(page.status, StatusCode::NOT_FOUND, "{:?}", page);
        prop_assert_eq!(page.header("subject-tag"), "");
        prop_assert_eq!(&page.body, &self.no_page);
        Ok(())
    }
}
