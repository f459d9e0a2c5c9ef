//! What the pages of one visit share: their paths, their frame, and how they are shown.

use std::{borrow::Cow, fmt::Display};

use hyper::StatusCode;

use super::super::{
    guard::Reply,
    html::{self, Frame},
    problem::Kind,
    request::{Head, Public},
};
use crate::{
    civic::Language,
    identity::Audience,
    session::scope::{Personal, Scope},
};

/// One visit, in the language of its paths.
#[derive(Clone)]
pub(super) struct Visit<'v> {
    pub(super) segment: &'v str,
    pub(super) language: Language,
    form_token: String,
    /// Who navigates; `None` for a person who waits, and can go nowhere.
    audience: Option<Audience>,
}

impl<'v> Visit<'v> {
    /// The visit of a request of a session.
    ///
    /// # Errors
    /// [`Kind::VisitEnded`] if its path names a language that there is not.
    pub(super) fn of(public: &Public, scope: Scope<'_>, head: &Head<'v>) -> Result<Self, Kind> {
        Ok(Self { audience: Some(scope.audience()), ..Self::waiting(public, head)? })
    }

    /// The visit of a person who waits.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn waiting(public: &Public, head: &Head<'v>) -> Result<Self, Kind> {
        let named = head.segments.named("language");
        if named.is_some_and(|tag| Language::from_tag(tag).is_none()) {
            return Err(Kind::VisitEnded);
        }
        let segment = head.visit();
        let form_token = public.counter.intake.keys().form_token(segment);
        Ok(Self { segment, language: head.language, form_token, audience: None })
    }

    /// The path of one of its pages.
    pub(super) fn path(&self, rest: &str) -> String {
        path(self.segment, self.language, rest)
    }

    /// The frame of one of its pages.
    pub(super) fn frame(&self, title: impl Into<Cow<'static, str>>, rest: &str) -> Frame {
        let in_language = |language| path(self.segment, language, rest);
        Frame {
            translations: Some([Language::Italian, Language::English].map(in_language)),
            visit: self.audience.map(|audience| html::Visit {
                path: self.path(""),
                form_token: self.form_token.clone(),
                is_office: audience == Audience::Intermediaries,
            }),
            ..Frame::new(self.language, title)
        }
    }

    /// The token of its forms.
    pub(super) fn form_token(&self) -> String {
        self.form_token.clone()
    }

    /// Goes to one of its pages.
    pub(super) fn go(&self, rest: &str) -> Reply {
        Reply::see_other(&self.path(rest))
    }

    /// Shows a page that was rendered for the principal of the session.
    pub(super) fn show_own(
        &self,
        scope: Scope<'_>,
        status: StatusCode,
        page: &impl Display,
    ) -> Reply {
        self.show(scope, status, scope.personal(scope.subject(), page.to_string()))
    }

    /// Shows a page that was rendered for a person.
    pub(super) fn show<'s>(
        &self,
        scope: Scope<'s>,
        status: StatusCode,
        html: Personal<'s, String>,
    ) -> Reply {
        Reply::personal_page(status, scope.show(html.map(String::into_bytes)), self.language)
    }
}

/// The path of a page of a visit.
pub(super) fn path(visit: &str, language: Language, rest: &str) -> String {
    format!("/visit/{visit}/{}{rest}", language.tag())
}
