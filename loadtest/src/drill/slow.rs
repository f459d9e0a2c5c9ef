//! Slow syncs: `strace` attached to the threads that sync, delaying each of their syncs.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::server::signal;
use crate::{fault::Fault, process::Process};

/// Threads of the server that never sync, and that a tracer would only slow down.
const NEVER_SYNC: [&str; 3] = ["public", "operator", "judge"];
/// Attaching takes moments; one that fails ends within them.
const ATTACH_WAIT: Duration = Duration::from_millis(500);

/// Syncs are slow while this lives.
#[derive(Debug)]
pub struct SlowSyncs {
    strace: Child,
}

impl SlowSyncs {
    /// Makes every sync of process `pid` take `delay` longer.
    ///
    /// # Errors
    ///
    /// When there is no `strace` or it may not attach.
    pub fn of(pid: u32, delay: Duration) -> Result<Self, Fault> {
        let process = Process { pid };
        let spared: Vec<u32> =
            NEVER_SYNC.iter().flat_map(|name| process.threads(Some(name))).collect();
        let syncing = process.threads(None).into_iter().filter(|thread| !spared.contains(thread));
        let inject = format!("inject=fsync,fdatasync:delay_exit={}", delay.as_micros());
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject]);
        for thread in syncing {
            strace.args(["-p", &thread.to_string()]);
        }
        let strace = strace.stdin(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
        let mut strace = strace.map_err(|error| needs(&error.to_string()))?;
        thread::sleep(ATTACH_WAIT);
        match strace.try_wait() {
            Ok(None) => Ok(Self { strace }),
            _ => Err(needs("it may not attach to another process")),
        }
    }
}

impl Drop for SlowSyncs {
    fn drop(&mut self) {
        // Told to end, it lets go of the server; killed, it could leave a thread stopped.
        if signal("TERM", self.strace.id()).unwrap_or(false) {
            drop(self.strace.wait());
        }
    }
}

fn needs(what: &str) -> Fault {
    Fault::Needs(format!(
        "slow-disk needs strace, allowed to attach to a process of the same user ({what}): \
         install strace, and run as root or set kernel.yama.ptrace_scope to 0"
    ))
}
