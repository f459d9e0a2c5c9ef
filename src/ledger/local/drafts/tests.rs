//! Drafts in groups, and the drafts' file.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crossbeam::channel::{Receiver, Sender, bounded};
use futures_util::future::join_all;
use proptest::{
    prelude::{Strategy, any, proptest},
    test_runner::Config,
};
use rusqlite::Connection;
use tokio::{task::JoinHandle, time::timeout};

use super::{
    super::files::FileFormat,
    change::Outcome,
    file::{file_of, load},
    *,
};
use crate::{
    civic::FiscalCode,
    ledger::{
        book::record::RecordFault,
        drafts::{DRAFTS_MAX, version_of},
        fault::StorageFault,
    },
    schemes::Scheme,
};

/// Upper bound on the time that a test waits for one thing.
const PATIENCE: Duration = Duration::from_secs(30);

fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

/// The ISCRO draft of the n-th made-up person, as a citizen or as a clerk under a mandate.
fn slot(n: u64, office_and_mandate: Option<(&str, &str)>) -> Slot {
    let person = keys().subject(&FiscalCode::made_up(n));
    let principal = office_and_mandate.map_or(person, |(office, _)| keys().office(office));
    let mandate = office_and_mandate.map(|(_, mandate)| mandate);
    Slot { key: keys().draft(person, principal, Scheme::Iscro, mandate), person, principal }
}

fn saving(slot: Slot, content: &[u8], expected: Expected) -> Change {
    Change { slot, what: What::Save(Bytes::copy_from_slice(content)), expected, waiting: None }
}

fn removing(slot: Slot, expected: Expected) -> Change {
    Change { slot, what: What::Remove, expected, waiting: None }
}

/// A disk that the test slows down and breaks, and that counts the groups written to it, each with one sync.
struct Disk {
    file: DraftsFile,
    /// Every group waits for a message, while there is a sender.
    gate: Receiver<()>,
    syncs: Arc<AtomicUsize>,
    /// The group that fails, and all after it.
    fails_at: usize,
    /// Whether it fails by a panic.
    panics: bool,
}

impl Groups for Disk {
    fn write(&mut self, changes: &[Change]) -> Result<Vec<Outcome>, StorageFault> {
        let before = self.syncs.fetch_add(1, Ordering::AcqRel);
        let _open = self.gate.recv();
        if before + 1 >= self.fails_at {
            assert!(!self.panics, "a bug");
            return Err(StorageFault::Full);
        }
        self.file.write(changes)
    }

    fn tidy(&mut self) -> Result<(), StorageFault> {
        self.file.tidy()
    }
}

/// Drafts on such a disk.
struct House {
    /// Dropped first, so that the writer of a test that failed can end.
    gate: Option<Sender<()>>,
    drafts: Arc<LocalDrafts>,
    syncs: Arc<AtomicUsize>,
    directory: tempfile::TempDir,
}

impl House {
    fn new(fails_at: usize) -> Self {
        Self::with(fails_at, false)
    }

    fn with(fails_at: usize, panics: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = DraftsFile::open(directory.path(), keys()).unwrap();
        let (index, syncs) = (file.index(), Arc::new(AtomicUsize::new(0)));
        let (gate, gated) = bounded(1);
        let disk = Disk { file, gate: gated, syncs: Arc::clone(&syncs), fails_at, panics };
        let drafts = LocalDrafts::with(directory.path(), keys(), index, Box::new(disk)).unwrap();
        Self { gate: Some(gate), drafts: Arc::new(drafts), syncs, directory }
    }

    /// From now on the disk is fast.
    fn speed_up(&mut self) {
        self.gate = None;
    }

    /// Saves a draft of the n-th person in the background.
    fn saves(&self, n: u64) -> JoinHandle<Result<(), DraftFault>> {
        let (drafts, content) = (Arc::clone(&self.drafts), Bytes::from(n.to_string()));
        tokio::spawn(async move { drafts.save(slot(n, None), content, Expected::Anything).await })
    }

    async fn save(&self, n: u64) -> Result<(), DraftFault> {
        timeout(PATIENCE, self.saves(n)).await.expect("it is answered").unwrap()
    }

    async fn content(&self, n: u64) -> Option<Vec<u8>> {
        let loaded = timeout(PATIENCE, self.drafts.load(slot(n, None))).await;
        loaded.expect("a load waits for no sync").unwrap().map(|draft| draft.content)
    }

