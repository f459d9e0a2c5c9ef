//! What a run is to do: the command line, checked.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

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
    /// When people who came earlier and are still outside go home, since the first start; `None`: never.
    pub going_home: Option<Duration>,
    /// The part of the schedule that this process plays, if others play the rest.
    pub part: Option<Part>,
}

/// One process' part of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, from 0.
    pub number: usize,
    /// Number of processes.
    pub of: usize,
    /// When the schedule begins, milliseconds since 1970: the same for all processes.
    pub begin_ms: i64,
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

impl Part {
    /// How many of `starts` it plays with `threads`: those whose number, modulo the number of all threads, is that of
    /// one of its own.
    #[must_use]
    pub fn own_starts(self, starts: usize, threads: usize) -> usize {
        let all = self.of * threads;
        let first = self.number * threads;
        (first..first + threads).map(|thread| (starts + all - 1 - thread) / all).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn the_parts_of_a_schedule_are_the_whole_schedule() {
        for (starts, of, threads) in [(0, 1, 1), (7, 1, 2), (7, 3, 1), (100, 3, 4), (2, 5, 2)] {
            let own = |number| Part { number, of, begin_ms: 0 }.own_starts(starts, threads);
            let expected = |number| {
                let threads = number * threads..(number + 1) * threads;
                let all = of * threads.len();
                (0..starts).filter(|start| threads.contains(&(start % all))).count()
            };
            assert!(
                (0..of).all(|number| own(number) == expected(number)),
                "{starts} {of} {threads}"
            );
            assert_eq!((0..of).map(own).sum::<usize>(), starts);
        }
    }
}
