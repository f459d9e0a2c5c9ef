//! The canary in a running server: it sees its own data alone, is in no count of people, and notices a mix-up.

mod proxy;

use std::time::Duration;

use serde_json::Value;
use sportello::{
    application,
    civic::{CANARIES, FiscalCode},
};

use self::proxy::{Mode, Proxy};
use crate::harness::{
    Counter, EVENING, MORNING, OFFICE, finished, mandates_of, program, sum_in, until,
};

const EVERY: (&str, &str) = ("SPORTELLO_CANARY_EVERY_SECONDS", "1");
const COMPLETED: &str = "sportello_canary_completed_timestamp_seconds";
const FAILURES: &str = "sportello_canary_failures_total";

/// When the canary last completed a round.
async fn completed(counter: &Counter) -> f64 {
    let page = counter.metrics().await;
    let line = page.lines().find_map(|line| line.strip_prefix(COMPLETED));
    line.unwrap().trim().parse().unwrap()
}

/// Waits until the canary has completed this many rounds more.
async fn rounds(counter: &Counter, count: usize) {
    for _ in 0..count {
        let before = completed(counter).await;
        until("the canary completes a round", async || {
            (completed(counter).await > before).then_some(())
        })
        .await;
    }
}

/// Counts that people alone may move.
const COUNTS_OF_PEOPLE: &[(&str, &[&str])] = &[
    ("sportello_applications_accepted_total", &[]),
    ("sportello_applications_decided_total", &[]),
    ("sportello_applications_undecided", &[]),
    ("sportello_applications_pending", &[]),
    ("sportello_applications_withdrawn_total", &[]),
    ("sportello_submissions_total", &[]),
    ("sportello_receipt_duration_seconds_count", &[]),
    ("sportello_sessions", &[]),
    ("sportello_sessions_opened_total", &[]),
    ("sportello_leases", &["held"]),
    ("sportello_waiting", &[]),
    ("sportello_shed_total", &[]),
];

/// What the canary has added to the counts of people.
async fn counted(counter: &Counter) -> Vec<String> {
    let page = counter.metrics().await;
    let counts = COUNTS_OF_PEOPLE.iter().map(|(name, labels)| (name, sum_in(&page, name, labels)));
    counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}")).collect()
}

/// What the canary has found wrong.
async fn failures(counter: &Counter) -> Vec<String> {
    let page = counter.metrics().await;
    let lines = page.lines().filter(|line| line.starts_with(FAILURES) && !line.ends_with(" 0"));
    lines.map(str::to_owned).collect()
}

fn verified(counter: &Counter) -> String {
    let (code, said, complaint) =
        finished(program().arg("verify").arg("--data").arg(counter.data()));
    assert_eq!(code, Some(0), "{complaint}");
    said
}

#[tokio::test]
async fn it_makes_its_rounds_and_is_in_no_count_and_no_export() {
    let mut counter = Counter::open_with(&[EVERY]);
    rounds(&counter, 2).await;
    assert_eq!(failures(&counter).await, [""; 0]);
    assert_eq!(counted(&counter).await, [""; 0]);

    let citizen = counter.citizen(1).await;
    let location = citizen.apply("key").await;
    citizen.decided(&location).await;
    assert_eq!(citizen.delete("").await.status, 204);
    rounds(&counter, 1).await;
    assert_eq!(counter.balance().await, (1, 1));
    let opened = counter.metric("sportello_sessions_opened_total", &[]).await;
    assert_eq!(opened, 1);
    assert_eq!(counter.metric("sportello_sessions", &[]).await, 0);

    // Another process finds the receipts again, and its applications are not counted either.
    let mut counter = {
        counter.stop();
        counter.reopen_with(EVENING, &[EVERY])
    };
    rounds(&counter, 2).await;
    assert_eq!(failures(&counter).await, [""; 0]);
    assert_eq!(counter.balance().await, (1, 1));

    assert!(counter.stop().success());
    let said = verified(&counter);
    let balance =
        "iscro-2024: accepted 1 = decided 1 + undecided 0 + withdrawn before a decision 0";
    assert!(said.contains(balance), "{said}");
    assert!(said.contains("iscro-2024: 2 of the canary besides"), "{said}");
    for format in ["ndjson", "csv"] {
        let mut export = program();
        export.args(["export", "--format", format, "--data"]).arg(counter.data());
        let (code, lines, complaint) = finished(&mut export);
        assert_eq!(code, Some(0), "{complaint}");
        assert_eq!(lines.lines().filter(|line| line.contains("ISCRO-2024-")).count(), 1, "{lines}");
        assert!(CANARIES.iter().all(|canary| !lines.contains(canary.as_str())), "{lines}");
    }
}

