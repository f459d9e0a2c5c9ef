//! Disks for tests: a file system in a file, mounted for one test.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A mounted file system; unmounted when dropped, even if the test fails.
pub(crate) struct Disk {
    place: tempfile::TempDir,
}

impl Disk {
    /// An ext4 file system on a loop device.
    pub(crate) fn ext4(mebibytes: u64) -> Self {
        Self::try_ext4(mebibytes).expect("loop devices, mkfs.ext4 and superuser rights are needed")
    }

    /// The same; a file system in memory, with a printed notice, where there are no loop devices.
    pub(crate) fn small(mebibytes: u64) -> Self {
        Self::try_ext4(mebibytes).unwrap_or_else(|fault| {
            println!("NO LOOP DEVICE: using a file system in memory instead: {fault}");
            let disk = Self::unmounted();
            let size = format!("size={mebibytes}m");
            run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", text(&disk.mounted())]).unwrap();
            disk
        })
    }

    fn try_ext4(mebibytes: u64) -> Result<Self, String> {
        let disk = Self::unmounted();
        fs::File::create(disk.image()).unwrap().set_len(mebibytes << 20).unwrap();
        // No blocks are reserved for the superuser (-m 0): these tests run as superuser and would use them.
        run("mkfs.ext4", &["-q", "-F", "-m", "0", text(&disk.image())])?;
        disk.mount()?;
        Ok(disk)
    }

    fn unmounted() -> Self {
        let disk = Self { place: tempfile::tempdir().unwrap() };
        fs::create_dir(disk.mounted()).unwrap();
        disk
    }

    /// The mount point.
    pub(crate) fn mounted(&self) -> PathBuf {
        self.place.path().join("mounted")
    }

    fn image(&self) -> PathBuf {
        self.place.path().join("image")
    }

    pub(crate) fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", text(&self.image()), text(&self.mounted())])
    }

    pub(crate) fn unmount(&self) {
        run("umount", &[text(&self.mounted())]).unwrap();
    }

    pub(crate) fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro", text(&self.mounted())]).unwrap();
    }

    /// Simulates a power cut: from now on nothing reaches the disk.
    pub(crate) fn cut(&self) {
        run("xfs_io", &["-x", "-c", "shutdown", text(&self.mounted())]).unwrap();
    }

    /// Writes and syncs a file of this size, to be deleted when room is needed.
    pub(crate) fn ballast(&self, name: &str, mebibytes: usize) -> PathBuf {
        let path = self.mounted().join(name);
        fs::write(&path, vec![1; mebibytes << 20]).unwrap();
        fs::File::open(&path).unwrap().sync_all().unwrap();
        path
    }

    /// Fills the file system to the last byte.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.mounted().join("filling")).unwrap();
        for size in [1 << 16, 1 << 10, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mounted = self.mounted();
        if run("mountpoint", &["-q", text(&mounted)]).is_ok()
            && run("umount", &[text(&mounted)]).is_err()
        {
            // A process still has files open there: a lazy unmount takes effect when they are closed.
            println!("{:?}", run("umount", &["-l", text(&mounted)]));
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let Output { status, stderr, .. } = output.map_err(|fault| format!("{program}: {fault}"))?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{program} {arguments:?}: {status}: {}", String::from_utf8_lossy(&stderr)))
}
