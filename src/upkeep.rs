//! Recurring chores: what, how often, on which thread.
//!
//! Each of the three threads does its chores one after the other, so that a slow disk delays no quick one.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::{
    clock::Stopwatch, config::KeySource, intake::Intake, metrics::Exporter, vault::HouseKeys,
};

/// How long histograms gather samples, and a free place waits for the next call.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How soon a changed file or a new day is noticed without SIGHUP.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The table.
const CHORES: &[Chore<Kept>] = &[
    Chore("fold histograms", SWEEP_EVERY, Thread::Quick, |kept| kept.exporter.tidy()),
    Chore("sweep sessions, call people", SWEEP_EVERY, Thread::Quick, |kept| kept.intake.tidy()),
    Chore("draw lots", SWEEP_EVERY, Thread::Draws, |kept| kept.intake.draw_lots()),
    Chore("open campaigns", LOOK_EVERY, Thread::Files, Kept::open_campaigns),
    Chore("renew keys", LOOK_EVERY, Thread::Files, Kept::renew_keys),
    Chore("refresh the registry", LOOK_EVERY, Thread::Files, |kept| kept.intake.refresh_registry()),
];

/// What is done, how often, on which thread, and the work itself.
struct Chore<P>(&'static str, Duration, Thread, fn(&P));

/// Which thread does a chore.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// For chores in memory alone.
    Quick,
    /// For chores that may wait for a disk.
    Files,
    /// For draws: they write, and people wait for them.
    Draws,
}

/// What is kept up.
pub struct Kept {
    /// The use cases, with ledgers, keys and registry.
    pub intake: Arc<Intake>,
    /// Records the metrics.
    pub exporter: Exporter,
    /// Where secrets are added.
    pub key_source: KeySource,
    /// The data directory.
    pub data: PathBuf,
}

/// The threads that do the chores.
pub struct Upkeep {
    quick: Worker,
    files: Worker,
    draws: Worker,
}

impl Upkeep {
    /// Starts to do the chores of the table; each is due for the first time after its interval.
    ///
    /// # Errors
    /// The system gave no thread.
    pub fn start(kept: Kept) -> io::Result<Self> {
        let intake = Arc::clone(&kept.intake);
        let upkeep = Self::of(CHORES, &Arc::new(kept))?;
        let wake = Arc::downgrade(&upkeep.draws.wake);
        intake.on_round_closed(move || wake.upgrade().iter().for_each(|wake| hurry(wake)));
        Ok(upkeep)
    }

    fn of<P: Send + Sync + 'static>(
        table: &'static [Chore<P>],
        parts: &Arc<P>,
    ) -> io::Result<Self> {
        Ok(Self {
            quick: Worker::start("upkeep", Thread::Quick, table, Arc::clone(parts))?,
            files: Worker::start("upkeep-files", Thread::Files, table, Arc::clone(parts))?,
            draws: Worker::start("upkeep-draws", Thread::Draws, table, Arc::clone(parts))?,
        })
    }

    /// Makes the chores on files due at once.
    pub fn hurry(&self) {
        hurry(&self.files.wake);
    }

    /// Waits for the chores at hand and ends the threads.
    pub fn stop(self) {
        self.quick.stop();
        self.files.stop();
        self.draws.stop();
    }
}

/// Makes the chores of a thread due at once.
fn hurry(wake: &Sender<()>) {
    // A full channel holds the same request already.
    let _full = wake.try_send(());
}

/// One thread.
struct Worker {
    /// Makes its chores due at once; disconnected, it ends the thread.
    wake: Arc<Sender<()>>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start<P: Send + Sync + 'static>(
        name: &str,
        thread: Thread,
        table: &'static [Chore<P>],
        parts: Arc<P>,
    ) -> io::Result<Self> {
        let (wake, woken) = bounded(1);
        let chores: Vec<_> = table.iter().filter(|chore| chore.2 == thread).collect();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&chores, &parts, &woken))?;
        Ok(Self { wake: Arc::new(wake), thread })
    }

    fn stop(self) {
        drop(self.wake);
        // It cannot have panicked: each chore's panic is caught.
        let _ended = self.thread.join();
    }
}

fn work<P>(chores: &[&Chore<P>], parts: &P, woken: &Receiver<()>) {
    let watch = Stopwatch::start();
    let mut due: Vec<Duration> = chores.iter().map(|chore| chore.1).collect();
    loop {
        let next =
            due.iter().min().map_or(Duration::MAX, |next| next.saturating_sub(watch.elapsed()));
        let hurried = match woken.recv_timeout(next) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        for (Chore(what, every, _, work), due) in chores.iter().zip(&mut due) {
            if hurried || *due <= watch.elapsed() {
                if catch_unwind(AssertUnwindSafe(|| work(parts))).is_err() {
                    tracing::error!(
                        chore = what,
                        "a chore panicked: it is tried again when it is due"
                    );
                }
                *due = watch.elapsed() + *every;
            }
        }
    }
}

impl Kept {
    fn open_campaigns(&self) {
        if let Err(fault) = self.intake.open_campaigns() {
            tracing::error!(%fault, "a campaign's ledger cannot be opened");
        }
    }

    /// Takes up secrets that were added to the key file.
    fn renew_keys(&self) {
        let KeySource::File(path) = &self.key_source else { return };
        match self.intake.keys().renew(path) {
            Ok(0) => {}
            Ok(added) => {
                self.intake.note_control("server: a newer secret seals and signs");
                tracing::info!(added, "a newer secret seals and signs from now on");
                publish_keys(self.intake.keys(), &self.data);
            }
            Err(fault) => {
                tracing::error!(%fault, "the key file is not usable: the secrets in use stay");
            }
        }
    }
}

/// Writes the public keys that prove receipts into the data directory, for everybody.
pub(crate) fn publish_keys(keys: &HouseKeys, data: &Path) {
    let path = data.join("receipt-key.pub");
    if let Err(fault) = keys.publish(&path) {
        tracing::warn!(path = %path.display(), %fault, "the keys for verify-receipt cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that answers when the test says so, and a count of the names of what was done.
    struct Disk {
        answers: Receiver<()>,
        done: Sender<&'static str>,
    }

    const SOON: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_hours(1);
    const TABLE: &[Chore<Disk>] = &[
        Chore("panic", SOON, Thread::Quick, |_| panic!("a bug")),
        Chore("count", SOON, Thread::Quick, |disk| {
            let _full = disk.done.try_send("counted");
        }),
        Chore("wait", NEVER, Thread::Files, |disk| {
            let _gone = disk.done.send("waiting");
            let _gone = disk.answers.recv();
        }),
    ];

    #[test]
    fn neither_a_slow_disk_nor_a_panic_stops_the_quick_chores() {
        let (disk, answers) = bounded(1);
        let (done, told) = bounded(100);
        let upkeep = Upkeep::of(TABLE, &Arc::new(Disk { answers, done })).unwrap();
        let patience = Duration::from_secs(10);
        let wait_for = |what| while told.recv_timeout(patience).unwrap() != what {};
        wait_for("counted");
        upkeep.hurry();
        wait_for("waiting");
        for _ in 0..200 {
            wait_for("counted");
        }
        // What was asked for while the disk was busy is done afterwards.
        upkeep.hurry();
        disk.send(()).unwrap();
        wait_for("waiting");
        drop(disk);
        upkeep.stop();
        assert!(told.into_iter().all(|what| what == "counted"));
    }
}
