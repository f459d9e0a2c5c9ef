//! A cache that ignores every header, in front of the server: it answers one person with another's data only if both use
//! the same path.

use std::{cell::RefCell, collections::HashMap};

use hyper::{HeaderMap, StatusCode};
use serde_json::Value;
use sportello::{application, civic::FiscalCode};

use crate::harness::{Answer, Counter, location, new_session};

/// Keeps the first answer to each path, for all methods or for each, and gives it to everybody.
struct Cache<'c> {
    counter: &'c Counter,
    with_method: bool,
    kept: RefCell<HashMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept(StatusCode, HeaderMap, bytes::Bytes);

impl Cache<'_> {
    async fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let key = if self.with_method { format!("{method} {path}") } else { path.to_owned() };
        let kept = self.kept.borrow().get(&key).cloned();
        let Kept(status, headers, body) = if let Some(kept) = kept {
            kept
        } else {
            let answer = self.counter.try_ask(method, path, token, body, "key").await.unwrap();
            let fresh = Kept(answer.status, answer.headers, answer.body);
            self.kept.borrow_mut().insert(key, fresh.clone());
            fresh
        };
        Answer { status, headers, body }
    }
}

/// A person who does everything that the API offers, and looks whether an answer is somebody else's.
struct Person {
    code: FiscalCode,
    identity: String,
    session: String,
    token: String,
    tag: String,
    /// Answers that were meant for somebody else.
    mixed_up: usize,
}

impl Person {
    fn new(counter: &Counter, n: u64, session: &str) -> Self {
        let code = FiscalCode::made_up(n);
        let identity = counter.mint(&code, &[]);
        let (session, token, tag) = (session.to_owned(), String::new(), String::new());
        Self { code, identity, session, token, tag, mixed_up: 0 }
    }

    async fn enter(&mut self, cache: &Cache<'_>) {
        let answer = cache.ask("PUT", &self.session, &self.identity, "").await;
        let json = answer.json();
        self.mixed_up += usize::from(json["subject"] != self.code.masked().to_string());
        json["token"].as_str().unwrap_or_default().clone_into(&mut self.token);
        json["subjectTag"].as_str().unwrap_or_default().clone_into(&mut self.tag);
    }

    /// Asks below a session; the answer's owner is looked for in its tag and in its content.
    async fn ask(
        &mut self,
        cache: &Cache<'_>,
        method: &str,
        path: &str,
        body: &str,
        others: &[FiscalCode],
    ) -> Answer {
        let answer = cache.ask(method, path, &self.token, body).await;
        let tag = answer.header("subject-tag");
        let text = String::from_utf8_lossy(&answer.body);
        let names_another = |code: &FiscalCode| {
            text.contains(code.as_str())
                || text.contains(&email(code))
                || text.contains(code.masked().as_str())
        };
        let is_mixed_up = (!tag.is_empty() && tag != self.tag) || others.iter().any(names_another);
        self.mixed_up += usize::from(is_mixed_up);
        answer
    }

    /// Everything below `session`, which may be another person's. Returns how many answers succeeded.
    async fn live(&mut self, cache: &Cache<'_>, session: &str, others: &[FiscalCode]) -> usize {
        let application =
            application::example(&self.code, 2024).replace("mario@example.it", &email(&self.code));
        let mut succeeded = 0;
        let mut receipt = None;
        for (method, below, body) in [
            ("GET", "", ""),
            ("PUT", "/drafts/iscro", &*application),
            ("GET", "/drafts/iscro", ""),
            ("POST", "/estimates", &application),
            ("POST", "/applications", &application),
        ] {
            let path = format!("{session}{below}");
            let answer = self.ask(cache, method, &path, body, others).await;
            succeeded += usize::from(answer.status.is_success());
            if answer.status == StatusCode::CREATED && below == "/applications" {
                receipt = Some(location(&answer.json()));
            }
        }
        if let Some(receipt) = receipt {
            let path = format!("{session}{receipt}");
            let answer = self.ask(cache, "GET", &path, "", others).await;
            succeeded += usize::from(answer.status.is_success());
            // It is the application that this person sent.
            let sent: Value = serde_json::from_str(&application).unwrap();
            self.mixed_up += usize::from(answer.json()["application"] != sent);
        }
        succeeded
    }
}

fn email(code: &FiscalCode) -> String {
    format!("{}@example.it", code.as_str().to_lowercase())
}

/// Two people, one after the other, behind one cache: how many answers succeeded, and how many were mixed up.
async fn two(counter: &Counter, with_method: bool, first: u64, sessions: [&str; 2]) -> [usize; 2] {
    let cache = Cache { counter, with_method, kept: RefCell::default() };
    let codes = [first, first + 1].map(FiscalCode::made_up);
    let (mut succeeded, mut mixed_up) = (0, 0);
    for (n, (session, other)) in (first..).zip(sessions.into_iter().zip([codes[1], codes[0]])) {
        let mut person = Person::new(counter, n, session);
        person.enter(&cache).await;
        succeeded += person.live(&cache, session, &[other]).await;
        mixed_up += person.mixed_up;
    }
    [succeeded, mixed_up]
}

#[tokio::test]
async fn behind_a_cache_that_ignores_every_header_nobody_is_mixed_up() {
    let counter = Counter::open();
    let own = [new_session(), new_session()];
    let [succeeded, mixed_up] = two(&counter, true, 1, own.each_ref().map(|own| &**own)).await;
    assert_eq!((succeeded, mixed_up), (12, 0), "everything succeeds");
    let own = [new_session(), new_session()];
    let [_, mixed_up] = two(&counter, false, 3, own.each_ref().map(|own| &**own)).await;
    assert_eq!(mixed_up, 0);
    // The cache does mix up people whose paths are the same, as all were before sessions had visits.
    let shared = new_session();
    let [_, mixed_up] = two(&counter, true, 5, [&shared, &shared]).await;
    assert!(mixed_up > 4, "{mixed_up}");
}

#[tokio::test]
async fn what_is_asked_below_a_strangers_visit_puts_nothing_of_the_asker_into_the_cache() {
    let counter = Counter::open();
    for (with_method, first) in [(true, 1), (false, 3)] {
        let cache = Cache { counter: &counter, with_method, kept: RefCell::default() };
        let mut owner = Person::new(&counter, first, &new_session());
        let mut stranger = Person::new(&counter, first + 1, &new_session());
        owner.enter(&cache).await;
        stranger.enter(&cache).await;
        let (session, codes) = (owner.session.clone(), [owner.code, stranger.code]);
        // The stranger knows the owner's visit and is the first to ask below it.
        let succeeded = stranger.live(&cache, &session, &codes[..1]).await;
        assert_eq!(succeeded, usize::from(!with_method), "only the owner's own answer to PUT");
        owner.live(&cache, &session, &codes[1..]).await;
        assert_eq!(owner.mixed_up, 0, "{with_method}");
    }
}
