//! Pages: the home page, problems as pages, and the credential of each face.

use http_body_util::Full;
use hyper::{Request, StatusCode};

use crate::harness::{Answer, Counter, MORNING};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

async fn ask(counter: &Counter, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let uri = format!("{}{path}", counter.public);
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    counter.send(request.body(Full::default()).unwrap()).await.unwrap()
}

impl Answer {
    fn html(&self) -> &str {
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(self.header("content-security-policy"), POLICY);
        assert_eq!(self.header("strict-transport-security"), "max-age=31536000");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.header("referrer-policy"), "same-origin");
        let html = std::str::from_utf8(&self.body).unwrap();
        for forbidden in
            ["<script", "<style", "style=", "onclick", "http://", "https://", "{{", "{%"]
        {
            assert!(!html.contains(forbidden), "{forbidden} in {html}");
        }
        for once in ["<h1>", "<main", "<title>", "class=\"skip\"", "<header>"] {
            assert_eq!(html.matches(once).count(), 1, "{once} in {html}");
        }
        html
    }

    #[track_caller]
    fn assert_page(&self, status: u16, title: &str) {
        let heading = format!("<h1>{title}</h1>");
        assert_eq!(self.status.as_u16(), status);
        assert!(self.html().contains(&heading), "{self:?}");
    }
}

