//! The people of one run, played by several processes: each may open so many files only.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use tempfile::TempDir;

use super::job::{Conduct, Done, Job, overload};
use crate::{
    clock,
    fault::{Fault, RunFault},
    figures::{grouped, real_len},
    identity,
    interrupt::Stop,
    machine::{CpuClock, CpuUse},
    orders::Part,
    process::{Process, ProcessClock, ProcessUse},
    profile::Offer,
    schedule::Phase,
    server::signal,
    tally::Tally,
    wire::target::Target,
};

/// Time until the first start: the processes read their identities first.
const LEAD: Duration = Duration::from_secs(2);
const LEAD_A_PERSON: Duration = Duration::from_micros(20);
/// Open files of a generator process besides one for each of its people.
const OTHER_FILES: u64 = 1000;
/// More would have no time to do anything.
const PROCESSES_MAX: usize = 64;

/// Where people come from and what they do.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    /// The server.
    pub(super) target: String,
    /// Its data directory: its key signs the identities, its certificate is trusted.
    pub(super) data: PathBuf,
    /// The `sportello` program.
    pub(super) program: PathBuf,
    /// People who came before.
    pub(super) skip: u64,
    pub(super) conduct: Conduct,
    pub(super) drain_max: Duration,
    /// When people who are still outside go home, if they do, seconds since the first start.
    pub(super) going_home_s: Option<u64>,
    /// Generator threads over all processes.
    pub(super) threads: usize,
    /// Open files of a process.
    pub(super) files: u64,
}

/// A run that is being played; its processes are killed when this is dropped.
pub(super) struct Playing {
    parts: Vec<Generator>,
    length: Duration,
    begin_ms: i64,
    people: u64,
    cpu: CpuClock,
    server: Option<(Process, ProcessClock)>,
    is_told_to_stop: bool,
    _work: TempDir,
}

/// One generator process.
struct Generator {
    pid: u32,
    output: Option<JoinHandle<io::Result<Output>>>,
}

/// What all processes counted.
pub(super) struct Played {
    pub(super) tally: Tally,
    pub(super) cpu: CpuUse,
    pub(super) server: Option<ProcessUse>,
    /// Receipt numbers that two people of one process got.
    pub(super) receipts_doubled: u64,
    /// Identities used, for a next run to skip.
    pub(super) people: u64,
}

impl Crowd {
    /// Starts the processes that play `phases`.
    pub(super) fn start(&self, phases: &[Phase]) -> Result<Playing, Fault> {
        let profile = overload()?;
        let Offer::Open { spacing, .. } = profile.offer else {
            return Err(Fault::Usage("the overload profile has no open loop".to_owned()));
        };
        let begin_ms = 0;
        let whole = self.job(phases, Part { number: 0, of: 1, begin_ms });
        let starts = whole.curve().starts(spacing, profile.seed).len();
        let processes = self.processes(starts as u64)?;
        let cannot = |error: io::Error| {
            Fault::Needs(format!("cannot write the identities to a temporary file: {error}"))
        };
        let work = TempDir::with_prefix("surge-crowd-").map_err(cannot)?;
        let tokens = work.path().join("tokens.tsv");
        let out = File::create(&tokens).map_err(cannot)?;
        let count = self.skip + starts as u64;
        identity::mint(&self.program, &self.data, None, count, out).map_err(RunFault::from)?;

        let server = Target::parse(&self.target).map_err(Fault::Usage)?.addr;
        let server = Process::listening_at(server).map(|process| (process, process.read()));
        let lead = LEAD + LEAD_A_PERSON.mul_f64(real_len(starts));
        let begin_ms = clock::stamp() + i64::try_from(lead.as_millis()).unwrap_or_default();
        let mut playing = Playing {
            parts: Vec::new(),
            length: Duration::from_secs_f64(whole.curve().duration_s()),
            begin_ms,
            people: starts as u64,
            cpu: CpuClock::read(),
            server,
            is_told_to_stop: false,
            _work: work,
        };
        let mut skip = self.skip;
        for number in 0..processes {
            let part = Part { number, of: processes, begin_ms };
            let job = Job { skip, tokens: tokens.clone(), ..self.job(phases, part) };
            skip += job.part.own_starts(starts, job.threads) as u64;
            playing.parts.push(Generator::start(&job)?);
        }
        Ok(playing)
    }

