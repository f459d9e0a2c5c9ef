//! Surge against a mock server: it must detect replies to the wrong person, and say when the generator lags.

mod mock_server;

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use clap::Parser;
use mock_server::{Fault, MockServer};
use surge::{
    args::Args,
    clock,
    interrupt::Watch,
    machine::Machine,
    orders::{Orders, Part},
    profile::{Offer, Profile},
    report::{html, text::Text},
    run::{Outcome, run},
    summary::{About, Summary},
    verdict::Verdict,
};

const SESSIONS: usize = 60;

/// Sixty sessions, evenly over half a second, from entering to reading the decision.
const HALF_A_SECOND: &str = r#"
about = "a test"
loop = "open"
spacing = "even"
seed = 3
drain_s_max = 20
[[phase]]
label = "all"
duration_s = 0.5
sessions = 60
[citizen]
connection = "shared"
polls_max = 3
poll_wait_ms = 10
leave = false
retries_max = 2
retry_wait_s_max = 5
reply_wait_s_max = 0.5
[thresholds]
failures_max = 0
goodput_min = 0.9
timely_ms = 5000
"#;

fn visited(fault: Fault, profile: &str, more: &[&str]) -> (Outcome, Summary) {
    visited_by(fault, profile, more, |_| {})
}

fn visited_by(
    fault: Fault,
    profile: &str,
    more: &[&str],
    change: impl FnOnce(&mut Orders),
) -> (Outcome, Summary) {
    let server = MockServer::start(fault);
    let target = format!("https://{}", server.addr);
    let (ca, tokens) = (server.certificate(), server.tokens(SESSIONS));
    let profile_path = ca.with_file_name("profile.toml");
    std::fs::write(&profile_path, profile).expect("it can be written");
    let line = ["surge", "--target", &target].map(std::ffi::OsString::from);
    let files = [
        ("--ca", ca.as_os_str()),
        ("--tokens", tokens.as_os_str()),
        ("--profile", profile_path.as_os_str()),
    ];
    let files = files.into_iter().flat_map(|(flag, path)| [flag.into(), path.to_owned()]);
    let more = more.iter().map(std::ffi::OsString::from);
    let args =
        Args::try_parse_from(line.into_iter().chain(files).chain(more)).expect("right usage");
    let mut orders = args.orders().expect("right usage");
    change(&mut orders);
    let outcome = run(&orders, &Watch::default()).expect("the server runs");
    let summary = Summary::of(&outcome, &orders.profile, about(&orders.profile));
    (outcome, summary)
}

/// Whether it passed, or would have if this machine had not been too busy for the generator to keep its pace.
fn passed(summary: &Summary) -> bool {
    let Verdict { held, invalid, .. } = &summary.verdict;
    *held && invalid.iter().all(|why| why.starts_with("the generator itself lagged"))
}

fn about(profile: &Profile) -> About {
    About {
        started_at: "2024-09-16T15:30:00Z".to_owned(),
        command: "surge".to_owned(),
        build: "test".to_owned(),
        machine: Machine::read(),
        profile: profile.name.clone(),
        profile_about: profile.about.clone(),
        r#loop: if matches!(profile.offer, Offer::Open { .. }) { "open" } else { "closed" },
        protocol: "HTTP/1.1".to_owned(),
        connections: 8,
        campaign: "iscro 2024".into(),
        elapsed_s: 1.0,
        partial: false,
    }
}

