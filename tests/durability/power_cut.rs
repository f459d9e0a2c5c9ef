//! Simulated power cuts: runs of the real ledger are recorded call by call; for each cut the disk is rebuilt as it may
//! be at a random moment, opened, and compared with the answers that people had got by then.
//!
//! A run begins on an empty disk, on one that a cut has left, or after the process, but not the machine, was killed.
//! `SPORTELLO_TEST_CUTS=10000 cargo test --release --test durability cut -- --ignored` runs longer;
//! `SPORTELLO_TEST_SEED` repeats a run.

use std::{
    fs,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use crate::{
    check::{Promised, findings},
    dice::{Dice, seed, setting},
    disk::{History, Image, What, read_image, write_image},
    trace,
    writer::{self, Task},
};

const CUTS_DEFAULT: usize = 300;
/// One more process is recorded for each of this many cuts.
const CUTS_BY_RUN: usize = 250;
/// Environment variable with the task of the traced copy of this program.
const TASK: &str = "SPORTELLO_TEST_WRITER";
/// Number of directory syncs before the first receipt, at least.
const STARTING_SYNCS: usize = 6;
/// Number of cuts for each control without a kind of sync.
const CONTROL_CUTS: usize = 100;
/// Number of cuts while the ledger is created.
const CUTS_OF_MAKING: usize = 400;
/// Number of failed syncs for each kind of file.
const FAILED_SYNCS: u64 = 6;
/// Number of calls after a restart within which it recovers the ledger.
const AFTER_RESTART: usize = 150;
/// Upper bound on the findings that are printed.
const SHOWN: usize = 20;
/// Number of people reserved for one run.
const PEOPLE: u64 = 10_000;

/// Removes syncs from a history.
type Without = fn(&History) -> History;

/// A recorded run, and the answers that people had got before it.
#[derive(Clone)]
struct Recording {
    history: History,
    before: Promised,
    /// The calls at which the power may fail.
    calls: Range<usize>,
}

impl Recording {
    fn of(history: History, before: Promised) -> Self {
        let calls = 0..history.steps.len();
        Self { history, before, calls }
    }

    /// Nothing yet, in an empty directory.
    fn fresh() -> Self {
        Self::of(History::from_image(&Image::new()), Promised::default())
    }

    fn promised(&self, moment: usize) -> Promised {
        let mut promised = self.before.clone();
        promised.add(self.history.marks(moment));
        promised
    }

    /// Runs and records another process on the files of this recording.
    fn extended(mut self, seed: u64, run: u64) -> Self {
        let place = place();
        let (root, log) = (place.path().join("root"), place.path().join("log"));
        fs::create_dir(&root).unwrap();
        write_image(&self.history.seen(), &root);
        let task = Task {
            data: root.join("data"),
            marks: place.path().join("marks"),
            seed,
            people_from: run * PEOPLE,
            versions: 100,
            sessions: 2,
            rounds: 14,
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "power_cut::the_writer_without_a_cut", "--ignored"]);
        command.env(TASK, serde_json::to_string(&task).unwrap());
        let output = trace::traced(&command, &log).output().expect("strace is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        trace::append(&mut self.history, &fs::read_to_string(&log).unwrap(), &root, &task.marks);
        assert_same(&self.history.seen(), &read_image(&root));
        Self::of(self.history, self.before)
    }

    /// The disk after a power cut at a moment, and the answers that people had got by then.
    fn cut(&self, moment: usize, dice: Dice) -> (Image, Promised) {
        (self.history.cut(moment, dice), self.promised(moment))
    }
}

/// Asserts that the recording is complete: its files are those on the disk.
fn assert_same(recorded: &Image, found: &Image) {
    let names = |image: &Image| image.keys().cloned().collect::<Vec<PathBuf>>();
    assert_eq!(names(recorded), names(found));
    for (path, contents) in recorded {
        assert!(contents == &found[path], "{} differs from the recording", path.display());
    }
}

/// Records runs that begin on an empty disk, after a kill and after a cut.
fn recordings(count: usize, dice: &mut Dice) -> Vec<Recording> {
    let mut recordings: Vec<Recording> = Vec::new();
    for run in 0..count {
        let before = match recordings.last() {
            Some(last) if run % 4 != 0 => {
                let call = dice.below(last.history.steps.len());
                let moment = last.history.around(call, dice.below(4));
                if dice.chance(50) {
                    let killed = last.history.clone().killed_at(moment);
                    Recording::of(killed, last.before.clone())
                } else {
                    let (image, promised) = last.cut(moment, Dice::new(dice.roll()));
                    Recording::of(History::from_image(&image), promised)
                }
            }
            _ => Recording::fresh(),
        };
        recordings.push(before.extended(dice.roll(), run as u64));
    }
    recordings
}

/// Makes cuts on all cores; describes those that did damage.
fn cut_often(recordings: &[Recording], cuts: usize, seed: u64) -> Vec<String> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let work = |worker: usize| {
            let mine = (worker..cuts).step_by(workers);
            let dice = mine.map(|number| Dice::new(seed.wrapping_add(number as u64)));
            dice.filter_map(|dice| cut_once(recordings, dice)).collect::<Vec<_>>()
        };
        let threads: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn cut_once(recordings: &[Recording], mut dice: Dice) -> Option<String> {
    let run = dice.below(recordings.len());
    let recording = &recordings[run];
    let call = recording.calls.start + dice.below(recording.calls.len());
    let moment = recording.history.around(call, dice.below(4));
    let (image, promised) = recording.cut(moment, dice);
    let place = place();
    write_image(&image, place.path());
    let found = catch_unwind(AssertUnwindSafe(|| findings(&place.path().join("data"), &promised)));
    let found = found.unwrap_or_else(|_| vec!["it panicked".to_owned()]);
    let first = found.first()?;
    let (count, calls) = (found.len(), recording.calls.clone());
    Some(format!("run {run}, call {call} of {calls:?}: {first} and {} more", count - 1))
}

/// A temporary directory, in memory if possible: cuts are simulated, so no real disk is needed.
pub(crate) fn place() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

#[test]
#[ignore = "needs strace"]
fn no_power_cut_loses_or_doubles_a_receipt() {
    let cuts = setting("SPORTELLO_TEST_CUTS").map_or(CUTS_DEFAULT, |cuts| cuts.try_into().unwrap());
    let seed = seed();
    let recordings = recordings(4 + cuts / CUTS_BY_RUN, &mut Dice::new(seed));
    let found = cut_often(&recordings, cuts, seed);
    let calls: usize = recordings.iter().map(|recording| recording.history.steps.len()).sum();
    let receipts: usize = recordings
        .iter()
        .map(|recording| recording.promised(recording.history.end).received.len())
        .sum();
    let logs: usize =
        recordings.iter().map(|recording| recording.history.files_named("-wal").len()).sum();
    let (moved, begun) = recordings
        .iter()
        .map(|recording| recording.history.checkpoints())
        .fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    assert!(moved > 10 && begun > logs + 2, "{moved} checkpoints, {logs} logs begun {begun} times");
    println!(
        "{cuts} power cuts in {} runs ({calls} calls, {receipts} receipts, {moved} checkpoints): {} did damage",
        recordings.len(),
        found.len()
    );
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(SHOWN)]);
}

