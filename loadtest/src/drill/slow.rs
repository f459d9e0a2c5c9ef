//! Slow syncs: attaches `strace` to the threads that sync and delays each of their syncs.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{fault::Fault, process::Process, server::signal};

/// Threads of the server that never sync; tracing would only slow them down.
const NEVER_SYNC: [&str; 3] = ["public", "operator", "judge"];
/// Time for `strace` to attach; when it fails, it ends within this time.
const ATTACH_WAIT: Duration = Duration::from_millis(500);

/// Delays syncs until dropped.
#[derive(Debug)]
pub struct SlowSyncs {
    strace: Child,
}

impl SlowSyncs {
    /// Delays every sync of process `pid` by `delay`.
    ///
    /// # Errors
    ///
    /// When `strace` is missing or may not attach.
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
        // On SIGTERM it detaches from the server; killed, it could leave a thread stopped.
        if signal("TERM", self.strace.id()).unwrap_or(false) {
            drop(self.strace.wait());
        }
    }
}

fn needs(what: &str) -> Fault {
    Fault::Needs(format!(
        "slow-disk needs strace and the right to attach to a process of the same user ({what}): \
         install strace, and run as root or set kernel.yama.ptrace_scope to 0"
    ))
}
