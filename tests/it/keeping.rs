//! What operators do with the data: hand it on, copy it, bring it back, erase it.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::harness::{Counter, EVENING, program};

fn run(arguments: &[&str], data: &Path) -> (Option<i32>, String, String) {
    let output = program().args(arguments).arg("--data").arg(data).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn done(arguments: &[&str], data: &Path) -> String {
    let (code, out, complaint) = run(arguments, data);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{complaint}");
    out
}

#[tokio::test]
async fn an_export_is_in_receipt_order_whole_and_of_one_moment() {
    let counter = Counter::open();
    let mut places = Vec::new();
    for n in 1..=20 {
        places.push(counter.citizen(n).await.apply("key").await);
    }
    counter.all_decided().await;
    let gone = counter.citizen(20).await;
    assert_eq!(gone.delete(&places[19]).await.status, 204);

    let told = done(&["export", "--scheme", "iscro"], &counter.data());
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let receipts: Vec<_> = lines.iter().map(|line| line["receipt"].as_str().unwrap()).collect();
    let arrived: Vec<_> = places.iter().map(|place| place.rsplit('/').next().unwrap()).collect();
    assert!(receipts.is_sorted() && receipts != arrived);
    assert_eq!(receipts.iter().collect::<BTreeSet<_>>(), arrived.iter().collect());
    for (line, receipt) in lines.iter().zip(&receipts) {
        let n = arrived.iter().position(|arrived| arrived == receipt).unwrap();
        let person = FiscalCode::made_up(n as u64 + 1);
        assert_eq!(line["application"]["applicant"]["fiscalCode"], person.as_str());
        assert_eq!(line["decision"]["outcome"], "granted");
        assert_eq!(line["state"], if n == 19 { "withdrawn" } else { "decided" });
    }

    let table = done(&["export", "--campaign", "iscro-2024", "--format", "csv"], &counter.data());
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 21);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
    assert_eq!(
        &rows[1][6..],
        ["granted", "687.50", "4125.00", "0.00", "6", "2024-09-17", "2025-03-16", "iscro-2024"]
    );
    assert_eq!(rows[1][5], "IT60X0542811101000000123456");
    assert_eq!(done(&["export", "--scheme", "allowance600"], &counter.data()), "");
    assert_eq!(run(&["export", "--scheme", "other"], &counter.data()).0, Some(2));
    let commands = done(&["audit", "--controls"], &counter.data());
    assert_eq!(
        commands.matches(": export").count(),
        3,
        "who takes everything is in the trail: {commands}"
    );
}

#[tokio::test]
async fn a_copy_taken_under_load_is_whole_grows_and_comes_back() {
    let mut counter = Counter::open();
    let data = counter.data();
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy");
    let backup = ["backup", "--to", to.to_str().unwrap()];
    let key = data.join("ledger.key");
    let verify = ["verify", "--key", key.to_str().unwrap()];

    // People apply, read and withdraw while the copy is taken, five times over.
    let stop = AtomicBool::new(false);
    let people = async {
        let mut n = 0;
        while !stop.load(Ordering::Acquire) {
            n += 1;
            let citizen = counter.citizen(n).await;
            let place = citizen.apply("key").await;
            if n % 3 == 0 {
                citizen.delete(&place).await;
            }
        }
        n
    };
    let copies = async {
        for _ in 0..5 {
            let arguments = backup.map(str::to_owned);
            let (from, copy) = (data.clone(), to.clone());
            let (backed_up, verified) = tokio::task::spawn_blocking({
                let verify = verify.map(str::to_owned);
                move || {
                    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
                    let verify: Vec<_> = verify.iter().map(String::as_str).collect();
                    (run(&arguments, &from), run(&verify, &copy))
                }
            })
            .await
            .unwrap();
            assert_eq!(
                (backed_up.0, verified.0),
                (Some(0), Some(0)),
                "{backed_up:?}\n{verified:?}"
            );
        }
        stop.store(true, Ordering::Release);
    };
    let (applied, ()) = tokio::join!(people, copies);
    assert!(applied > 10, "there was load: {applied}");
    counter.all_decided().await;
    counter.stop();
    done(&backup, &data);
    let told = done(&verify, &to);
    assert!(told.contains(&format!("iscro-2024: accepted {applied} = ")), "{told}");

    // The house burns down; the key was kept elsewhere.
    let restored = tempfile::tempdir().unwrap();
    let restore = ["restore", "--from", to.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert!(done(&restore, restored.path()).contains("whole"));
    let (code, _, complaint) = run(&restore, restored.path());
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("holds ledgers already"), "{complaint}");
    let verify_restored = done(&verify, restored.path());
    assert!(verify_restored.contains(&format!("accepted {applied} = ")), "{verify_restored}");

    // A copy of something else is not mixed into this one.
    let mut other = Counter::open();
    other.citizen(1).await.apply("key").await;
    other.stop();
    let (code, _, complaint) = run(&backup, &other.data());
    assert_eq!(code, Some(2));
    assert!(
        complaint.contains("choose an empty directory") || complaint.contains("another key"),
        "{complaint}"
    );
}

