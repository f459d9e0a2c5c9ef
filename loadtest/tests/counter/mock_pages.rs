//! The pages of the mock server: one way from the home page to the receipt, in the words of nobody.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    header::{HeaderValue, LOCATION, SET_COOKIE},
};

use super::{Asked, Books, Fault, tag};

/// One request in so many is mixed up; no session has a multiple of so many, or the same ones would be in each.
const ONE_IN: u64 = 5;

/// Answers a request for a page.
pub(super) fn reply(asked: &Asked, fault: Fault, books: &mut Books) -> Response<Full<Bytes>> {
    let own = asked.own.clone();
    let now_and_then = books.requests.is_multiple_of(ONE_IN) && !books.code_before.is_empty();
    let code_before = books.code_before.clone();
    let owner_if = |wrong| if fault == wrong && now_and_then { &code_before } else { &own };
    let Some(rest) = asked.path.strip_prefix("/visit/") else { return outside(asked, books) };
    let (visit, rest) = rest.split_once("/en").expect("surge asks for English pages");
    let mut response = if books.visits.get(visit) == Some(&own) {
        inside(asked, (visit, rest), fault, owner_if, now_and_then)
    } else {
        page(StatusCode::NOT_FOUND, String::new())
    };
    if response.status() == StatusCode::OK {
        let tag = HeaderValue::try_from(tag(owner_if(Fault::TagsMixedUp)));
        response.headers_mut().insert("subject-tag", tag.expect("a tag"));
    }
    response
}

fn outside(asked: &Asked, books: &mut Books) -> Response<Full<Bytes>> {
    match (&asked.method, &*asked.path) {
        (&Method::GET, "/en/signin") => page(
            StatusCode::OK,
            "<form method=post><input name=person value=x></form>\
             <form method=post><input name=token></form>"
                .to_owned(),
        ),
        (&Method::POST, "/en/signin") => {
            let visit = format!("visit-of-{}", asked.own);
            books.visits.insert(visit.clone(), asked.own.clone());
            let mut response = going(&format!("/visit/{visit}/en/welcome"));
            let cookie = format!("__Host-session=session-{}; Secure; HttpOnly", asked.own);
            let cookie = HeaderValue::try_from(cookie).expect("a cookie");
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        _ => page(StatusCode::OK, String::new()),
    }
}

fn inside<'c>(
    asked: &Asked,
    (visit, rest): (&str, &str),
    fault: Fault,
    owner_if: impl Fn(Fault) -> &'c String,
    now_and_then: bool,
) -> Response<Full<Bytes>> {
    let root = format!("/visit/{visit}/en");
    let mixes_up = |wrong| fault == wrong && now_and_then;
    let number = if fault == Fault::OneReceiptForAll { "SAME" } else { &asked.own };
    let answers = || {
        let email = surge::owner::email(owner_if(Fault::EmailsMixedUp));
        let named = if mixes_up(Fault::NobodyNamed) { "" } else { owner_if(Fault::ReadsMixedUp) };
        format!("<dd>{named}</dd><dd>{email}</dd>")
    };
    let form = |path: &str, fields: &str| {
        format!("<form method=post action='{root}{path}'>{fields}</form>")
    };
    let content = match (&asked.method, rest) {
        (&Method::GET, "/welcome") => {
            let mask = surge::owner::mask(owner_if(Fault::LoginsMixedUp));
            format!("<p>{mask}</p><a href='{root}/applications'>1</a>")
        }
        (&Method::GET, "/applications") => format!("<a href='{root}/apply/iscro'>1</a>"),
        (&Method::GET, "/apply/iscro") => format!("<a href='{root}/apply/iscro/contacts'>1</a>"),
        (&Method::GET, "/apply/iscro/contacts") => form(
            "/apply/iscro/contacts",
            "<input type=hidden name=form value=f><input name='applicant.email'>",
        ),
        (&Method::POST, "/apply/iscro/contacts") => {
            let sent = String::from_utf8_lossy(&asked.body);
            assert!(
                sent.starts_with("form=f&applicant.email=") && sent.contains("%40surge"),
                "{sent}"
            );
            return going(&format!("{root}/apply/iscro/check"));
        }
        (&Method::GET, "/apply/iscro/check") => {
            answers() + &form("/apply/iscro/check", "<input type=hidden name=key value=k>")
        }
        (&Method::POST, "/apply/iscro/check") => {
            let visit = if mixes_up(Fault::LocationsMixedUp) { "another-visit" } else { visit };
            return going(&format!("/visit/{visit}/en/applications/{number}"));
        }
        (&Method::POST, "/signout") => return going("/en"),
        (_, rest) if rest.ends_with("/proof") => {
            let number = if mixes_up(Fault::ProofsMixedUp) { "OTHER" } else { number };
            format!(r#"{{"receipt":"{number}","state":"received"}}"#)
        }
        _ => answers(),
    };
    let is_page = content.starts_with('<');
    let links = if mixes_up(Fault::LinksMixedUp) { "/visit/another-visit/en" } else { &root };
    let frame = format!("<form method=post action='{links}/signout'></form>");
    page(StatusCode::OK, if is_page { frame + &content } else { content })
}

fn page(status: StatusCode, html: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    response
}

fn going(path: &str) -> Response<Full<Bytes>> {
    let mut response = page(StatusCode::SEE_OTHER, String::new());
    let path = HeaderValue::try_from(path).expect("a path");
    response.headers_mut().insert(LOCATION, path);
    response
}
