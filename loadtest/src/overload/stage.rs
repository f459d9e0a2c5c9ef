//! The server of an overload run: started with a quota, or given.

use std::{fs, path::PathBuf, time::Duration};

use rlimit::Resource;
use tempfile::TempDir;

use super::{args::OverloadArgs, cgroup::Group, crowd::Crowd};
use crate::{
    args::sportello_beside,
    fault::Fault,
    operator::Operator,
    process::Process,
    server::{Recipe, Server},
    wire::target::Target,
};

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
    /// Open files that a process may have.
    files: u64,
}

impl Stage {
    /// Starts a server with the quota, or takes the one that was given.
    pub(super) fn set(args: &OverloadArgs) -> Result<Self, Fault> {
        let files = raise_files();
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
                files,
            });
        }
        let work = TempDir::with_prefix("surge-overload-").map_err(cannot)?;
        let name = work.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let group = Group::with_quota(&name, args.cpu_percent)?;
        let recipe = Recipe {
            program: program.clone(),
            data: work.path().join("data"),
            log: work.path().join("server.log"),
            socket: None,
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
            files,
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
        let text = log.and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default();
        let last: Vec<_> = text.lines().rev().take(3).collect();
        last.join("\n  ")
    }

    /// The people of one run.
    pub(super) fn crowd(&self, args: &OverloadArgs, drain_max: Duration) -> Crowd {
        Crowd {
            target: self.target.clone(),
            data: self.data.clone(),
            program: self.program.clone(),
            skip: self.skip,
            conduct: args.conduct(),
            drain_max,
            going_home_s: None,
            threads: args.threads as usize,
            files: self.files,
        }
    }

    /// The server's operator listener.
    pub(super) fn operator(&self) -> Result<Operator, Fault> {
        Operator::parse(&self.operator).map_err(Fault::Usage)
    }

    /// The server's process, if it runs on this machine.
    pub(super) fn process(&self) -> Option<Process> {
        Process::listening_at(Target::parse(&self.target).ok()?.addr)
    }
}

/// Raises the limit of open files, also for the processes that are started; returns what it is.
fn raise_files() -> u64 {
    let most = fs::read_to_string("/proc/sys/fs/nr_open").ok();
    if let Some(most) = most.and_then(|most| most.trim().parse().ok()) {
        // Refused without the right to: then up to what is allowed.
        if rlimit::setrlimit(Resource::NOFILE, most, most).is_ok() {
            return most;
        }
    }
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default()
}
