//! What operators measure the two objectives by: every submission of people inside counts once, by its result.

use http_body_util::Full;

use crate::harness::{Counter, EVENING, MORNING, new_session};

/// Submissions that got a receipt, were refused and failed, and receipts whose time was taken.
async fn counted(counter: &Counter) -> [u64; 4] {
    let page = counter.metrics().await;
    let value = |series: &str| {
        let line = page.lines().find(|line| line.starts_with(series) && !line.starts_with('#'));
        line.unwrap_or_else(|| panic!("{series} is not in {page}"))[series.len()..].trim().parse()
    };
    [
        "sportello_submissions_total{result=\"receipt\"}",
        "sportello_submissions_total{result=\"refused\"}",
        "sportello_submissions_total{result=\"failed\"}",
        "sportello_receipt_duration_seconds_count",
    ]
    .map(|series| value(series).unwrap())
}

#[tokio::test]
async fn a_submission_counts_as_failed_only_if_the_server_is_at_fault() {
    let counter = Counter::open();
    assert_eq!(counted(&counter).await, [0, 0, 0, 0]);
    let citizen = counter.citizen(1).await;
    citizen.apply("k").await;
    assert_eq!(counted(&counter).await, [1, 0, 0, 1]);
    // The same again is answered with the same receipt; another one and a faulty one are the client's fault.
    let again = citizen.submit("k", &citizen.application()).await;
    assert_eq!(again.status.as_u16(), 201);
    citizen.submit("other", &citizen.application()).await.assert_problem(409, "already-applied");
    citizen.submit("third", "no JSON").await.assert_problem(400, "malformed");
    assert_eq!(counted(&counter).await, [2, 2, 0, 2]);
    // Who was not let in does not count.
    let nobody = format!("{}/applications", new_session());
    assert_eq!(counter.ask("POST", &nobody, "x", "{}").await.status.as_u16(), 401);
    assert_eq!(counted(&counter).await, [2, 2, 0, 2]);

    let reserve = ("SPORTELLO_LEDGER_DISK_RESERVE_BYTES", "1125899906842624");
    let counter = counter.reopen_with(EVENING, &[reserve]);
    let citizen = counter.citizen(2).await;
    citizen.submit("k", &citizen.application()).await.assert_storage_unavailable();
    assert_eq!(counted(&counter).await, [0, 0, 1, 0]);
}

#[tokio::test]
async fn each_line_of_a_batch_counts() {
    let counter = Counter::open_at(MORNING);
    let office = counter.intermediary(1).await;
    let request = office.batch("application/x-ndjson", Full::from("{}\n{}\n"));
    assert!(counter.send(request).await.unwrap().status.is_success());
    assert_eq!(counted(&counter).await, [0, 2, 0, 0]);
}

#[tokio::test]
async fn the_page_says_which_program_it_is_since_when_and_until_when_its_certificate_is_valid() {
    let counter = Counter::open();
    let page = counter.metrics().await;
    let build =
        format!("sportello_build_info{{version=\"{}\",commit=\"", env!("CARGO_PKG_VERSION"));
    assert!(page.lines().any(|line| line.starts_with(&build) && line.ends_with(" 1")), "{page}");
    let value = |series: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.unwrap_or_else(|| panic!("{series} is not in {page}")).trim().parse().unwrap()
    };
    // The real time, whatever the demo's clock says; its certificate ends in the year 4096.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    assert!((now - 600.0..=now).contains(&value("sportello_start_time_seconds ")), "{page}");
    let left = value("sportello_certificate_expiry_seconds{certificate=\"public\"} ");
    let end = 67_090_000_000.0..67_120_000_000.0;
    assert!(end.contains(&(now + left)), "{left}");
    assert!(!page.contains("certificate=\"cards\""), "{page}");
    let settings = [("SPORTELLO_SERVER_LISTEN_CERTIFICATES", "127.0.0.1:0")];
    let counter = counter.reopen_with(EVENING, &settings);
    let page = counter.metrics().await;
    let cards = "sportello_certificate_expiry_seconds{certificate=\"cards\"} ";
    assert!(page.contains(cards), "{page}");
    assert!(
        page.contains("certificates_refused_total{reason=\"revocation-unknown\"} 0\n"),
        "{page}"
    );
}
