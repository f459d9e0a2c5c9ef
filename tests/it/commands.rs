//! Every command except `serve`, as a user runs it.

use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use sportello::{application, civic::FiscalCode, metrics};

use crate::harness::{Counter, EVENING, location, new_session, program};

fn run(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments ends without reading.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn evaluate_decides_line_by_line_and_skips_nothing() {
    let line = application::example(&FiscalCode::made_up(1), 2024)
        .replace('\n', " ")
        .trim()
        .replacen('{', "{\"submittedOn\":\"2024-09-16\",", 1);
    let (code, out, _) = run(&["evaluate"], &format!("{line}\n{line}\n"));
    assert_eq!((code, out.lines().count()), (Some(0), 2));
    let (code, out, complaint) = run(&["evaluate"], &format!("{line}\nbad\n{line}\n"));
    let answers: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, Some(1));
    assert_eq!(
        (answers[0]["outcome"].as_str(), answers[1]["line"].as_u64(), answers.len()),
        (Some("granted"), Some(2), 3)
    );
    assert!(complaint.contains("1 bad line"), "{complaint}");

    let table = ["evaluate", "--output", "csv"];
    let (code, out, _) = run(&table, &format!("{line}\nbad\n"));
    let starts: Vec<_> = out.lines().map(|row| &row[..9]).collect();
    assert_eq!((code, &*starts), (Some(1), &["line,outc", "1,granted", "2,,,,,,,,"][..]));
    assert_eq!(run(&table, &line).0, Some(0));
    assert_eq!(run(&[&table[..], &["--explain"]].concat(), &line).0, Some(2));
}

#[test]
fn evaluate_explains_recognises_csv_by_the_file_extension_and_ends_on_a_closed_pipe() {
    let line = application::example(&FiscalCode::made_up(1), 2024).replace('\n', " ").replacen(
        '{',
        "{\"submittedOn\":\"2024-09-16\",",
        1,
    );
    let (code, out, _) = run(&["evaluate", "--explain", "en"], &line);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("ISCRO 2024: granted\nThe benefit is €687.50 a month"), "{out}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, "scheme,year\niscro,2024\n").unwrap();
    let (code, out, _) = run(&["evaluate", path.to_str().unwrap()], "");
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, answer["line"].as_u64()), (Some(1), Some(2)));
    assert_eq!(run(&["evaluate", "--csv"], "a,a\n").0, Some(1));
    assert_eq!(run(&["evaluate", "/nowhere"], "").0, Some(2));
    assert_eq!(run(&["evaluate", "/"], "").0, Some(2));

    fs::write(&path, format!("{line}\n").repeat(5_000)).unwrap();
    let mut child = program()
        .args(["evaluate", "--explain=it"])
        .stdin(fs::File::open(&path).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*complaint), (Some(1), ""));

    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let input = fs::File::open(&path).unwrap();
    let output = program().arg("evaluate").stdin(input).stdout(full).output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("standard output: No space left"), "{complaint}");
}

#[test]
fn running_answers_each_report_and_its_own_example() {
    let report = r#"{"decision":{"outcome":"granted","parameters":"iscro-2024","monthlyAmount":"687.50","withheldMonthly":"137.50","months":6,"startsOn":"2024-09-17","endsOn":"2025-03-16"},"monthsPaid":4,"events":[{"event":"vat-closed","on":"2024-12-01"}]}"#;
    let (code, out, _) = run(&["running"], &format!("{report}\n"));
    let expected = r#"{"loss":{"from":"2024-12-02","event":"vat-closed","source":"L. 213/2023 art. 1 c. 142-155"},"monthsDue":3,"undueMonths":[{"beginsOn":"2024-12-17","event":"vat-closed","source":"L. 213/2023 art. 1 c. 142-155"}],"undue":"687.50","recovery":"550.00"}"#;
    assert_eq!((code, out.trim_end()), (Some(0), expected));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("reports.ndjson");
    fs::write(&path, format!("{report}\nbad\n{report}\n")).unwrap();
    let (code, out, complaint) = run(&["running", path.to_str().unwrap()], "");
    let answers: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, answers.len(), answers[1]["line"].as_u64()), (Some(1), 3, Some(2)));
    assert!(complaint.contains("1 bad line"), "{complaint}");
    assert_eq!(run(&["running", "/nowhere"], "").0, Some(2));

    let (_, help, _) = run(&["running", "--help"], "");
    let example = help.split_once("echo '").unwrap().1.split_once('\'').unwrap().0;
    assert_eq!(run(&["running"], &example.replace('\n', "")).1.trim_end(), expected);
}

