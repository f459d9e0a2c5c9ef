//! Surge's commands end to end against the real server, each in a few seconds.

mod house;
mod overload;

use std::process::{Command, Stdio};

use house::{EVENING, House, OPEN_TO_ALL, json, passed, surge, told};

/// A mix with every kind of session, in three seconds.
const ALL_KINDS: &str = r#"
about = "a test"
loop = "open"
spacing = "even"
seed = 5
drain_s_max = 30
[[phase]]
label = "all"
duration_s = 3
sessions = 120
[mix]
slice = "both"
intermediaries_share = 0.1
batch_lines = 8
drafts_share = 0.5
estimates_share = 0.5
pages_share = 0.3
abandoners_share = 0.1
broken_bodies_share = 0.2
impatient_share = 0.2
impatient_wait_ms = 50
new_connections_share = 0.3
http2_share = 0.5
think = "exponential"
think_ms = 50
[citizen]
connection = "shared"
polls_max = 100
poll_wait_ms = 100
leave = true
retries_max = 10
retry_wait_s_max = 30
reply_wait_s_max = 10
[thresholds]
failures_max = 0
timely_ms = 10000
"#;

#[test]
fn the_whole_mix_is_served_checked_and_in_the_ledger() {
    let house = House::open_at(OPEN_TO_ALL);
    let (profile, report) = (house.path("mix.toml"), house.path("report.json"));
    std::fs::write(&profile, ALL_KINDS).expect("it can be written");
    let receipts = house.path("receipts.ndjson");
    let words =
        ["--profile", profile.as_str(), "--json", report.as_str(), "--receipts", receipts.as_str()];
    let page = house.path("report.html");
    let output = house.surge(&words).args(["--report", page.as_str()]).output().expect("it runs");
    let run = json(&report);
    assert!(passed(&run), "{}", told(&output));
    let (wanted, count) = (&run["receipts"]["wanted"], &run["receipts"]["count"]);
    assert!(count.as_u64() > Some(100) && count == wanted, "{count} of {wanted}");
    for step in ["enter", "submit", "read", "draft", "estimate", "batch", "page", "form", "leave"] {
        let rows = run["latencies"].as_array().expect("rows");
        assert!(rows.iter().any(|row| row["what"] == step), "no {step}");
    }
    assert!(run["sessions"]["abandoned"].as_u64() > Some(0));
    assert!(run["conducts"]["cut_short"].as_u64() > Some(0));
    assert_eq!(run["owners"]["crossovers"], 0);
    assert!(run["server_process"]["cpu_s"].as_f64() > Some(0.0));
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.matches("<svg").count() == 3 && !page.contains("src="));

    // Compares the report with itself, and with the model.
    let compare = |allowed: &str| {
        let words = ["compare", &report, &report, "--allow", allowed];
        surge().args(words).output().expect("it runs")
    };
    // A run that is not valid reaches no threshold.
    let is_invalid = run["verdict"]["invalid"] != serde_json::json!([]);
    assert_eq!(compare("submit-p99=1").status.code(), Some(i32::from(is_invalid)));
    let worse = compare("receipts-per-s=1.5");
    assert_eq!(worse.status.code(), Some(1), "{}", told(&worse));
    assert!(told(&worse).contains("FAILED, allowed 1.5"));
    assert_eq!(compare("no-such-figure=1").status.code(), Some(2));
    let check = surge().args(["plan", "--check", &report]).output().expect("it runs");
    assert!(told(&check).contains("predicted measured ratio"), "{}", told(&check));

    let held = format!("receipts: {count} read, {count} distinct");
    let verified = house.verified(&receipts);
    assert!(verified.contains(&held), "{verified}");
}

