//! Data directories that cannot be used: the server does not start, and names the path and the reason.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    disk::Disk,
    harness::{self, Counter, EVENING, PATIENCE, program},
};

/// A user other than the superuser.
const NOBODY: u32 = 65534;

fn serve(data: &Path) -> Command {
    harness::serve("127.0.0.1:0", data)
}

/// Asserts that the command exits with 2 and prints all `parts`: the path, the reason, the remedy.
fn complains(mut command: Command, parts: &[&str]) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = (0..PATIENCE.as_millis() / 20).any(|_| {
        thread::sleep(Duration::from_millis(20));
        child.try_wait().unwrap().is_some()
    });
    if !ended {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    for part in parts {
        assert!(complaint.contains(part), "{part} is not in: {complaint}");
    }
    assert!(!complaint.contains("panicked"), "{complaint}");
}

#[test]
#[ignore = "needs the superuser and loop devices"]
fn a_read_only_disk_is_named_whether_it_holds_data_or_not() {
    let disk = Disk::small(64);
    let mut counter = Counter::open_in(&disk.mounted(), &[]);
    counter.stop();
    disk.make_read_only();
    let fresh = disk.mounted().join("fresh");
    complains(serve(&fresh), &[fresh.to_str().unwrap(), "Read-only file system", "--data"]);
    let ledger = counter.data().join("ledger");
    complains(serve(&counter.data()), &[ledger.to_str().unwrap(), "Read-only file system"]);
}

/// Neither the server nor `verify` reports the data as damaged.
#[test]
#[ignore = "needs the superuser and loop devices"]
fn a_disk_without_any_room_is_named() {
    let disk = Disk::small(64);
    let mut counter = Counter::open_in(&disk.mounted(), &[]);
    counter.stop();
    disk.fill();
    let fresh = disk.mounted().join("fresh");
    complains(serve(&fresh), &[fresh.to_str().unwrap(), "No space left on device"]);
    complains(serve(&counter.data()), &[".sqlite", "look for a full"]);
    let mut verify = program();
    verify.arg("verify").arg("--data").arg(counter.data());
    complains(verify, &[".sqlite", "look for a full"]);
}

#[test]
#[ignore = "needs the superuser"]
fn a_place_that_is_somebody_elses_is_named() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = place.path().join("data");
    let mut command = serve(&data);
    command.uid(NOBODY).gid(NOBODY);
    complains(command, &[data.to_str().unwrap(), "Permission denied", "--data"]);

    // The directory is its own, but the ledger in it belongs to another user.
    let mut counter = Counter::open_in(place.path(), &[]);
    counter.stop();
    let data = counter.data();
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    own(&data);
    for file in fs::read_dir(&data).unwrap() {
        own(&file.unwrap().path());
    }
    let mut command = serve(&data);
    command.uid(NOBODY).gid(NOBODY);
    complains(command, &[data.join("ledger").to_str().unwrap(), "Permission denied"]);
    drop(counter.reopen(EVENING));
}

#[test]
#[ignore = "runs with the other tests of places"]
fn a_file_in_the_way_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("data");
    complains(serve(&below), &[below.to_str().unwrap(), "not a directory", "--data"]);
    complains(serve(&file), &[file.to_str().unwrap(), "not a directory", "--data"]);
    complains(serve(Path::new("/proc/a/b")), &["/proc/a/b", "--data"]);
}
