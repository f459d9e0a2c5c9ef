//! The table of all routes, and the route of a request.

use hyper::Method;

use super::{
    route::{Face, PAGES_VISIT, Route, Segments},
    uses::{Inside, InsidePage, Open, OpenPage},
};
use crate::{civic::Language, gate::pressure::Class};

/// A path below one visit.
macro_rules! visit {
    ($rest:literal) => {
        concat!("/v1/sessions/{visit}", $rest)
    };
}

/// A path of a page below one visit, in one language.
macro_rules! page {
    ($rest:literal) => {
        concat!("/visit/{visit}/{language}", $rest)
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
    Route::inside(
        "GET",
        visit!("/applications/after/{receipt}"),
        Class::Read,
        Inside::ListApplications,
    ),
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
    Route::inside("POST", visit!("/mandates"), Class::Step, Inside::RedeemPin),
    Route::inside("GET", visit!("/telephone-pin"), Class::Read, Inside::ShowPin),
    Route::inside("POST", visit!("/telephone-pin"), Class::Step, Inside::MakePin),
    Route::inside("DELETE", visit!("/telephone-pin"), Class::Step, Inside::RevokePin),
    Route::inside("GET", visit!("/sessions"), Class::Read, Inside::ListSessions),
    Route::inside("DELETE", visit!("/sessions/{handle}"), Class::Step, Inside::EndSession),
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
    Route::open_page("GET", "/it/signin", Class::Read, OpenPage::SignIn(Language::Italian)),
    Route::open_page("GET", "/en/signin", Class::Read, OpenPage::SignIn(Language::English)),
    Route::open_page("POST", "/it/signin", Class::Enter, OpenPage::TakeIdentity(Language::Italian)),
    Route::open_page("POST", "/en/signin", Class::Enter, OpenPage::TakeIdentity(Language::English)),
    Route::open_page("GET", "/.well-known/openid-federation", Class::Read, OpenPage::Federation),
    Route::open_page("GET", "/callback", Class::Read, OpenPage::Callback),
    Route::open_page("POST", "/callback", Class::Enter, OpenPage::TakeCallback),
    Route::open_page("GET", "/it/{article}", Class::Read, OpenPage::Article(Language::Italian)),
    Route::open_page("GET", "/en/{article}", Class::Read, OpenPage::Article(Language::English)),
    Route::inside_page("GET", PAGES_VISIT, Class::Read, InsidePage::Welcome),
    Route::inside_page("GET", page!("/welcome"), Class::Read, InsidePage::Welcome),
    Route::inside_page("GET", page!("/waiting"), Class::Read, InsidePage::Waiting),
    Route::inside_page("GET", page!("/waiting/still"), Class::Read, InsidePage::WaitingStill),
    Route::inside_page("POST", page!("/waiting"), Class::Enter, InsidePage::Enter),
    Route::inside_page("GET", page!("/applications"), Class::Read, InsidePage::ListApplications),
    Route::inside_page(
        "GET",
        page!("/applications/after/{receipt}"),
        Class::Read,
        InsidePage::ListApplications,
    ),
    Route::inside_page("GET", page!("/apply/{scheme}"), Class::Read, InsidePage::Notice),
    Route::inside_page("GET", page!("/apply/{scheme}/check"), Class::Read, InsidePage::ShowCheck),
    Route::inside_page("POST", page!("/apply/{scheme}/check"), Class::Finish, InsidePage::Submit),
    Route::inside_page("POST", page!("/apply/{scheme}/example"), Class::Step, InsidePage::FillIn),
    Route::inside_page("GET", page!("/apply/{scheme}/{step}"), Class::Read, InsidePage::ShowStep),
    Route::inside_page("POST", page!("/apply/{scheme}/{step}"), Class::Step, InsidePage::SaveStep),
    Route::inside_page(
        "GET",
        page!("/apply/{scheme}/{step}/change"),
        Class::Read,
        InsidePage::ShowChange,
    ),
    Route::inside_page(
        "POST",
        page!("/apply/{scheme}/{step}/change"),
        Class::Step,
        InsidePage::SaveChange,
    ),
    Route::inside_page(
        "GET",
        page!("/applications/{receipt}"),
        Class::Read,
        InsidePage::ShowApplication,
    ),
    Route::inside_page(
        "GET",
        page!("/applications/{receipt}/proof"),
        Class::Read,
        InsidePage::Proof,
    ),
    Route::inside_page(
        "GET",
        page!("/applications/{receipt}/withdrawal"),
        Class::Read,
        InsidePage::AskWithdrawal,
    ),
    Route::inside_page(
        "POST",
        page!("/applications/{receipt}/withdrawal"),
        Class::Step,
        InsidePage::Withdraw,
    ),
    Route::inside_page("GET", page!("/mandates"), Class::Read, InsidePage::ListMandates),
    Route::inside_page(
        "POST",
        page!("/mandates/revocation"),
        Class::Step,
        InsidePage::RevokeMandate,
    ),
    Route::inside_page("POST", page!("/mandates/telephone-pin"), Class::Step, InsidePage::MakePin),
    Route::inside_page(
        "POST",
        page!("/mandates/telephone-pin/revocation"),
        Class::Step,
        InsidePage::RevokePin,
    ),
    Route::inside_page("POST", page!("/mandates/redemption"), Class::Step, InsidePage::RedeemPin),
    Route::inside_page("GET", page!("/disclosures"), Class::Read, InsidePage::ListDisclosures),
    Route::inside_page(
        "GET",
        page!("/disclosures/after/{number}"),
        Class::Read,
        InsidePage::ListDisclosures,
    ),
    Route::inside_page("GET", page!("/sessions"), Class::Read, InsidePage::ListSessions),
    Route::inside_page("POST", page!("/sessions/ending"), Class::Step, InsidePage::EndSessions),
    Route::inside_page(
        "GET",
        page!("/mandates/after/{mandate}"),
        Class::Read,
        InsidePage::ListMandates,
    ),
    // Those of an office.
    Route::inside_page("GET", page!("/clients/{mandate}"), Class::Read, InsidePage::Notice),
    Route::inside_page(
        "GET",
        page!("/clients/{mandate}/check"),
        Class::Read,
        InsidePage::ShowCheck,
    ),
    Route::inside_page(
        "POST",
        page!("/clients/{mandate}/check"),
        Class::Finish,
        InsidePage::Submit,
    ),
    Route::inside_page(
        "POST",
        page!("/clients/{mandate}/example"),
        Class::Step,
        InsidePage::FillIn,
    ),
    Route::inside_page(
        "GET",
        page!("/clients/{mandate}/{step}"),
        Class::Read,
        InsidePage::ShowStep,
    ),
    Route::inside_page(
        "POST",
        page!("/clients/{mandate}/{step}"),
        Class::Step,
        InsidePage::SaveStep,
    ),
    Route::inside_page(
        "GET",
        page!("/clients/{mandate}/{step}/change"),
        Class::Read,
        InsidePage::ShowChange,
    ),
    Route::inside_page(
        "POST",
        page!("/clients/{mandate}/{step}/change"),
        Class::Step,
        InsidePage::SaveChange,
    ),
    Route::inside_page("GET", page!("/upload"), Class::Read, InsidePage::ShowUpload),
    Route::inside_page(
        "GET",
        page!("/upload/{scheme}/template"),
        Class::Read,
        InsidePage::Template,
    ),
    Route::inside_page("POST", page!("/upload/{scheme}"), Class::Step, InsidePage::Preview),
    Route::inside_page("POST", page!("/upload/{scheme}/run"), Class::Finish, InsidePage::Upload),
    Route::inside_page("GET", page!("/search"), Class::Read, InsidePage::ShowSearch),
    Route::inside_page("POST", page!("/search"), Class::Read, InsidePage::Search),
    Route::inside_page("POST", page!("/signout"), Class::Step, InsidePage::SignOut),
];

/// What a request's method and path lead to.
pub(in super::super) enum Found<'r> {
    Route(&'static Route, Segments<'r>),
    WrongMethod { face: Face, allowed: String },
    Nothing,
}

