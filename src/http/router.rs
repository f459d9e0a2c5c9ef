//! One table of all routes: what each does, what it is worth under pressure, and who may use it.

use hyper::Method;

use crate::gate::pressure::Class;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Who may enter now.
    Status,
    /// Which rounds of the waiting room were drawn.
    Draws,
    /// The description of this API.
    Description,
    /// Log in.
    Enter,
    /// Look at the session.
    ShowSession,
    /// Log out.
    Leave,
    /// Look at the draft.
    ShowDraft,
    /// Keep a draft.
    SaveDraft,
    /// What would be decided today.
    Estimate,
    /// Hand in an application.
    Submit,
    /// Hand in many applications.
    SubmitBatch,
    /// Look at an application.
    ShowApplication,
    /// Withdraw an application.
    Withdraw,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has an identity token; the use case verifies it.
    Identity,
    /// Whoever has an open session.
    Session,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path; the part in braces stands for one segment.
    pub path: &'static str,
    /// What it does.
    pub action: Action,
    /// What it is worth under pressure.
    pub class: Class,
    /// Who may use it.
    pub access: Access,
}

const fn route(
    method: &'static str,
    path: &'static str,
    action: Action,
    class: Class,
    access: Access,
) -> Route {
    Route { method, path, action, class, access }
}

/// Every route of the public listener.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/status", Action::Status, Class::Read, Access::Public),
    route("GET", "/v1/draws", Action::Draws, Class::Read, Access::Public),
    route("GET", "/openapi.json", Action::Description, Class::Read, Access::Public),
    route("POST", "/v1/sessions", Action::Enter, Class::Enter, Access::Identity),
    route("GET", "/v1/session", Action::ShowSession, Class::Read, Access::Session),
    route("DELETE", "/v1/session", Action::Leave, Class::Step, Access::Session),
    route("GET", "/v1/draft", Action::ShowDraft, Class::Read, Access::Session),
    route("PUT", "/v1/draft", Action::SaveDraft, Class::Step, Access::Session),
    route("POST", "/v1/estimates", Action::Estimate, Class::Step, Access::Session),
    route("POST", "/v1/applications", Action::Submit, Class::Finish, Access::Session),
    route("POST", "/v1/batches", Action::SubmitBatch, Class::Finish, Access::Session),
    route(
        "GET",
        "/v1/applications/{receipt}",
        Action::ShowApplication,
        Class::Read,
        Access::Session,
    ),
    route("DELETE", "/v1/applications/{receipt}", Action::Withdraw, Class::Step, Access::Session),
];

/// What a path leads to.
pub(super) enum Found<'r> {
    Route(&'static Route, &'r str),
    WrongMethod { allowed: String },
    Nothing,
}

/// Looks a request up in the table.
pub(super) fn find<'r>(method: &Method, path: &'r str) -> Found<'r> {
    // A HEAD is answered as its GET, without the content.
    let wanted = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut allowed = Vec::new();
    for route in ROUTES {
        if let Some(segment) = segment_of(route.path, path) {
            if route.method == wanted {
                return Found::Route(route, segment);
            }
            allowed.push(route.method);
        }
    }
    if allowed.is_empty() {
        return Found::Nothing;
    }
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    Found::WrongMethod { allowed: allowed.join(", ") }
}

/// The segment that stands for `{receipt}`, empty if the pattern has none; nothing if the path is another.
fn segment_of<'r>(pattern: &str, path: &'r str) -> Option<&'r str> {
    match pattern.split_once('{') {
        Some((stem, _)) => {
            path.strip_prefix(stem).filter(|rest| !rest.is_empty() && !rest.contains('/'))
        }
        None => (pattern == path).then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads_to(method: &str, path: &str) -> String {
        match find(&method.parse().unwrap(), path) {
            Found::Route(route, segment) => format!("{:?} {segment}", route.action),
            Found::WrongMethod { allowed } => format!("only {allowed}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_lead_where_the_table_says() {
        for (method, path, expected) in [
            ("GET", "/v1/status", "Status "),
            ("HEAD", "/v1/status", "Status "),
            ("POST", "/v1/applications", "Submit "),
            ("GET", "/v1/applications/ISCRO-1", "ShowApplication ISCRO-1"),
            ("PATCH", "/v1/applications/ISCRO-1", "only GET, DELETE, HEAD"),
            ("GET", "/v1/applications", "only POST"),
            ("GET", "/v1/applications/", "nothing"),
            ("GET", "/v1/applications/a/b", "nothing"),
            ("GET", "/v1/status/", "nothing"),
            ("GET", "//v1/status", "nothing"),
        ] {
            assert_eq!(leads_to(method, path), expected, "{method} {path}");
        }
    }
}