#[tokio::test]
async fn the_home_page_says_who_may_enter_and_for_how_long_in_both_languages() {
    let counter = Counter::open();
    let italian = ask(&counter, "GET", "/", &[]).await;
    italian.assert_page(200, "Lo sportello adesso");
    for text in [
        "<html lang=\"it\">",
        "fino a <time datetime=\"2024-09-17T08:00:00+02:00\">martedì 17 settembre 2024 alle 08:00</time>, \
         ancora 14 ore e 2",
        "Apre <time datetime=\"2024-09-17T08:00:00+02:00\">martedì 17 settembre 2024 alle 08:00</time>, \
         tra 14 ore e 2",
        "<strong>ISCRO 2024</strong>, ultimo giorno: 31 ottobre 2024",
        "href=\"/openapi.json\"",
        "href=\"/en\" lang=\"en\" hreflang=\"en\"",
    ] {
        assert!(italian.html().contains(text), "{text} is not in {}", italian.html());
    }
    let status = counter.ask("GET", "/v1/status", "", "").await.json();
    let commitment = status["draw"]["commitment"].as_str().unwrap().to_owned();
    assert!(italian.html().contains(&commitment));
    assert_eq!(italian.header("cache-control"), "public, max-age=1");
    assert_eq!(italian.header("content-language"), "it");
    assert_eq!(italian.header("vary"), "accept-language");

    let preferred = ask(&counter, "GET", "/", &[("accept-language", "en-GB, it;q=0.5")]).await;
    assert_eq!(preferred.header("content-language"), "en");
    let english = ask(&counter, "GET", "/en?lang=it", &[("accept-language", "it")]).await;
    english.assert_page(200, "The counter now");
    assert!(english.html().contains("<html lang=\"en\">"));
    assert!(english.html().contains("until <time datetime=\"2024-09-17T08:00:00+02:00\">"));
    assert_eq!((&*english.header("content-language"), &*english.header("vary")), ("en", ""));
    let italian = ask(&counter, "GET", "/it", &[("accept-language", "en")]).await;
    assert!(italian.html().contains("<html lang=\"it\">"));

    let head = ask(&counter, "HEAD", "/it", &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let length: usize = head.header("content-length").parse().unwrap();
    assert!(length.abs_diff(italian.body.len()) < 20, "{length}");
    assert_eq!(head.header("content-security-policy"), POLICY);
}

#[tokio::test]
async fn a_page_is_rendered_again_when_the_counter_changes() {
    let counter = Counter::open_at("2024-09-16T15:59:58[Europe/Rome]");
    let closed = ask(&counter, "GET", "/en", &[]).await;
    assert!(closed.html().contains("<strong>Closed.</strong>"), "{}", closed.html());
    crate::harness::until("the citizens' slice is open", async || {
        let open = ask(&counter, "GET", "/en", &[]).await;
        open.html().contains("until <time datetime=\"2024-09-17T08:00:00+02:00\">").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_ever_under_the_name_of_its_content() {
    let counter = Counter::open();
    let home = ask(&counter, "GET", "/", &[]).await;
    let (_, link) = home.html().split_once("<link rel=\"stylesheet\" href=\"").unwrap();
    let path = link.split('"').next().unwrap();
    let plain = ask(&counter, "GET", path, &[]).await;
    assert_eq!(plain.status, StatusCode::OK);
    assert_eq!(plain.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(plain.header("x-content-type-options"), "nosniff");
    let packed = ask(&counter, "GET", path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() * 2 < plain.body.len(), "{}", packed.body.len());
    for gone in ["/assets/style-0123456789abcdef.css", "/assets/style.css"] {
        ask(&counter, "GET", gone, &[]).await.assert_page(404, "Non trovato");
    }
}

#[tokio::test]
async fn problems_have_the_face_of_their_route() {
    let counter = Counter::open();
    let browser = [("accept", BROWSER), ("accept-language", "en")];
    let refused = ask(&counter, "POST", "/", &browser).await;
    refused.assert_page(405, "Method not allowed");
    assert_eq!(refused.header("allow"), "GET, HEAD");
    assert_eq!(refused.header("cache-control"), "no-store");
    ask(&counter, "GET", "/nowhere", &browser).await.assert_page(404, "Not found");

    // A program at an unknown path, and a browser at the API.
    ask(&counter, "GET", "/nowhere", &[]).await.assert_problem(404, "not-found");
    ask(&counter, "GET", "/nowhere", &[("accept", "*/*")]).await.assert_problem(404, "not-found");
    ask(&counter, "GET", "/v1/nowhere", &browser).await.assert_problem(404, "not-found");
    ask(&counter, "POST", "/v1/status", &browser).await.assert_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_page_that_is_asked_for_too_often_says_when_to_come_back() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_HTTP_PROXIES", "127.0.0.1"),
        ("SPORTELLO_LIMITS_READ_BY_ADDRESS_PER_SECOND", "1"),
        ("SPORTELLO_LIMITS_READ_BY_ADDRESS_BURST", "1"),
    ]);
    let mut stream = counter.tcp_from("127.0.0.1").await;
    let header = "PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, header.as_bytes()).await.unwrap();
    let mut stream = counter.tls_over(stream).await.unwrap();
    let request = "GET /en HTTP/1.1\r\nhost: l\r\naccept-language: en\r\n\r\n";
    let last = "GET /en HTTP/1.1\r\nhost: l\r\naccept-language: en\r\nconnection: close\r\n\r\n";
    let requests = format!("{request}{last}");
    tokio::io::AsyncWriteExt::write_all(&mut stream, requests.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    let _closed = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answers).await;
    let answers = String::from_utf8(answers).unwrap();
    let (first, refused) = answers.split_once("</html>").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    let (_, refused) = refused.split_once("HTTP/1.1 429 ").unwrap();
    let field = refused.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    let words = if field == "1" { "1 second".to_owned() } else { format!("{field} seconds") };
    assert!(refused.contains(&format!("Try again in {words}.")), "{refused}");
}

#[tokio::test]
async fn a_cookie_opens_pages_only_and_a_bearer_token_the_api_only() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let visit = citizen.session.strip_prefix("/v1/sessions/").unwrap();
    let page = format!("/visit/{visit}/");
    let (cookie, bearer) =
        (format!("__Host-session={}", citizen.token), format!("Bearer {}", citizen.token));

    let welcome = ask(&counter, "GET", &page, &[("cookie", &cookie)]).await;
    welcome.assert_page(200, "Hai effettuato l&#39;accesso");
    assert!(welcome.html().contains(citizen.code.masked().as_str()));
    assert!(!welcome.html().contains(citizen.code.as_str()));
    assert_eq!(welcome.header("cache-control"), "no-store");
    assert_eq!(welcome.header("subject-tag"), citizen.tag);

    ask(&counter, "GET", &page, &[("authorization", &bearer)])
        .await
        .assert_page(404, "Questa visita è terminata");
    let api = &citizen.session;
    for method in ["GET", "DELETE"] {
        let refused = ask(&counter, method, api, &[("cookie", &cookie)]).await;
        refused.assert_problem(401, "unauthenticated");
    }
    let application = format!("{api}/applications");
    let refused = ask(&counter, "POST", &application, &[("cookie", &cookie)]).await;
    refused.assert_problem(401, "unauthenticated");
    assert_eq!(citizen.get("").await.status, StatusCode::OK, "it has not ended");
}

#[tokio::test]
async fn a_page_of_a_visit_without_its_cookie_is_the_same_for_everybody() {
    let counter = Counter::open();
    let (one, two) = (counter.citizen(1).await, counter.citizen(2).await);
    let visit_of = |session: &str| session.replace("/v1/sessions/", "/visit/") + "/";
    let (mine, other) = (visit_of(&one.session), format!("__Host-session={}", two.token));
    let twice = format!("__Host-session={0}; __Host-session={0}", one.token);
    let nobodys = visit_of(&crate::harness::new_session());
    let below = format!("{mine}applications");
    let mut answers = Vec::new();
    for (path, cookie) in [
        (&mine, ""),
        (&mine, &*other),
        (&mine, &twice),
        (&mine, "__Host-session=nonsense"),
        (&nobodys, ""),
        (&nobodys, &other),
        (&below, ""),
    ] {
        let answer = ask(&counter, "GET", path, &[("cookie", cookie)]).await;
        answer.assert_page(404, "Questa visita è terminata");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("subject-tag"), "");
        answers.push((answer.body, answer.headers.len()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(counter.metric("sportello_visit_mismatch_total", &[]).await, 2);

    let own = format!("__Host-session={}", one.token);
    assert_eq!(ask(&counter, "GET", &mine, &[("cookie", &own)]).await.status, StatusCode::OK);
    one.delete("").await;
    let ended = ask(&counter, "GET", &mine, &[("cookie", &own)]).await;
    assert_eq!(ended.body, answers[0].0);
}

#[tokio::test]
async fn an_intermediary_reads_in_which_capacity_they_are_signed_in() {
    let counter = Counter::open_at(MORNING);
    let clerk = counter.intermediary(1).await;
    let page = clerk.session.replace("/v1/sessions/", "/visit/") + "/";
    let cookie = format!("__Host-session={}", clerk.token);
    let headers = [("cookie", &*cookie), ("accept-language", "en")];
    let welcome = ask(&counter, "GET", &page, &headers).await;
    welcome.assert_page(200, "You are signed in");
    assert!(welcome.html().contains("<dd>as an intermediary</dd>"), "{}", welcome.html());
}