#[test]
fn a_configuration_is_checked_whole_and_the_default_one_is_sound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sportello.toml");
    let (code, default, _) = run(&["config", "default"], "");
    assert_eq!(code, Some(0));
    fs::write(&path, &default).unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(run(&["config", "check", file], "").0, Some(0));
    fs::write(
        &path,
        "[server]\nlisten = 8443\n[schedule]\ncitizens = \"always\"\n[tls]\nkey = \"k\"\n",
    )
    .unwrap();
    for arguments in [&["config", "check", file][..], &["serve", "--config", file]] {
        let (code, _, complaint) = run(arguments, "");
        assert_eq!(code, Some(2));
        for wanted in [
            &format!("{file}:2: server.listen"),
            &format!("{file}:4: schedule.citizens"),
            "such as \"08:00-16:00\"",
            &format!("{file}:6: tls.certificate"),
        ] {
            assert!(complaint.contains(wanted), "{wanted} is missing in {complaint}");
        }
    }
}

#[test]
fn hours_at_which_nobody_or_everybody_may_enter_are_warned_of_and_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sportello.toml");
    fs::write(&path, "[schedule]\ncitizens = \"17:00-09:00\"\n").unwrap();
    let file = path.to_str().unwrap();
    let (code, out, complaint) = run(&["config", "check", file], "");
    assert_eq!((code, out), (Some(0), format!("{file}: no faults\n")));
    for wanted in [
        "warning: nobody may enter from 16:00 to 17:00, Europe/Rome: a gap between",
        "warning: both audiences may enter from 08:00 to 09:00, Europe/Rome: an overlap of",
    ] {
        assert!(complaint.contains(wanted), "{wanted} is missing in {complaint}");
    }
}

#[test]
fn wrong_usage_exits_with_two_and_help_shows_an_example() {
    assert_eq!(run(&["serve", "--now", "2024-09-16T17:30[Europe/Rome]"], "").0, Some(2));
    assert_eq!(run(&["nonsense"], "").0, Some(2));
    assert_eq!(
        run(&["mint", "--fiscal-code", "RSSMRA80A01H501U", "--data", "/nowhere"], "").0,
        Some(2)
    );
    let (code, _, complaint) = run(&["serve"], "");
    assert_eq!(code, Some(2));
    assert!(
        complaint.contains("tls.certificate") && complaint.contains("identity.public_key"),
        "{complaint}"
    );
    for command in [
        "serve",
        "evaluate",
        "running",
        "mint",
        "verify",
        "verify-receipt",
        "control",
        "config",
        "metrics",
    ] {
        let (code, help, _) = run(&[command, "--help"], "");
        assert_eq!(code, Some(0));
        assert!(help.contains("Example:"), "{help}");
    }
}

#[tokio::test]
async fn a_receipt_verifies_and_a_changed_one_does_not() {
    let counter = Counter::open();
    let (receipt, sent) = {
        let citizen = counter.citizen(1).await;
        let sent = citizen.application();
        let receipt = citizen.submit("key", &sent).await.json();
        citizen.decided(&location(&receipt)).await;
        (receipt, sent)
    };
    let text = receipt.to_string();
    let data = counter.data();
    let (file, key) = (data.join("receipt.json"), data.join("receipt-key.pub"));
    let verify_receipt = |text: &str| {
        fs::write(&file, text).unwrap();
        run(&["verify-receipt", file.to_str().unwrap(), "--key", key.to_str().unwrap()], "").0
    };
    assert_eq!(verify_receipt(&text), Some(0));
    assert_eq!(verify_receipt(&text.replace("2024-09-16", "2024-09-15")), Some(1));
    assert_eq!(verify_receipt(&text.replace("received\"", "granted\"")), Some(1));
    assert_eq!(verify_receipt(&text.replacen('{', "{\"amount\":\"9999.00\",", 1)), Some(1));
    let code = receipt["receipt"].as_str().unwrap();
    assert_eq!(verify_receipt(&text.replace(code, "ISCRO-2024-0000-0000-0000-0000")), Some(1));

    fs::write(&file, &text).unwrap();
    let application = data.join("application.json");
    for (sent, expected) in [(sent.clone(), Some(0)), (sent.replace("5000.00", "5000.01"), Some(1))]
    {
        fs::write(&application, sent).unwrap();
        let [file, application, key] =
            [&file, &application, &key].map(|path| path.to_str().unwrap());
        let arguments = ["verify-receipt", file, "--application", application, "--key", key];
        assert_eq!(run(&arguments, "").0, expected);
    }
}

