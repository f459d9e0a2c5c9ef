//! Who may use control, and what it refuses before it reads a request.

use std::net::TcpListener;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{call, call_with, controls, raw, state, token};
use crate::harness::{Counter, PATIENCE, finished, serve_on, tcp_between, until};

const CALLS: [(&str, &str); 12] = [
    ("GET", "/control"),
    ("POST", "/control/pause"),
    ("POST", "/control/resume"),
    ("POST", "/control/drain"),
    ("POST", "/control/reload"),
    ("PUT", "/control/schedule"),
    ("DELETE", "/control/schedule"),
    ("PUT", "/control/limits"),
    ("PUT", "/control/notice"),
    ("DELETE", "/control/notice"),
    ("DELETE", "/control/sessions/5Tg0vW1xqQ2c3dEf"),
    ("GET", "/control/nothing"),
];

#[tokio::test]
async fn without_the_token_control_does_nothing_and_says_nothing() {
    let counter = Counter::open();
    let token = token(&counter);
    assert_eq!(token.len(), 43, "256 bits");
    let mut wrong = token.clone().into_bytes();
    wrong[0] = if wrong[0] == b'A' { b'B' } else { b'A' };
    let wrong = format!("Bearer {}", String::from_utf8(wrong).unwrap());
    let cookie = format!("token={token}");
    for (method, path) in CALLS {
        for field in [
            ("x", "y"),
            ("authorization", &*wrong),
            ("authorization", &*token),
            ("cookie", &*cookie),
        ] {
            let fields = [field, ("sportello-operator", "m.rossi"), ("if-match", "*")];
            let answer = raw(&counter, (method, path), &fields, "{}").await;
            answer.assert_problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"control\"");
        }
    }
    assert_eq!(state(&counter).await["intake"]["state"], "taking");
    let refused = ["action=\"none\"", "outcome=\"unauthenticated\""];
    let refusals = counter.metric("sportello_control_actions_total", &refused).await;
    assert_eq!(refusals, 4 * u64::try_from(CALLS.len()).unwrap());
    let lines = until("refusals are in the trail", async || {
        Some(controls(&counter).matches("a request was refused: unauthenticated").count())
            .filter(|lines| *lines > 0)
    })
    .await;
    assert!((1..=8).contains(&lines), "a flood of refusals does not fill the trail: {lines}");
    assert!(!counter.log().contains(&token), "the token is in no log");
}

#[tokio::test]
async fn neither_a_page_of_another_site_nor_a_rebound_name_reaches_control_with_the_token() {
    let counter = Counter::open();
    let listener = counter.operator.strip_prefix("http://").unwrap().to_owned();
    let port = listener.rsplit(':').next().unwrap();
    for (name, value, slug) in [
        ("sec-fetch-site", "cross-site", "cross-site"),
        ("sec-fetch-site", "same-site", "cross-site"),
        ("origin", "https://evil.example", "cross-site"),
        ("origin", "http://127.0.0.1:1", "cross-site"),
        ("origin", "null", "cross-site"),
        ("host", "evil.example", "host-refused"),
        ("host", &*format!("evil.example:{port}"), "host-refused"),
        ("host", &*format!("127.0.0.1.evil.example:{port}"), "host-refused"),
    ] {
        for (method, path) in CALLS {
            let answer = call_with(&counter, (method, path), &[(name, value)], "{}").await;
            answer.assert_problem(403, slug);
        }
        assert_eq!(state(&counter).await["intake"]["state"], "taking", "{name}: {value}");
    }
    // A page asks before it sends a token across sites, and is not allowed to.
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    let answer = raw(&counter, ("OPTIONS", "/control/pause"), &preflight, "").await;
    answer.assert_problem(403, "cross-site");
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
    // The console of the same origin, and a tunnel that ends here with another port.
    let own = format!("http://{listener}");
    for fields in [
        [("origin", &*own), ("sec-fetch-site", "same-origin")],
        [("host", "localhost:1234"), ("sec-fetch-site", "none")],
        [("host", "[::1]:9464"), ("sec-fetch-site", "none")],
    ] {
        let answer = call_with(&counter, ("GET", "/control"), &fields, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{fields:?}");
    }
    // The pages of the listener need no token, and none of them changes anything.
    assert_eq!(counter.operator_page("/healthz").await.0, StatusCode::OK);
}

#[test]
fn an_operator_socket_that_other_machines_reach_is_not_served() {
    let (socket, data) = (TcpListener::bind("0.0.0.0:0").unwrap(), tempfile::tempdir().unwrap());
    let (code, out, complaint) =
        finished(&mut serve_on(&socket, "operator", &data.path().join("data")));
    assert_eq!((code, &*out), (Some(2), ""), "{complaint}");
    let expected =
        format!("operators on {}, which other machines reach", socket.local_addr().unwrap());
    assert!(complaint.contains(&expected), "{complaint}");
}

#[tokio::test]
async fn a_call_that_is_not_whole_is_refused_and_changes_nothing() {
    let counter = Counter::open();
    let bearer = format!("Bearer {}", token(&counter));
    for name in ["", " ", "a b", "è", "a:b", &"a".repeat(65)] {
        let fields = [("authorization", &*bearer), ("sportello-operator", name)];
        let answer = raw(&counter, ("POST", "/control/pause"), &fields, "").await;
        answer.assert_problem(400, "operator-missing");
    }
    raw(&counter, ("POST", "/control/pause"), &[("authorization", &bearer)], "")
        .await
        .assert_problem(400, "operator-missing");
    for query in ["?dryrun=true", "?dryRun=yes", "?x"] {
        let answer = call(&counter, "POST", &format!("/control/pause{query}")).await;
        answer.assert_problem(400, "query-unknown");
    }
    for (method, path, allowed) in [
        ("GET", "/control/pause", "POST"),
        ("POST", "/control", "GET"),
        ("POST", "/control/schedule", "PUT, DELETE"),
        ("POST", "/control/sessions/abc", "DELETE"),
    ] {
        let answer = call(&counter, method, path).await;
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
    for path in ["/control/", "/control/nothing", "/control/sessions/", "/control/sessions/a%2fb"] {
        assert_eq!(call(&counter, "POST", path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(call(&counter, "GET", "/controlled").await.status, StatusCode::NOT_FOUND);
    // A body that does not come.
    let listener = counter.operator.strip_prefix("http://").unwrap();
    let mut slow = tcp_between("127.0.0.1", listener).await;
    let head = format!(
        "PUT /control/schedule HTTP/1.1\r\nhost: localhost\r\nauthorization: {bearer}\r\n\
         sportello-operator: m.rossi\r\nif-match: *\r\ncontent-length: 9\r\n\r\n{{"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let answered = tokio::time::timeout(PATIENCE, slow.read_exact(&mut answer)).await;
    answered.unwrap().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    let any = [("if-match", "*")];
    let large = format!("{{\"citizens\": \"{}\"}}", "1".repeat(20_000));
    call_with(&counter, ("PUT", "/control/schedule"), &any, &large)
        .await
        .assert_problem(413, "body-too-large");
    for body in ["", "{", "[]", "null", "\"citizens\""] {
        let answer = call_with(&counter, ("PUT", "/control/schedule"), &any, body).await;
        answer.assert_problem(400, "malformed");
    }
    let now = state(&counter).await;
    assert_eq!(
        (&now["intake"]["state"], &now["schedule"]["source"]),
        (&"taking".into(), &"configuration".into())
    );
    assert_eq!(now["actions"].as_array().unwrap().len(), 0, "{now}");
}
