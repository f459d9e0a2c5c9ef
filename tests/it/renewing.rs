//! Certificates of the listeners that are replaced while the server runs.

use std::{fs, time::Duration};

use hyper::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::sleep,
};

use crate::harness::{Counter, finished, program, until};

/// Puts a new certificate and its key in the place of the demo's.
fn renew(counter: &Counter) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
    let made = made.unwrap();
    fs::write(counter.data().join("demo-cert.pem"), made.cert.pem()).unwrap();
    fs::write(counter.data().join("demo-key.pem"), made.signing_key.serialize_pem()).unwrap();
}

/// Whether a new connection is served with the certificate in the file.
async fn serves_the_file(counter: &Counter) -> Option<()> {
    counter.tls_over(counter.tcp_from("127.0.0.1").await).await.ok().map(drop)
}

async fn refused(counter: &Counter) -> u64 {
    counter.metric("sportello_certificate_refused", &["certificate=\"public\""]).await
}

#[tokio::test]
async fn a_newer_certificate_is_served_and_no_connection_is_closed() {
    let counter = Counter::open();
    let citizen = counter.citizen(1).await;
    let mut resting = counter.raw().await;
    let renewing = async {
        sleep(Duration::from_millis(100)).await;
        renew(&counter);
        counter.signal("HUP");
        until("the newer one is served", async || serves_the_file(&counter).await).await;
    };
    let mut renewing = std::pin::pin!(renewing);
    // Over the connection that entered.
    let mut answered = 0;
    loop {
        tokio::select! {
            () = &mut renewing => break,
            shown = citizen.get("") => {
                assert_eq!(shown.status, StatusCode::OK);
                answered += 1;
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
    assert!(answered > 10, "{answered}");
    resting.write_all(b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut begin = [0; 12];
    resting.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let (_, controls, _) =
        finished(program().args(["audit", "--controls", "--data"]).arg(counter.data()));
    assert!(controls.contains("a newer certificate is served"), "{controls}");
}

#[tokio::test]
async fn a_broken_certificate_changes_nothing_and_is_told() {
    let counter = Counter::open();
    assert_eq!(refused(&counter).await, 0);
    let key = counter.data().join("demo-key.pem");
    let right = fs::read(&key).unwrap();
    fs::write(&key, "no key").unwrap();
    until("the fault is noticed", async || (refused(&counter).await == 1).then_some(())).await;
    assert!(
        counter.log().contains("demo-key.pem does not contain a private key"),
        "{}",
        counter.log()
    );
    assert_eq!(serves_the_file(&counter).await, Some(()));
    fs::write(&key, right).unwrap();
    until("it is repaired", async || (refused(&counter).await == 0).then_some(())).await;
}
