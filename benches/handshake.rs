//! The time of a TLS handshake in memory, full and resumed, with the server's configuration: TLS 1.3, ECDSA P-256.
//!
//! `cargo bench --bench handshake`. The server's share is the time in which it reads, processes and writes; the
//! client's time is excluded.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig,
    ServerConnection,
    client::Resumption,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
    },
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use sportello::http::tls;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Upper bound on the flights of a handshake, including session tickets.
const FLIGHTS_MAX: usize = 8;

/// A server with the demo's certificate, and clients that trust it.
struct House {
    server: Arc<ServerConfig>,
    /// The same, with tickets, as with a certificate of RSA.
    issuing: Arc<ServerConfig>,
    /// Never resumes.
    forgetful: Arc<ClientConfig>,
    /// Offers X25519 alone, no post-quantum key exchange.
    older: Arc<ClientConfig>,
    /// Resumes when it can.
    returning: Arc<ClientConfig>,
}

impl House {
    fn new() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let made = tls::demo(data.path(), IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a certificate");
        let certificate = CertificateDer::from_pem_file(&made.certificate).expect("PEM");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate");
        let provider = aws_lc_rs::default_provider();
        let x25519 = CryptoProvider { kx_groups: vec![kx_group::X25519], ..provider.clone() };
        let forgetting = |provider| {
            let mut forgetting = client(provider, roots.clone());
            forgetting.resumption = Resumption::disabled();
            Arc::new(forgetting)
        };
        let server = made.server().expect("a configuration");
        let mut issuing = (*server).clone();
        issuing.send_tls13_tickets = 1;
        Self {
            server,
            issuing: Arc::new(issuing),
            forgetful: forgetting(provider.clone()),
            older: forgetting(x25519),
            returning: Arc::new(client(provider, roots.clone())),
        }
    }

    /// Performs one handshake and asserts its kind; returns the time of the server's steps.
    fn shake(&self, client: &Arc<ClientConfig>, expected: HandshakeKind) -> Duration {
        let name = ServerName::try_from("localhost").expect("a name");
        let returns = Arc::ptr_eq(&self.returning, client);
        let server = if returns { &self.issuing } else { &self.server };
        let mut client = ClientConnection::new(Arc::clone(client), name).expect("a client");
        let started = Instant::now();
        let mut server = ServerConnection::new(Arc::clone(server)).expect("a server");
        let mut took = started.elapsed();
        let (mut there, mut back) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
        for _ in 0..FLIGHTS_MAX {
            there.clear();
            while client.wants_write() {
                client.write_tls(&mut there).expect("memory takes all");
            }
            let started = Instant::now();
            serve(&mut server, &there, &mut back);
            took += started.elapsed();
            let mut unread = &back[..];
            while !unread.is_empty() {
                client.read_tls(&mut unread).expect("memory gives all");
                client.process_new_packets().expect("a good flight");
            }
            if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
                break;
            }
        }
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(server.handshake_kind(), Some(expected));
        assert_eq!(server.alpn_protocol(), Some(&b"http/1.1"[..]));
        took
    }
}

fn client(provider: CryptoProvider, roots: RootCertStore) -> ClientConfig {
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    client
}

/// The server's part of a flight: reads and processes it, and writes the answer.
fn serve(server: &mut ServerConnection, flight: &[u8], answer: &mut Vec<u8>) {
    answer.clear();
    let mut unread = flight;
    while !unread.is_empty() {
        server.read_tls(&mut unread).expect("memory gives all");
        server.process_new_packets().expect("a good flight");
    }
    while server.wants_write() {
        server.write_tls(answer).expect("memory takes all");
    }
}

fn handshakes(criterion: &mut Criterion) {
    let house = House::new();
    let mut group = criterion.benchmark_group("handshake");
    group.throughput(Throughput::Elements(1));
    group.bench_function("full, both sides", |bencher| {
        bencher.iter(|| house.shake(&house.forgetful, HandshakeKind::Full));
    });
    group.bench_function("full, the server's share", |bencher| {
        bencher.iter_custom(|count| {
            (0..count).map(|_| house.shake(&house.forgetful, HandshakeKind::Full)).sum()
        });
    });
    group.bench_function("full with X25519 alone, the server's share", |bencher| {
        bencher.iter_custom(|count| {
            (0..count).map(|_| house.shake(&house.older, HandshakeKind::Full)).sum()
        });
    });
    house.shake(&house.returning, HandshakeKind::Full);
    group.bench_function("resumed, the server's share", |bencher| {
        bencher.iter_custom(|count| {
            (0..count).map(|_| house.shake(&house.returning, HandshakeKind::Resumed)).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
