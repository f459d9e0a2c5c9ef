//! The ledger's secrets: adding one, and passing them without a key file.

use std::{
    fs,
    os::unix::fs::{FileExt as _, MetadataExt as _},
};

use memchr::memmem;

use crate::harness::{Counter, EVENING, Visitor, finished, location, program, until};

/// How often `wanted` stands in the writable memory of a process.
fn in_memory(process: u32, wanted: &[u8]) -> usize {
    const BLOCK: [u8; 4096] = [0; 4096];
    let memory = fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, until) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [from, until] = [from, until].map(|place| u64::from_str_radix(place, 16).unwrap());
        for at in (from..until).step_by(BLOCK.len()) {
            let mut block = BLOCK;
            // The process may have returned a block to the system since its map was read.
            let Ok(read) = memory.read_at(&mut block, at) else { continue };
            if block != BLOCK {
                found += memmem::find_iter(&block[..read], wanted).count();
            }
        }
    }
    found
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let (code, out, complaint) = finished(program().args(arguments));
    (code, out + &complaint)
}

#[tokio::test]
async fn a_secret_is_added_without_a_restart_and_older_receipts_still_verify() {
    let mut counter = Counter::open();
    let data = counter.data();
    let text = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let published = || fs::read_to_string(data.join("receipt-key.pub")).unwrap();
    let citizen = counter.citizen(1).await;
    let receipt =
        async |citizen: &Visitor<'_>| citizen.submit("key", &citizen.application()).await.json();
    let older = receipt(&citizen).await;
    let first = published();

    assert_eq!(run(&["rotate-key", "--data", data.to_str().unwrap()]).0, Some(0));
    counter.signal("HUP");
    until("the new key is published", async || (published() != first).then_some(())).await;
    assert!(published().starts_with(&first));
    let newer = receipt(&counter.citizen(2).await).await;
    fs::write(data.join("first.pub"), &first).unwrap();
    for (receipt, keys, genuine) in [
        (&older, "receipt-key.pub", true),
        (&newer, "receipt-key.pub", true),
        (&older, "first.pub", true),
        (&newer, "first.pub", false),
    ] {
        fs::write(data.join("receipt.json"), receipt.to_string()).unwrap();
        let arguments = ["verify-receipt", &text("receipt.json"), "--key", &text(keys)];
        assert_eq!(run(&arguments).0, Some(i32::from(!genuine)), "{keys}: {receipt}");
    }

    // Both people can use their applications after a restart, and a repeated submission gets its old receipt unchanged.
    counter.stop();
    let mut counter = counter.reopen(EVENING);
    assert_eq!(receipt(&counter.citizen(1).await).await, older);
    counter.citizen(2).await.decided(&location(&newer)).await;
    counter.stop();
    let (code, out) = run(&["verify", "--data", data.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}");
}

#[tokio::test]
async fn rotations_at_once_take_turns_and_each_is_in_the_audit_trail() {
    let mut counter = Counter::open();
    let data = counter.data();
    let data = data.to_str().unwrap();
    counter.stop();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(run(&["rotate-key", "--data", data]).0, Some(0)));
        }
    });
    let secrets = fs::read_to_string(counter.data().join("ledger.key")).unwrap();
    assert_eq!(secrets.lines().count(), 9);
    let (_, told) = run(&["audit", "--controls", "--data", data]);
    let user = fs::metadata("/proc/self").unwrap().uid();
    for number in 2..=9 {
        let line = format!(
            "command of user {user}: rotate-key: adding secret {number} to {data}/ledger.key\n"
        );
        assert_eq!(told.matches(&line).count(), 1, "{line}{told}");
    }
    assert!(secrets.lines().all(|secret| !told.contains(secret)));

    // A rotation that cannot be recorded does not happen.
    fs::remove_dir_all(counter.data().join("ledger")).unwrap();
    assert_eq!(run(&["rotate-key", "--data", data]).0, Some(2));
    assert_eq!(fs::read_to_string(counter.data().join("ledger.key")).unwrap(), secrets);
}

#[tokio::test]
async fn a_secret_is_wiped_from_memory_once_the_keys_are_derived() {
    let counter = Counter::open();
    let path = counter.data().to_str().unwrap().to_owned();
    assert!(in_memory(counter.pid(), path.as_bytes()) > 0, "the search finds what is there");
    let text = fs::read_to_string(counter.data().join("ledger.key")).unwrap();
    // An allocator overwrites the beginning of what is freed.
    let end = &text.trim().as_bytes()[32..];
    assert_eq!(in_memory(counter.pid(), end), 0, "made");
    let counter = counter.reopen(EVENING);
    assert_eq!(in_memory(counter.pid(), end), 0, "loaded");
}

#[tokio::test]
async fn the_environment_hands_the_secret_over_in_place_of_a_file() {
    let secret = "5b".repeat(32);
    let mut counter = Counter::open_with(&[("SPORTELLO_LEDGER_SECRET", &secret)]);
    counter.citizen(1).await.apply("key").await;
    counter.stop();
    let data = counter.data();
    assert!(!data.join("ledger.key").exists());
    let verify = |secret: &str| {
        let mut verify = program();
        verify.args(["verify", "--data"]).arg(&data).env("SPORTELLO_LEDGER_SECRET", secret);
        let (code, _, complaint) = finished(&mut verify);
        (code, complaint)
    };
    assert_eq!(verify(&secret).0, Some(0));
    let (code, complaint) = verify(&"5c".repeat(32));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("was written with another key"), "{complaint}");
    assert!(verify("no key").1.contains("64 hexadecimal digits"));
    let mut rotate = program();
    rotate.args(["rotate-key", "--data"]).arg(&data).env("SPORTELLO_LEDGER_SECRET", &secret);
    let complaint = String::from_utf8(rotate.output().unwrap().stderr).unwrap();
    assert!(complaint.contains("the secrets are in SPORTELLO_LEDGER_SECRET"), "{complaint}");
}

#[tokio::test]
async fn a_credential_of_the_service_manager_is_found_by_its_name() {
    let credentials = tempfile::tempdir().unwrap();
    let secret = "5d".repeat(32);
    let key = credentials.path().join("ledger.key");
    fs::write(&key, &secret).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o440)).unwrap();
    let directory = credentials.path().to_str().unwrap();
    let mut counter = Counter::open_with(&[("CREDENTIALS_DIRECTORY", directory)]);
    counter.citizen(1).await.apply("key").await;
    counter.stop();
    assert!(!counter.data().join("ledger.key").exists());
    let data = counter.data();
    let arguments = ["verify", "--data", data.to_str().unwrap(), "--key", key.to_str().unwrap()];
    assert_eq!(run(&arguments).0, Some(0));
}
