//! What a run is to do: the command line, checked.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use rustls::ClientConfig;

use crate::{operator::Operator, profile::Profile, wire::target::Target};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct Orders {
    /// The server.
    pub target: Arc<Target>,
    /// TLS settings of every connection, with the certificates to trust.
    pub tls: ClientConfig,
    /// The profile, with rate, duration and speed already applied.
    pub profile: Profile,
    /// Longest duration of a closed loop.
    pub closed_duration_max: Option<Duration>,
    /// Connections over all threads.
    pub connections: usize,
    /// Generator threads.
    pub threads: usize,
    /// Where identities come from.
    pub identities: IdentitySource,
    /// The intermediaries' office: the clients' mandates are for it.
    pub office: String,
    /// Identities to leave out at the beginning, because an earlier run used them.
    pub skip: u64,
    /// The file that receipts are written to.
    pub receipts: Option<PathBuf>,
    /// The operator listener to read the server's metrics from.
    pub operator: Option<Operator>,
    /// Loopback addresses that connections come from in turn; empty: the system chooses.
    pub sources: Vec<Ipv4Addr>,
    /// True when nobody enters after the end of the schedule: those outside then ask no more, those inside finish.
    pub closes: bool,
}

/// Where identities come from.
#[derive(Clone, Debug)]
pub enum IdentitySource {
    /// Files of `code<TAB>token` lines.
    File {
        /// Citizens.
        citizens: PathBuf,
        /// People at an intermediary's office, for a profile that plays intermediaries.
        offices: Option<PathBuf>,
    },
    /// Signed by the `sportello` program with the demo key in a data directory.
    Mint {
        /// The program.
        program: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
}
