//! Signing in at an identity provider, as far as it needs none or one on loopback will do.

use http_body_util::Full;
use hyper::Request;
use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::{
    audit::audit,
    capacities::provider::{Provider, payload},
    harness::{Answer, Counter, EVENING},
};

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

/// A counter that trusts a provider, and the provider, whose keys are in `place`.
fn with_provider(place: &std::path::Path, settings: &[(&str, &str)]) -> (Counter, Provider) {
    let provider = Provider::start(place);
    let ca = place.join("provider.pem");
    let ca = ("SPORTELLO_IDENTITY_CA", ca.to_str().unwrap());
    let settings: Vec<_> = settings.iter().copied().chain([ca]).collect();
    (Counter::open_with_file(EVENING, &provider.settings(place), &settings), provider)
}

#[tokio::test]
async fn what_a_provider_said_is_kept_sealed_is_found_by_person_and_session_and_survives_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let (mut counter, provider) = with_provider(place.path(), &[]);
    let (one, other) = (FiscalCode::made_up(7), FiscalCode::made_up(8));
    let (session, token) = provider.sign_in(&counter, one).await;
    let _others = provider.sign_in(&counter, other).await;
    let of = |counter: &Counter, code: &FiscalCode| {
        audit(counter, &["--messages", "--fiscal-code", code.as_str()])
    };
    let kept = of(&counter, &one);
    assert_eq!((kept.len(), of(&counter, &other).len()), (1, 1));
    assert_eq!(of(&counter, &FiscalCode::made_up(9)).len(), 0);
    let messages = &kept[0]["messages"];
    let claims = |name: &str| payload(messages[name].as_str().unwrap());
    let request = claims("request");
    assert_eq!(request["state"], messages["answer"]["state"]);
    let id_token = payload(messages["tokens"]["id_token"].as_str().unwrap());
    assert_eq!(id_token["nonce"], request["nonce"]);
    let number = format!("TINIT-{}", one.as_str());
    assert_eq!(claims("userinfoSigned")["https://attributes.eid.gov.it/fiscal_number"], number);
    assert!(messages["tokens"]["access_token"].is_null() && messages["answer"]["code"].is_null());

    // By the handle that the person themselves is shown.
    let own = counter.ask("GET", &format!("{session}/sessions"), &token, "").await.json();
    let handle = own["sessions"][0]["handle"].as_str().unwrap().to_owned();
    assert_eq!(kept[0]["session"], handle);
    assert_eq!(audit(&counter, &["--session", &handle]), kept);
    let controls = audit(&counter, &["--controls"]);
    let is_of_messages =
        |line: &&Value| line["what"].to_string().contains(" audit of the messages of ");
    assert_eq!(controls.iter().filter(is_of_messages).count(), 4, "who looked is recorded");

    counter.kill();
    let mut counter = counter.reopen(EVENING);
    assert_eq!(audit(&counter, &["--session", &handle]), kept);
    let ledger = counter.data().join("ledger");
    let files = std::fs::read_dir(&ledger).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.is_file()).collect();
    assert!(files.iter().any(|file| file.ends_with("messages-2024-09.sqlite")), "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [one.as_str(), "TINIT", "eyJ"] {
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{secret} is in plain text in {file:?}");
        }
    }
    assert_eq!(counter.stop().code(), Some(0));
    let (code, _, complaint) = crate::harness::finished(
        crate::harness::program().arg("verify").arg("--data").arg(counter.data()),
    );
    assert_eq!(code, Some(0), "{complaint}");
}

#[tokio::test]
async fn nobody_is_signed_in_by_what_cannot_be_recorded() {
    let place = tempfile::tempdir().unwrap();
    let (counter, provider) = with_provider(place.path(), &[]);
    provider.sign_in(&counter, FiscalCode::made_up(7)).await;
    let file = counter.data().join("ledger/messages-2024-09.sqlite");
    rusqlite::Connection::open(file).unwrap().execute("DROP TABLE message", []).unwrap();
    for n in [8, 9] {
        let refused = provider.try_to_sign_in(&counter, FiscalCode::made_up(n)).await;
        assert_eq!((refused.status.as_u16(), &*refused.header("set-cookie")), (503, ""), "{n}");
    }
    assert_eq!(counter.operator_page("/readyz").await.0, 503);
    // Another proof needs no message of a provider.
    counter.citizen(9).await;
}