/// Finds the route of a request.
pub(in super::super) fn find<'r>(method: &Method, path: &'r str) -> Found<'r> {
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

#[cfg(test)]
mod tests {
    use super::{
        super::route::{API_VISIT, Access},
        *,
    };

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
            ("GET", "/v1/sessions/v/applications/after/r", "ListApplications v r"),
            ("GET", "/visit/v/it/applications/after/r", "page ListApplications v r"),
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
            ("GET", "/visit/v/it/apply/iscro/check", "page ShowCheck v iscro"),
            ("GET", "/visit/v/it/apply/iscro/payment", "page ShowStep v iscro"),
            ("GET", "/visit/v/it/clients/m", "page Notice v m"),
            ("GET", "/visit/v/it/clients/m/check", "page ShowCheck v m"),
            ("POST", "/visit/v/it/clients/m/check", "page Submit v m"),
            ("POST", "/visit/v/it/clients/m/client/change", "page SaveChange v m"),
            ("GET", "/visit/v/it/mandates/after/m", "page ListMandates v m"),
            ("GET", "/visit/v/it/disclosures/after/7", "page ListDisclosures v"),
            ("POST", "/visit/v/it/search", "page Search v"),
            ("POST", "/visit/v/it/upload/iscro", "page Preview v iscro"),
            ("POST", "/visit/v/it/upload/iscro/run", "page Upload v iscro"),
            ("GET", "/visit/v/it/upload/iscro", "page only POST"),
            ("POST", "/visit/v/it/apply/iscro/payment/change", "page SaveChange v iscro"),
            ("POST", "/visit/v/it/applications/r/withdrawal", "page Withdraw v r"),
            ("POST", "/it/signin", "page TakeIdentity(Italian) "),
            ("GET", "/callback", "page Callback "),
            ("POST", "/callback", "page TakeCallback "),
            ("GET", "/.well-known/openid-federation", "page Federation "),
            ("GET", "/it/privacy", "page Article(Italian) "),
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
                    Face::Api(Open::Status | Open::Draws | Open::Description) | Face::Page(_),
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
