//! One table of all routes: what each does, its priority under load, and who may use it.
//!
//! Who may use a route is part of its type: [`Open`] routes are handled without a session, [`Inside`] routes with one.
//! A route with the wrong access does not compile:
//!
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! let _route = Route::open("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession);
//! ```

use hyper::Method;

use crate::gate::pressure::Class;

/// A route that needs no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Which audience may enter now, and which campaigns are open.
    Status,
    /// The drawn rounds of the waiting room.
    Draws,
    /// The `OpenAPI` description.
    Description,
    /// Enters with an identity token, which the use case verifies.
    Enter,
}

/// A route that needs a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Reads the session.
    ShowSession,
    /// Ends the session.
    Leave,
    /// Reads the draft.
    ShowDraft,
    /// Saves a draft.
    SaveDraft,
    /// Deletes a draft.
    DeleteDraft,
    /// Computes the decision of today without storing anything.
    Estimate,
    /// Submits an application.
    Submit,
    /// Submits many applications.
    SubmitBatch,
    /// Reads an application.
    ShowApplication,
    /// Withdraws an application.
    Withdraw,
}

/// Who may use a route, and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open(Open),
    /// Everybody with an open session.
    Inside(Inside),
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path. A segment in braces is named and matches any segment that is not empty.
    pub path: &'static str,
    /// The path up to its first named segment. Compared first, because nearly every other path differs in it.
    literal: &'static str,
    /// Its priority under load.
    pub class: Class,
    /// Who may use it, and what it does.
    pub access: Access,
}

impl Route {
    /// A route that needs no session.
    #[must_use]
    pub const fn open(method: &'static str, path: &'static str, class: Class, open: Open) -> Self {
        Self { method, path, literal: literal(path), class, access: Access::Open(open) }
    }

    /// A route that needs a session.
    #[must_use]
    pub const fn inside(
        method: &'static str,
        path: &'static str,
        class: Class,
        inside: Inside,
    ) -> Self {
        Self { method, path, literal: literal(path), class, access: Access::Inside(inside) }
    }

    fn matches(&self, path: &str) -> bool {
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

/// A path below one visit.
macro_rules! visit {
    ($rest:literal) => {
        concat!("/v1/sessions/{visit}", $rest)
    };
}

/// Every route of the public listener.
pub const ROUTES: &[Route] = &[
    Route::open("GET", "/v1/status", Class::Read, Open::Status),
    Route::open("GET", "/v1/draws", Class::Read, Open::Draws),
    Route::open("GET", "/openapi.json", Class::Read, Open::Description),
    // A visit's routes begin alike: those of every visit come first.
    Route::inside("POST", visit!("/applications"), Class::Finish, Inside::Submit),
    Route::inside("POST", visit!("/batches"), Class::Finish, Inside::SubmitBatch),
    Route::inside("POST", visit!("/estimates"), Class::Step, Inside::Estimate),
    Route::open("PUT", visit!(""), Class::Enter, Open::Enter),
    Route::inside("GET", visit!(""), Class::Read, Inside::ShowSession),
    Route::inside("DELETE", visit!(""), Class::Step, Inside::Leave),
    Route::inside("GET", visit!("/applications/{receipt}"), Class::Read, Inside::ShowApplication),
    Route::inside("DELETE", visit!("/applications/{receipt}"), Class::Step, Inside::Withdraw),
    Route::inside("GET", visit!("/drafts/{scheme}"), Class::Read, Inside::ShowDraft),
    Route::inside("PUT", visit!("/drafts/{scheme}"), Class::Step, Inside::SaveDraft),
    Route::inside("DELETE", visit!("/drafts/{scheme}"), Class::Step, Inside::DeleteDraft),
    Route::inside("GET", visit!("/drafts/{scheme}/{mandate}"), Class::Read, Inside::ShowDraft),
    Route::inside("PUT", visit!("/drafts/{scheme}/{mandate}"), Class::Step, Inside::SaveDraft),
    Route::inside("DELETE", visit!("/drafts/{scheme}/{mandate}"), Class::Step, Inside::DeleteDraft),
];

/// The named segments of a path that matched a route.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'r> {
    pattern: &'static str,
    path: &'r str,
}

impl<'r> Segments<'r> {
    /// The segment with this name; `None` if the route has none of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'r str> {
        let mut pairs = self.pattern.split('/').zip(self.path.split('/'));
        pairs.find_map(|(pattern, segment)| (name_in(pattern) == Some(name)).then_some(segment))
    }
}

/// What a request's method and path lead to.
pub(super) enum Found<'r> {
    Route(&'static Route, Segments<'r>),
    WrongMethod { allowed: String },
    Nothing,
}

/// Finds the route of a request.
pub(super) fn find<'r>(method: &Method, path: &'r str) -> Found<'r> {
    find_in(ROUTES, method, path)
}

