//! A proxy in front of a server that ends TLS with the server's own certificate, and can be told to mix replies up.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::AUTHORIZATION,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    harness::Counter,
    trust::{Https, client},
};

/// What the proxy does with replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    /// Each goes to whoever asked.
    Passes,
    /// A draft goes to the next one who asks for theirs, whole.
    SwapsWhole,
    /// The same with the header fields of their own answer.
    SwapsContent,
    /// None comes.
    Hangs,
}

/// The proxy; it ends with its test.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    mode: AtomicU8,
    /// Address and data directory of the server, once it is there.
    server: OnceLock<(String, PathBuf, Https<Full<Bytes>>)>,
    /// The latest draft, and whose request it answered.
    latest: Mutex<Option<(String, Response<Bytes>)>>,
}

impl Proxy {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    // How a connection ends is the canary's business.
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { address, shared }
    }

    pub(super) fn leads_to(&self, counter: &Counter) {
        let client = client(&counter.data(), false);
        let server = (counter.public.clone(), counter.data(), client);
        assert!(self.shared.server.set(server).is_ok());
    }

    pub(super) fn set(&self, mode: Mode) {
        *self.shared.latest.lock().unwrap() = None;
        self.shared.mode.store(mode as u8, Ordering::Release);
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let Some((_, data, _)) = shared.server.get() else { return };
    let certificate = CertificateDer::from_pem_file(data.join("demo-cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data.join("demo-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate], key);
    let mut config = config.unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
    });
    let stream = TokioIo::new(stream);
    let _ended = if is_http2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
    } else {
        http1::Builder::new().serve_connection(stream, service).await
    };
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let is = |mode: Mode| shared.mode.load(Ordering::Acquire) == mode as u8;
    if is(Mode::Hangs) {
        std::future::pending::<()>().await;
    }
    let (public, _, client) = shared.server.get().unwrap();
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    let who = format!("{:?}", head.headers.get(AUTHORIZATION));
    head.uri = format!("{public}{path}").parse().unwrap();
    head.version = hyper::Version::HTTP_11;
    head.headers.remove("host");
    let is_draft = head.method == "GET" && path.contains("/drafts/");
    let response = client.request(Request::from_parts(head, Full::new(body))).await.unwrap();
    let (head, body) = response.into_parts();
    let own = Response::from_parts(head, body.collect().await.unwrap().to_bytes());
    let own = if is_draft && !is(Mode::Passes) {
        let latest = shared.latest.lock().unwrap().replace((who.clone(), own.clone()));
        match latest {
            Some((other, theirs)) if other != who && is(Mode::SwapsContent) => {
                own.map(|_| theirs.into_body())
            }
            Some((other, theirs)) if other != who => theirs,
            _ => own,
        }
    } else {
        own
    };
    let (mut head, body) = own.into_parts();
    head.version = hyper::Version::default();
    head.headers.remove("content-length");
    Response::from_parts(head, Full::new(body))
}
