//! A citizen who comes by the pages, as a browser without scripts: it keeps the cookie, follows links and redirects, and
//! sends forms with their hidden fields. Links and forms are found by where they lead and what they hold, never by words.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    header::{CONTENT_TYPE, COOKIE, HeaderValue, ORIGIN},
};
use serde_json::Value;

use super::{Visit, answers::Answers, ask::Unanswered, html::Page};
use crate::{
    clock,
    identity::Identity,
    owner::{Crossover, Owner, PageShown, Shows},
    tally::{Ending, Step},
    wire::client::Reply,
};

/// The page with the ways to sign in. In English, amounts are typed as the API writes them.
const SIGN_IN: &str = "/en/signin";
/// The field of a demo's sign-in page for an identity token.
const TOKEN_FIELD: &str = "token";
/// Pages of an application that are followed; the longest form has nine steps.
const STEPS_MAX: u32 = 20;
/// Wait on a waiting page that does not say when it loads again.
const WAITING_PAGE_WAIT: Duration = Duration::from_secs(5);

/// The browser of a person who is inside.
pub(super) struct Browser {
    owner: Owner,
    cookie: HeaderValue,
    /// `/visit/{visit}/`, with which every path of the visit begins.
    visit: String,
    /// The same with the language of the pages.
    root: String,
    /// The page on which it stands.
    path: String,
    page: Page,
}

