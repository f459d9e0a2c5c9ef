//! A file of applications, on the pages.

use http_body_util::Full;
use hyper::{Request, StatusCode};
use proptest::{prop_assert, prop_assert_eq, test_runner::TestCaseError};

use super::{
    Case, Checked,
    model::{Body, Kept, Model, Taken},
};
use crate::{
    browser::{BOUNDARY, with_file},
    harness::Answer,
};

impl Case<'_> {
    pub(super) async fn upload(&mut self, at: usize, bodies: Vec<Body>) -> Checked {
        let lines: Vec<_> =
            bodies.iter().map(|body| self.model.text_of(at, *body).replace('\n', " ")).collect();
        let answer = self.send_file(at, lines.join("\n").as_bytes()).await?;
        if self.model.sessions[at].party.office().is_none() {
            prop_assert_eq!(answer.status, StatusCode::NOT_FOUND, "{:?}", answer);
            return Ok(());
        }
        if lines.is_empty() {
            prop_assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{:?}", answer);
            return Ok(());
        }
        prop_assert_eq!(answer.status, StatusCode::OK, "{:?}", answer);
        let html = String::from_utf8(answer.body.to_vec()).unwrap();
        let rows: Vec<_> = html.split("<tr><th scope=\"row\">").skip(1).collect();
        prop_assert_eq!(rows.len(), lines.len(), "{}", html);
        let mut kept_lease = Vec::new();
        for ((body, line), row) in bodies.into_iter().zip(&lines).zip(rows) {
            self.totals.answers += 1;
            if self.model.refuses(at, body).is_some() {
                prop_assert!(row.contains("<td>not submitted</td>"), "{}", row);
                prop_assert!(!row.contains("ISCRO-"), "{}", row);
                continue;
            }
            let taken = self.model.submit(at, body.of, &format!("content {line}"), line);
            kept_lease.push(self.model.sessions[at].has_lease);
            self.settle_row(at, body, line, &taken, row).await?;
            self.forget_draft(at, body.of, &taken).await?;
        }
        self.settle_lease(at, &kept_lease).await;
        Ok(())
    }

    /// Compares a row of the page, and keeps the receipt.
    async fn settle_row(
        &mut self,
        at: usize,
        body: Body,
        line: &str,
        taken: &Taken,
        row: &str,
    ) -> Checked {
        let party = self.model.sessions[at].party;
        let known = match taken {
            Taken::Again(known) | Taken::AlreadyApplied(known) => {
                Some(&self.model.applications[*known])
            }
            _ => None,
        };
        let shown = known.filter(|kept| self.model.sees(party, kept)).map(Kept::code);
        let outcome = match taken {
            Taken::New => "submitted",
            Taken::Again(_) => "submitted before",
            Taken::KeyReused | Taken::AlreadyApplied(_) | Taken::Exhausted => "not submitted",
        };
        prop_assert!(row.contains(&format!("<td>{outcome}</td>")), "{} {}", outcome, row);
        let code = row.split("<code>").find_map(|rest| rest.strip_prefix("ISCRO-"));
        let code = code.map(|rest| format!("ISCRO-{}", rest.split('<').next().unwrap()));
        if !matches!(taken, Taken::New) {
            prop_assert_eq!(code.as_deref(), shown, "{}", row);
            return Ok(());
        }
        let code = code.unwrap_or_default();
        prop_assert!(self.model.applications.iter().all(|kept| kept.code() != code));
        let proof = self.page_of(at, &format!("/applications/{code}/proof")).await?;
        prop_assert_eq!(proof.status, StatusCode::OK, "{:?}", proof);
        let receipt = proof.json();
        prop_assert_eq!(receipt["digest"].as_str(), Some(&*Model::digest(line)));
        self.model.keep(at, body.of, line, receipt);
        Ok(())
    }

    /// A page of a session's visit, with its cookie.
    pub(super) async fn page_of(&mut self, at: usize, rest: &str) -> Result<Answer, TestCaseError> {
        let request = self.page_request(at, rest, "GET").body(Full::default()).unwrap();
        self.answer_with_tag(at, request).await
    }

    async fn send_file(&mut self, at: usize, content: &[u8]) -> Result<Answer, TestCaseError> {
        let welcome = self.page_of(at, "/welcome").await?;
        let html = String::from_utf8(welcome.body.to_vec()).unwrap();
        let (_, token) = html.split_once("name=\"form\" value=\"").unwrap();
        let body = with_file(token.split('"').next().unwrap(), "clients.ndjson", content);
        let request = self
            .page_request(at, "/upload/iscro/run", "POST")
            .header("origin", &self.counter.public)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
        self.answer_with_tag(at, request.body(Full::from(body)).unwrap()).await
    }

    pub(super) fn page_request(
        &self,
        at: usize,
        rest: &str,
        method: &str,
    ) -> hyper::http::request::Builder {
        let session = &self.model.sessions[at];
        let visit = session.path.replace("/v1/sessions/", "/visit/");
        let uri = format!("{}{visit}/en{rest}", self.counter.public);
        let cookie = format!("__Host-session={}", session.token);
        Request::builder().method(method).uri(uri).header("cookie", cookie)
    }

    pub(super) async fn answer_with_tag(
        &mut self,
        at: usize,
        request: Request<Full<bytes::Bytes>>,
    ) -> Result<Answer, TestCaseError> {
        let answer = self.counter.send(request).await.map_err(TestCaseError::fail)?;
        self.totals.answers += 1;
        let tag = self.model.sessions[at].tag.as_str();
        prop_assert_eq!(answer.header("subject-tag"), tag, "{:?}", answer);
        Ok(answer)
    }
}
