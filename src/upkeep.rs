//! Recurring chores: one table of what, how often and on which thread.
//!
//! Chores in memory, chores on files and draws have a thread each, so that a slow disk delays no chore in memory.

mod settings;
mod steering;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

pub(crate) use self::settings::warn;
pub use self::{settings::LiveSettings, steering::LiveSteering};
use crate::{
    clock::Stopwatch,
    config::{KeySource, receipt_keys_in},
    http::live_certificate::LiveCertificate,
    identity::{certificate::Certificates, token::Verifier},
    intake::Intake,
    metrics::Exporter,
    vault::HouseKeys,
};

/// Longest time that histograms gather samples, that a free place waits for the next call, until changed mandates
/// and keys of issuers are noticed, and until a filing is listed to its office.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// Longest time until a changed file or a new day is noticed without SIGHUP.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Every chore.
const CHORES: &[Chore<Kept>] = &[
    Chore("fold histograms", SWEEP_EVERY, Worker::Quick, |kept| kept.exporter.tidy()),
    Chore("sweep sessions, call people", SWEEP_EVERY, Worker::Quick, |kept| kept.intake.tidy()),
    Chore("draw lots", SWEEP_EVERY, Worker::Draws, |kept| kept.intake.draw_lots()),
    Chore("take over changed settings", LOOK_EVERY, Worker::Files, |kept| {
        kept.settings.refresh(&kept.intake);
    }),
    Chore("open campaigns", LOOK_EVERY, Worker::Files, Kept::open_campaigns),
    Chore("renew keys", LOOK_EVERY, Worker::Files, Kept::renew_keys),
    Chore("measure the CPU quota", LOOK_EVERY, Worker::Files, |kept| {
        kept.intake.admission().measure_capacity();
    }),
    // A mandate that ends ends what its office sees: its file is looked at often.
    Chore("refresh the mandates", SWEEP_EVERY, Worker::Files, |kept| {
        kept.intake.refresh_mandates();
    }),
    // People wait for what an operator tells them.
    Chore("look at the notice", SWEEP_EVERY, Worker::Files, |kept| kept.intake.refresh_notice()),
    // What an office handed in is listed soon afterwards.
    Chore("index filings", SWEEP_EVERY, Worker::Files, |kept| kept.intake.index_filings()),
    // A withdrawn key must end soon; a look at an unchanged file is one call of the system.
    Chore("look at the keys of issuers", SWEEP_EVERY, Worker::Files, |kept| {
        kept.verifier.look_at_files();
    }),
    // A revoked card must end soon, likewise.
    Chore("look at the files of client certificates", SWEEP_EVERY, Worker::Files, |kept| {
        kept.certificates.iter().for_each(|certificates| certificates.look_at_files());
    }),
    // An expired certificate keeps everybody out, likewise.
    Chore("look at the certificates that are served", SWEEP_EVERY, Worker::Files, |kept| {
        kept.served.iter().for_each(|certificate| kept.look_at(certificate));
    }),
    Chore("publish the age of keys", SWEEP_EVERY, Worker::Quick, |kept| kept.verifier.publish()),
    Chore("refresh the registry", LOOK_EVERY, Worker::Files, |kept| kept.intake.refresh_registry()),
];

/// A chore: its name in the log, its interval, its thread, and the function that does it.
struct Chore<P>(&'static str, Duration, Worker, fn(&P));

/// The thread that does a chore.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worker {
    /// For chores in memory alone.
    Quick,
    /// For chores that may wait for a disk.
    Files,
    /// For draws: they write, and people wait for them.
    Draws,
}

/// What the chores work on.
pub struct Kept {
    /// The use cases, with ledgers, keys and registry.
    pub intake: Arc<Intake>,
    /// The trusted issuers of identity tokens.
    pub verifier: Verifier,
    /// The settings, and where they come from.
    pub settings: Arc<LiveSettings>,
    /// Client certificates, if they are accepted.
    pub certificates: Option<Arc<Certificates>>,
    /// The certificates that the listeners serve.
    pub served: Vec<Arc<LiveCertificate>>,
    /// Records the metrics.
    pub exporter: Exporter,
    /// Where an operator adds secrets.
    pub key_source: KeySource,
    /// The data directory.
    pub data: PathBuf,
}

/// The threads that do the chores.
pub struct Upkeep {
    quick: WorkerThread,
    files: WorkerThread,
    draws: WorkerThread,
}

