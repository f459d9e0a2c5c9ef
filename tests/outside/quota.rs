//! A control group that gives a server a part of one core. Needs the superuser.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// Period of the quota, microseconds: short, so that a server out of its quota pauses for milliseconds.
const PERIOD_US: u32 = 10_000;

/// A group; removed when dropped, which has to be after its processes.
pub(crate) struct Quota(PathBuf);

impl Quota {
    /// Gives `percent` of one core.
    pub(crate) fn of(percent: u32) -> Self {
        let mount = Path::new("/sys/fs/cgroup");
        let is_version_2 = mount.join("cgroup.controllers").exists();
        let parent = if is_version_2 { mount.to_owned() } else { mount.join("cpu") };
        let group = parent.join(format!("sportello-test-{}", std::process::id()));
        fs::create_dir(&group).expect("the superuser may make a control group");
        let quota_us = PERIOD_US / 100 * percent;
        let set = |file: &str, value: String| fs::write(group.join(file), value).unwrap();
        if is_version_2 {
            set("cpu.max", format!("{quota_us} {PERIOD_US}"));
        } else {
            set("cpu.cfs_period_us", PERIOD_US.to_string());
            set("cpu.cfs_quota_us", quota_us.to_string());
        }
        Self(group)
    }

    /// The file that a process joins the group with.
    pub(crate) fn procs(&self) -> String {
        self.0.join("cgroup.procs").to_str().unwrap().to_owned()
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // It can be removed a moment after its last process has ended.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