/// While files are created, a cut can leave the largest variety of states.
#[test]
#[ignore = "needs strace"]
fn a_power_cut_while_the_ledger_is_made_leaves_one_that_opens() {
    let seed = seed();
    let mut first = Recording::fresh().extended(seed, 0);
    first.calls = 0..first.history.first_mark();
    let found = cut_often(std::slice::from_ref(&first), CUTS_OF_MAKING, seed);
    assert!(found.is_empty(), "{:#?}", &found[..found.len().min(SHOWN)]);
    first.history = without_directory_syncs(&first.history);
    first.calls = 0..first.history.first_mark();
    let found = cut_often(&[first], CUTS_OF_MAKING, seed);
    println!("without syncs of directories: {} of {CUTS_OF_MAKING} cuts did damage", found.len());
    assert!(!found.is_empty(), "the test does not detect missing syncs of directories");
}

/// A start that is killed leaves some directories unsynced; the next start must sync them.
#[test]
#[ignore = "needs strace"]
fn what_a_killed_start_left_unsynced_is_synced_by_the_next() {
    let seed = seed();
    let first = Recording::fresh().extended(seed, 0);
    let syncs = first.history.directory_syncs();
    let started = syncs.iter().take(STARTING_SYNCS);
    for (number, moment) in started.enumerate() {
        let killed = first.history.clone().killed_at(*moment);
        let next = Recording::of(killed, Promised::default()).extended(seed + 1, 1);
        let found = cut_often(std::slice::from_ref(&next), 20, seed);
        let shown = &found[..found.len().min(SHOWN)];
        assert!(found.is_empty(), "killed before sync {number} of a directory: {shown:#?}");
    }
}

