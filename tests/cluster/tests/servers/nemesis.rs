//! Faults drawn by lot while counters and judges work: nothing acknowledged is lost, nothing is done twice.
//!
//! `SPORTELLO_CLUSTER_MINUTES` asks for a long run, `SPORTELLO_TEST_SEED` repeats the faults of one.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cluster::{
    Cluster, Fault, Node, Setup, clock,
    history::{self, Expect, Outcome, Recorder, Submission, check},
    until,
};
use fastrand::Rng;
use tokio::task::JoinHandle;

use crate::{
    controls::acknowledged,
    reference::{Counter, create},
};

/// Length of the run in CI.
const SHORT: Duration = Duration::from_secs(45);
/// Size of a server's disk; it keeps 128 MB of WAL at most.
const DISK_MIB: u64 = 512;
const COUNTERS: u32 = 4;
const JUDGES: u32 = 2;
const BATCH_MAX: usize = 8;
/// Of 100 submissions, those of claims that others use, too.
const SHARED_PERCENT: u8 = 20;
/// Time between two batches of a counter.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest time after a fault until something is accepted again.
const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// Codes that one transaction reads at the end.
const READ_MAX: usize = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_faults_drawn_by_lot_nothing_acknowledged_is_lost_and_nothing_happens_twice() {
    let seed = number("SPORTELLO_TEST_SEED").unwrap_or_else(|| u64::from(fastrand::u32(..)));
    println!("SPORTELLO_TEST_SEED={seed}");
    let minutes =
        number("SPORTELLO_CLUSTER_MINUTES").map(|minutes| Duration::from_secs(60 * minutes));
    let cluster = Cluster::open(Setup { disk_mib: Some(DISK_MIB), ..Setup::default() }).unwrap();
    create(&cluster.access(), cluster.node("a").host().address()).await;
    let (recorder, is_over) = (Arc::new(Recorder::default()), Arc::new(AtomicBool::default()));
    let access = cluster.access();
    let mut working = Vec::new();
    for node in 1..=COUNTERS + JUDGES {
        let counter = Counter::new(node, &access, &recorder);
        let is_over = Arc::clone(&is_over);
        working.push(if node <= COUNTERS {
            applying(
                counter,
                Rng::with_seed(seed ^ u64::from(node)),
                Arc::clone(&recorder),
                is_over,
            )
        } else {
            judging(counter, is_over)
        });
    }
    let mut nemesis = Nemesis {
        primary: "a",
        cluster,
        dice: Rng::with_seed(seed),
        recorder: Arc::clone(&recorder),
    };
    let begun = clock::now();
    nemesis.progress();
    while begun.elapsed() < minutes.unwrap_or(SHORT) {
        tokio::task::block_in_place(|| nemesis.strike());
    }
    is_over.store(true, Ordering::Relaxed);
    for one in working {
        one.await.unwrap();
    }
    let mut reader = Counter::new(COUNTERS + JUDGES + 1, &access, &recorder);
    while reader.judge().await > 0 {}
    let codes = acknowledged(&recorder);
    for some in codes.chunks(READ_MAX) {
        let answers = reader.read(some).await;
        assert!(
            answers
                .iter()
                .all(|answer| !matches!(answer, Outcome::Unknown | Outcome::Refused { .. })),
            "{answers:?}"
        );
    }
    judge_history(&recorder, codes.len());
}

/// Checks the history, and keeps it if it is wrong.
fn judge_history(recorder: &Recorder, codes: usize) {
    let history = recorder.history();
    let count = |of: fn(&Outcome) -> bool| history.iter().filter(|one| of(&one.outcome)).count();
    println!(
        "{} operations, {codes} receipts, {} unknown, {} refused, {} decided",
        history.len(),
        count(|outcome| *outcome == Outcome::Unknown),
        count(|outcome| matches!(outcome, Outcome::Refused { .. })),
        count(|outcome| *outcome == Outcome::Decided),
    );
    let found = check(&history, Expect { all_decided: true, ..Expect::default() });
    if !found.is_empty() {
        let (file, path) =
            tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap().keep().unwrap();
        history::write(&history, &file as &File).unwrap();
        let shown: Vec<_> = found.iter().take(20).map(ToString::to_string).collect();
        panic!(
            "{} contradictions; history in {}:\n{}",
            found.len(),
            path.display(),
            shown.join("\n")
        );
    }
}

