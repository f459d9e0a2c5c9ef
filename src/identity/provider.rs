//! An issuer that publishes its keys over HTTPS and misbehaves on request, for tests.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::fetch::KeysUrl;

/// What the provider answers.
#[derive(Clone)]
pub(super) enum Behaviour {
    /// A set, with further header lines that end in CRLF.
    Set(String, &'static str),
    /// Bytes instead of an answer.
    Raw(String),
    /// 10 MB, with or without saying so before.
    Huge { announced: bool },
    /// Nothing, for ever, before the handshake.
    HangBeforeTls,
    /// Nothing, for ever, after it.
    Hang,
    /// A byte each 50 ms.
    Slow(String),
    /// Closes the connection.
    Close,
}

/// A provider on loopback.
pub(super) struct Provider {
    pub(super) url: KeysUrl,
    /// The certificate to trust, PEM.
    pub(super) ca: PathBuf,
    behaviour: Arc<Mutex<Behaviour>>,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Provider {
    /// Starts in the current runtime, with its certificate in `place`.
    pub(super) async fn start(place: &Path, behaviour: Behaviour) -> Self {
        let certificate =
            rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
                .unwrap();
        let ca = place.join("ca.pem");
        std::fs::write(&ca, certificate.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
        let (behaviour, asked) = (Arc::new(Mutex::new(behaviour)), Arc::new(AtomicUsize::new(0)));
        let tls = TlsAcceptor::from(Arc::new(tls));
        let task = tokio::spawn({
            let (behaviour, asked) = (Arc::clone(&behaviour), Arc::clone(&asked));
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    asked.fetch_add(1, SeqCst);
                    let behaviour = behaviour.lock().unwrap().clone();
                    tokio::spawn(answer(tls.clone(), stream, behaviour));
                }
            }
        });
        Self { url, ca, behaviour, asked, task }
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Connections so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request. The other side may have gone at any time.
async fn answer(tls: TlsAcceptor, stream: TcpStream, behaviour: Behaviour) {
    if matches!(behaviour, Behaviour::HangBeforeTls) {
        return std::future::pending().await;
    }
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let mut request = [0; 4096];
    let _read = stream.read(&mut request).await;
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}connection: close\r\n\r\n");
    let _gone = match behaviour {
        Behaviour::Set(set, more) => stream.write_all((head(more) + &set).as_bytes()).await,
        Behaviour::Raw(text) => stream.write_all(text.as_bytes()).await,
        Behaviour::Huge { announced } => {
            let said = if announced { "content-length: 10000000\r\n" } else { "" };
            let _gone = stream.write_all(head(said).as_bytes()).await;
            stream.write_all(&vec![b' '; 10_000_000]).await
        }
        Behaviour::HangBeforeTls | Behaviour::Hang => std::future::pending().await,
        Behaviour::Slow(set) => {
            for byte in (head("") + &set).bytes() {
                sleep(Duration::from_millis(50)).await;
                if stream.write_all(&[byte]).await.and(stream.flush().await).is_err() {
                    return;
                }
            }
            Ok(())
        }
        Behaviour::Close => return,
    };
    let _gone = stream.shutdown().await;
}