/// After a failed sync the kernel shows data that is not on the disk. A restart must not rely on it.
#[test]
#[ignore = "needs strace"]
fn after_a_failed_sync_the_next_start_builds_only_on_what_is_on_disk() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let first = Recording::fresh().extended(dice.roll(), 0);
    for ending in ["-wal", ".sqlite"] {
        let syncs = first.history.file_syncs(&first.history.files_named(ending));
        for run in 1..=FAILED_SYNCS {
            let (file, moment) = *dice.pick(&syncs).unwrap();
            let failed = first.history.clone().sync_failed(file, moment);
            let restart = failed.steps.len();
            let mut next = Recording::of(failed, Promised::default()).extended(dice.roll(), run);
            // Only soon after the restart: later, a checkpoint has written the log's contents to the ledger's file.
            next.calls = restart..restart + AFTER_RESTART;
            let found = cut_often(std::slice::from_ref(&next), 20, dice.roll());
            let shown = &found[..found.len().min(SHOWN)];
            assert!(found.is_empty(), "after a failed sync of {ending} at {moment}: {shown:#?}");
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn without_any_one_kind_of_sync_power_cuts_lose_receipts() {
    let seed = seed();
    let recordings = recordings(3, &mut Dice::new(seed));
    let controls: [(&str, Without); 4] = [
        ("of any kind", |history| history.clone().without_syncs(|_| true)),
        ("of the log", |history| without_file_syncs(history, "-wal")),
        ("of the ledger's file", |history| without_file_syncs(history, ".sqlite")),
        ("of directories", without_directory_syncs),
    ];
    for (kind, without) in controls {
        let careless: Vec<_> = recordings
            .iter()
            .map(|recording| Recording::of(without(&recording.history), recording.before.clone()))
            .collect();
        let found = cut_often(&careless, CONTROL_CUTS, seed);
        println!("without syncs {kind}: {} of {CONTROL_CUTS} cuts did damage", found.len());
        assert!(!found.is_empty(), "the test does not detect missing syncs {kind}");
    }
}

fn without_directory_syncs(history: &History) -> History {
    history.clone().without_syncs(|what| matches!(what, What::SyncDirectory(_)))
}

fn without_file_syncs(history: &History, ending: &str) -> History {
    let files = history.files_named(ending);
    history
        .clone()
        .without_syncs(|what| matches!(what, What::SyncFile(file) if files.contains(file)))
}

/// The traced process. Run on its own, it checks that the writer leaves a whole ledger without a cut.
#[test]
#[ignore = "is run by the tests of power cuts"]
fn the_writer_without_a_cut() {
    if let Ok(task) = std::env::var(TASK) {
        writer::run(&serde_json::from_str(&task).unwrap());
        return;
    }
    let place = place();
    let (data, marks) = (place.path().join("data"), place.path().join("marks"));
    let task =
        Task { data, marks, seed: seed(), people_from: 0, versions: 100, sessions: 3, rounds: 6 };
    writer::run(&task);
    let marks = fs::read_to_string(&task.marks).unwrap();
    let mut promised = Promised::default();
    promised.add(marks.lines());
    assert!(promised.received.len() > 20);
    assert_eq!(findings(&task.data, &promised), Vec::<String>::new());
}
