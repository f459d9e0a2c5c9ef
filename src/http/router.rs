//! One table of all routes: what each does, its priority under load, its face, and who may use it.
//!
//! Face and access are part of the type of what a route does: [`Open`] and [`Inside`] belong to the API, [`OpenPage`]
//! and [`InsidePage`] to the pages. The face decides which credential opens a session, a Bearer token or a cookie, and
//! how problems look. A route with the wrong face or access does not compile:
//!
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! let _route = Route::open("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession);
//! ```
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{OpenPage, Route}};
//! let _route = Route::open("GET", "/help", Class::Read, OpenPage::Home(None));
//! ```
//! ```compile_fail,E0308
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! let _route = Route::inside_page("GET", "/visit/{visit}/", Class::Read, Inside::ShowSession);
//! ```
//!
//! Nor does a route of the table whose path does not fit its access: one with a session names its visit, at the place
//! that its face has for it, and an open page is not below one.
//!
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{Inside, Route}};
//! const _ROUTE: Route = Route::inside("GET", "/v1/drafts", Class::Read, Inside::ShowDraft);
//! ```
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{InsidePage, Route}};
//! const _ROUTE: Route = Route::inside_page("GET", "/v1/sessions/{visit}", Class::Read, InsidePage::Welcome);
//! ```
//! ```compile_fail,E0080
//! use sportello::{gate::pressure::Class, http::router::{OpenPage, Route}};
//! const _ROUTE: Route = Route::open_page("GET", "/visit/{visit}/", Class::Read, OpenPage::Home(None));
//! ```
//!
//! The same routes as they are meant do:
//!
//! ```
//! use sportello::{gate::pressure::Class, http::router::{Inside, InsidePage, OpenPage, Route}};
//! const _ROUTES: [Route; 3] = [
//!     Route::inside("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession),
//!     Route::open_page("GET", "/help", Class::Read, OpenPage::Home(None)),
//!     Route::inside_page("GET", "/visit/{visit}/", Class::Read, InsidePage::Welcome),
//! ];
//! ```

use hyper::Method;

use crate::{civic::Language, gate::pressure::Class};

/// The path of a visit in the API; everything with a session is this or below it.
const API_VISIT: &str = "/v1/sessions/{visit}";
/// The path above the pages of a visit.
const PAGES_VISIT: &str = "/visit/{visit}/";

/// A route of the API that needs no session.
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

/// A route of the API that needs a session.
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
    /// Lists a citizen's applications.
    ListApplications,
    /// Shows a citizen who was shown or changed their data.
    ListDisclosures,
    /// Lists the mandates in a citizen's name, or those of an office.
    ListMandates,
    /// Reads one of them.
    ShowMandate,
    /// Revokes one.
    RevokeMandate,
}

/// A page that needs no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenPage {
    /// The home page, in the language of its path or else in the one that the browser prefers.
    Home(Option<Language>),
    /// A file that pages load: the style sheet.
    Asset,
}

/// A page that needs a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsidePage {
    /// The first page of a visit: who is logged in.
    Welcome,
}

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
    Route::inside("GET", visit!("/applications"), Class::Read, Inside::ListApplications),
    Route::inside("GET", visit!("/disclosures"), Class::Read, Inside::ListDisclosures),
    Route::inside(
        "GET",
        visit!("/disclosures/after/{number}"),
        Class::Read,
        Inside::ListDisclosures,
    ),
    Route::inside("GET", visit!("/mandates"), Class::Read, Inside::ListMandates),
    Route::inside("GET", visit!("/mandates/after/{mandate}"), Class::Read, Inside::ListMandates),
    Route::inside("GET", visit!("/mandates/{mandate}"), Class::Read, Inside::ShowMandate),
    Route::inside("DELETE", visit!("/mandates/{mandate}"), Class::Step, Inside::RevokeMandate),
    Route::inside("GET", visit!("/drafts/{scheme}"), Class::Read, Inside::ShowDraft),
    Route::inside("PUT", visit!("/drafts/{scheme}"), Class::Step, Inside::SaveDraft),
    Route::inside("DELETE", visit!("/drafts/{scheme}"), Class::Step, Inside::DeleteDraft),
    Route::inside("GET", visit!("/drafts/{scheme}/{mandate}"), Class::Read, Inside::ShowDraft),
    Route::inside("PUT", visit!("/drafts/{scheme}/{mandate}"), Class::Step, Inside::SaveDraft),
    Route::inside("DELETE", visit!("/drafts/{scheme}/{mandate}"), Class::Step, Inside::DeleteDraft),
    // The pages.
    Route::open_page("GET", "/", Class::Read, OpenPage::Home(None)),
    Route::open_page("GET", "/it", Class::Read, OpenPage::Home(Some(Language::Italian))),
    Route::open_page("GET", "/en", Class::Read, OpenPage::Home(Some(Language::English))),
    Route::open_page("GET", "/assets/{file}", Class::Read, OpenPage::Asset),
    Route::inside_page("GET", PAGES_VISIT, Class::Read, InsidePage::Welcome),
];