    /// The n-th person has submitted what they drafted.
    fn forget(&self, n: u64) {
        let slot = slot(n, None);
        let forgetting = self.drafts.forget(slot.person, slot.principal, &|| slot.key);
        assert!(matches!(forgetting, Forgetting::Left(_)), "nothing is waited for");
    }

    fn syncs(&self) -> usize {
        self.syncs.load(Ordering::Acquire)
    }

    /// Waits until the writer has begun to write its n-th group.
    async fn writes(&self, n: usize) {
        while self.syncs() < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until so many messages are in the queue.
    async fn queued(&self, n: usize) {
        while self.drafts.messages.len() < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_burst_of_drafts_costs_few_syncs_and_delays_no_load() {
    let mut house = House::new(usize::MAX);
    let first = house.saves(0);
    house.writes(1).await;
    let burst: Vec<_> = (1..=500).map(|n| house.saves(n)).collect();
    house.queued(500).await;
    assert_eq!(house.content(1).await, None, "it is not durable yet");
    house.speed_up();
    for saved in join_all(burst).await {
        saved.unwrap().unwrap();
    }
    first.await.unwrap().unwrap();
    assert_eq!(house.syncs(), 2, "one for the first, one for all that came meanwhile");
    assert_eq!(house.content(500).await, Some(b"500".to_vec()));
}

#[tokio::test]
async fn a_full_queue_is_an_answer_and_a_submission_is_not_refused_for_a_draft() {
    let mut house = House::new(usize::MAX);
    house.gate.as_ref().unwrap().send(()).unwrap();
    house.save(0).await.unwrap();
    let waiting: Vec<_> = (1..=CHANGES_MAX as u64).map(|n| house.saves(n)).collect();
    house.writes(2).await;
    while house.drafts.places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(house.save(0).await, Err(DraftFault::Busy)), "at once");
    let removed = house.drafts.remove(slot(0, None), Expected::Anything).await;
    assert!(matches!(removed, Err(DraftFault::Busy)));
    house.forget(0);
    assert_eq!(house.content(0).await, None, "forgotten without waiting for the disk");
    house.speed_up();
    for saved in join_all(waiting).await {
        saved.unwrap().unwrap();
    }
    house.save(0).await.unwrap();
}

#[tokio::test]
async fn a_failed_group_is_final_for_drafts_and_never_tried_again() {
    let mut house = House::new(2);
    house.gate.as_ref().unwrap().send(()).unwrap();
    house.save(1).await.unwrap();
    let (second, third) = (house.saves(2), house.saves(3));
    house.writes(2).await;
    let fourth = house.saves(4);
    house.queued(1).await;
    house.speed_up();
    for refused in [second, third, fourth] {
        let answer = timeout(PATIENCE, refused).await.expect("it is answered").unwrap();
        assert!(matches!(answer, Err(DraftFault::Failed)), "{answer:?}");
    }
    for n in 1..5 {
        assert!(matches!(house.save(n).await, Err(DraftFault::Failed)));
    }
    assert_eq!(house.syncs(), 2, "one success and one failure");
    assert_eq!(house.content(1).await, Some(b"1".to_vec()), "what is stored can still be loaded");
    house.forget(1);
    assert!(house.content(1).await.is_some(), "it is on the disk, and stays visible");
}

#[tokio::test]
async fn a_panic_of_the_writer_leaves_nobody_waiting() {
    let mut house = House::with(1, true);
    let first = house.saves(1);
    house.writes(1).await;
    let second = house.saves(2);
    house.queued(1).await;
    house.speed_up();
    for refused in [first, second] {
        let answer = timeout(PATIENCE, refused).await.expect("it is answered").unwrap();
        assert!(matches!(answer, Err(DraftFault::Failed)), "{answer:?}");
    }
    assert!(matches!(house.save(3).await, Err(DraftFault::Failed)));
    house.drafts.close();
}

#[tokio::test]
async fn forgotten_drafts_share_the_sync_of_a_later_change() {
    let mut house = House::new(usize::MAX);
    house.speed_up();
    for saved in join_all((0..20).map(|n| house.saves(n))).await {
        saved.unwrap().unwrap();
    }
    let before = house.syncs();
    for n in 0..20 {
        house.forget(n);
        assert_eq!(house.content(n).await, None);
    }
    house.save(99).await.unwrap();
    assert_eq!(house.syncs(), before + 1);
    house.drafts.close();
    let drafts = DraftsFile::open(house.directory.path(), keys()).unwrap();
    assert_eq!(drafts.remove_all().unwrap(), 1, "only the new one is in the file");
}

#[tokio::test]
async fn closing_writes_what_waits() {
    let mut house = House::new(usize::MAX);
    house.speed_up();
    house.save(1).await.unwrap();
    house.forget(1);
    let last = house.saves(2);
    // Its place is taken when it is sent, and given back with the answer.
    while house.drafts.places.available_permits() == CHANGES_MAX && !last.is_finished() {
        tokio::task::yield_now().await;
    }
    let drafts = Arc::clone(&house.drafts);
    tokio::task::spawn_blocking(move || drafts.close()).await.unwrap();
    last.await.unwrap().unwrap();
    assert!(matches!(house.save(3).await, Err(DraftFault::Failed)));
    let drafts = LocalDrafts::open(house.directory.path(), keys()).unwrap();
    assert!(drafts.load(slot(1, None)).await.unwrap().is_none());
    assert_eq!(drafts.load(slot(2, None)).await.unwrap().unwrap().content, b"2");
}

/// What is asked of one of three drafts.
#[derive(Clone, Debug)]
enum Wish {
    Save(u64, u8, Option<u8>),
    Remove(u64, Option<u8>),
}

impl Wish {
    fn change(&self) -> Change {
        let expected = |version: Option<u8>| match version {
            None => Expected::Anything,
            Some(0) => Expected::Something,
            Some(version) => Expected::OneOf(vec![version_of(&[version])]),
        };
        match *self {
            Self::Save(n, content, version) => saving(slot(n, None), &[content], expected(version)),
            Self::Remove(n, version) => removing(slot(n, None), expected(version)),
        }
    }

    /// The same on a table in memory.
    fn on(&self, table: &mut HashMap<u64, u8>) -> bool {
        let (Self::Save(n, _, expected) | Self::Remove(n, expected)) = *self;
        let stored = table.get(&n).copied();
        let is_met = match expected {
            None => true,
            Some(0) => stored.is_some(),
            expected => stored == expected,
        };
        if is_met {
            match *self {
                Self::Save(n, content, _) => table.insert(n, content),
                Self::Remove(n, _) => table.remove(&n),
            };
        }
        is_met
    }
}

fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    let wish = (any::<bool>(), 0..3_u64, 1..4_u8, proptest::option::of(0..4_u8));
    let wish = wish.prop_map(|(saves, n, content, expected)| {
        if saves { Wish::Save(n, content, expected) } else { Wish::Remove(n, expected) }
    });
    proptest::collection::vec(proptest::collection::vec(wish, 1..8), 1..5)
}

proptest! {
    #![proptest_config(Config { cases: 32, ..crate::properties::config() })]

    #[test]
    fn changes_of_one_group_are_decided_in_their_order(groups in wishes()) {
        let directory = tempfile::tempdir().unwrap();
        let mut drafts = DraftsFile::open(directory.path(), keys()).unwrap();
        let mut table = HashMap::new();
        for group in groups {
            let changes: Vec<_> = group.iter().map(Wish::change).collect();
            let outcomes = drafts.write(&changes).unwrap();
            for (wish, outcome) in group.iter().zip(outcomes) {
                let before = table.contains_key(&match wish { Wish::Save(n, ..) | Wish::Remove(n, _) => *n });
                match outcome {
                    Ok(had_one) => {
                        proptest::prop_assert!(wish.on(&mut table), "{:?}", wish);
                        proptest::prop_assert_eq!(had_one, before);
                    }
                    Err(DraftFault::Changed) => proptest::prop_assert!(!wish.on(&mut table)),
                    Err(fault) => panic!("{fault}"),
                }
            }
            let reader = reading(&file_of(directory.path())).unwrap();
            for n in 0..3 {
                let stored = load(&reader, &keys(), slot(n, None)).unwrap();
                let stored = stored.map(|draft| draft.content[0]);
                proptest::prop_assert_eq!(stored, table.get(&n).copied());
                proptest::prop_assert_eq!(drafts.index().has(slot(n, None)), stored.is_some());
            }
        }
    }
}

/// The file alone, and a connection to read it.
struct OneFile {
    file: DraftsFile,
    reader: Connection,
}

impl OneFile {
    fn open(directory: &Path) -> Self {
        let file = DraftsFile::open(directory, keys()).unwrap();
        Self { file, reader: reading(&file_of(directory)).unwrap() }
    }

