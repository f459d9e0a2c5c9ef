//! The steps of a session, each timed from request to answer.

use std::{
    borrow::Cow,
    sync::PoisonError,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Session, Visit,
    ask::{Unanswered, authorized, understood},
};
use crate::{
    clock,
    identity::{self, Identity},
    owner::{Owner, check_location, check_login},
    tally::{Ending, Step},
    wire::client::Reply,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login<'b> {
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(borrow)]
    subject: Cow<'b, str>,
    #[serde(borrow)]
    subject_tag: Cow<'b, str>,
    #[serde(borrow)]
    inside: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct Receipt<'b> {
    #[serde(borrow)]
    receipt: Cow<'b, str>,
    #[serde(borrow)]
    digest: Option<Cow<'b, str>>,
}

impl Visit<'_> {
    /// Opens a session with a new visit; its latency counts from `due`.
    ///
    /// # Errors
    ///
    /// How the session ended instead.
    pub async fn enter(&self, identity: Identity, due: Instant) -> Result<Session, Ending> {
        let paths = {
            let visits = &self.counter.visits;
            visits.lock().unwrap_or_else(PoisonError::into_inner).next_paths()
        };
        let uri = paths.uri(self.client.target(), "");
        self.reconnect_at(None)?;
        let reply = self.ask(Step::Enter, None, |ticket| {
            let bearer = ticket.unwrap_or(&identity.bearer);
            authorized(bearer, Method::PUT, uri.clone(), Bytes::new())
        });
        let reply = reply.await.map_err(|unanswered| match unanswered {
            Unanswered::Ended(ending) => ending,
            Unanswered::SessionGone => Ending::Failed("enter 401 unauthenticated".to_owned()),
        })?;
        let login: Login<'_> = understood(&reply)?;
        self.reconnect_at(login.inside.as_deref())?;
        let bearer = identity::bearer(&login.token);
        let subject_tag = HeaderValue::from_str(&login.subject_tag).ok();
        let (Some(bearer), Some(subject_tag)) = (bearer, subject_tag) else {
            return Err(Ending::Failed(
                "session token or tag does not fit into a header".to_owned(),
            ));
        };
        let owner = Owner { code: identity.code.clone(), subject_tag };
        self.counter.own(check_login(&owner.code, &login.subject))?;
        if reply.subject_tag.is_some() {
            let tag = reply.subject_tag.as_ref();
            self.counter.own(owner.check_tag("enter", reply.status, tag))?;
        }
        self.counter.tally().enter.record(clock::now().saturating_duration_since(due));
        self.counter.live.enter();
        let identity = self.counter.conduct.plan.enter_again.then_some(identity);
        Ok(Session { owner, paths, bearer, identity })
    }

    /// Saves a draft: the complete application, not yet submitted.
    pub(super) async fn save_draft(&self, session: &mut Session) -> Result<(), Ending> {
        let body = self.counter.conduct.form.filled_for(&session.owner.code);
        let draft = format!("/drafts/{}", self.counter.conduct.form.scheme().name());
        self.timed(Step::Draft, session, |session| {
            json(self.under(session, Method::PUT, &draft, body.clone()))
        })
        .await
        .map(drop)
    }

    /// Asks for an estimate of the decision.
    pub(super) async fn ask_estimate(&self, session: &mut Session) -> Result<(), Ending> {
        let body = self.counter.conduct.form.filled_for(&session.owner.code);
        let reply = self.timed(Step::Estimate, session, |session| {
            json(self.under(session, Method::POST, "/estimates", body.clone()))
        });
        let decision: Value = understood(&reply.await?)?;
        if decision.get("outcome").is_some() {
            Ok(())
        } else {
            Err(Ending::Failed("estimate without an outcome".to_owned()))
        }
    }

    /// Submits the application and keeps the receipt, whose number it returns; the latency counts from `asked`.
    ///
    /// # Errors
    ///
    /// How the session ended instead.
    pub async fn submit(&self, session: &mut Session, asked: Instant) -> Result<String, Ending> {
        let conduct = &self.counter.conduct;
        let body = conduct.form.filled_for(&session.owner.code);
        let key = format!("surge-{:x}-{:x}", conduct.run, self.number);
        let key = HeaderValue::try_from(key);
        let key = key
            .map_err(|_| Ending::Failed("idempotency key does not fit into a header".to_owned()))?;
        let request = |session: &Session| {
            let mut request =
                json(self.under(session, Method::POST, "/applications", body.clone()));
            request.headers_mut().insert("idempotency-key", key.clone());
            request
        };
        if self.role.breaks_body {
            let sent = self.client.cut_short(&request(session), &body).await.is_ok();
            self.counter.tally().cut_short += u64::from(sent);
        }
        let reply = self.ask_within(Step::Submit, session, request).await?;
        let now = clock::now();
        let Receipt { receipt, digest } = understood(&reply)?;
        self.counter.keep(Step::Submit, &receipt, digest.as_deref(), &reply.body, &body)?;
        self.receipt_came(now, now.saturating_duration_since(asked));
        let location = reply.location.as_deref();
        let location =
            location.ok_or_else(|| Ending::Failed("receipt without a Location".to_owned()))?;
        let own = session.paths.of(&format!("/applications/{receipt}"));
        self.counter.own(check_location(&own, location))?;
        Ok(receipt.into_owned())
    }

    /// Counts a receipt that arrived at `now` after `latency`.
    pub(super) fn receipt_came(&self, now: Instant, latency: Duration) {
        self.counter.tally().receipt(now, latency, self.counter.conduct.timely);
        self.counter.live.receipt();
    }

    /// Reads the application with `receipt` until it is decided; it must belong to the fiscal code `code`.
    pub(super) async fn read_until_decided(
        &self,
        code: &str,
        session: &mut Session,
        receipt: &str,
    ) -> Result<(), Ending> {
        let plan = &self.counter.conduct.plan;
        let application = format!("/applications/{receipt}");
        for _ in 0..plan.polls_max {
            let asked = clock::now();
            let reply = self.ask_within(Step::Read, session, |session| {
                self.under(session, Method::GET, &application, Bytes::new())
            });
            let reply = reply.await?;
            let application: Value = understood(&reply)?;
            let owner = Owner { code: code.to_owned(), ..session.owner.clone() };
            self.counter.own(owner.check_application(&application))?;
            let decided = application.get("state").and_then(Value::as_str) == Some("decided");
            self.counter.tally().read(clock::now().saturating_duration_since(asked), decided);
            if decided {
                return Ok(());
            }
            tokio::time::sleep(plan.poll_wait).await;
        }
        Err(Ending::Failed("not decided within the profile's polls".to_owned()))
    }

    pub(super) async fn leave(&self, session: &mut Session) -> Result<(), Ending> {
        self.timed(Step::Leave, session, |session| {
            self.under(session, Method::DELETE, "", Bytes::new())
        })
        .await
        .map(drop)
    }

    /// Carries out a step; its latency includes waits and retries.
    pub(super) async fn timed(
        &self,
        step: Step,
        session: &mut Session,
        request: impl Fn(&Session) -> Request<Full<Bytes>>,
    ) -> Result<Reply, Ending> {
        let asked = clock::now();
        let reply = self.ask_within(step, session, request).await?;
        self.counter.tally().step(step, clock::now().saturating_duration_since(asked));
        Ok(reply)
    }
}

fn json(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}
