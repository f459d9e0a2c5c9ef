//! Power cuts: an ext4 file system is shut down while the server writes to it, and mounted again.

use std::{cell::Cell, time::Duration};

use hyper::StatusCode;

use crate::{
    crowd::Crowd,
    disk::Disk,
    harness::{Counter, EVENING, until},
};

const CUTS: usize = 4;
/// Receipts between two cuts, at least.
const RECEIPTS_BEFORE_A_CUT: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the superuser, loop devices, mkfs.ext4 and xfs_io"]
async fn ext4_cut_off_under_load_has_every_receipt_when_it_is_mounted_again() {
    let disk = Disk::ext4(128);
    let settings = [("SPORTELLO_LEDGER_CHECKPOINT_MS", "20")];
    let mut counter = Counter::open_in(&disk.mounted(), &settings);
    let mut crowd = Crowd::before(&counter);
    for cut in 1..=CUTS {
        let before = crowd.receipts.len();
        let given = Cell::new(before);
        let load = async {
            loop {
                let answer = crowd.apply(&counter).await.unwrap();
                if answer.status != StatusCode::CREATED {
                    return answer.assert_storage_unavailable();
                }
                given.set(crowd.receipts.len());
            }
        };
        let power = async {
            tokio::time::sleep(Duration::from_millis(400 + 130 * cut as u64)).await;
            // A machine with other load gives fewer in that time.
            let under_way = async || (given.get() > before + RECEIPTS_BEFORE_A_CUT).then_some(());
            until("the load is under way", under_way).await;
            let before_cut = given.get();
            tokio::task::block_in_place(|| disk.cut());
            before_cut
        };
        let ((), promised) = tokio::join!(load, power);
        // Receipts given after the cut do not count: this machine still runs, and ext4 may report success for a sync
        // that was in progress at the shutdown.
        crowd.receipts.truncate(promised);
        assert_eq!(counter.metric("sportello_ledger_poisoned", &[]).await, 1);
        counter.kill();
        disk.unmount();
        disk.mount().unwrap();
        crowd.verify(&counter.data());
        counter = counter.reopen_with(EVENING, &settings);
        crowd.look(&counter).await;
    }
}
