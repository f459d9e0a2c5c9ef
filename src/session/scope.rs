//! The first wall of promise 3, types: a value that belongs to a person is branded with the session it was loaded in.
//!
//! [`within`] opens a scope with an invariant lifetime of its own, so that two sessions have two types: what was loaded
//! in one cannot be shown in the other.
//!
//! ```compile_fail
//! # use sportello::session::{Session, scope::within};
//! # async fn mixed(mine: &Session, yours: &Session) {
//! within(mine, async |my| {
//!     within(yours, async |your| {
//!         let secret = your.personal(your.subject(), "5000.00");
//!         let _shown = my.show(secret); // does not compile: `secret` carries another brand
//!     })
//!     .await;
//! })
//! .await;
//! # }
//! ```
//!
//! Each example that does not compile is followed by one that does, so that it fails for no other reason. This does:
//!
//! ```
//! # use sportello::session::{Session, scope::within};
//! # async fn mixed(mine: &Session, yours: &Session) {
//! within(mine, async |my| {
//!     within(yours, async |your| {
//!         let secret = your.personal(your.subject(), "5000.00");
//!         let _shown = your.show(secret);
//!     })
//!     .await;
//! })
//! .await;
//! # }
//! ```
//!
//! A value does not leave the scope under its brand, only as [`Shown`]:
//!
//! ```compile_fail
//! # use sportello::session::{Session, scope::within};
//! # async fn carried_out(session: &Session) {
//! let _secret = within(session, async |my| my.personal(my.subject(), "5000.00")).await;
//! # }
//! ```
//! ```
//! # use sportello::session::{Session, scope::within};
//! # async fn shown(session: &Session) {
//! let _shown = within(session, async |my| my.show(my.personal(my.subject(), "5000.00"))).await;
//! # }
//! ```
//!
//! Nothing else makes a [`Shown`], and the last gate takes nothing else as personal:
//!
//! ```compile_fail,E0451
//! # use sportello::session::scope::{Scope, Shown};
//! fn shown(my: Scope<'_>, body: Vec<u8>) -> Shown<Vec<u8>> {
//!     Shown { body, subject: my.subject() }
//! }
//! ```
//! ```compile_fail,E0308
//! # use hyper::StatusCode;
//! # use sportello::{http::guard::Reply, session::scope::{Scope, Shown}};
//! fn answer(my: Scope<'_>, body: Vec<u8>) -> Reply {
//!     Reply::personal(StatusCode::OK, body)
//! }
//! ```
//! ```
//! # use hyper::StatusCode;
//! # use sportello::{http::guard::Reply, session::scope::{Scope, Shown}};
//! fn shown(my: Scope<'_>, body: Vec<u8>) -> Shown<Vec<u8>> {
//!     my.show(my.personal(my.subject(), body))
//! }
//! fn answer(my: Scope<'_>, body: Vec<u8>) -> Reply {
//!     Reply::personal(StatusCode::OK, shown(my, body))
//! }
//! ```

use std::marker::PhantomData;

use super::Session;
use crate::{civic::FiscalCode, identity::Audience, metrics as list, vault::Subject};

/// The brand: invariant in `'s`, so that the compiler converts no brand into another.
type Brand<'s> = PhantomData<fn(&'s ()) -> &'s ()>;

/// One request's access to its session.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    session: &'s Session,
    brand: Brand<'s>,
}

/// A value that belongs to a person, branded with the one session that may show it.
pub struct Personal<'s, T> {
    value: T,
    subject: Subject,
    brand: Brand<'s>,
}

/// A value for the last gate, with the person it was loaded for. Only [`Scope::show`] makes one.
pub struct Shown<T> {
    body: T,
    subject: Subject,
}

impl<T> Shown<T> {
    /// The value, and the person it was loaded for.
    #[must_use]
    pub fn into_parts(self) -> (T, Subject) {
        (self.body, self.subject)
    }
}

/// Runs the work of one request in a scope of its session. What the work returns cannot carry the brand, so a personal
/// value leaves only through [`Scope::show`].
pub async fn within<R>(session: &Session, work: impl for<'s> AsyncFnOnce(Scope<'s>) -> R) -> R {
    work(Scope { session, brand: PhantomData }).await
}

impl<'s> Scope<'s> {
    /// Whose data the session may see.
    #[must_use]
    pub fn subject(&self) -> Subject {
        self.session.subject
    }

    /// The fiscal code of the person who is logged in.
    #[must_use]
    pub fn fiscal_code(&self) -> FiscalCode {
        self.session.fiscal_code
    }

    /// Whether they act for themselves or for an office.
    #[must_use]
    pub fn audience(&self) -> Audience {
        self.session.audience
    }

    /// The session itself: its tag, expiry and lease.
    #[must_use]
    pub fn session(&self) -> &'s Session {
        self.session
    }

    /// Brands a value that was loaded for `subject`, by the record itself and not by the request: the last gate
    /// compares it with the session's subject.
    #[must_use]
    pub fn personal<T>(&self, subject: Subject, value: T) -> Personal<'s, T> {
        Personal { value, subject, brand: PhantomData }
    }

    /// The value itself, for further work of this request; `None` if it was loaded for somebody else, which is counted
    /// and logged like an answer that the last gate blocks.
    #[must_use]
    pub fn open<T>(&self, personal: Personal<'s, T>) -> Option<T> {
        if personal.subject != self.session.subject {
            list::CROSSOVER_BLOCKED.counter(&[]).increment(1);
            tracing::error!(session = ?self.session, "a value that was loaded for another person was not opened");
            return None;
        }
        Some(personal.value)
    }

    /// Unwraps a value of this session for the last gate.
    #[must_use]
    pub fn show<T>(&self, personal: Personal<'s, T>) -> Shown<T> {
        Shown { body: personal.value, subject: personal.subject }
    }
}

impl<'s, T> Personal<'s, T> {
    /// Changes the value, under the same brand.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Personal<'s, U> {
        Personal { value: change(self.value), subject: self.subject, brand: self.brand }
    }
}
