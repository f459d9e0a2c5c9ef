//! Failed syncs: the first one poisons the ledger, and no sync is tried again.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use crate::{
    crowd::Crowd,
    harness::{Counter, EVENING},
};

/// Makes every sync of a process fail until dropped, and logs each of them.
struct Failing {
    strace: Child,
    log: tempfile::NamedTempFile,
}

impl Failing {
    fn of(process: u32) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-y", "-e", "trace=fsync,fdatasync"])
            .args(["-e", "inject=fsync,fdatasync:error=EIO", "-p", &process.to_string(), "-o"])
            .arg(log.path())
            .spawn()
            .expect("strace is installed");
        let failing = Self { strace, log };
        for _ in 0..200 {
            if all_watched(process, failing.strace.id()) {
                return failing;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("strace does not watch every thread of {process}");
    }

    /// The failed syncs of campaigns' ledgers, without those of the audit trail.
    fn failed(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log.path()).unwrap();
        let ledgers = |line: &&str| line.contains("(INJECTED)") && line.contains("/iscro-");
        log.lines().filter(ledgers).map(str::to_owned).collect()
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // The traced process continues to run.
        let _ended = self.strace.kill();
        let _status = self.strace.wait();
    }
}

fn all_watched(process: u32, by: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.flatten().all(|thread| watched(&thread.path(), by))
}

fn watched(thread: &Path, by: u32) -> bool {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    status.lines().any(|line| line == format!("TracerPid:\t{by}"))
}

async fn poisoned(counter: &Counter) -> bool {
    counter.metric("sportello_ledger_poisoned", &[]).await == 1
}

#[tokio::test]
#[ignore = "needs strace and the right to trace"]
async fn the_first_failed_sync_of_a_commit_poisons_the_ledger_and_is_the_last() {
    // Checkpoints sync, too: with this interval none happens during the test.
    let seldom = [("SPORTELLO_LEDGER_CHECKPOINT_MS", "600000")];
    let counter = Counter::open_with(&seldom);
    let mut crowd = Crowd::before(&counter);
    crowd.apply_all(&counter, 20).await;
    counter.all_decided().await;
    let failing = Failing::of(counter.pid());
    for _ in 0..5 {
        crowd.apply(&counter).await.unwrap().assert_storage_unavailable();
    }
    assert!(poisoned(&counter).await);
    crowd.look(&counter).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let failed = failing.failed();
    assert_eq!(failed.len(), 1, "one sync fails, and none is tried again: {failed:#?}");
    assert!(failed[0].contains("-wal"), "{failed:?}");
    recovered(counter, crowd).await;
}

#[tokio::test]
#[ignore = "needs strace and the right to trace"]
async fn a_failed_sync_of_a_checkpoint_poisons_the_ledger_and_is_the_last() {
    let later = [("SPORTELLO_LEDGER_CHECKPOINT_MS", "2500")];
    let counter = Counter::open_with(&later);
    let mut crowd = Crowd::before(&counter);
    crowd.apply_all(&counter, 20).await;
    counter.all_decided().await;
    let failing = Failing::of(counter.pid());
    for _ in 0..100 {
        if poisoned(&counter).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    crowd.apply(&counter).await.unwrap().assert_storage_unavailable();
    crowd.look(&counter).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(failing.failed().len(), 1, "{:#?}", failing.failed());
    assert!(counter.log().contains("poisoned by a checkpoint"), "{}", counter.log());
    recovered(counter, crowd).await;
}

/// Asserts that after a restart without failing syncs the server accepts applications and has every receipt.
async fn recovered(counter: Counter, mut crowd: Crowd) {
    let mut counter = counter.reopen(EVENING);
    assert!(!poisoned(&counter).await);
    crowd.apply_all(&counter, 5).await;
    crowd.look(&counter).await;
    assert_eq!(counter.stop().code(), Some(0), "{}", counter.log());
    crowd.verify(&counter.data());
}
