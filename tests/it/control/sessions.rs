//! Ending the sessions of a person.

use hyper::StatusCode;

use super::client::{call, controls, done};
use crate::harness::{Counter, EVENING, new_session, until};

#[tokio::test]
async fn all_sessions_of_one_person_end_for_good_by_the_tag_of_one() {
    let counter = Counter::open();
    let (one, two, other) =
        (counter.citizen(1).await, counter.citizen(1).await, counter.citizen(2).await);
    let ending = format!("/control/sessions/{}", one.tag);
    let looked = done(&call(&counter, "DELETE", &format!("{ending}?dryRun=true")).await);
    assert_eq!(looked["changes"][0]["before"], "2 open");
    assert!(looked["undo"].is_null());
    assert_eq!(one.get("").await.status, StatusCode::OK, "a dry run ends nothing");
    done(&call(&counter, "DELETE", &ending).await);
    for ended in [&one, &two] {
        assert_eq!(ended.get("").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(other.get("").await.status, StatusCode::OK);
    call(&counter, "DELETE", &ending).await.assert_problem(404, "not-found");
    assert_eq!(counter.metric("sportello_sessions", &[]).await, 1);
    until("it is in the trail, without a name", async || {
        let controls = controls(&counter);
        let found = controls.contains("control: m.rossi: end-session: sessions of Subject(")
            && controls.contains("was 2 open and is ended");
        assert!(!controls.contains(one.code.as_str()) && !controls.contains(&one.tag));
        found.then_some(())
    })
    .await;
    // They may enter again, in another visit.
    let (code, token, session) = (one.code, one.token.clone(), one.session.clone());
    let identity = counter.mint(&code, &[]);
    counter.ask("PUT", &session, &identity, "").await.assert_problem(409, "visit-taken");
    assert_eq!(counter.ask("PUT", &new_session(), &identity, "").await.status, StatusCode::CREATED);

    let (others_tag, others_token, others_session) =
        (other.tag.clone(), other.token.clone(), other.session.clone());
    let counter = counter.reopen(EVENING);
    assert_eq!(counter.ask("GET", &session, &token, "").await.status, StatusCode::UNAUTHORIZED);
    // One that was not seen since a restart ends as well.
    done(&call(&counter, "DELETE", &format!("/control/sessions/{others_tag}")).await);
    let refused = counter.ask("GET", &others_session, &others_token, "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_handle_that_a_person_reads_out_names_their_sessions_and_nothing_else_does() {
    let counter = Counter::open();
    let one = counter.citizen(1).await;
    let listed = one.get("/sessions").await.json();
    let handle = listed["sessions"][0]["handle"].as_str().unwrap();
    let visit = one.session.rsplit('/').next().unwrap();
    for unknown in [visit, "AAAAAAAAAAAAAAAA", &one.tag[..21], &handle[..15], "x"] {
        let answer = call(&counter, "DELETE", &format!("/control/sessions/{unknown}")).await;
        answer.assert_problem(404, "not-found");
    }
    assert_eq!(one.get("").await.status, StatusCode::OK);
    done(&call(&counter, "DELETE", &format!("/control/sessions/{handle}")).await);
    assert_eq!(one.get("").await.status, StatusCode::UNAUTHORIZED);
}