#[tokio::test]
async fn it_comes_at_any_hour_without_a_place_beyond_every_limit_and_also_while_entry_is_paused() {
    let tight = [
        EVERY,
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_GATE_REQUESTS_MAX", "1"),
        ("SPORTELLO_SESSIONS_SESSIONS_MAX", "1"),
        ("SPORTELLO_LIMITS_ENTER_BY_PERSON_BURST", "1"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_BURST", "1"),
        ("SPORTELLO_LIMITS_SESSION_BY_PERSON_PER_SECOND", "1"),
        ("SPORTELLO_LIMITS_DRAFT_BY_PERSON_BURST", "1"),
        ("SPORTELLO_LIMITS_DRAFT_BY_PERSON_PER_SECOND", "1"),
        // The listener expects a proxy's header from it.
        ("SPORTELLO_HTTP_PROXIES", "127.0.0.1"),
    ];
    // In the morning citizens may not enter.
    let counter = Counter::open_at_with(MORNING, &tight);
    rounds(&counter, 2).await;
    let mut pause = program();
    pause.args(["control", "pause", "--yes", "--data"]).arg(counter.data());
    pause.args(["--operator", &counter.operator]);
    let (code, _, complaint) = finished(&mut pause);
    assert_eq!(code, Some(0), "{complaint}");
    assert_eq!(counter.metric("sportello_intake_paused", &[]).await, 1);
    rounds(&counter, 2).await;
    assert_eq!(failures(&counter).await, [""; 0]);
    assert_eq!(counted(&counter).await, [""; 0]);
}

#[tokio::test]
async fn without_an_open_campaign_it_reads_and_drafts_and_applies_for_nothing() {
    let mut counter = Counter::open_at_with("2024-01-15T17:30[Europe/Rome]", &[EVERY]);
    rounds(&counter, 2).await;
    assert_eq!(failures(&counter).await, [""; 0]);
    assert!(counter.stop().success());
    assert!(!verified(&counter).contains("canary"));
}

#[tokio::test]
async fn it_comes_through_a_socket_of_the_service_manager_and_reconnects_under_a_new_certificate() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let counter = Counter::open_on(&socket, &[EVERY]);
    rounds(&counter, 2).await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(counter.data().join("demo-key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(counter.data().join("demo-cert.pem"), made.cert.pem()).unwrap();
    until("the new certificate is served", async || {
        counter.log().contains("certificate").then_some(())
    })
    .await;
    rounds(&counter, 3).await;
    assert_eq!(failures(&counter).await, [""; 0]);
}

#[tokio::test]
async fn it_notices_replies_that_are_mixed_up_and_silence() {
    let proxy = Proxy::open().await;
    let address = proxy.address.to_string();
    let counter = Counter::open_with(&[EVERY, ("SPORTELLO_CANARY_ADDRESS", &address)]);
    proxy.leads_to(&counter);
    rounds(&counter, 2).await;
    let of = async |reason: &str| counter.metric(FAILURES, &[reason]).await;
    assert_eq!(of("mixup").await + of("wrong-answer").await, 0);

    for mode in [Mode::SwapsWhole, Mode::SwapsContent] {
        let before = of("mixup").await;
        proxy.set(mode);
        until("a mix-up is counted", async || (of("mixup").await > before).then_some(())).await;
        proxy.set(Mode::Passes);
        rounds(&counter, 1).await;
    }
    let log = counter.log();
    assert!(log.contains("ERROR") && log.contains("data that are not its own"), "{log}");
    let is_personal = |canary: &FiscalCode| log.contains(canary.as_str());
    assert!(!CANARIES.iter().any(is_personal), "{log}");

    let before = of("no-answer").await;
    proxy.set(Mode::Hangs);
    until("silence is counted", async || (of("no-answer").await > before).then_some(())).await;
    let last = completed(&counter).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!((completed(&counter).await - last).abs() < 0.001, "no round was complete meanwhile");
    proxy.set(Mode::Passes);
    rounds(&counter, 1).await;
}

#[tokio::test]
async fn its_codes_are_refused_from_everybody_else() {
    let counter = Counter::open_at(MORNING);
    for canary in CANARIES {
        let code = canary.as_str();
        for arguments in
            [vec!["--fiscal-code", code], vec!["--office", "patronato-1", "--clerk", code]]
        {
            let mut mint = program();
            mint.arg("mint").args(arguments).arg("--data").arg(counter.data());
            let (exit, said, complaint) = finished(&mut mint);
            assert_eq!((exit, &*said), (Some(2), ""), "{complaint}");
            assert!(complaint.contains("reserved"), "{complaint}");
        }
        for command in ["audit", "mint"] {
            let mut asking = program();
            asking.args([command, "--fiscal-code", code, "--data"]).arg(counter.data());
            assert_eq!(finished(&mut asking).0, Some(2), "{command}");
        }
    }
    // An office applies for it, alone and in a batch.
    let clerk = counter.intermediary(7).await;
    let application = |code: &str| {
        let example = application::example(&FiscalCode::made_up(8), 2024);
        let mut body: Value = serde_json::from_str(&example).unwrap();
        body["applicant"]["fiscalCode"] = code.into();
        body["mandate"] = "M-1".into();
        body.to_string()
    };
    let body = application(CANARIES[0].as_str());
    clerk.submit("key", &body).await.assert_problem(403, "no-mandate");
    clerk.post("/estimates", &body).await.assert_problem(403, "no-mandate");
    let batch = clerk.batch("application/x-ndjson", http_body_util::Full::from(body + "\n"));
    let answer = counter.send(batch).await.unwrap();
    let line: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(line["status"], 403, "{line}");
    // Nor is a mandate of its people taken from the institute's registry.
    let forged =
        mandates_of(OFFICE, [8]).replace(FiscalCode::made_up(8).as_str(), CANARIES[0].as_str());
    std::fs::write(counter.data().join("mandates.ndjson"), forged).unwrap();
    counter.signal("HUP");
    until("the mandates are refused", async || counter.log().contains("reserved").then_some(()))
        .await;
}
