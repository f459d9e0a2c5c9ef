//! Why the server does not start.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{
    http::tls,
    identity::{canary::NoCanaryKey, key_fetcher::FetcherFault},
    ledger::OpenFault,
    metrics::MetricsFault,
    operator::control::ControlFault,
    registry::{LoadFault, mandates::MandatesFault, notice::NoticeFault},
    trace::ExporterFault,
    vault::KeysFault,
};

/// Why the server does not start. It has taken no application; correct the cause and start again.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The data directory cannot be created.
    #[error(
        "data directory {path}: {source}; give one with --data that this user may create and write"
    )]
    Data {
        /// Which directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than the owner may use a directory: they could read or replace what is in it, keys included.
    #[error(
        "other users may use the directory {path}: run chmod 700 {path}; if it belongs to another user, set server.data to a new directory below it"
    )]
    Exposed {
        /// Which directory.
        path: PathBuf,
    },
    /// The house's secrets cannot be read or created.
    #[error(transparent)]
    Keys(#[from] KeysFault),
    /// There are ledgers, but the file with their key is missing.
    #[error("{ledgers} holds ledgers, but their key {key} is missing: restore it from your backup")]
    KeyLost {
        /// The ledgers' directory.
        ledgers: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] OpenFault),
    /// The keys of issuers cannot be fetched.
    #[error(transparent)]
    Issuers(#[from] FetcherFault),
    /// Traces cannot be exported.
    #[error(transparent)]
    Traces(#[from] ExporterFault),
    /// The registry's file is refused.
    #[error("{path}: {source}")]
    Registry {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        source: LoadFault,
    },
    /// The file of mandates is refused.
    #[error("{path}: {source}")]
    Mandates {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        source: MandatesFault,
    },
    /// The file of the notice is refused.
    #[error("{path}: {source}")]
    Notice {
        /// The file.
        path: PathBuf,
        /// Why it is refused.
        source: NoticeFault,
    },
    /// Control cannot begin.
    #[error(transparent)]
    Control(#[from] ControlFault),
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] tls::TlsFault),
    /// The canary cannot begin.
    #[error("the canary: {0}")]
    Canary(#[from] rustls::Error),
    /// The canary has no key.
    #[error(transparent)]
    CanaryKey(#[from] NoCanaryKey),
    /// A listener cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The service manager passed sockets that cannot be served.
    #[error("sockets of the service manager: {0}")]
    Sockets(String),
    /// Other machines could reach the operator listener.
    #[error(
        "operators on {0}, which other machines reach: give the socket \"operator\" a loopback address, such as ListenStream=127.0.0.1:9464, and let others reach it through a tunnel, or a proxy on this machine that asks for client certificates"
    )]
    OperatorReachable(SocketAddr),
    /// Metrics cannot be recorded.
    #[error(transparent)]
    Metrics(#[from] MetricsFault),
    /// The system gave no thread or runtime.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}
