//! The server of an overload run: started with a quota, or given.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;

use super::{OverloadArgs, cgroup::Group};
use crate::{
    args::sportello_beside,
    fault::Fault,
    operator::Operator,
    orders::{IdentitySource, Orders},
    profile::{Profile, Spread, Think},
    server::{Recipe, Server},
    wire::{target::Target, tls},
};

/// Connections of one generator thread, as many as it can have sessions.
const CONNECTIONS_MAX: usize = 200_000;
/// Last byte of the loopback addresses that citizens come from.
const SOURCES: std::ops::RangeInclusive<u8> = 2..=200;

/// A server, in the order in which its parts must be dropped: the process, its control group, its directory.
pub(super) struct Stage {
    server: Option<Server>,
    _group: Option<Group>,
    work: Option<TempDir>,
    target: String,
    operator: String,
    program: PathBuf,
    data: PathBuf,
    /// People that earlier runs on this server used.
    pub(super) skip: u64,
}

impl Stage {
    /// Starts a server with the quota, or takes the one that was given.
    pub(super) fn set(args: &OverloadArgs) -> Result<Self, Fault> {
        let cannot = |error: std::io::Error| {
            Fault::Needs(format!("cannot create a temporary directory: {error}"))
        };
        let program = match &args.server {
            Some(program) => program.clone(),
            None => sportello_beside().map_err(cannot)?,
        };
        if let (Some(target), Some(operator)) = (&args.target, &args.operator) {
            return Ok(Self {
                server: None,
                _group: None,
                work: None,
                target: target.clone(),
                operator: operator.clone(),
                program,
                data: args.data.clone(),
                skip: args.skip,
            });
        }
        let work = TempDir::with_prefix("surge-overload-").map_err(cannot)?;
        let name = work.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let group = Group::with_quota(&name, args.cpu_percent)?;
        let recipe = Recipe {
            program: program.clone(),
            data: work.path().join("data"),
            log: work.path().join("server.log"),
            group: Some(group.procs()),
        };
        let server = recipe.start()?;
        Ok(Self {
            target: format!("https://{}", server.public),
            operator: format!("http://{}", server.operator),
            server: Some(server),
            _group: Some(group),
            work: Some(work),
            program,
            data: recipe.data,
            skip: 0,
        })
    }

    /// Stops the server and starts a new one with a new data directory; a given one stays.
    pub(super) fn renew(&mut self, args: &OverloadArgs) -> Result<(), Fault> {
        if let Some(server) = self.server.take() {
            // Before the new one starts, so that they do not share the machine.
            drop(server);
            *self = Self::set(args)?;
        }
        Ok(())
    }

    /// True when the server was started here and has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        self.server.as_mut().is_some_and(Server::has_ended)
    }

    /// The last lines of the server's log, which is deleted with its directory.
    pub(super) fn last_words(&self) -> String {
        let log = self.work.as_ref().map(|work| work.path().join("server.log"));
        let text = log.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let last: Vec<_> = text.lines().rev().take(3).collect();
        last.join("\n  ")
    }

    /// Orders for a run of `profile` on this server.
    pub(super) fn orders(
        &self,
        args: &OverloadArgs,
        mut profile: Profile,
    ) -> Result<Orders, Fault> {
        if let Some(share) = args.impatient_share {
            profile.mix.impatient_share = share;
        }
        profile.mix.drafts_share = args.drafts_share;
        let think = Duration::from_millis(args.think_ms);
        if !think.is_zero() {
            profile.mix.think = Think { spread: Spread::Exponential, mean: think };
        }
        let certificate = self.data.join("demo-cert.pem");
        let trust = tls::Trust::Roots(&certificate);
        let tls = tls::client_config(trust, false, tls::KeyExchange::PostQuantum);
        Ok(Orders {
            target: Arc::new(Target::parse(&self.target).map_err(Fault::Usage)?),
            tls: tls.map_err(Fault::Needs)?,
            profile,
            closed_duration_max: None,
            connections: CONNECTIONS_MAX * args.threads as usize,
            threads: args.threads as usize,
            identities: IdentitySource::Mint {
                program: self.program.clone(),
                data: self.data.clone(),
            },
            skip: self.skip,
            receipts: None,
            operator: Some(Operator::parse(&self.operator).map_err(Fault::Usage)?),
            sources: self.sources(),
            closes: true,
        })
    }

    /// Loopback addresses, if the server is on this machine's.
    fn sources(&self) -> Vec<Ipv4Addr> {
        let is_local = Target::parse(&self.target)
            .is_ok_and(|target| target.addr.is_ipv4() && target.addr.ip().is_loopback());
        if is_local {
            SOURCES.map(|last| Ipv4Addr::new(127, 0, 0, last)).collect()
        } else {
            Vec::new()
        }
    }
}
