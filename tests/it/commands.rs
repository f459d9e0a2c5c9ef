//! The commands that are not a server, as their users start them.

use std::{fs, io::Write as _, process::Stdio};

use sportello::{application, civic::FiscalCode};

use crate::harness::{Counter, program};

fn run(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
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
    let told: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, Some(1));
    assert_eq!(
        (told[0]["outcome"].as_str(), told[1]["line"].as_u64(), told.len()),
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
fn evaluate_explains_reads_csv_by_its_ending_and_ends_when_nobody_reads() {
    let line = application::example(&FiscalCode::made_up(1), 2024).replace('\n', " ").replacen(
        '{',
        "{\"submittedOn\":\"2024-09-16\",",
        1,
    );
    let (code, out, _) = run(&["evaluate", "--explain", "en"], &line);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("ISCRO 2024: granted\nYou get €687.50 a month"), "{out}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv");
    fs::write(&path, "scheme,year\niscro,2024\n").unwrap();
    let (code, out, _) = run(&["evaluate", path.to_str().unwrap()], "");
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["line"].as_u64()), (Some(1), Some(2)));
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
fn a_configuration_is_checked_whole_and_the_default_one_is_sound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sportello.toml");
    let (code, default, _) = run(&["config", "default"], "");
    assert_eq!(code, Some(0));
    fs::write(&path, &default).unwrap();
    let file = path.to_str().unwrap();
    assert_eq!(run(&["config", "check", file], "").0, Some(0));
    fs::write(&path, "[server]\nlisten = 8443\n[schedule]\ncitizens = \"always\"\n").unwrap();
    for arguments in [&["config", "check", file][..], &["serve", "--config", file]] {
        let (code, _, complaint) = run(arguments, "");
        assert_eq!(code, Some(2));
        for wanted in [
            &format!("{file}:2: server.listen"),
            &format!("{file}:4: schedule.citizens"),
            "such as \"08:00-16:00\"",
        ] {
            assert!(complaint.contains(wanted), "{wanted} is missing in {complaint}");
        }
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
    for command in ["serve", "evaluate", "mint", "verify", "verify-receipt", "config"] {
        let (code, help, _) = run(&[command, "--help"], "");
        assert_eq!(code, Some(0));
        assert!(help.contains("Example:"), "{help}");
    }
}

#[tokio::test]
async fn a_receipt_proves_itself_and_a_changed_one_does_not() {
    let mut counter = Counter::open();
    let (receipt, sent) = {
        let citizen = counter.citizen(1).await;
        let sent = citizen.application();
        let receipt = citizen.submit("key", &sent).await.json();
        citizen
            .decided(&format!("/v1/applications/{}", receipt["receipt"].as_str().unwrap()))
            .await;
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

    let data = data.to_str().unwrap().to_owned();
    let verify = |receipts: &str| {
        fs::write(&file, receipts).unwrap();
        run(&["verify", "--data", &data, "--receipts", file.to_str().unwrap()], "")
    };
    let (code_in_use, _, complaint) = verify(&text);
    assert_eq!(code_in_use, Some(2));
    assert!(complaint.contains("in use"), "{complaint}");
    counter.stop();
    let (whole, counts, complaint) = verify(&text);
    assert_eq!(whole, Some(0), "{complaint}");
    assert!(counts.contains("accepted 1 = decided 1 + undecided 0"), "{counts}");
    let (lost, _, complaint) = verify(&text.replace(code, "ISCRO-2024-0000-0000-0000-0000"));
    assert_eq!(lost, Some(1));
    assert!(complaint.contains("LOST"), "{complaint}");
}