    fn change(&mut self, change: Change) -> Outcome {
        self.file.write(&[change]).unwrap().pop().unwrap()
    }

    fn save(&mut self, slot: Slot, content: &[u8]) -> Outcome {
        self.change(saving(slot, content, Expected::Anything))
    }

    fn content(&self, slot: Slot) -> Option<Vec<u8>> {
        let draft = load(&self.reader, &keys(), slot).unwrap()?;
        assert_eq!(draft.principal, slot.principal);
        Some(draft.content)
    }
}

#[test]
fn a_draft_is_kept_in_its_slot_across_restarts_until_it_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let slots = [
        slot(1, None),
        slot(2, None),
        slot(1, Some(("a", "m"))),
        slot(1, Some(("b", "m"))),
        slot(1, Some(("a", "n"))),
    ];
    let mut drafts = OneFile::open(directory.path());
    drafts.save(slots[0], b"first").unwrap();
    for (slot, n) in slots.iter().zip(b"01234").rev() {
        assert_eq!(drafts.content(*slot).is_some(), *n == b'0');
        drafts.save(*slot, &[*n]).unwrap();
    }
    drop(drafts);
    let mut drafts = OneFile::open(directory.path());
    for (slot, n) in slots.iter().zip(b"01234") {
        assert_eq!(drafts.content(*slot).unwrap(), [*n]);
    }
    assert!(drafts.change(removing(slots[2], Expected::Anything)).unwrap());
    assert!(!drafts.change(removing(slots[2], Expected::Anything)).unwrap());
    let left: Vec<_> = slots.iter().map(|slot| drafts.file.index().has(*slot)).collect();
    assert_eq!(left, [true, true, false, true, true]);
    assert_eq!(drafts.content(slots[2]), None);
    assert_eq!(drafts.file.remove_all().unwrap(), 4);
    assert!(!slots.iter().any(|slot| drafts.file.index().has(*slot)));
}