/// The named segments of a path that matched a route: pattern and path from the first of them on.
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
    WrongMethod { face: Face, allowed: String },
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
        let at = route.literal.len();
        return Found::Route(route, Segments { pattern: &route.path[at..], path: &path[at..] });
    }
    let mut matching = routes.iter().filter(|route| route.matches(path));
    let Some(first) = matching.next() else { return Found::Nothing };
    let (face, mut allowed) = (first.face(), vec![first.method]);
    allowed.extend(matching.map(|route| route.method));
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    Found::WrongMethod { face, allowed: allowed.join(", ") }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes with several named segments, one of them with a literal between two.
    const NESTED: &[Route] = &[
        Route::inside("GET", "/v1/sessions/{visit}", Class::Read, Inside::ShowSession),
        Route::inside(
            "GET",
            "/v1/sessions/{visit}/drafts/{scheme}",
            Class::Read,
            Inside::ShowDraft,
        ),
        Route::inside(
            "PUT",
            "/v1/sessions/{visit}/drafts/{scheme}/{mandate}",
            Class::Step,
            Inside::SaveDraft,
        ),
        Route::inside(
            "GET",
            "/v1/sessions/{visit}/list/after/{receipt}",
            Class::Read,
            Inside::Estimate,
        ),
        Route::inside(
            "GET",
            "/v1/sessions/{visit}/list/{receipt}",
            Class::Read,
            Inside::ShowApplication,
        ),
    ];

    fn leads_to(routes: &'static [Route], method: &str, path: &str) -> String {
        match find_in(routes, &method.parse().unwrap(), path) {
            Found::Route(route, segments) => {
                let names = ["visit", "scheme", "mandate", "receipt"];
                let found = names.iter().filter_map(|name| segments.named(name));
                let found = found.collect::<Vec<_>>().join(" ");
                match route.access {
                    Access::Open(Face::Api(open)) => format!("{open:?} {found}"),
                    Access::Open(Face::Page(page)) => format!("page {page:?} {found}"),
                    Access::Inside(Face::Api(inside)) => format!("{inside:?} {found}"),
                    Access::Inside(Face::Page(page)) => format!("page {page:?} {found}"),
                }
            }
            Found::WrongMethod { face: Face::Api(()), allowed } => format!("only {allowed}"),
            Found::WrongMethod { face: Face::Page(()), allowed } => format!("page only {allowed}"),
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
            ("GET", "/v1/sessions/v/applications", "ListApplications v"),
            ("PUT", "/v1/sessions/v/applications", "only POST, GET, HEAD"),
            ("GET", "/v1/sessions/v/disclosures/after/7", "ListDisclosures v"),
            ("GET", "/v1/sessions/v/applications/", "nothing"),
            ("GET", "/v1/sessions/v/applications/a/b", "nothing"),
            ("DELETE", "/v1/sessions/v/drafts/iscro/m", "DeleteDraft v iscro m"),
            ("GET", "/v1/sessions/v/mandates", "ListMandates v"),
            ("GET", "/v1/sessions/v/mandates/after/m", "ListMandates v m"),
            ("DELETE", "/v1/sessions/v/mandates/m", "RevokeMandate v m"),
            ("DELETE", "/v1/sessions/v/mandates/after/m", "only GET, HEAD"),
            ("POST", "/v1/sessions", "nothing"),
            ("GET", "/v1/session", "nothing"),
            ("GET", "/v1/status/", "nothing"),
            ("GET", "//v1/status", "nothing"),
            ("GET", "/v1", "nothing"),
            ("GET", "", "nothing"),
            ("GET", "/", "page Home(None) "),
            ("GET", "/en", "page Home(Some(English)) "),
            ("POST", "/", "page only GET, HEAD"),
            ("GET", "/assets/style.css", "page Asset "),
            ("GET", "/visit/v/", "page Welcome v"),
            ("GET", "/visit/v", "nothing"),
            ("GET", "/visit//", "nothing"),
        ] {
            assert_eq!(leads_to(ROUTES, method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn every_route_with_a_session_is_below_its_visit_and_no_other_shows_personal_data() {
        for route in ROUTES {
            let visit = match route.face() {
                Face::Api(()) => API_VISIT,
                Face::Page(()) => PAGES_VISIT,
            };
            let is_public = match route.access {
                Access::Open(
                    Face::Api(Open::Status | Open::Draws | Open::Description)
                    | Face::Page(OpenPage::Home(_) | OpenPage::Asset),
                ) => true,
                Access::Open(Face::Api(Open::Enter)) | Access::Inside(_) => false,
            };
            assert_eq!(route.path.starts_with(visit), !is_public, "{}", route.path);
            assert_eq!(route.path.contains("{visit}"), !is_public, "{}", route.path);
        }
    }

    #[test]
    fn a_path_may_have_several_named_segments() {
        for (method, path, expected) in [
            ("GET", "/v1/sessions/v", "ShowSession v"),
            ("GET", "/v1/sessions/v/drafts/iscro", "ShowDraft v iscro"),
            ("PUT", "/v1/sessions/v/drafts/iscro/m", "SaveDraft v iscro m"),
            ("GET", "/v1/sessions/v/list/after/r", "Estimate v r"),
            ("GET", "/v1/sessions/v/list/after", "ShowApplication v after"),
            ("PUT", "/v1/sessions/v/drafts/iscro", "only GET, HEAD"),
            ("GET", "/v1/sessions//drafts/iscro", "nothing"),
            ("GET", "/v1/sessions/v/drafts/", "nothing"),
            ("GET", "/v1/sessions/v/others/iscro", "nothing"),
            ("GET", "/v1/sessions/v/list/after/r/more", "nothing"),
        ] {
            assert_eq!(leads_to(NESTED, method, path), expected, "{method} {path}");
        }
    }
}
