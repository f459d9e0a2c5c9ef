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
            // Fails where surge may not change it; whether the quota can be set shows whether it is enabled.
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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Group;

    /// A directory in place of the mounted control groups: files are written as there, but can be read back.
    fn quota(files: &[&str], read: &[&str]) -> (Vec<String>, bool) {
        let mount = tempfile::tempdir().expect("a directory");
        for file in files {
            let file = mount.path().join(file);
            fs::create_dir_all(file.parent().unwrap_or(Path::new(""))).expect("a directory");
            fs::write(file, "").expect("a file");
        }
        let group = Group::below(mount.path(), "surge-test", 25).expect("a group");
        let at = group.procs().with_file_name("");
        let text = |file: &&str| {
            let file = at.join(file);
            let text = fs::read_to_string(&file).expect("it was written");
            fs::remove_file(file).expect("the system's files go with the directory");
            text
        };
        let told = read.iter().map(text).collect();
        drop(group);
        (told, at.exists())
    }

    #[test]
    fn a_quarter_of_a_core_in_both_versions_and_nothing_is_left() {
        let expected = vec!["2500 10000".to_owned()];
        assert_eq!(quota(&["cgroup.controllers"], &["cpu.max"]), (expected, false));
        let expected = vec!["10000".to_owned(), "2500".to_owned()];
        let files = ["cpu.cfs_period_us", "cpu.cfs_quota_us"];
        assert_eq!(quota(&["cpu/tasks"], &files), (expected, false));
    }

    #[test]
    fn without_the_right_to_it_the_fault_says_what_to_do() {
        let fault = Group::with_quota("no/such/group", 25).expect_err("no such directory");
        let text = fault.to_string();
        assert!(text.contains("Run surge as root") && text.contains("CPUQuota=25%"), "{text}");
    }
}
