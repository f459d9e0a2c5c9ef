//! Each safety of the reference counter left out: the checker notices, and finds nothing with it.
//!
//! Both counters meet the same faults, in a scenario that shows the difference every time.

use std::{sync::Arc, time::Duration};

use cluster::{
    Cluster, Setup, clock,
    history::{Call, Expect, Kind, Operation, Outcome, Recorder, Submission, Violation, check},
};
use tokio::task::JoinHandle;

use crate::{
    facts::await_event,
    reference::{Counter, Safety, create},
    session::Session,
};

/// Longest time until a submission is done that finds a primary again.
const AFTER_MAX: Duration = Duration::from_secs(30);

pub(crate) fn submission(claim: &str) -> Submission {
    let [claim, key, body] = [claim, "key", &format!("application of {claim}")].map(str::to_owned);
    Submission { claim, key, body }
}

/// A counter with its own history.
struct Observed {
    counter: Counter,
    recorder: Arc<Recorder>,
}

impl Observed {
    fn new(cluster: &Cluster, node: u32, without: Option<Safety>) -> Self {
        let recorder = Arc::default();
        let mut counter = Counter::new(node, &cluster.access(), &recorder);
        if let Some(safety) = without {
            counter = counter.without(safety);
        }
        Self { counter, recorder }
    }

    /// Submits one claim on another task.
    fn submitting(mut self, claim: &'static str) -> JoinHandle<(Self, Outcome)> {
        tokio::spawn(async move {
            let outcome = self.counter.submit(vec![submission(claim)]).await.remove(0);
            (self, outcome)
        })
    }

    /// Submits the claim until it has a receipt, reads what was acknowledged, and checks the history.
    async fn finish(mut self, claim: &str) -> Vec<Violation> {
        let begun = clock::now();
        loop {
            let outcome = self.counter.submit(vec![submission(claim)]).await.remove(0);
            if matches!(outcome, Outcome::Accepted { .. } | Outcome::Replayed { .. }) {
                break;
            }
            assert!(begun.elapsed() < AFTER_MAX, "{claim}: {outcome:?}");
        }
        self.read_all().await
    }

    async fn read_all(mut self) -> Vec<Violation> {
        let codes = acknowledged(&self.recorder);
        self.counter.read(&codes).await;
        check(&self.recorder.history(), Expect::default())
    }
}

/// Every code of an answer so far; a judge may have been given one that its applicant was not told.
pub(crate) fn acknowledged(recorder: &Recorder) -> Vec<String> {
    let history = recorder.history();
    let code = |operation: &Operation| match (&operation.call, &operation.outcome) {
        (
            _,
            Outcome::Accepted { code }
            | Outcome::Replayed { code }
            | Outcome::AlreadyApplied { code: Some(code) },
        )
        | (Call::Decide { code, .. }, Outcome::Decided) => Some(code.clone()),
        _ => None,
    };
    let mut codes: Vec<_> = history.iter().filter_map(code).collect();
    codes.sort();
    codes.dedup();
    codes
}

async fn ground() -> Cluster {
    let cluster = Cluster::open(Setup::default()).unwrap();
    create(&cluster.access(), cluster.node("a").host().address()).await;
    cluster
}

fn silence(cluster: &Cluster) {
    for standby in ["b", "c"] {
        cluster.partition_one_way("a", standby).unwrap();
    }
}

/// The primary is gone for good, and what only it had with it.
fn fail_over(cluster: &mut Cluster) {
    if cluster.node("a").is_up() {
        cluster.node_mut("a").kill().unwrap();
    }
    cluster.promote_ahead("a").unwrap();
}

