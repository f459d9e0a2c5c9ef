//! One line of the table of routes: method, path, priority, access, and how a path is compared with it.

use super::uses::{Inside, InsidePage, Open, OpenPage};
use crate::{civic::Language, gate::pressure::Class};

/// The path of a visit in the API; everything with a session is this or below it.
pub(super) const API_VISIT: &str = "/v1/sessions/{visit}";
/// The path above the pages of a visit.
pub(super) const PAGES_VISIT: &str = "/visit/{visit}/";

/// Something of the API or of the pages. Without types it only says which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face<A = (), P = ()> {
    /// For programs: `Authorization: Bearer`, problems in JSON.
    Api(A),
    /// For browsers: a cookie, problems as pages.
    Page(P),
}

/// Who may use a route, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open(Face<Open, OpenPage>),
    /// Everybody with an open session.
    Inside(Face<Inside, InsidePage>),
}

impl Access {
    /// The language of a page that exists in each.
    #[must_use]
    pub const fn language(self) -> Option<Language> {
        match self {
            Self::Open(Face::Page(
                OpenPage::Article(language)
                | OpenPage::SignIn(language)
                | OpenPage::TakeIdentity(language),
            )) => Some(language),
            _ => None,
        }
    }

    /// Whether an answer other than to wait or a problem may let somebody in.
    #[must_use]
    pub const fn enters(self) -> bool {
        matches!(
            self,
            Self::Open(
                Face::Api(Open::Enter)
                    | Face::Page(OpenPage::TakeIdentity(_) | OpenPage::TakeCallback)
            ) | Self::Inside(Face::Page(InsidePage::Enter))
        )
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path. A segment in braces is named and matches any segment that is not empty.
    pub path: &'static str,
    /// The path up to its first named segment. Compared first, because nearly every other path differs in it.
    pub(super) literal: &'static str,
    /// Its priority under load.
    pub class: Class,
    /// Who may use it, and what it does.
    pub access: Access,
}

impl Route {
    /// A route of the API that needs no session.
    #[must_use]
    pub const fn open(method: &'static str, path: &'static str, class: Class, open: Open) -> Self {
        Self::new(method, path, class, Access::Open(Face::Api(open)))
    }

    /// A route of the API that needs a session.
    ///
    /// # Panics
    /// If it is not below its visit.
    #[must_use]
    pub const fn inside(
        method: &'static str,
        path: &'static str,
        class: Class,
        inside: Inside,
    ) -> Self {
        assert!(begins_with(path, API_VISIT), "a session's route is below /v1/sessions/{{visit}}");
        Self::new(method, path, class, Access::Inside(Face::Api(inside)))
    }

    /// A page that needs no session.
    ///
    /// # Panics
    /// If it is below a visit.
    #[must_use]
    pub const fn open_page(
        method: &'static str,
        path: &'static str,
        class: Class,
        page: OpenPage,
    ) -> Self {
        assert!(!begins_with(path, PAGES_VISIT), "an open page is not below a visit");
        Self::new(method, path, class, Access::Open(Face::Page(page)))
    }

    /// A page that needs a session.
    ///
    /// # Panics
    /// If it is not below its visit.
    #[must_use]
    pub const fn inside_page(
        method: &'static str,
        path: &'static str,
        class: Class,
        page: InsidePage,
    ) -> Self {
        assert!(begins_with(path, PAGES_VISIT), "a session's page is below /visit/{{visit}}/");
        Self::new(method, path, class, Access::Inside(Face::Page(page)))
    }

    /// Its face.
    #[must_use]
    pub const fn face(&self) -> Face {
        match self.access {
            Access::Open(Face::Api(_)) | Access::Inside(Face::Api(_)) => Face::Api(()),
            Access::Open(Face::Page(_)) | Access::Inside(Face::Page(_)) => Face::Page(()),
        }
    }

    const fn new(method: &'static str, path: &'static str, class: Class, access: Access) -> Self {
        Self { method, path, literal: literal(path), class, access }
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.literal) else { return false };
        let mut patterns = self.path[self.literal.len()..].split('/');
        let mut segments = rest.split('/');
        loop {
            match (patterns.next(), segments.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if name_in(pattern).is_none() => {
                    if pattern != segment {
                        return false;
                    }
                }
                (Some(_), Some(segment)) if !segment.is_empty() => {}
                _ => return false,
            }
        }
    }
}

/// The named segments of a path that matched a route: pattern and path from the first of them on.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'r> {
    pub(super) pattern: &'static str,
    pub(super) path: &'r str,
}

impl<'r> Segments<'r> {
    /// The segment with this name; `None` if the route has none of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'r str> {
        let mut pairs = self.pattern.split('/').zip(self.path.split('/'));
        pairs.find_map(|(pattern, segment)| (name_in(pattern) == Some(name)).then_some(segment))
    }
}

/// The part of a pattern before its first brace.
const fn literal(pattern: &'static str) -> &'static str {
    let mut at = 0;
    while at < pattern.len() && pattern.as_bytes()[at] != b'{' {
        at += 1;
    }
    pattern.split_at(at).0
}

/// `str::starts_with` for constants.
const fn begins_with(path: &str, beginning: &str) -> bool {
    let (path, beginning) = (path.as_bytes(), beginning.as_bytes());
    let mut at = 0;
    while at < beginning.len() {
        if at == path.len() || path[at] != beginning[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The name of a segment in braces.
fn name_in(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('{')?.strip_suffix('}')
}
