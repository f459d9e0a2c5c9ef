//! Tells the program which commit it was built from: `BUILD_COMMIT` in the environment, or else git's.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Characters of a commit's hash that are kept.
const COMMIT_CHARACTERS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BUILD_COMMIT");
    let given = env::var("BUILD_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(of_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
}

/// The commit that is checked out, if this directory is the top of a git work tree.
///
/// Only for release builds: a debug build would compile this crate again after every commit.
fn of_git() -> Option<String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    if env::var_os("PROFILE")? != "release" {
        return None;
    }
    // Sources unpacked below another project's work tree have no commit of their own.
    if PathBuf::from(git(&here, &["rev-parse", "--show-toplevel"])?).canonicalize().ok()?
        != here.canonicalize().ok()?
    {
        return None;
    }
    // Written whenever another commit is checked out or made.
    let log = here.join(git(&here, &["rev-parse", "--git-path", "logs/HEAD"])?);
    // A file that is not there counts as changed at every build.
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let mut commit = git(&here, &["rev-parse", "HEAD"])?;
    commit.truncate(COMMIT_CHARACTERS);
    Some(commit)
}

/// What git prints; `None` if there is no git, or it refuses.
fn git(here: &Path, arguments: &[&str]) -> Option<String> {
    let ran = Command::new("git").current_dir(here).args(arguments).output().ok()?;
    let printed = ran.status.success().then_some(ran.stdout)?;
    Some(String::from_utf8(printed).ok()?.trim().to_owned())
}