impl Upkeep {
    /// Starts the threads. Each chore is due for the first time after its interval.
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
            quick: WorkerThread::start("upkeep", Worker::Quick, table, Arc::clone(parts))?,
            files: WorkerThread::start("upkeep-files", Worker::Files, table, Arc::clone(parts))?,
            draws: WorkerThread::start("upkeep-draws", Worker::Draws, table, Arc::clone(parts))?,
        })
    }

    /// Makes the chores on files due at once.
    pub fn hurry(&self) {
        hurry(&self.files.wake);
    }

    /// Ends the threads; a chore that is running is finished first.
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

/// One running thread.
struct WorkerThread {
    /// A message makes the chores due at once; dropping the sender ends the thread.
    wake: Arc<Sender<()>>,
    thread: JoinHandle<()>,
}

impl WorkerThread {
    fn start<P: Send + Sync + 'static>(
        name: &str,
        worker: Worker,
        table: &'static [Chore<P>],
        parts: Arc<P>,
    ) -> io::Result<Self> {
        let (wake, woken) = bounded(1);
        let chores: Vec<_> = table.iter().filter(|Chore(_, _, its, _)| *its == worker).collect();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&chores, &parts, &woken))?;
        Ok(Self { wake: Arc::new(wake), thread })
    }

    fn stop(self) {
        drop(self.wake);
        // The panic of a chore is caught, so the thread has not panicked.
        let _ended = self.thread.join();
    }
}

fn work<P>(chores: &[&Chore<P>], parts: &P, woken: &Receiver<()>) {
    let watch = Stopwatch::start();
    let mut due: Vec<Duration> = chores.iter().map(|Chore(_, every, ..)| *every).collect();
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
                        "a chore panicked: it is repeated after its interval"
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

    fn look_at(&self, certificate: &LiveCertificate) {
        let name = certificate.name();
        match certificate.look() {
            Ok(false) => {}
            Ok(true) => {
                self.intake.note_control("server: a newer certificate is served");
                tracing::info!(name, "a newer certificate is served from now on");
            }
            Err(fault) => {
                tracing::error!(%fault, name, "the newer certificate cannot be used: the one before is served");
            }
        }
    }

    /// Loads secrets that were added to the key file.
    fn renew_keys(&self) {
        let KeySource::File(path) = &self.key_source else { return };
        match self.intake.keys().renew(path) {
            Ok(0) => {}
            Ok(added) => {
                self.intake.note_control("server: a newer secret seals and signs");
                tracing::info!(
                    added,
                    "secrets were added to the key file: the newest one seals and signs from now on"
                );
                publish_keys(self.intake.keys(), &self.data);
            }
            Err(fault) => {
                tracing::error!(%fault, "the key file cannot be used: the secrets in use are unchanged");
            }
        }
    }
}

/// Writes the public keys that prove receipts into the data directory.
pub(crate) fn publish_keys(keys: &HouseKeys, data: &Path) {
    let path = receipt_keys_in(data);
    if let Err(fault) = keys.publish(&path) {
        tracing::warn!(path = %path.display(), %fault, "the public keys for verify-receipt cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that answers when the test says so, and a list of what was done.
    struct Disk {
        answers: Receiver<()>,
        done: Sender<&'static str>,
    }

    const SOON: Duration = Duration::from_millis(1);
    const NEVER: Duration = Duration::from_hours(1);
    const TABLE: &[Chore<Disk>] = &[
        Chore("panic", SOON, Worker::Quick, |_| panic!("a bug")),
        Chore("count", SOON, Worker::Quick, |disk| {
            let _full = disk.done.try_send("counted");
        }),
        Chore("wait", NEVER, Worker::Files, |disk| {
            let _gone = disk.done.send("waiting");
            let _gone = disk.answers.recv();
        }),
    ];

    #[test]
    fn neither_a_slow_disk_nor_a_panic_stops_the_quick_chores() {
        let (disk, answers) = bounded(1);
        let (done, list) = bounded(100);
        let upkeep = Upkeep::of(TABLE, &Arc::new(Disk { answers, done })).unwrap();
        let patience = Duration::from_secs(10);
        let wait_for = |what| while list.recv_timeout(patience).unwrap() != what {};
        wait_for("counted");
        upkeep.hurry();
        wait_for("waiting");
        for _ in 0..200 {
            wait_for("counted");
        }
        // What was requested while the disk was busy is done afterwards.
        upkeep.hurry();
        disk.send(()).unwrap();
        wait_for("waiting");
        drop(disk);
        upkeep.stop();
        assert!(list.into_iter().all(|what| what == "counted"));
    }
}