#[tokio::test]
async fn verify_finds_receipts_and_bare_codes_and_names_lost_and_faulty_lines() {
    let mut counter = Counter::open();
    let receipt = {
        let citizen = counter.citizen(1).await;
        let receipt = citizen.submit("key", &citizen.application()).await.json();
        citizen.decided(&location(&receipt)).await;
        receipt
    };
    let (text, code) = (receipt.to_string(), receipt["receipt"].as_str().unwrap());
    let file = counter.data().join("receipts");
    let data = counter.data().to_str().unwrap().to_owned();
    let verify = |receipts: &str| {
        fs::write(&file, receipts).unwrap();
        run(&["verify", "--data", &data, "--receipts", file.to_str().unwrap()], "")
    };
    let (in_use, _, complaint) = verify(&text);
    assert_eq!(in_use, Some(2));
    assert!(complaint.contains("in use"), "{complaint}");
    counter.stop();
    let (whole, counts, complaint) = verify(&text);
    assert_eq!(whole, Some(0), "{complaint}");
    assert!(counts.contains("accepted 1 = decided 1 + undecided 0"), "{counts}");
    let unknown = "ISCRO-2024-0000-0000-0000-0000";
    let (lost, _, complaint) = verify(&text.replace(code, unknown));
    assert_eq!(lost, Some(1));
    assert!(complaint.contains("LOST"), "{complaint}");

    // Bare codes among whole receipts, also in lower case.
    let mixed = format!("{code}\r\n{text}\n\n{}\n", code.to_lowercase());
    let (whole, counts, complaint) = verify(&mixed);
    assert_eq!(whole, Some(0), "{complaint}");
    assert!(counts.contains("receipts: 3 read, 1 distinct, 0 lost, 0 faulty"), "{counts}");
    let (lost, counts, complaint) = verify(&format!("{code}\n{unknown}\n"));
    assert_eq!(lost, Some(1));
    assert!(counts.contains("receipts: 2 read, 1 distinct, 1 lost, 0 faulty"), "{counts}");
    assert!(
        complaint.contains(&format!(":2: LOST: the ledger does not hold {unknown}")),
        "{complaint}"
    );
    assert!(complaint.contains("NOT whole"), "{complaint}");
    let (faulty, counts, complaint) = verify(&format!("{code}\nISCRO-2024\n{{\"receipt\":7}}\n"));
    assert_eq!(faulty, Some(1));
    assert!(counts.contains("receipts: 3 read, 1 distinct, 0 lost, 2 faulty"), "{counts}");
    for wanted in [
        ":2: not a receipt: ",
        ":3: not a receipt: ",
        "the ledger is whole; faulty lines in the list: 2",
    ] {
        assert!(complaint.contains(wanted), "{wanted} is missing in {complaint}");
    }
}

#[test]
fn every_metric_is_listed_with_type_labels_and_help() {
    let (code, out, _) = run(&["metrics"], "");
    assert_eq!(code, Some(0));
    assert_eq!(out.lines().count(), 1 + metrics::ALL.len());
    for metric in metrics::ALL {
        let line = out.lines().find(|line| line.split_whitespace().next() == Some(metric.name));
        let line = line.unwrap_or_else(|| panic!("{} is not listed", metric.name));
        assert!(line.contains(metric.kind.as_str()) && line.ends_with(metric.help), "{line}");
        assert!(line.contains(&metric.labels.join(",")), "{line}");
    }
}

#[test]
fn alerts_and_dashboard_are_made_from_the_metrics_that_there_are() {
    let (code, out, _) = run(&["metrics", "--format", "json"], "");
    assert_eq!(code, Some(0));
    let listed: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(listed.len(), metrics::ALL.len());
    for (listed, metric) in listed.iter().zip(metrics::ALL) {
        let (name, labels) = (metric.name, metric.labels);
        assert_eq!(listed["name"], name);
        assert_eq!(listed["type"], metric.kind.as_str(), "{name}");
        assert_eq!(listed["unit"], metric.unit.as_str(), "{name}");
        assert_eq!(listed["labels"], serde_json::json!(labels), "{name}");
        assert_eq!(listed["help"], metric.help, "{name}");
        let has_buckets = matches!(metric.kind, metrics::Kind::Histogram(_));
        assert_eq!(listed["buckets"].is_array(), has_buckets, "{name}");
    }
    let rendered = include_str!("../../deploy/mixin/metrics.json");
    assert_eq!(out, rendered, "run deploy/mixin/render, which needs the Python package jsonnet");
}

