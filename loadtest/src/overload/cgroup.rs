//! A control group with a CPU quota for the server: versions 1 and 2, removed when dropped.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::fault::Fault;

/// Where control groups are mounted, everywhere that systemd and containers are.
const MOUNT: &str = "/sys/fs/cgroup";
/// Period of the quota: short, so that a server out of its quota pauses for milliseconds.
const PERIOD_US: u32 = 10_000;
/// A group can be removed a moment after its last process has ended.
const REMOVE_TRIES: u32 = 50;
const REMOVE_POLL: Duration = Duration::from_millis(20);

/// A control group for one server.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Group {
    /// A group named `name` that gives its processes `percent` of one core.
    pub(super) fn with_quota(name: &str, percent: u32) -> Result<Self, Fault> {
        Self::below(Path::new(MOUNT), name, percent).map_err(|error| {
            Fault::Needs(format!(
                "cannot make a control group with a CPU quota below {MOUNT}: {error}. Run surge as root, \
                 or start the server with a quota yourself, such as `systemd-run --scope -p CPUQuota={percent}% \
                 -p CPUQuotaPeriodSec=10ms sportello serve --demo`, and give --target, --operator and --data"
            ))
        })
    }

    fn below(mount: &Path, name: &str, percent: u32) -> io::Result<Self> {
        let quota_us = PERIOD_US / 100 * percent;
        let is_version_2 = mount.join("cgroup.controllers").exists();
        let parent = if is_version_2 { mount.to_owned() } else { mount.join("cpu") };
        if is_version_2 {
            // Fails when it is enabled already in a way that surge may not change; the quota's file shows whether it is.
            drop(fs::write(parent.join("cgroup.subtree_control"), "+cpu"));
        }
        let at = parent.join(name);
        fs::create_dir(&at)?;
        let group = Self(at);
        if is_version_2 {
            group.set("cpu.max", &format!("{quota_us} {PERIOD_US}"))?;
        } else {
            group.set("cpu.cfs_period_us", &PERIOD_US.to_string())?;
            group.set("cpu.cfs_quota_us", &quota_us.to_string())?;
        }
        Ok(group)
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.0.join(file), value)
    }

    /// The file that a process joins the group with.
    pub(super) fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..REMOVE_TRIES {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(REMOVE_POLL);
        }
        eprintln!(
            "surge: cannot remove the control group {}: remove it with rmdir",
            self.0.display()
        );
    }
}
