use std::sync::Arc;

use http_body_util::BodyExt as _;
use jiff::Timestamp;

use super::*;
use crate::{
    civic::FiscalCode,
    gate::leases::Leases,
    identity::{Identity, ProvedBy},
    ledger::journal::Forgetful,
    session::{
        asleep::Remembered,
        scope::within,
        sessions::{Config, Opening, Sessions},
        visit::Visit,
    },
    vault::HouseKeys,
};

fn session(n: u64) -> Arc<Session> {
    let (fiscal_code, valid_until) = (FiscalCode::made_up(n), Timestamp::MAX);
    let identity = Identity { fiscal_code, office: None, proved_by: ProvedBy::Token, valid_until };
    let config = Config { sessions_max: 1, person_sessions_max: 1, session_seconds: 60 };
    let (keys, leases) = (Arc::new(HouseKeys::from_master(&[7; 32])), Leases::new(1));
    let (journal, nothing) = (Forgetful::shared(), Remembered::nothing());
    let real_now = Timestamp::UNIX_EPOCH;
    let sessions = Sessions::new(config, keys, journal, nothing, &leases, real_now);
    let visit = Visit::parse(&"v".repeat(22)).unwrap();
    let (identity, visit) = (&identity, &visit);
    let (began_at, expires_at) = (real_now, Timestamp::MAX);
    let opening = Opening { identity, visit, began_at, expires_at, real_now };
    let opened = sessions.open(opening, leases.take().unwrap());
    opened.ok().unwrap().1
}

async fn rendered_for(session: &Session) -> Reply {
    within(session, async |scope| {
        let secret = scope.personal(scope.subject(), b"5000.00".to_vec());
        Reply::personal(StatusCode::OK, scope.show(secret))
    })
    .await
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn an_answer_leaves_for_the_person_it_was_rendered_for() {
    let mine = session(1);
    let response = release(rendered_for(&mine).await, Some(&mine));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[REFERRER_POLICY], "same-origin");
    assert_eq!(response.headers()[SUBJECT_TAG], mine.tag.as_str());
    assert_eq!(text(response).await, "5000.00");
}

#[tokio::test]
async fn an_answer_for_somebody_else_is_blocked_and_its_content_dropped() {
    let (mine, yours) = (session(1), session(2));
    for asker in [Some(&*yours), None] {
        let response = release(rendered_for(&mine).await, asker);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_ne!(response.headers().get(SUBJECT_TAG), Some(&mine.tag.parse().unwrap()));
        assert!(!text(response).await.contains("5000.00"));
    }
}

#[tokio::test]
async fn a_line_for_somebody_else_is_blocked_like_an_answer() {
    let (mine, yours) = (session(1), session(2));
    assert_eq!(release_line(rendered_for(&mine).await, &mine), "5000.00\n");
    let blocked = release_line(rendered_for(&mine).await, &yours);
    assert!(!blocked.starts_with(b"5000.00") && blocked.starts_with(b"{"));
}

#[tokio::test]
async fn a_piece_of_a_page_for_somebody_else_is_blocked_like_an_answer() {
    let (mine, yours) = (session(1), session(2));
    let piece = within(&mine, async |scope| {
        let shown = || scope.show(scope.personal(scope.subject(), b"<td>".to_vec()));
        (release_piece(shown(), &mine), release_piece(shown(), &yours))
    });
    assert_eq!(piece.await, (Bytes::from_static(b"<td>"), Bytes::new()));
}

#[tokio::test]
async fn every_page_forbids_scripts_and_frames_and_nothing_else_is_a_page() {
    let mine = session(1);
    let personal = within(&mine, async |scope| {
        let html = scope.personal(scope.subject(), b"x".to_vec());
        Reply::personal_page(StatusCode::OK, scope.show(html), Language::Italian)
    });
    let pages = [
        Reply::page("x", Language::Italian, 1),
        Reply::problem_page(&Problem::internal(), Language::Italian),
        Reply::page_in_pieces(1, Language::Italian).1,
        personal.await,
    ];
    for page in pages {
        let headers = release(page, Some(&mine)).headers().clone();
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], PAGE_POLICY);
        assert_eq!(headers[STRICT_TRANSPORT_SECURITY], HTTPS_ONLY);
        assert_eq!(headers[REFERRER_POLICY], "same-origin");
    }
    let problem = release(Reply::problem(&Problem::internal(), Language::Italian), None);
    assert!(!problem.headers().contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn only_what_is_the_same_for_all_may_be_kept() {
    let cache = |reply| release(reply, None).headers()[CACHE_CONTROL].clone();
    assert_eq!(cache(Reply::public("text/plain", "x", 7)), "public, max-age=7");
    assert_eq!(cache(Reply::page("x", Language::Italian, 7)), "public, max-age=7");
    let kept = cache(Reply::unchanging("text/css", "x"));
    assert_eq!(kept, "public, max-age=31536000, immutable");
    assert_eq!(cache(Reply::empty()), "no-store");
    assert_eq!(cache(Reply::page_in_pieces(1, Language::Italian).1), "no-store");
    assert_eq!(cache(Reply::file_of_requester("text/csv", String::new(), "x")), "no-store");
    assert_eq!(cache(Reply::problem_page(&Problem::internal(), Language::Italian)), "no-store");
    assert_eq!(cache(Reply::problem(&Problem::internal(), Language::Italian)), "no-store");
}

#[test]
fn the_answer_to_a_get_hands_out_no_cookie() {
    let reply = Reply::see_other("/visit").with_login_cookie("x", 60).with_session_cookie("x");
    let to_a_post = release(reply, None);
    assert_eq!(to_a_post.headers().get_all(SET_COOKIE).iter().count(), 2);
    assert!(!without_cookies(to_a_post).headers().contains_key(SET_COOKIE));
}
