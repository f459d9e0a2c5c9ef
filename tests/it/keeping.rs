//! What operators do with the data: export, back up, restore and erase it.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde_json::Value;
use sportello::civic::FiscalCode;

use crate::harness::{Counter, EVENING, finished, location, program};

/// Number of people who apply, at least, while backups are taken.
const PEOPLE: u64 = 20;

fn run(arguments: &[&str], data: &Path) -> (Option<i32>, String, String) {
    finished(program().args(arguments).arg("--data").arg(data))
}

/// Runs a command that must succeed; its output.
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
    let withdrawing = counter.citizen(20).await;
    assert_eq!(withdrawing.delete(&places[19]).await.status, 204);

    let out = done(&["export", "--scheme", "iscro"], &counter.data());
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
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
        "each export is in the audit trail: {commands}"
    );
}

#[tokio::test]
async fn a_backup_taken_under_load_is_whole_grows_and_can_be_restored() {
    let mut counter = Counter::open();
    let data = counter.data();
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy");
    let backup = ["backup", "--to", to.to_str().unwrap()];
    let key = data.join("ledger.key");
    let verify = ["verify", "--key", key.to_str().unwrap()];

    // People apply and withdraw while backups are taken, at least five.
    let (stop, applied) = (AtomicBool::new(false), AtomicU64::new(0));
    let people = async {
        while !stop.load(Ordering::Acquire) {
            let n = applied.fetch_add(1, Ordering::AcqRel) + 1;
            let citizen = counter.citizen(n).await;
            let place = citizen.apply("key").await;
            if n % 3 == 0 {
                citizen.delete(&place).await;
            }
        }
    };
    let copies = async {
        let mut copies = 0;
        while copies < 5 || applied.load(Ordering::Acquire) < PEOPLE {
            copies += 1;
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
    tokio::join!(people, copies);
    let applied = applied.into_inner();
    counter.all_decided().await;
    counter.stop();
    done(&backup, &data);
    let out = done(&verify, &to);
    assert!(out.contains(&format!("iscro-2024: accepted {applied} = ")), "{out}");

    // Everything but the backup and the key is lost.
    let restored = tempfile::tempdir().unwrap();
    let restore = ["restore", "--from", to.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert!(done(&restore, restored.path()).contains("whole"));
    let (code, _, complaint) = run(&restore, restored.path());
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("holds ledgers already"), "{complaint}");
    let verify_restored = done(&verify, restored.path());
    assert!(verify_restored.contains(&format!("accepted {applied} = ")), "{verify_restored}");

    // A backup of other data is not mixed into this one.
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
async fn an_erased_application_is_gone_from_the_disk_and_the_others_still_verify() {
    let mut counter = Counter::open();
    let data = counter.data();
    let (erased, kept) = (counter.citizen(1).await, counter.citizen(2).await);
    let receipt = erased.submit("key", &erased.application()).await.json();
    let code = receipt["receipt"].as_str().unwrap().to_owned();
    let place = location(&receipt);
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
    assert_eq!(on_disk(), 2, "the search finds both while they are stored");

    assert!(done(&erase, &data).contains(&code));
    assert_eq!(on_disk(), 0, "the bytes are overwritten, not only released");
    assert!(!data.join("ledger/iscro-2024.sqlite-wal").exists());
    assert_eq!(run(&erase, &data).0, Some(1), "an application is erased once");
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
    assert_eq!(
        again.status, 409,
        "a person whose application was decided cannot apply again in this campaign"
    );
    assert_eq!(erased.submit("key", &erased.application()).await.status, 409);
    assert_eq!(counter.citizen(2).await.get(&kept_place).await.status, 200);
    let trail = done(&["audit", "--fiscal-code", FiscalCode::made_up(1).as_str()], &data);
    assert!(trail.contains("erased"), "{trail}");

    // The next backup erases it from the copy, too.
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
    assert_eq!(beginner.put("/drafts/iscro", "{}").await.status, 204);
    counter.stop();
    let reason = ["--reason", "kept long enough"];
    assert!(done(&["erase", "--drafts", reason[0], reason[1]], &data).contains("1 drafts"));
    done(&["erase", "--campaign", "iscro-2024", reason[0], reason[1]], &data);
    assert!(!data.join("ledger/iscro-2024.sqlite").exists());
    assert_eq!(run(&["erase", "--campaign", "iscro-2024", reason[0], reason[1]], &data).0, Some(1));
    let out = done(&["audit", "--controls"], &data);
    assert!(out.contains("erased campaign iscro-2024: kept long enough"), "{out}");
    done(&["verify"], &data);
    let counter = counter.reopen(EVENING);
    let beginner = counter.citizen(2).await;
    assert_eq!(beginner.get("/drafts/iscro").await.status, 404);
}