fn find_in<'r>(routes: &'static [Route], method: &Method, path: &'r str) -> Found<'r> {
    // A HEAD is answered like its GET, without the content.
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    if let Some(route) = routes.iter().find(|route| route.method == wanted && route.matches(path)) {
        return Found::Route(route, Segments { pattern: route.path, path });
    }
    let mut matching = routes.iter().filter(|route| route.matches(path));
    let Some(first) = matching.next() else { return Found::Nothing };
    let mut allowed = vec![first.method];
    allowed.extend(matching.map(|route| route.method));
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    Found::WrongMethod { allowed: allowed.join(", ") }
}

/// The part of a pattern before its first brace.
const fn literal(pattern: &'static str) -> &'static str {
    let mut at = 0;
    while at < pattern.len() && pattern.as_bytes()[at] != b'{' {
        at += 1;
    }
    pattern.split_at(at).0
}

/// The name of a segment in braces.
fn name_in(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes with several named segments, one of them with a literal between two.
    const NESTED: &[Route] = &[
        Route::inside("GET", "/s/{visit}", Class::Read, Inside::ShowSession),
        Route::inside("GET", "/s/{visit}/drafts/{scheme}", Class::Read, Inside::ShowDraft),
        Route::inside(
            "PUT",
            "/s/{visit}/drafts/{scheme}/{mandate}",
            Class::Step,
            Inside::SaveDraft,
        ),
        Route::inside("GET", "/s/{visit}/list/after/{receipt}", Class::Read, Inside::Estimate),
        Route::inside("GET", "/s/{visit}/list/{receipt}", Class::Read, Inside::ShowApplication),
    ];

    fn leads_to(routes: &'static [Route], method: &str, path: &str) -> String {
        match find_in(routes, &method.parse().unwrap(), path) {
            Found::Route(route, segments) => {
                let names = ["visit", "scheme", "mandate", "receipt"];
                let found = names.iter().filter_map(|name| segments.named(name));
                let found = found.collect::<Vec<_>>().join(" ");
                match route.access {
                    Access::Open(open) => format!("{open:?} {found}"),
                    Access::Inside(inside) => format!("{inside:?} {found}"),
                }
            }
            Found::WrongMethod { allowed } => format!("only {allowed}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_lead_where_the_table_says() {
        for (method, path, expected) in [
            ("GET", "/v1/status", "Status "),
            ("HEAD", "/v1/status", "Status "),
            ("PUT", "/v1/sessions/v", "Enter v"),
            ("POST", "/v1/sessions/v/applications", "Submit v"),
            ("GET", "/v1/sessions/v/applications/ISCRO-1", "ShowApplication v ISCRO-1"),
            ("PATCH", "/v1/sessions/v/applications/ISCRO-1", "only GET, DELETE, HEAD"),
            ("GET", "/v1/sessions/v/applications", "only POST"),
            ("GET", "/v1/sessions/v/applications/", "nothing"),
            ("GET", "/v1/sessions/v/applications/a/b", "nothing"),
            ("DELETE", "/v1/sessions/v/drafts/iscro/m", "DeleteDraft v iscro m"),
            ("POST", "/v1/sessions", "nothing"),
            ("GET", "/v1/session", "nothing"),
            ("GET", "/v1/status/", "nothing"),
            ("GET", "//v1/status", "nothing"),
            ("GET", "/v1", "nothing"),
            ("GET", "", "nothing"),
        ] {
            assert_eq!(leads_to(ROUTES, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_route_with_a_session_is_below_its_visit_and_no_other_shows_personal_data() {
        for route in ROUTES {
            let is_below = route.path.starts_with("/v1/sessions/{visit}");
            assert_eq!(
                is_below,
                !matches!(
                    route.access,
                    Access::Open(Open::Status | Open::Draws | Open::Description)
                )
            );
        }
    }

    #[test]
    fn a_path_may_have_several_named_segments() {
        for (method, path, expected) in [
            ("GET", "/s/v", "ShowSession v"),
            ("GET", "/s/v/drafts/iscro", "ShowDraft v iscro"),
            ("PUT", "/s/v/drafts/iscro/m", "SaveDraft v iscro m"),
            ("GET", "/s/v/list/after/r", "Estimate v r"),
            ("GET", "/s/v/list/after", "ShowApplication v after"),
            ("PUT", "/s/v/drafts/iscro", "only GET, HEAD"),
            ("GET", "/s//drafts/iscro", "nothing"),
            ("GET", "/s/v/drafts/", "nothing"),
            ("GET", "/s/v/others/iscro", "nothing"),
            ("GET", "/s/v/list/after/r/more", "nothing"),
        ] {
            assert_eq!(leads_to(NESTED, method, path), expected, "{method} {path}");
        }
    }
}