#[test]
fn a_person_has_a_bounded_number_of_drafts_also_within_a_group() {
    let directory = tempfile::tempdir().unwrap();
    let mut drafts = OneFile::open(directory.path());
    let under = |n: usize| slot(1, Some(("a", &n.to_string())));
    let group: Vec<_> =
        (0..=DRAFTS_MAX).map(|n| saving(under(n), b"x", Expected::Anything)).collect();
    let mut outcomes = drafts.file.write(&group).unwrap();
    assert!(matches!(outcomes.pop(), Some(Err(DraftFault::TooMany))));
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    drafts.save(under(0), b"y").unwrap();
    drafts.save(slot(1, None), b"x").unwrap();
    assert_eq!(drafts.file.index().count(under(0).person, under(0).principal), DRAFTS_MAX);
}

#[test]
fn a_draft_that_was_moved_to_another_slot_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let mut drafts = OneFile::open(directory.path());
    let from = slot(1, Some(("a", "m")));
    drafts.save(from, b"mine").unwrap();
    let other = Connection::open(file_of(directory.path())).unwrap();
    let mut at = from;
    for to in [slot(2, None), slot(1, None), slot(1, Some(("b", "m")))] {
        let moved = "UPDATE drafts SET key = ?1, person = ?2 WHERE key = ?3";
        let ids = [to.key.0, to.person.0, at.key.0];
        assert_eq!(other.execute(moved, ids).unwrap(), 1);
        let loaded = load(&drafts.reader, &keys(), to);
        assert!(matches!(loaded, Err(ReadFault::Record(RecordFault::Seal(_)))));
        at = to;
    }
}

#[tokio::test]
async fn a_damaged_draft_is_reported_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut drafts = OneFile::open(directory.path());
    drafts.save(slot(1, None), b"mine").unwrap();
    drop(drafts);
    let other = Connection::open(file_of(directory.path())).unwrap();
    other.execute("UPDATE drafts SET sealed = zeroblob(length(sealed))", []).unwrap();
    drop(other);
    let drafts = LocalDrafts::open(directory.path(), keys()).unwrap();
    assert!(matches!(drafts.load(slot(1, None)).await, Err(ReadFault::Record(_))));
}

#[test]
fn a_file_of_an_earlier_release_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let earlier = FileFormat { version: 1, ..FORMAT };
    drop(earlier.open(directory.path(), &file_of(directory.path())).unwrap());
    let Err(fault) = DraftsFile::open(directory.path(), keys()) else { panic!("refused") };
    let text = fault.to_string();
    assert!(text.contains("version is 1") && text.contains("move it away"), "{text}");
}