impl Visit<'_> {
    /// Signs in on the page for it, waits in the waiting room if it leads there, and opens the first page of the visit.
    pub(super) async fn sign_in(
        &self,
        identity: Identity,
        due: Instant,
    ) -> Result<Browser, Ending> {
        self.answered(Step::Page, self.get("/", None)?).await?;
        let page = self.answered(Step::Page, self.get(SIGN_IN, None)?).await?;
        let page = Page::read(&page.body);
        let form = page.forms.iter().find(|form| form.has(TOKEN_FIELD));
        let form = form.ok_or_else(|| failed("no form for an identity token: is it a demo?"))?;
        let bearer = identity.bearer.to_str().unwrap_or_default();
        let token = bearer.strip_prefix("Bearer ").unwrap_or_default();
        let body = form.filled(|name| (name == TOKEN_FIELD).then(|| token.to_owned()));
        let action = if form.action.is_empty() { SIGN_IN } else { &form.action };
        let mut reply = self.answered(Step::Enter, self.post(action, &body, None)?).await?;
        loop {
            let (path, cookie) = redirected(&reply)?;
            let cookie = cookie.ok_or_else(|| failed("signing in sets no cookie"))?;
            if !path.ends_with("/waiting") {
                let browser = self.first_page(identity.code, cookie, path).await?;
                self.counter.tally().enter.record(clock::now().saturating_duration_since(due));
                self.counter.live.enter();
                return Ok(browser);
            }
            let page = self.answered(Step::Page, self.get(&path, Some(&cookie))?).await?;
            let page = Page::read(&page.body);
            let wait = page.refresh_s.map_or(WAITING_PAGE_WAIT, Duration::from_secs);
            tokio::time::sleep(wait).await;
            self.counter.stay_outside_after_closing().await;
            let form =
                page.form_to(&path).ok_or_else(|| failed("a waiting page without a form"))?;
            let body = form.filled(|_| None);
            reply = self.answered(Step::Enter, self.post(&path, &body, Some(&cookie))?).await?;
        }
    }

    /// Opens the first page of a visit, which must name the person who signed in.
    async fn first_page(
        &self,
        code: String,
        cookie: HeaderValue,
        path: String,
    ) -> Result<Browser, Ending> {
        let reply = self.answered(Step::Page, self.get(&path, Some(&cookie))?).await?;
        let mut segments = path.splitn(5, '/').skip(1);
        let (first, visit, language) = (segments.next(), segments.next(), segments.next());
        let (Some("visit"), Some(visit), Some(language)) = (first, visit, language) else {
            return Err(failed("signing in leads to no visit"));
        };
        let subject_tag = reply.subject_tag.clone();
        let subject_tag = subject_tag.ok_or_else(|| failed("a page of a visit without a tag"))?;
        let visit = format!("/visit/{visit}/");
        let browser = Browser {
            owner: Owner { code, subject_tag },
            cookie,
            root: format!("{visit}{language}"),
            visit,
            path,
            page: Page::read(&reply.body),
        };
        self.own_page(&browser, Step::Page, Shows::Mask)?;
        Ok(browser)
    }

    /// Everything after signing in.
    pub(super) async fn follow(&self, mut browser: Browser) -> Result<(), Ending> {
        self.think().await;
        if self.role.abandons {
            return Err(Ending::Abandoned);
        }
        let scheme = self.counter.conduct.form.scheme().name();
        let apply = format!("{}/apply/{scheme}", browser.root);
        let list = format!("{}/applications", browser.root);
        self.open_linked(&mut browser, |path| path == list).await?;
        self.open_linked(&mut browser, |path| path == apply).await?;
        self.fill_in(&mut browser, &apply).await?;
        let application = self.submit_page(&mut browser, &apply).await?;
        if self.counter.conduct.plan.polls_max > 0 {
            self.watch_until_decided(&mut browser, &application).await?;
        }
        if self.counter.conduct.plan.leave {
            self.think().await;
            self.sign_out(&browser).await?;
        }
        Ok(())
    }

    /// Follows the notice and the steps, with an answer to each question, until the page that checks them all.
    async fn fill_in(&self, browser: &mut Browser, apply: &str) -> Result<(), Ending> {
        let code = browser.owner.code.clone();
        let answers = Answers::of(&code, &self.counter.conduct.form.filled_for(&code));
        let (check, steps) = (format!("{apply}/check"), format!("{apply}/"));
        let is_step = |path: &str| {
            path.strip_prefix(&steps).is_some_and(|step| !step.contains('/') && step != "example")
        };
        for _ in 0..STEPS_MAX {
            if browser.path == check {
                return self.own_page(browser, Step::Page, Shows::Answers);
            }
            let form = browser.page.forms.iter().find(|form| is_step(&form.action));
            let Some(form) = form else {
                self.open_linked(browser, is_step).await?;
                continue;
            };
            self.think().await;
            let body = form.filled(|name| answers.typed(name));
            let request = self.post(&form.action, &body, Some(&browser.cookie))?;
            let asked = clock::now();
            let reply = self.answered(Step::Form, request).await?;
            self.counter.tally().step(Step::Form, clock::now().saturating_duration_since(asked));
            let (path, _) = redirected(&reply)?;
            self.open(browser, path, Step::Page).await?;
        }
        Err(failed("an application with more steps than there are"))
    }

    /// Submits what the page shows that checks all answers; the path of the application's own page.
    async fn submit_page(&self, browser: &mut Browser, apply: &str) -> Result<String, Ending> {
        self.think().await;
        let form = browser.page.form_to(&format!("{apply}/check"));
        let form = form.ok_or_else(|| failed("answers that cannot be submitted"))?;
        let body = form.filled(|_| None);
        let asked = clock::now();
        let request = self.post(&form.action, &body, Some(&browser.cookie))?;
        let reply = self.answered(Step::Submit, request).await?;
        let now = clock::now();
        let (path, _) = redirected(&reply)?;
        let below = format!("{}/applications/", browser.root);
        let Some(receipt) = path.strip_prefix(&below).filter(|receipt| !receipt.contains('/'))
        else {
            return self
                .counter
                .own(Err(Crossover {
                    step: Step::Submit.name(),
                    what: "Location",
                    expected: "a path of its own".to_owned(),
                    found: "another path".to_owned(),
                }))
                .map(|()| path);
        };
        self.receipt_came(now, now.saturating_duration_since(asked));
        self.keep_proof(browser, &path, receipt).await?;
        Ok(path)
    }

    /// Keeps the signed receipt, or at least its number.
    async fn keep_proof(&self, browser: &Browser, path: &str, receipt: &str) -> Result<(), Ending> {
        let request = self.get(&format!("{path}/proof"), Some(&browser.cookie))?;
        let proof = self.answered(Step::Page, request).await;
        let is_own = |proof: &Reply| {
            let proof: Option<Value> = serde_json::from_slice(&proof.body).ok();
            proof.is_some_and(|proof| proof["receipt"] == receipt)
        };
        let genuine = proof.as_ref().ok().filter(|proof| is_own(proof));
        let line = genuine.map_or(receipt.as_bytes(), |proof| &*proof.body);
        let is_new = self.counter.receipts.add(receipt, line);
        let proof = proof?;
        self.own_tag(browser, Step::Page, &proof)?;
        let crossover = |found: &str| Crossover {
            step: Step::Submit.name(),
            what: "receipt",
            expected: "a number of its own".to_owned(),
            found: found.to_owned(),
        };
        let checked = match (is_new, is_own(&proof)) {
            (true, true) => Ok(()),
            (false, _) => Err(crossover("the number of another citizen")),
            (true, false) => Err(crossover("the receipt of another number")),
        };
        self.counter.own(checked)
    }

    /// Loads the application's page until it no longer leads to itself, as it does while nothing is decided.
    async fn watch_until_decided(
        &self,
        browser: &mut Browser,
        application: &str,
    ) -> Result<(), Ending> {
        let plan = &self.counter.conduct.plan;
        for _ in 0..plan.polls_max {
            let asked = clock::now();
            self.open(browser, application.to_owned(), Step::Read).await?;
            self.own_page(browser, Step::Read, Shows::Entered)?;
            // One link to itself is that of its language.
            let to_itself = browser.page.links.iter().filter(|link| *link == application);
            let is_decided = to_itself.count() < 2;
            self.counter.tally().read(clock::now().saturating_duration_since(asked), is_decided);
            if is_decided {
                return Ok(());
            }
            tokio::time::sleep(plan.poll_wait).await;
        }
        Err(failed("not decided within the profile's polls"))
    }

    async fn sign_out(&self, browser: &Browser) -> Result<(), Ending> {
        let form = browser.page.form_to(&format!("{}/signout", browser.root));
        let form = form.ok_or_else(|| failed("a page without a way out"))?;
        let request = self.post(&form.action, &form.filled(|_| None), Some(&browser.cookie))?;
        let asked = clock::now();
        let reply = self.answered(Step::Leave, request).await?;
        self.counter.tally().step(Step::Leave, clock::now().saturating_duration_since(asked));
        let (home, _) = redirected(&reply)?;
        self.answered(Step::Page, self.get(&home, None)?).await.map(drop)
    }

    /// Follows the last link of the page for which `wanted` holds: the one before it, if any, leads back.
    async fn open_linked(
        &self,
        browser: &mut Browser,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(), Ending> {
        let path = browser.page.links.iter().rfind(|link| wanted(link)).cloned();
        let path = path.ok_or_else(|| failed("a page without the way on"))?;
        self.open(browser, path, Step::Page).await
    }

    /// Opens a page of the visit, and checks whose it is.
    async fn open(&self, browser: &mut Browser, path: String, step: Step) -> Result<(), Ending> {
        let asked = clock::now();
        let reply = self.answered(step, self.get(&path, Some(&browser.cookie))?).await?;
        if step == Step::Page {
            self.counter.tally().step(step, clock::now().saturating_duration_since(asked));
        }
        self.own_tag(browser, step, &reply)?;
        (browser.path, browser.page) = (path, Page::read(&reply.body));
        self.own_page(browser, step, Shows::Nothing)
    }

    fn own_tag(&self, browser: &Browser, step: Step, reply: &Reply) -> Result<(), Ending> {
        let tag = reply.subject_tag.as_ref();
        self.counter.own(browser.owner.check_tag(step.name(), reply.status, tag))
    }

    fn own_page(&self, browser: &Browser, step: Step, shows: Shows) -> Result<(), Ending> {
        let paths: Vec<_> = browser.page.paths().collect();
        let (visit, text) = (&*browser.visit, &*browser.page.shown);
        let page = PageShown { step: step.name(), visit, paths: &paths, text };
        self.counter.own(browser.owner.check_page(&page, shows))
    }

    /// Sends a request until it is answered.
    async fn answered(&self, step: Step, request: Request<Full<Bytes>>) -> Result<Reply, Ending> {
        let reply = self.ask(step, None, |_| request.clone()).await;
        reply.map_err(|unanswered| match unanswered {
            Unanswered::Ended(ending) => ending,
            Unanswered::SessionGone => failed("401 unauthenticated"),
        })
    }

    fn get(
        &self,
        path: &str,
        cookie: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, Ending> {
        self.request(Method::GET, path, Bytes::new(), cookie)
    }

    fn post(
        &self,
        path: &str,
        body: &str,
        cookie: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, Ending> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut request = self.request(Method::POST, path, body, cookie)?;
        let host = self.client.target().host.to_str().unwrap_or_default();
        let origin = HeaderValue::try_from(format!("https://{host}"));
        let origin = origin.map_err(|_| failed("an origin does not fit into a header"))?;
        request.headers_mut().insert(ORIGIN, origin);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(request)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        cookie: Option<&HeaderValue>,
    ) -> Result<Request<Full<Bytes>>, Ending> {
        let uri = self.client.target().uri(path).ok_or_else(|| failed("a link that is no path"))?;
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        Ok(request)
    }
}

/// Where the answer to a form leads, and the cookie that it sets.
fn redirected(reply: &Reply) -> Result<(String, Option<HeaderValue>), Ending> {
    let location = reply.location.clone().filter(|_| reply.status == StatusCode::SEE_OTHER);
    let location = location.ok_or_else(|| failed("a form that leads nowhere"))?;
    let cookie = reply.cookie.as_ref().and_then(|cookie| HeaderValue::try_from(cookie).ok());
    let cookie = cookie.map(|mut cookie| {
        cookie.set_sensitive(true);
        cookie
    });
    Ok((location, cookie))
}

fn failed(what: &str) -> Ending {
    Ending::Failed(what.to_owned())
}