    fn job(&self, phases: &[Phase], part: Part) -> Job {
        let phase = |phase: &Phase| (phase.label.clone(), phase.duration_s, phase.rate);
        Job {
            target: self.target.clone(),
            certificate: self.data.join("demo-cert.pem"),
            tokens: PathBuf::new(),
            skip: self.skip,
            phases: phases.iter().map(phase).collect(),
            conduct: self.conduct,
            drain_ms_max: u64::try_from(self.drain_max.as_millis()).unwrap_or(u64::MAX),
            going_home_s: self.going_home_s,
            threads: self.threads.div_ceil(part.of),
            part,
        }
    }

    /// So many that each has a file for every one of its people.
    fn processes(&self, people: u64) -> Result<usize, Fault> {
        let each = self.files.saturating_sub(OTHER_FILES).max(1);
        let needed = usize::try_from(people.div_ceil(each).max(1)).ok();
        let possible = needed.filter(|needed| *needed <= PROCESSES_MAX);
        possible.ok_or_else(|| {
            Fault::Needs(format!(
            "{} people need a connection each, but a process may open {} files: raise `ulimit -Hn`",
            grouped(people),
            grouped(self.files)
            ))
        })
    }
}

impl Generator {
    fn start(job: &Job) -> Result<Self, Fault> {
        let cannot =
            |error: io::Error| Fault::Needs(format!("cannot start a generator process: {error}"));
        let own: PathBuf = std::env::current_exe().map_err(cannot)?;
        let mut child = spawn(&own).map_err(cannot)?;
        let pid = child.id();
        let input = child.stdin.take();
        let text = serde_json::to_vec(job).map_err(io::Error::other).map_err(cannot)?;
        let output = thread::spawn(move || {
            // Closed afterwards: the end of the job.
            if let Some(mut input) = input {
                input.write_all(&text)?;
            }
            child.wait_with_output()
        });
        Ok(Self { pid, output: Some(output) })
    }

    fn is_finished(&self) -> bool {
        self.output.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn done(&mut self) -> Result<Done, Fault> {
        let failed = |what: &dyn std::fmt::Display| {
            Fault::Needs(format!("a generator process failed: {what}"))
        };
        let output = self.output.take().ok_or_else(|| failed(&"it was read before"))?;
        let output = output.join().map_err(|_| failed(&"its reader panicked"))?;
        let output = output.map_err(|error| failed(&error))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(failed(&format!("{}: {}", output.status, words.trim_end())));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(&error))
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        if !self.is_finished() {
            // Fails when it has just ended, which is fine.
            drop(signal("KILL", self.pid));
        }
    }
}

fn spawn(own: &Path) -> io::Result<Child> {
    Command::new(own)
        .arg("overload-part")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that Ctrl-C reaches only surge, which stops it.
        .process_group(0)
        .spawn()
}

impl Playing {
    /// True once all processes have ended; tells them to stop when `stop` is given.
    pub(super) fn is_over(&mut self, stop: &Stop) -> bool {
        if stop.is_given() && !self.is_told_to_stop {
            self.is_told_to_stop = true;
            // Fails for those that have ended, which is fine.
            self.parts.iter().for_each(|part| drop(signal("TERM", part.pid)));
        }
        self.parts.iter().all(Generator::is_finished)
    }

    /// What all processes counted; waits for their ends.
    pub(super) fn finish(mut self) -> Result<Played, Fault> {
        let mut tally = Tally::new(clock::instant_of(self.begin_ms), self.length);
        let (mut receipts_doubled, mut generator_s) = (0, 0.0);
        for part in &mut self.parts {
            let done = part.done()?;
            tally.receive(done.tally);
            receipts_doubled += done.receipts_doubled;
            generator_s += done.cpu_s;
        }
        let all = CpuClock::read().since(self.cpu);
        let cpu = CpuUse {
            generator_s: all.generator_s + generator_s,
            others_s: (all.others_s - generator_s).max(0.0),
            steal_s: all.steal_s,
        };
        let server = self.server.map(|(process, before)| process.used_since(before));
        Ok(Played { tally, cpu, server, receipts_doubled, people: self.people })
    }
}