#[tokio::test]
async fn what_is_erased_is_gone_from_the_disk_and_everything_else_still_proves_itself() {
    let mut counter = Counter::open();
    let data = counter.data();
    let (erased, kept) = (counter.citizen(1).await, counter.citizen(2).await);
    let receipt = erased.submit("key", &erased.application()).await.json();
    let code = receipt["receipt"].as_str().unwrap().to_owned();
    let place = format!("/v1/applications/{code}");
    erased.decided(&place).await;
    let kept_place = kept.apply("key").await;
    kept.decided(&kept_place).await;
    let backups = tempfile::tempdir().unwrap();
    let backup = ["backup", "--to", backups.path().to_str().unwrap()];
    done(&backup, &data);
    let erase = ["erase", "--receipt", &code, "--reason", "an order"];
    assert_eq!(run(&erase, &data).0, Some(2), "not while the server runs");
    counter.stop();
    let file = data.join("ledger/iscro-2024.sqlite");
    let pieces: Vec<Vec<u8>> = {
        let store = rusqlite::Connection::open(&file).unwrap();
        let piece = |sql| store.query_row(sql, [], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        let halves = [
            "SELECT sealed FROM records WHERE position = 0",
            "SELECT sealed FROM decisions WHERE id = 0",
        ];
        halves.map(|sql| piece(sql)[30..60].to_vec()).into()
    };
    let on_disk = || {
        let bytes = std::fs::read(&file).unwrap();
        pieces
            .iter()
            .filter(|piece| bytes.windows(piece.len()).any(|window| window == *piece))
            .count()
    };
    assert_eq!(on_disk(), 2, "as it should be found");

    assert!(done(&erase, &data).contains(&code));
    assert_eq!(on_disk(), 0, "overwritten, not just let go");
    assert!(!data.join("ledger/iscro-2024.sqlite-wal").exists());
    assert_eq!(run(&erase, &data).0, Some(1), "once");
    let receipts = data.join("receipts");
    std::fs::write(&receipts, receipt.to_string()).unwrap();
    done(&["verify", "--receipts", receipts.to_str().unwrap()], &data);
    let exported = done(&["export"], &data);
    assert_eq!(exported.lines().count(), 1);
    assert!(!exported.contains(&code));

    let counter = counter.reopen(EVENING);
    let erased = counter.citizen(1).await;
    assert_eq!(erased.get(&place).await.status, 404);
    let again = erased.submit("other key", &erased.application()).await;
    assert_eq!(again.status, 409, "who was decided has had their application in this campaign");
    assert_eq!(erased.submit("key", &erased.application()).await.status, 409);
    assert_eq!(counter.citizen(2).await.get(&kept_place).await.status, 200);
    let trail = done(&["audit", "--fiscal-code", FiscalCode::made_up(1).as_str()], &data);
    assert!(trail.contains("erased"), "{trail}");

    // The copy learns of it, too.
    done(&backup, &data);
    let key = data.join("ledger.key");
    let exported = done(&["export", "--key", key.to_str().unwrap()], backups.path());
    assert!(!exported.contains(&code) && exported.lines().count() == 1);
}

#[tokio::test]
async fn a_campaign_and_drafts_are_erased_whole() {
    let mut counter = Counter::open();
    let data = counter.data();
    let citizen = counter.citizen(1).await;
    citizen.apply("key").await;
    let beginner = counter.citizen(2).await;
    assert_eq!(counter.ask("PUT", "/v1/draft", &beginner.token, "{}").await.status, 204);
    counter.stop();
    let reason = ["--reason", "kept long enough"];
    assert!(done(&["erase", "--drafts", reason[0], reason[1]], &data).contains("1 drafts"));
    done(&["erase", "--campaign", "iscro-2024", reason[0], reason[1]], &data);
    assert!(!data.join("ledger/iscro-2024.sqlite").exists());
    assert_eq!(run(&["erase", "--campaign", "iscro-2024", reason[0], reason[1]], &data).0, Some(1));
    let told = done(&["audit", "--controls"], &data);
    assert!(told.contains("erased campaign iscro-2024: kept long enough"), "{told}");
    done(&["verify"], &data);
    let counter = counter.reopen(EVENING);
    let beginner = counter.citizen(2).await;
    assert_eq!(beginner.get("/v1/draft").await.status, 404);
}