#[tokio::test]
async fn a_fiscal_code_comes_from_standard_input_and_the_help_shows_that_first() {
    let mut counter = Counter::open();
    let (person, data) = (FiscalCode::made_up(1), counter.data());
    let (person, data) = (person.as_str(), ["--data", data.to_str().unwrap()]);
    let input = format!("{person}\nmore\n");
    let (_, minted, _) = run(&["mint", data[0], data[1]], &input);
    let entered = counter.ask("PUT", &new_session(), minted.trim(), "").await;
    assert_eq!(entered.status.as_u16(), 201);
    counter.stop();

    let seed = "00".repeat(32);
    // SHA-256 of 32 zero bytes.
    let commitment = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
    for arguments in [
        &["mint", data[0], data[1]][..],
        &["audit", data[0], data[1]],
        &["audit", "--by", data[0], data[1]],
        &["verify-draw", "--seed", &seed, "--commitment", commitment],
    ] {
        let given = |more: &[&str], input: &str| run(&[arguments, more].concat(), input);
        let by_flag = given(&["--fiscal-code", person], "");
        assert_eq!(by_flag.0, Some(0), "{arguments:?}: {}", by_flag.2);
        for more in [&[][..], &["--fiscal-code", "-"]] {
            let (code, out, complaint) = given(more, &input);
            assert_eq!((code, &*complaint), (Some(0), ""), "{arguments:?} {more:?}");
            assert!(arguments[0] == "mint" || out == by_flag.1, "{arguments:?}: {out}");
        }
        for bad in ["", "\n", "RSSMRA80A01H501X\n", &"x".repeat(1000)] {
            let (code, _, complaint) = given(&[], bad);
            assert_eq!(code, Some(2), "{arguments:?}");
            let told = "sportello: fiscal code on standard input: ";
            assert!(complaint.starts_with(told), "{complaint}");
        }
        let help = given(&["--help"], "").1;
        let places = [" < code.txt", "--fiscal-code RSSMRA80A01H501U"].map(|form| help.find(form));
        assert!(places[0].is_some() && places[0] < places[1], "{help}");
        assert!(help.contains("list of processes") && help.contains("history"), "{help}");
    }
    assert_eq!(run(&["audit", "--controls", "--by", data[0], data[1]], "").0, Some(2));
    let (code, _, complaint) = run(&["mint", "--office", "a b", data[0], data[1]], &input);
    assert_eq!(code, Some(2));
    assert!(complaint.contains("the name of an office has 1 to 64"), "{complaint}");
}

#[test]
fn a_data_directory_that_others_may_use_is_refused_and_a_demo_warns() {
    let place = tempfile::tempdir().unwrap();
    let (data, ledger) = (place.path().join("data"), place.path().join("data/ledger"));
    fs::create_dir_all(&ledger).unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let serve = || run(&["serve", "--data", data.to_str().unwrap()], "");
    mode(&ledger, 0o700);
    for path in [&data, &ledger] {
        for exposed in [0o755, 0o711, 0o770, 0o701, 0o720, 0o702] {
            mode(&data, 0o700);
            mode(path, exposed);
            let (code, _, complaint) = serve();
            assert_eq!(code, Some(2));
            let advice = format!("run chmod 700 {}", path.display());
            assert!(complaint.contains(&advice), "{exposed:o}: {complaint}");
        }
        mode(path, 0o700);
    }
    let complaint = serve().2;
    assert!(!complaint.contains("chmod") && complaint.contains("tls.certificate"), "{complaint}");

    let counter = Counter::open();
    mode(&counter.data(), 0o700);
    let counter = counter.reopen(EVENING);
    assert!(!counter.log().contains("chmod"), "{}", counter.log());
    mode(&counter.data(), 0o755);
    let counter = counter.reopen(EVENING);
    let warning = format!("run chmod 700 {}", counter.data().display());
    assert!(counter.log().contains(&warning), "{}", counter.log());
}
