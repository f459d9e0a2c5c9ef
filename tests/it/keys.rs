//! The ledger's secrets: adding one, and passing them without a key file.

use std::fs;

use crate::harness::{Counter, EVENING, Visitor, finished, location, program, until};

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