#[test]
fn those_who_find_it_full_wait_and_are_served_and_that_is_no_capacity() {
    let full = [
        ("SPORTELLO_GATE_LEASES_MAX", "2"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
        ("SPORTELLO_WAITING_POLL_SECONDS_MIN", "1"),
    ];
    let house = House::open_with(EVENING, &full);
    let report = house.path("report.json");
    let words = ["--rate", "100", "--duration", "1s", "--json", &report];
    let output = house.surge(&words).output().expect("it runs");
    let run = json(&report);
    assert!(passed(&run), "{}", told(&output));
    assert!(run["told_to_wait"].as_u64() > Some(0), "{}", told(&output));
    assert_eq!(run["receipts"]["count"], run["receipts"]["wanted"]);
    assert_eq!(run["sessions"]["refused"], serde_json::json!({}));

    // By the pages, where they wait on a page and press its button when it has loaded again.
    let (profile, report) = (house.path("pages.toml"), house.path("pages.json"));
    let by_pages = ALL_KINDS
        .replace("slice = \"both\"\nintermediaries_share = 0.1\n", "")
        .replace("pages_share = 0.3", "pages_share = 1.0")
        .replace("abandoners_share = 0.1", "abandoners_share = 0.0")
        .replace("think_ms = 50", "think_ms = 5")
        .replace("duration_s = 3", "duration_s = 0.3")
        .replace("sessions = 120", "sessions = 20");
    std::fs::write(&profile, by_pages).expect("it can be written");
    let receipts = house.path("pages.ndjson");
    let words =
        ["--profile", &profile, "--json", &report, "--receipts", &receipts, "--skip", "200"];
    let output = house.surge(&words).output().expect("it runs");
    let run = json(&report);
    assert!(passed(&run), "{}", told(&output));
    assert_eq!((&run["receipts"]["count"], &run["owners"]["crossovers"]), (&20.into(), &0.into()));
    let statuses = run["statuses"].as_array().expect("rows");
    let entering = |row: &&serde_json::Value| row["step"] == "enter" && row["status"] == 303;
    let entering = statuses.iter().find(entering).expect("all sign in by forms");
    assert!(entering["count"].as_u64() > Some(20), "nobody has waited: {entering}");
    let lines = std::fs::read_to_string(&receipts).expect("receipts");
    assert!(lines.lines().count() == 20 && lines.lines().all(|line| line.contains("signature")));

    let words = ["capacity", "--rate", "100", "--duration", "1s", "--steps-max", "1"];
    let output = house.surge(&words).args(["--skip", "500"]).output().expect("it runs");
    let text = told(&output);
    let is_refused = |line: &str| line.contains("BROKE: ") && line.contains("refusals");
    assert!(text.lines().any(is_refused), "{text}");
}

#[test]
fn a_closed_window_is_told_before_anything_is_offered() {
    let house = House::open_at(EVENING);
    let output = house.surge(&["--profile", "morning"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = told(&output);
    assert!(text.contains("the intermediaries' window") && text.contains("is closed"), "{text}");
    assert!(text.contains("opens at 2024-09-17T08:00"), "{text}");
}

#[test]
fn ctrl_c_leaves_a_partial_report_that_says_so() {
    let house = House::open_at(EVENING);
    let report = house.path("report.json");
    let mut command = house.surge(&["--rate", "20", "--duration", "10m", "--json", &report]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    std::thread::sleep(std::time::Duration::from_secs(4));
    let told_to = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(told_to.expect("kill runs").success());
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("INVALID: partial: stopped after"), "{}", told(&output));
    let run = json(&report);
    assert_eq!(run["about"]["partial"], true);
    assert!(run["receipts"]["count"].as_u64() > Some(0));
}

#[test]
fn a_search_that_broke_nothing_claims_nothing_and_one_that_held_nothing_neither() {
    let house = House::open_at(EVENING);
    let (json_path, page) = (house.path("capacity.json"), house.path("capacity.html"));
    let words = ["capacity", "--rate", "5", "--duration", "1s", "--steps-max", "2"];
    let files = ["--json", json_path.as_str(), "--report", page.as_str()];
    let easy = ["--p99-ms-max", "9000", "--goodput-min", "0"];
    let output = house.surge(&words).args(files).args(easy).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let found = json(&json_path);
    assert_eq!(found["steps"].as_array().expect("steps").len(), 2, "{}", told(&output));
    assert_eq!(found["finding"]["limit"], "not-reached");
    assert!(std::fs::read_to_string(&page).expect("a page").contains("<svg"));

    let words = [&words[..], &["--skip", "100"]].concat();
    let output = house.surge(&words).args(files).args(["--p99-ms-max", "0.001"]).output();
    assert!(told(&output.expect("it runs")).contains("NONE CLAIMED"));
    let found = json(&json_path);
    assert_eq!(found["finding"]["held_rate"], serde_json::Value::Null);
    // A plan can use what a search measured.
    let plan = surge().args(["plan", "--measurements", &json_path]).output().expect("it runs");
    assert!(plan.status.success(), "{}", told(&plan));
}

/// A short drill; skipped when the machine lacks what it `needs`.
fn drilled(words: &[&str], needs: Option<&str>) {
    let mut drill = surge();
    drill.arg("drill").args(words).args(["--rate", "40", "--times", "1", "--every", "1s"]);
    let output = drill.arg("--server").arg(house::sportello()).output().expect("it runs");
    let text = told(&output);
    if let Some(needs) = needs.filter(|needs| text.contains(needs)) {
        eprintln!("skipped: {needs}");
        return;
    }
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("lost 0, duplicated 0, crossovers 0") && text.contains("passed"),
        "{text}"
    );
}

#[test]
fn a_killed_server_loses_nothing() {
    drilled(&["kill9"], None);
}

#[test]
fn a_full_disk_loses_nothing() {
    drilled(&["full-disk"], Some("full-disk needs a small file system"));
}

#[test]
fn slow_syncs_lose_nothing() {
    drilled(&["slow-disk", "--delay-ms", "50"], Some("slow-disk needs strace"));
}

#[test]
fn a_volley_is_answered_in_every_manner() {
    let house = House::open_at(EVENING);
    let certificate = house.path("data/demo-cert.pem");
    let volley = |words: &[&str]| {
        let mut volley = surge();
        volley.arg("volley").args(["--target", house.target(), "--ca", &certificate]);
        volley.args(["--count", "40", "--connections", "4"]).args(words);
        volley.stdin(Stdio::null()).output().expect("it runs")
    };
    let read = ["--get", "/v1/status"];
    let manners: [&[&str]; 4] = [
        &read,
        &[&read[..], &["--http2", "--streams", "3"]].concat(),
        &[&read[..], &["--rate", "200"]].concat(),
        &["--handshakes", "--classical"],
    ];
    for manner in manners {
        let output = volley(manner);
        assert!(output.status.success(), "{manner:?}: {}", told(&output));
        let figures: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(figures["count"], 40, "{manner:?}");
        let agreed = if manner.contains(&"--classical") { "X25519" } else { "X25519MLKEM768" };
        assert_eq!(figures["key_exchange"], agreed, "{manner:?}");
    }
    let refused = volley(&["--get", "/v1/nothing"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains("404 Not Found"), "{}", told(&refused));
    // Standard input is closed, so no step can be confirmed.
    let alone = volley(&["--get", "/v1/status", "--stepwise"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(told(&alone).starts_with("connected\n"), "{}", told(&alone));
    assert_eq!(volley(&["--get", "status"]).status.code(), Some(2));
}

#[test]
fn a_plan_prints_its_assumptions() {
    let words = ["plan", "--rate", "100", "--peak", "300", "--day", "2400000"];
    let output = surge().args(words).output().expect("it runs");
    assert!(output.status.success());
    let text = told(&output);
    for part in ["assumptions:", "100000.0", "Allen and Cunneen", "64 bytes"] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    let wrong = surge().args(["plan", "--peak", "1"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
}
