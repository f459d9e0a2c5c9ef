//! How much CPU this process may use: cores by affinity, less if a control group has a quota.

use std::{fs, path::Path, thread};

/// Where control groups are mounted, everywhere that systemd and containers are.
const MOUNT: &str = "/sys/fs/cgroup";
/// Least CPU that is believed, cores.
const CORES_MIN: f64 = 0.01;

/// CPU that this process may use, cores. Reads files of the system; what cannot be read sets no bound.
#[must_use]
pub fn cores() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "cores")]
    let by_affinity = thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    quota(Path::new(MOUNT), &groups)
        .map_or(by_affinity, |quota| quota.clamp(CORES_MIN, by_affinity))
}

/// The least quota of the control groups that this process is in, cores; `None` if there is none. `groups` is the text
/// of `/proc/self/cgroup` (cgroups(7)), of version 1 and 2.
fn quota(mount: &Path, groups: &str) -> Option<f64> {
    groups.lines().filter_map(|line| quota_of(mount, line)).reduce(f64::min)
}

fn quota_of(mount: &Path, line: &str) -> Option<f64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let is_cpu = controllers.split(',').any(|controller| controller == "cpu");
    let (mount, read): (_, fn(&Path) -> Option<f64>) = match controllers {
        "" => (mount.to_owned(), version_2),
        _ if is_cpu => (mount.join("cpu"), version_1),
        _ => return None,
    };
    let group = mount.join(path.trim_start_matches('/'));
    let above = group.ancestors().take_while(|above| above.starts_with(&mount));
    above.filter_map(read).reduce(f64::min)
}

fn version_2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    share(quota, period)
}

fn version_1(group: &Path) -> Option<f64> {
    let read = |file| fs::read_to_string(group.join(file)).ok();
    share(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

fn share(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let file = mount.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        mount
    }

    #[test]
    fn the_least_quota_on_the_way_up_counts() {
        let mount = mounted(&[
            ("a/cpu.max", "150000 100000\n"),
            ("a/b/cpu.max", "max 100000\n"),
            ("a/c/cpu.max", "2500 10000\n"),
            ("cpu/x/cpu.cfs_quota_us", "50000\n"),
            ("cpu/x/cpu.cfs_period_us", "100000\n"),
            ("cpu/y/cpu.cfs_quota_us", "-1\n"),
            ("cpu/y/cpu.cfs_period_us", "100000\n"),
        ]);
        for (groups, expected) in [
            ("0::/a/b\n", Some(1.5)),
            ("0::/a/c\n", Some(0.25)),
            ("0::/\n", None),
            ("5:cpu,cpuacct:/x\n0::/a\n", Some(0.5)),
            ("5:cpu:/y\n4:memory:/a\n", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(quota(mount.path(), groups), expected, "{groups}");
        }
    }

    #[test]
    fn this_machine_has_some() {
        assert!(cores() >= CORES_MIN);
    }
}
