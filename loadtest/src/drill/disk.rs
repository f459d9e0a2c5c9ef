//! A small file system to fill, mounted by the drill or given.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::ValueEnum;

use crate::fault::Fault;

/// Most free space of a given file system; a larger one may hold somebody's data and is not filled.
const GIVEN_FREE_MIB_MAX: u64 = 1024;
const BALLAST: &str = "ballast";
const BALLAST_PIECE_BYTES: usize = 1024 * 1024;

/// Kind of the small file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// In memory, where a sync costs nothing.
    Tmpfs,
    /// An image on a loop device, with a journal.
    Ext4,
}

/// A file system to fill; unmounted when dropped, if the drill mounted it.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
    mounted: bool,
}

impl SmallDisk {
    /// Mounts a file system of `mib` MiB at `at`; its image, if any, is next to that directory.
    ///
    /// # Errors
    ///
    /// When it cannot be mounted, usually without root.
    pub fn mount(kind: Kind, at: &Path, mib: u32) -> Result<Self, Fault> {
        fs::create_dir_all(at).map_err(|error| needs(&error.to_string()))?;
        let mut mount = Command::new("mount");
        match kind {
            Kind::Tmpfs => mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]),
            Kind::Ext4 => {
                let image = at.with_extension("img");
                let made = File::create(&image)
                    .and_then(|file| file.set_len(u64::from(mib) * 1024 * 1024));
                made.map_err(|error| needs(&error.to_string()))?;
                run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image))?;
                mount.args(["-o", "loop"]).arg(image)
            }
        };
        run(mount.arg(at))?;
        Ok(Self { at: at.to_owned(), mounted: true })
    }

    /// Uses the given file system, if it is small enough.
    ///
    /// # Errors
    ///
    /// When `at` is not a directory on such a file system.
    pub fn given(at: &Path) -> Result<Self, Fault> {
        let free_mib = free_kib(at).map_err(|error| needs(&error.to_string()))? / 1024;
        if free_mib > GIVEN_FREE_MIB_MAX {
            return Err(Fault::Usage(format!(
                "{} has {free_mib} MiB free and would be filled: allowed is a file system of its own with \
                 at most {GIVEN_FREE_MIB_MAX} MiB free",
                at.display()
            )));
        }
        Ok(Self { at: at.to_owned(), mounted: false })
    }

    /// Its mount point or directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Fills it to the last byte; returns the number of bytes written.
    ///
    /// # Errors
    ///
    /// Any error except the full disk.
    pub fn fill(&self) -> io::Result<u64> {
        let mut ballast = File::create(self.at.join(BALLAST))?;
        let mut piece = vec![0x5A; BALLAST_PIECE_BYTES];
        let mut written = 0;
        while !piece.is_empty() {
            match ballast.write(&piece) {
                Ok(0) => break,
                Ok(bytes) => written += bytes as u64,
                // Tries smaller pieces, down to one byte.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => return Err(error),
            }
        }
        // Forces delayed allocation, so that the disk is full now.
        match ballast.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(error),
            _ => Ok(written),
        }
    }

    /// Frees the space again.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.at.join(BALLAST))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.free());
        if self.mounted
            && let Err(fault) = run(Command::new("umount").arg(&self.at))
        {
            eprintln!("surge: {fault}\nsurge: run `umount {}` by hand", self.at.display());
        }
    }
}

/// Free space for unprivileged users in the file system of `at`, in KiB.
fn free_kib(at: &Path) -> io::Result<u64> {
    let output = Command::new("df").args(["-Pk"]).arg(at).stderr(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_df(&text).ok_or_else(|| io::Error::other(format!("`df` does not know {}", at.display())))
}

fn parse_df(text: &str) -> Option<u64> {
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

fn run(command: &mut Command) -> Result<(), Fault> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| needs(&format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(needs(&format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn needs(what: &str) -> Fault {
    Fault::Needs(format!(
        "full-disk needs a small file system of its own ({what}): run it as root to mount one, \
         or give --disk DIR on a file system with at most {GIVEN_FREE_MIB_MAX} MiB free that may be filled"
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SmallDisk, parse_df};

    #[test]
    fn df_s_fourth_column_is_what_is_free() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\ntmpfs 16384 84 16300 1% /m\n";
        assert_eq!(parse_df(text), Some(16_300));
        assert_eq!(parse_df("df: no such file"), None);
    }

    #[test]
    fn what_is_no_file_system_says_what_is_needed() {
        let fault = SmallDisk::given(Path::new("no/such/place")).expect_err("it is not there");
        assert!(fault.to_string().contains("run it as root"), "{fault}");
    }
}