#[test]
fn an_honest_server_passes_and_every_session_is_accounted_for() {
    let (outcome, summary) = visited(Fault::None, HALF_A_SECOND, &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    let tally = &outcome.tally;
    assert_eq!((tally.offered, tally.served, tally.receipts, tally.decided), (60, 60, 60, 60));
    // Each session has a login, two tags, a digest, a Location and an application to check.
    assert_eq!(tally.owners_checked, 60 * 6);
    let page = html::page(&summary).expect("a report");
    assert!(page.contains("<svg") && !page.contains("src=") && !page.contains("href="));
}

#[test]
fn who_is_inside_and_has_lost_the_connection_reconnects_at_the_second_address() {
    let own = HALF_A_SECOND.replace("\"shared\"", "\"own\"");
    let (outcome, _) = visited(Fault::SecondDoor, &own, &[]);
    assert_eq!((outcome.tally.offered, outcome.tally.served), (60, 60));
}

#[test]
fn two_threads_share_the_schedule_and_the_identities() {
    let (outcome, summary) = visited(Fault::None, HALF_A_SECOND, &["--threads", "2"]);
    assert!(passed(&summary), "{}", Text(&summary));
    assert_eq!((outcome.tally.offered, outcome.tally.served), (60, 60));
}

#[test]
fn several_processes_share_the_schedule() {
    let begin_ms = clock::stamp();
    let shares = [0, 1, 2].map(|number| {
        let part = Part { number, of: 3, begin_ms };
        let (outcome, _) = visited_by(Fault::None, HALF_A_SECOND, &["--threads", "2"], |orders| {
            orders.part = Some(part);
        });
        assert_eq!(outcome.tally.offered, outcome.tally.served);
        outcome.citizens_used
    });
    assert_eq!(shares, [20, 20, 20]);
}

#[test]
fn at_the_end_those_outside_stop_asking_and_those_inside_finish() {
    let (outcome, _) =
        visited_by(Fault::BusyForLong, HALF_A_SECOND, &[], |orders| orders.closes = true);
    let tally = &outcome.tally;
    assert!(tally.unfinished > 0 && tally.served > 0, "{} {}", tally.unfinished, tally.served);
    assert_eq!(tally.unfinished + tally.served, 60);
    assert_eq!((tally.let_in, tally.left), (tally.served, tally.served));
    // Nobody waited for those who were told to come back after three seconds.
    assert!(outcome.played < Duration::from_millis(2500), "{:?}", outcome.played);
}

#[test]
fn who_is_still_outside_goes_home_when_the_others_do() {
    let (outcome, _) = visited_by(Fault::BusyForLong, HALF_A_SECOND, &[], |orders| {
        orders.going_home = Some(Duration::from_millis(400));
    });
    let tally = &outcome.tally;
    let at_home = tally.refused.by_reason().get("went home").copied().unwrap_or_default();
    assert!(at_home > 0, "{:?}", tally.refused);
    assert_eq!(tally.served + at_home, 60);
    // Those who came later stayed, and had to come back after three seconds.
    let later = tally.timeline.span(2..8).figures.let_in;
    assert!(later > 0 && later < 12, "{later}");
}

#[test]
fn http2_serves_many_over_one_connection() {
    let (outcome, summary) =
        visited(Fault::None, HALF_A_SECOND, &["--http2", "--connections", "1"]);
    assert!(passed(&summary), "{}", Text(&summary));
    assert_eq!((outcome.tally.offered, outcome.tally.served), (60, 60));
}

#[test]
fn citizens_may_come_over_connections_of_their_own() {
    let own = HALF_A_SECOND.replace("\"shared\"", "\"own\"");
    for http in [&[][..], &["--http2"][..]] {
        let (outcome, summary) = visited(Fault::None, &own, http);
        assert!(passed(&summary), "{}", Text(&summary));
        assert_eq!((outcome.tally.offered, outcome.tally.served), (60, 60));
    }
}

#[test]
fn a_server_that_mixes_people_up_is_caught_wherever_it_does() {
    for (fault, what) in [
        (Fault::ReadsMixedUp, "fiscalCode"),
        (Fault::TagsMixedUp, "Subject-Tag"),
        (Fault::LoginsMixedUp, "masked subject"),
        (Fault::OneReceiptForAll, "receipt"),
        (Fault::DigestsMixedUp, "digest"),
        (Fault::LocationsMixedUp, "Location"),
    ] {
        is_caught(fault, what, HALF_A_SECOND);
    }
    for (fault, what) in [
        (Fault::LoginsMixedUp, "fiscalCode"),
        (Fault::ReadsMixedUp, "fiscalCode"),
        (Fault::EmailsMixedUp, "e-mail"),
        (Fault::LinksMixedUp, "visit"),
        (Fault::TagsMixedUp, "Subject-Tag"),
        (Fault::NobodyNamed, "page"),
        (Fault::OneReceiptForAll, "receipt"),
        (Fault::ProofsMixedUp, "receipt"),
        (Fault::LocationsMixedUp, "Location"),
    ] {
        is_caught(fault, what, &by_pages());
    }
}

/// The same sessions by the pages, which take three times as many requests, in four times the time.
fn by_pages() -> String {
    HALF_A_SECOND
        .replace("duration_s = 0.5", "duration_s = 2.0")
        .replace("[citizen]", "[mix]\npages_share = 1.0\n[citizen]")
        .replace("leave = false", "leave = true")
}

#[track_caller]
fn is_caught(fault: Fault, what: &str, profile: &str) {
    let (outcome, summary) = visited(fault, profile, &[]);
    assert!(!summary.verdict.held, "{fault:?} passed");
    assert!(outcome.tally.crossed > 0, "{fault:?} was not seen");
    assert_eq!(summary.owners.first[0].what, what, "{fault:?}");
    let text = Text(&summary).to_string();
    assert!(text.starts_with("CROSSOVERS: "), "{text}");
    for code in ["RSSMRA80A01", "rssmra80a01"] {
        assert!(!text.contains(code), "a fiscal code in the report: {text}");
    }
}

#[test]
fn who_comes_by_the_pages_is_served_and_every_page_is_checked() {
    for http in [&[][..], &["--http2"][..]] {
        let (outcome, summary) = visited(Fault::None, &by_pages(), http);
        assert!(passed(&summary), "{}", Text(&summary));
        let tally = &outcome.tally;
        assert_eq!((tally.offered, tally.served, tally.receipts, tally.decided), (60, 60, 60, 60));
        // The first page; tag and content of five more, and of the application; what must be on two of them; the proof.
        assert_eq!(tally.owners_checked, 60 * (1 + 2 * 5 + 2 + 2));
    }
}

#[test]
fn a_refusal_is_obeyed_counted_and_no_failure() {
    let (outcome, summary) = visited(Fault::Busy, HALF_A_SECOND, &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    let refusals = outcome.tally.retried.by_reason().get("503 busy").copied().unwrap_or(0);
    assert!(refusals > 0, "no refusal was counted");
    assert_eq!(outcome.tally.refusal.count(), refusals);
    assert_eq!(outcome.tally.served, 60);
}

#[test]
fn those_who_must_wait_come_back_with_their_ticket() {
    let (outcome, summary) = visited(Fault::Full, HALF_A_SECOND, &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    assert_eq!((outcome.tally.told_to_wait(), outcome.tally.served), (60, 60));
    assert_eq!((outcome.tally.refusal.count(), outcome.tally.retried.total()), (0, 0));
    // The wait is that of `pollAfterSeconds`; `Retry-After` is 0 here.
    assert!(outcome.tally.enter.quantile_ms(0.5) >= 999.0);
}

#[test]
fn a_visit_that_is_taken_is_a_failure_and_no_refusal() {
    let (outcome, summary) = visited(Fault::VisitsTaken, HALF_A_SECOND, &[]);
    assert!(!summary.verdict.held, "{}", Text(&summary));
    let failed = outcome.tally.failed.by_reason().get("enter 409 visit-taken").copied();
    assert!(failed > Some(0), "no failure was counted");
    assert_eq!(failed.map(|failed| failed + outcome.tally.served), Some(60));
    assert_eq!(outcome.tally.refused.total(), 0);
}

#[test]
fn those_who_do_not_listen_come_back_before_their_time() {
    let visited_by = |share: &str| {
        let mix = format!("[mix]\nimpatient_share = {share}\nimpatient_wait_ms = 50\n[citizen]");
        visited(Fault::BusyForLong, &HALF_A_SECOND.replace("[citizen]", &mix), &[]).0
    };
    let (patient, impatient) = (visited_by("0.0"), visited_by("1.0"));
    assert_eq!((patient.tally.served, impatient.tally.served), (60, 60));
    assert_eq!(patient.tally.impatient, 0);
    assert_eq!(impatient.tally.impatient, impatient.tally.refusal.count());
    assert!(impatient.tally.impatient > 0);
    // Impatient citizens do not wait for the three seconds that the others wait.
    let longest = |outcome: &Outcome| outcome.tally.session.longest_ms();
    assert!(longest(&patient) >= 3000.0 && longest(&impatient) < 3000.0);
}

#[test]
fn those_who_give_up_are_no_failure_and_want_no_receipt() {
    let mix = "[mix]\nabandoners_share = 0.5\n[citizen]";
    let (outcome, summary) = visited(Fault::None, &HALF_A_SECOND.replace("[citizen]", mix), &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    let tally = &outcome.tally;
    assert!((10..50).contains(&tally.abandoned), "{}", tally.abandoned);
    assert_eq!((tally.served + tally.abandoned, tally.wanted), (60, tally.served));
    assert!((summary.receipts.goodput - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_late_reply_is_cancelled_with_its_connection_and_reaches_nobody_else() {
    // With one connection, the next exchange would get the late reply if the connection were kept.
    let (outcome, summary) = visited(Fault::OneLateReply, HALF_A_SECOND, &["--connections", "1"]);
    assert_eq!(outcome.tally.retried.by_reason().get("no reply in time"), Some(&1));
    assert_eq!(outcome.tally.crossed, 0, "{}", Text(&summary));
    assert_eq!(outcome.tally.served, 60, "{}", Text(&summary));
}

#[test]
fn books_that_do_not_balance_break_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let operator = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        // 60 accepted since the start, 59 decided and none undecided: one is lost. The first page is read before the run;
        // a balance that does not hold is read twice after it.
        for accepted in [0, 60, 60] {
            let decided = accepted - accepted / 60;
            let page = format!(
                "sportello_applications_accepted_total{{scheme=\"iscro\"}} {accepted}\n\
                 sportello_applications_decided_total{{scheme=\"iscro\"}} {decided}\n\
                 sportello_applications_undecided 0\n"
            );
            let (mut stream, _) = listener.accept().expect("surge asks");
            let read = stream.read(&mut [0; 4096]).expect("a request");
            assert!(read > 0, "an empty request");
            let length = page.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{page}")
                .expect("sent");
        }
    });
    let (_, summary) = visited(Fault::None, HALF_A_SECOND, &["--operator", &operator]);
    assert!(!summary.verdict.held);
    assert!(
        Text(&summary).to_string().contains("accepted 60 IS NOT decided 59"),
        "{}",
        Text(&summary)
    );
}

#[test]
fn a_generator_that_lags_calls_its_run_invalid() {
    let (mut outcome, summary) = visited(Fault::None, HALF_A_SECOND, &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    assert_eq!(outcome.tally.lag.count(), 60);
    (0..10).for_each(|_| outcome.tally.lag.record(std::time::Duration::from_millis(80)));
    let profile = Profile::parse("test", HALF_A_SECOND).expect("right");
    let summary = Summary::of(&outcome, &profile, about(&profile));
    assert!(summary.verdict.held && !summary.verdict.passed);
    assert!(summary.verdict.invalid[0].contains("the generator itself lagged"));
}

#[test]
fn a_closed_loop_enters_all_and_then_times_the_submissions() {
    let closed = HALF_A_SECOND
        .replace("loop = \"open\"\nspacing = \"even\"", "loop = \"closed\"\nsessions = 60")
        .replace("[[phase]]\nlabel = \"all\"\nduration_s = 0.5\nsessions = 60\n", "");
    let (outcome, summary) = visited(Fault::None, &closed, &[]);
    assert!(passed(&summary), "{}", Text(&summary));
    assert_eq!((outcome.tally.served, outcome.tally.receipts), (60, 60));
    assert!(Text(&summary).to_string().contains("Closed loop:"));
}