fn assert_kinds(found: &[Violation], kind: Kind) {
    assert!(found.iter().any(|violation| violation.kind == kind), "not noticed: {found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_synchronous_commit_a_receipt_is_lost() {
    let mut cluster = ground().await;
    let control = Observed::new(&cluster, 1, Some(Safety::SynchronousCommit));
    let mut correct = Observed::new(&cluster, 2, None);
    let pid = correct.counter.connect().await;
    silence(&cluster);
    let (control, outcome) = control.submitting("control").await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let correct = correct.submitting("correct");
    await_event(&cluster, "a", pid, "SyncRep");
    fail_over(&mut cluster);
    assert_kinds(&control.read_all().await, Kind::Lost);
    assert_eq!(correct.await.unwrap().0.finish("correct").await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_cancellation_taken_for_success_a_receipt_is_lost() {
    let mut cluster = ground().await;
    let mut control = Observed::new(&cluster, 1, Some(Safety::Warnings));
    let mut correct = Observed::new(&cluster, 2, None);
    let pids = [control.counter.connect().await, correct.counter.connect().await];
    silence(&cluster);
    let (control, correct) = (control.submitting("control"), correct.submitting("correct"));
    for pid in pids {
        await_event(&cluster, "a", pid, "SyncRep");
        cluster.node("a").sql(&format!("SELECT pg_cancel_backend({pid})")).unwrap();
    }
    let (control, outcome) = control.await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    fail_over(&mut cluster);
    assert_kinds(&control.read_all().await, Kind::Lost);
    assert_eq!(correct.await.unwrap().0.finish("correct").await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_replay_of_what_is_merely_visible_a_receipt_is_lost() {
    let mut cluster = ground().await;
    let mut first = Observed::new(&cluster, 1, None);
    let pid = first.counter.connect().await;
    silence(&cluster);
    let first = first.submitting("visible");
    await_event(&cluster, "a", pid, "SyncRep");
    // The first counter dies with the primary: nobody sends its batch again.
    first.abort();
    cluster.node_mut("a").kill().unwrap();
    cluster.node_mut("a").start().unwrap();
    let control = Observed::new(&cluster, 2, Some(Safety::CommitAfterLookUp));
    let mut correct = Observed::new(&cluster, 3, None);
    for observed in [&control, &correct] {
        let call = Call::Submit(submission("visible"));
        observed.recorder.record(1, observed.recorder.now_us(), call, Outcome::Unknown);
    }
    let pid = correct.counter.connect().await;
    let (control, outcome) = control.submitting("visible").await.unwrap();
    assert!(matches!(outcome, Outcome::Replayed { .. }), "{outcome:?}");
    let correct = correct.submitting("visible");
    await_event(&cluster, "a", pid, "SyncRep");
    fail_over(&mut cluster);
    assert_kinds(&control.read_all().await, Kind::Lost);
    assert_eq!(correct.await.unwrap().0.finish("visible").await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_promotion_that_does_not_ask_both_a_receipt_is_lost() {
    for asks in [false, true] {
        let mut cluster = ground().await;
        cluster.partition_one_way("a", "c").unwrap();
        let one = Observed::new(&cluster, 1, None);
        let (one, outcome) = one.submitting("acknowledged").await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        cluster.node_mut("a").kill().unwrap();
        if asks {
            assert_eq!(cluster.promote_ahead("a").unwrap(), "b");
            assert_eq!(one.read_all().await, []);
        } else {
            cluster.promote_unasked("c").unwrap();
            // The operator takes the other one for as good as the promoted one, and gives up what it has.
            cluster.node_mut("b").kill().unwrap();
            cluster.heal().unwrap();
            cluster.rejoin("b", "c").unwrap();
            assert_kinds(&one.read_all().await, Kind::Lost);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sorted_claims_counters_wait_for_each_other() {
    let cluster = ground().await;
    let access = cluster.access();
    for (without, deadlocks) in [(Some(Safety::SortedClaims), true), (None, false)] {
        let address = cluster.node("a").host().address();
        let holder = Session::open(&access, address).await.unwrap();
        let hold = "BEGIN; INSERT INTO records VALUES ('m', '', '', 'never committed')";
        holder.client.batch_execute(hold).await.unwrap();
        let recorder = Arc::default();
        let mut submitting = Vec::new();
        let nodes = if deadlocks { [1, 2] } else { [3, 4] };
        for (node, claims) in nodes.into_iter().zip([["a", "m", "z"], ["z", "m", "a"]]) {
            let mut counter = Counter::new(node, &access, &recorder);
            if let Some(safety) = without {
                counter = counter.without(safety);
            }
            let pid = counter.connect().await;
            submitting.push(tokio::spawn(async move {
                counter.submit(claims.map(submission).to_vec()).await;
                counter
            }));
            await_event(&cluster, "a", pid, "Lock");
        }
        holder.client.batch_execute("ROLLBACK").await.unwrap();
        let mut last = None;
        for one in submitting {
            last = Some(one.await.unwrap());
        }
        last.unwrap().read(&acknowledged(&recorder)).await;
        let found = check(&recorder.history(), Expect::default());
        if deadlocks {
            assert_kinds(&found, Kind::Deadlocked);
        } else {
            assert_eq!(found, []);
        }
        holder.client.batch_execute("TRUNCATE records").await.unwrap();
    }
}
