//! The incidents of a drill: what breaks the server, and how long each lasts.

use std::{
    thread,
    time::{Duration, Instant},
};

use clap::ValueEnum;

use super::{disk::SmallDisk, slow::SlowSyncs};
use crate::{clock, fault::Fault, interrupt::Watch, server::Server};

/// Time from the first receipt to the first incident.
pub(super) const LEAD: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest wait for the server to serve again once its disk has room; then it is restarted.
const RECOVERY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for a receipt, minting and restart included.
const LOAD_WAIT_MAX: Duration = Duration::from_mins(2);

/// Kind of incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Kills the server with SIGKILL and starts it again.
    Kill9,
    /// Fills its disk to the last byte, then frees it.
    FullDisk,
    /// Delays each of its syncs for a while.
    SlowDisk,
    /// Stops the server and starts it again on the same socket, as an upgrade does.
    Upgrade,
}

impl Kind {
    /// Name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill9 => "kill9",
            Self::FullDisk => "full-disk",
            Self::SlowDisk => "slow-disk",
            Self::Upgrade => "upgrade",
        }
    }
}

/// One incident.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Incident {
    /// Seconds since the beginning of the load.
    pub at_s: f64,
    /// Description.
    pub what: String,
    /// Its duration in seconds.
    pub lasted_s: f64,
}

/// What the incidents act on.
pub struct Scene<'s> {
    /// The server.
    pub server: &'s mut Server,
    /// Its disk, if it is to be filled.
    pub disk: Option<&'s SmallDisk>,
    /// Observes and stops the load.
    pub watch: &'s Watch,
    /// Beginning of the load.
    pub begin: Instant,
    /// Duration of an incident, and of the pause after it.
    pub every: Duration,
    /// Incidents so far.
    pub incidents: Vec<Incident>,
}

impl Scene<'_> {
    /// Causes `times` incidents; ends early when the run is stopped.
    ///
    /// # Errors
    ///
    /// When an incident cannot be caused, or the server does not start again.
    pub fn play(&mut self, kind: Kind, times: u32, delay: Duration) -> Result<(), Fault> {
        let before = self.watch.live.receipts();
        self.wait_for(LOAD_WAIT_MAX, |scene| scene.watch.live.receipts() > before);
        self.wait(LEAD);
        for _ in 0..times {
            if self.watch.stop.is_given() {
                break;
            }
            match kind {
                Kind::Kill9 => self.kill()?,
                Kind::FullDisk => self.fill()?,
                Kind::SlowDisk => self.slow(delay)?,
                Kind::Upgrade => self.replace()?,
            }
            self.wait(self.every);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), Fault> {
        let begun = clock::now();
        self.server.kill().map_err(|error| broke("kill the server", &error))?;
        let before = self.watch.live.receipts();
        self.server.start_again()?;
        let ready_ms = clock::now().saturating_duration_since(begun).as_millis();
        self.wait_for(LOAD_WAIT_MAX, |scene| scene.watch.live.receipts() > before);
        self.note(begun, format!("killed; ready after {ready_ms} ms; time until the next receipt"));
        Ok(())
    }

    fn replace(&mut self) -> Result<(), Fault> {
        let begun = clock::now();
        self.server.stop().map_err(|error| broke("stop the server", &error))?;
        let stopped_ms = clock::now().saturating_duration_since(begun).as_millis();
        let before = self.watch.live.receipts();
        self.server.start_again()?;
        let ready_ms = clock::now().saturating_duration_since(begun).as_millis();
        self.wait_for(LOAD_WAIT_MAX, |scene| scene.watch.live.receipts() > before);
        self.note(
            begun,
            format!("replaced; drained after {stopped_ms} ms, ready after {ready_ms} ms; time until the next receipt"),
        );
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Fault> {
        let disk = self.disk.ok_or_else(|| Fault::Needs("no disk to fill".to_owned()))?;
        let begun = clock::now();
        let bytes = disk.fill().map_err(|error| broke("fill the disk", &error))?;
        self.wait(self.every);
        disk.free().map_err(|error| broke("free the disk", &error))?;
        self.note(begun, format!("disk full, filled with {} KiB", bytes / 1024));
        let (begun, before) = (clock::now(), self.watch.live.receipts());
        let served = |scene: &mut Self| scene.watch.live.receipts() > before;
        if self.wait_for(RECOVERY_WAIT_MAX, served) {
            self.note(begun, "disk freed; the server recovered by itself".to_owned());
        } else if !self.watch.stop.is_given() {
            self.server.stop().map_err(|error| broke("stop the server", &error))?;
            self.server.start_again()?;
            self.note(begun, "disk freed; the server needed a restart".to_owned());
        }
        Ok(())
    }

    fn slow(&mut self, delay: Duration) -> Result<(), Fault> {
        let begun = clock::now();
        let slow = SlowSyncs::of(self.server.pid(), delay)?;
        self.wait(self.every);
        drop(slow);
        self.note(begun, format!("each sync delayed by {} ms", delay.as_millis()));
        Ok(())
    }

    fn note(&mut self, begun: Instant, what: String) {
        let at_s = begun.saturating_duration_since(self.begin).as_secs_f64();
        let lasted_s = clock::now().saturating_duration_since(begun).as_secs_f64();
        eprintln!("  {at_s:>6.1} s  {what} ({lasted_s:.2} s)");
        self.incidents.push(Incident { at_s, what, lasted_s });
    }

    fn wait(&mut self, how_long: Duration) {
        self.wait_for(how_long, |_| false);
    }

    /// Waits until `done`, for at most `how_long` or until the run is stopped; returns whether it is done.
    fn wait_for(&mut self, how_long: Duration, done: impl Fn(&mut Self) -> bool) -> bool {
        let give_up = clock::now() + how_long;
        while clock::now() < give_up && !self.watch.stop.is_given() {
            if done(self) {
                return true;
            }
            thread::sleep(LOOK_EVERY);
        }
        done(self)
    }
}

fn broke(what: &str, error: &std::io::Error) -> Fault {
    Fault::Needs(format!("cannot {what}: {error}"))
}
