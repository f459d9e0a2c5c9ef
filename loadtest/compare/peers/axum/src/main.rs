//! axum as the baseline: Sportello's own stack, hyper and rustls, answering every request from memory; it parses and
//! stores nothing.
//!
//! Usage: `sportello-measure PORT CERTIFICATE KEY ANSWER_BYTES`. One thread; TLS as in Sportello's `src/http/tls.rs`. hyper
//! gets no timer, so that idle connections stay open.

use std::{env, error::Error, net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The same allocator as Sportello's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, certificate, key, answer_bytes] = arguments.as_slice() else {
        return Err("usage: sportello-measure PORT CERTIFICATE KEY ANSWER_BYTES".into());
    };
    let tls = TlsAcceptor::from(Arc::new(tls(certificate, key)?));
    let text = Bytes::from(vec![b'x'; answer_bytes.parse()?]);
    let service = TowerToHyperService::new(Router::new().fallback(answer).with_state(text));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, service) = (tls.clone(), service.clone());
        tokio::spawn(async move {
            // Ignores errors of a connection: its client reports them.
            let _closed = serve(stream, tls, service).await;
        });
    }
}

/// Reads the whole body and drops it.
async fn answer(State(text): State<Bytes>, _body: Bytes) -> impl IntoResponse {
    (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], text)
}

/// Serves one connection, from handshake to close.
async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    service: TowerToHyperService<Router>,
) -> Fallible<()> {
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(tls.accept(stream).await?);
    auto::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await
}

/// The same TLS settings as Sportello's.
fn tls(certificate: &str, key: &str) -> Fallible<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
    let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.ignore_client_order = true;
    server.ticketer = aws_lc_rs::Ticketer::new()?;
    server.send_tls13_tickets = 1;
    Ok(server)
}
