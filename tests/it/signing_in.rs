//! Signing in at an identity provider, as far as it needs none.

use http_body_util::Full;
use hyper::Request;

use crate::harness::{Answer, Counter};

async fn ask(
    counter: &Counter,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", counter.public));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if method == "POST" {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    counter.send(request.body(Full::from(body.to_owned())).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_page_to_which_providers_lead_back_is_the_same_for_everybody() {
    let counter = Counter::open();
    let cookies = ("cookie", "__Host-login=abc; __Host-session=def");
    let mut answers = Vec::new();
    for (path, headers) in [
        ("/callback", vec![]),
        ("/callback?code=secret&state=mine", vec![cookies]),
        ("/callback?error=access_denied&state=other", vec![("accept-language", "en")]),
    ] {
        let answer = ask(&counter, "GET", path, &headers, "").await;
        assert_eq!((answer.status.as_u16(), &*answer.header("set-cookie")), (200, ""));
        let html = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(html.contains("<form method=\"post\">") && !html.contains("secret"), "{html}");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[tokio::test]
async fn what_comes_back_without_the_browser_that_began_or_from_another_site_enters_nowhere() {
    let counter = Counter::open();
    let path = "/callback?code=a&state=b";
    let own = ("origin", &*counter.public);
    for (headers, status) in [
        (vec![own], 400),
        (vec![own, ("cookie", "__Host-login=AAAA")], 400),
        (vec![own, ("cookie", "__Host-login=AAAA; __Host-login=AAAA")], 400),
        (vec![("origin", "https://other.example"), ("cookie", "__Host-login=AAAA")], 403),
        (vec![("cookie", "__Host-login=AAAA")], 403),
    ] {
        let answer = ask(&counter, "POST", path, &headers, "").await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        assert_eq!((answer.header("set-cookie"), answer.header("location")), Default::default());
    }
    let unknown = ask(&counter, "POST", "/it/signin", &[own], "provider=Nobody").await;
    assert_eq!(unknown.status, 404);
    let outside = ask(&counter, "GET", "/.well-known/openid-federation", &[], "").await;
    assert_eq!(outside.status, 404, "it is part of no federation");
}
