//! The time of a TLS handshake in memory, full and resumed, with the server's configuration: TLS 1.3, ECDSA P-256; also
//! with the certificate of a card, which is checked again when its holder enters.
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
    ClientConfig, ClientConnection, ConfigBuilder, HandshakeKind, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection,
    client::{Resumption, WantsClientCert},
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use sportello::{
    civic::FiscalCode,
    clock::Clock,
    http::tls,
    identity::{
        certificate::{self, AtHandshake, Certificates},
        demo_cards::{CardMaker, authority_in, crl_in},
    },
};

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
    /// Requires certificates.
    strict: Arc<ServerConfig>,
    /// Shows a card.
    holder: Arc<ClientConfig>,
    certificates: Arc<Certificates>,
    card: CertificateDer<'static>,
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
        let server = made.server().expect("a configuration").config;
        let mut issuing = (*server).clone();
        issuing.send_tls13_tickets = 1;
        issuing.ticketer = aws_lc_rs::Ticketer::new().expect("a ticketer");
        let now = Clock::system().real();
        let maker = CardMaker::load_or_create(data.path(), now).expect("an authority");
        let pem = maker.make(&FiscalCode::made_up(1), now).expect("a card");
        let card = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let certificates = Certificates::open(certificate::Config {
            roots: authority_in(data.path()),
            revocation_lists: Some(crl_in(data.path())),
            offices: None,
            policies: "1.3.76.16.2.1".parse().expect("a policy"),
            unknown_revocation_is_accepted: false,
        });
        let certificates = Arc::new(certificates.expect("the files"));
        let verifier = Arc::new(AtHandshake(Arc::clone(&certificates)));
        let mut holder = trusting(provider.clone(), roots.clone())
            .with_client_auth_cert(vec![card.clone()], key)
            .expect("a key");
        holder.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            strict: made.server_with_certificates(verifier).expect("a configuration").config,
            holder: Arc::new(holder),
            certificates,
            card,
            server,
            issuing: Arc::new(issuing),
            forgetful: forgetting(provider.clone()),
            older: forgetting(x25519),
            returning: Arc::new(client(provider, roots.clone())),
        }
    }

    /// Performs one handshake and asserts its kind; returns the time of the server's steps.
    fn shake(&self, client: &Arc<ClientConfig>, expected: HandshakeKind) -> Duration {
        let returns = Arc::ptr_eq(&self.returning, client);
        let server = if returns { &self.issuing } else { &self.server };
        Self::shake_with(server, client, expected)
    }

    fn shake_with(
        server: &Arc<ServerConfig>,
        client: &Arc<ClientConfig>,
        expected: HandshakeKind,
    ) -> Duration {
        let name = ServerName::try_from("localhost").expect("a name");
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

fn trusting(
    provider: CryptoProvider,
    roots: RootCertStore,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
}

fn client(provider: CryptoProvider, roots: RootCertStore) -> ClientConfig {
    let mut client = trusting(provider, roots).with_no_client_auth();
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
    group.bench_function("full with a card, the server's share", |bencher| {
        bencher.iter_custom(|count| {
            (0..count)
                .map(|_| House::shake_with(&house.strict, &house.holder, HandshakeKind::Full))
                .sum()
        });
    });
    let (chain, now) = ([house.card.clone()], Clock::system().real());
    group.bench_function("the check of a card at entering", |bencher| {
        bencher.iter(|| house.certificates.verify(&chain, None, now).expect("a card"));
    });
    group.finish();
}

criterion_group!(benches, handshakes);
criterion_main!(benches);