fn applying(
    mut counter: Counter,
    mut dice: Rng,
    recorder: Arc<Recorder>,
    is_over: Arc<AtomicBool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (mut own, mut known) = (0_u64, Vec::new());
        while !is_over.load(Ordering::Relaxed) {
            let mut batch = std::collections::BTreeMap::new();
            for _ in 0..dice.usize(1..=BATCH_MAX) {
                own += 1;
                let claim = if dice.u8(0..100) < SHARED_PERCENT {
                    // Of this half second: counters meet, and repeat what was sent.
                    format!("shared {}", recorder.now_us() / 500_000)
                } else {
                    format!("of {own} by {}", counter.node())
                };
                let key = format!("key {}", dice.u8(0..3));
                let body = format!("application {claim}, {key}");
                batch.insert(claim.clone(), Submission { claim, key, body });
            }
            for outcome in counter.submit(batch.into_values().collect()).await {
                if let Outcome::Accepted { code } = outcome {
                    known.push(code);
                }
            }
            if let Some(code) = dice.choice(&known) {
                counter.read(std::slice::from_ref(code)).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

fn judging(mut judge: Counter, is_over: Arc<AtomicBool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while !is_over.load(Ordering::Relaxed) {
            judge.judge().await;
            tokio::time::sleep(PAUSE).await;
        }
    })
}

struct Nemesis {
    cluster: Cluster,
    primary: &'static str,
    dice: Rng,
    recorder: Arc<Recorder>,
}

impl Nemesis {
    /// One fault from its beginning to its end.
    fn strike(&mut self) {
        match self.dice.u8(0..11) {
            fault @ 0..6 => self.strike_primary(fault),
            fault => self.strike_standbys(fault),
        }
        self.progress();
        for standby in self.cluster.others(self.primary) {
            self.cluster.await_streaming(standby, self.primary).unwrap();
        }
    }

    fn strike_primary(&mut self, fault: u8) {
        let primary = self.primary;
        match fault {
            0 => {
                self.tell("kill the primary, promote, rewind");
                self.cluster.node_mut(primary).kill().unwrap();
                self.replace();
            }
            1 => {
                self.tell("hang the primary, promote, kill and rewind");
                self.cluster.node(primary).pause().unwrap();
                self.last();
                self.replace_alive();
            }
            2 => {
                self.tell("cut the primary off, promote, kill and rewind");
                self.cluster.node(primary).host().isolate().unwrap();
                self.last();
                self.replace_alive();
            }
            3 => {
                self.tell("cut the power of the primary, promote, rewind");
                self.cluster.node_mut(primary).cut_power().unwrap();
                self.primary = self.cluster.promote_ahead(primary).unwrap();
                self.cluster.node_mut(primary).power_on().unwrap();
                self.cluster.node_mut(primary).kill().unwrap();
                self.cluster.rejoin(primary, self.primary).unwrap();
            }
            4 => {
                self.tell("cut the power of all");
                self.each(&["a", "b", "c"], Node::cut_power);
                self.each(&["a", "b", "c"], Node::power_on);
            }
            _ => {
                self.tell("kill the primary and start it again");
                self.each(&[primary], Node::kill);
                self.each(&[primary], Node::start);
            }
        }
    }

    fn strike_standbys(&mut self, fault: u8) {
        let primary = self.primary;
        let standbys = self.cluster.others(primary);
        let one = if self.dice.bool() { standbys[0] } else { standbys[1] };
        match fault {
            6 => {
                self.tell("kill a standby");
                self.each(&[one], Node::kill);
                self.progress();
                self.each(&[one], Node::start);
            }
            7 => {
                self.tell("kill both standbys");
                self.each(&standbys, Node::kill);
                self.last();
                self.each(&standbys, Node::start);
            }
            8 => {
                self.tell("hang both standbys");
                self.each(&standbys, |node| node.pause());
                self.last();
                self.each(&standbys, |node| node.resume());
            }
            9 => {
                self.tell("cut one way between the primary and a standby");
                self.cluster.partition_one_way(primary, one).unwrap();
                self.progress();
                self.last();
                self.cluster.heal().unwrap();
            }
            _ => {
                self.tell("cut the primary off from both standbys");
                for standby in standbys {
                    self.cluster.partition(primary, standby).unwrap();
                }
                self.last();
                self.cluster.heal().unwrap();
            }
        }
    }

    fn each(&mut self, names: &[&str], act: impl Fn(&mut Node) -> Result<(), Fault>) {
        for name in names {
            act(self.cluster.node_mut(name)).unwrap();
        }
    }

    fn tell(&self, what: &str) {
        self.cluster.tell(format_args!("{what} (primary {})", self.primary));
    }

    /// The fault lasts.
    fn last(&mut self) {
        std::thread::sleep(Duration::from_millis(self.dice.u64(200..4000)));
    }

    /// Promotes the better standby, and makes the dead primary one.
    fn replace(&mut self) {
        let dead = self.primary;
        self.primary = self.cluster.promote_ahead(dead).unwrap();
        self.cluster.rejoin(dead, self.primary).unwrap();
    }

    /// The same while the old primary still lives: nobody follows it, so that it commits nothing.
    fn replace_alive(&mut self) {
        let old = self.primary;
        self.primary = self.cluster.promote_ahead(old).unwrap();
        self.progress();
        self.cluster.node_mut(old).kill().unwrap();
        self.cluster.heal().unwrap();
        self.cluster.rejoin(old, self.primary).unwrap();
    }

    /// Waits until something is accepted that was asked after this moment.
    fn progress(&self) {
        let from = self.recorder.now_us();
        let accepted = || (self.recorder.last_accepted_us() > from).then_some(());
        until("something is accepted again", RECOVERY_MAX, accepted).unwrap();
    }
}
