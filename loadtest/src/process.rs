//! The server's process, when it runs on this machine: finds it and reads what it used.

use std::{fs, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::figures;

/// Unit of CPU time in `/proc` (`USER_HZ`): 100 a second on every Linux.
pub(crate) const TICKS_PER_S: f64 = 100.0;
/// State of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessClock {
    /// CPU time of its own code, seconds.
    pub user_s: f64,
    /// CPU time of the kernel on its behalf, seconds.
    pub system_s: f64,
    /// Bytes written to storage.
    pub written_bytes: u64,
    /// Resident memory.
    pub resident_bytes: u64,
}

/// What a process used during a run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Its id.
    pub pid: u32,
    /// CPU time, user and system.
    pub cpu_s: f64,
    /// Bytes written to storage.
    pub written_bytes: u64,
    /// Resident memory at the end.
    pub resident_bytes: u64,
}

impl ProcessClock {
    fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

impl Process {
    /// The process that listens at `addr`; `None` on another machine, or where `/proc` does not show it.
    #[must_use]
    pub fn listening_at(addr: SocketAddr) -> Option<Self> {
        if !addr.ip().is_loopback() {
            return None;
        }
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
        let inode =
            tables.iter().flatten().find_map(|table| listening_inode(table, addr.port()))?;
        let wanted = PathBuf::from(format!("socket:[{inode}]"));
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.find(|pid: &u32| holds(*pid, &wanted)).map(|pid| Self { pid })
    }

    /// What it has used so far; zeros when it has ended.
    #[must_use]
    pub fn read(self) -> ProcessClock {
        let file = |name| fs::read_to_string(format!("/proc/{}/{name}", self.pid));
        let stat = file("stat").unwrap_or_default();
        let io = file("io").unwrap_or_default();
        let status = file("status").unwrap_or_default();
        let [user_s, system_s] = cpu_seconds(&stat);
        ProcessClock {
            user_s,
            system_s,
            written_bytes: number_after(&io, "write_bytes:"),
            resident_bytes: number_after(&status, "VmRSS:") * 1024,
        }
    }

    /// What it used since `earlier`.
    #[must_use]
    pub fn used_since(self, earlier: ProcessClock) -> ProcessUse {
        let now = self.read();
        ProcessUse {
            pid: self.pid,
            cpu_s: (now.cpu_s() - earlier.cpu_s()).max(0.0),
            written_bytes: now.written_bytes.saturating_sub(earlier.written_bytes),
            resident_bytes: now.resident_bytes,
        }
    }

    /// Ids of its threads named `name`, or of all threads.
    #[must_use]
    pub fn threads(self, name: Option<&str>) -> Vec<u32> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten();
        let ids = tasks.flatten().filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let comm = fs::read_to_string(entry.path().join("comm")).ok()?;
            name.is_none_or(|name| comm.trim() == name).then_some(id)
        });
        ids.collect()
    }
}

/// CPU seconds of a `/proc/PID/stat` line: in its own code, and in the kernel.
pub(crate) fn cpu_seconds(stat: &str) -> [f64; 2] {
    // The command name may hold spaces and brackets; the other fields follow the last bracket.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let mut seconds =
        fields.skip(11).map(|ticks| ticks.parse().map_or(0.0, figures::real) / TICKS_PER_S);
    [seconds.next().unwrap_or_default(), seconds.next().unwrap_or_default()]
}

fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let listens = fields.next()?.ends_with(&suffix);
        let state = fields.nth(1)?;
        // Between the state and the inode: tx:rx, timer, retransmissions, owner, timeout.
        let inode = fields.nth(5)?;
        (listens && state == LISTENING).then(|| inode.parse().ok())?
    })
}

fn holds(pid: u32, socket: &PathBuf) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link == *socket)
}

fn number_after(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::{Process, cpu_seconds, listening_inode};

    #[test]
    fn the_listener_s_process_is_found_and_its_cpu_time_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let process = Process::listening_at(addr).expect("it is this one");
        assert_eq!(process.pid, std::process::id());
        assert!(!process.threads(None).is_empty());
        assert!(process.threads(Some("no such thread")).is_empty());
        assert!(process.used_since(process.read()).resident_bytes > 0);
        assert_eq!(Process::listening_at("192.0.2.1:80".parse().expect("an address")), None);
    }

    #[test]
    fn proc_s_tables_are_read_by_their_columns() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
           0: 0100007F:20FB 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n\
           1: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0\n";
        assert_eq!(listening_inode(table, 8443), Some(22));
        assert_eq!(listening_inode(table, 8444), None);
        let stat = "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20";
        let [user, system] = cpu_seconds(stat);
        assert!((user - 2.5).abs() < 1e-9 && (system - 0.5).abs() < 1e-9);
    }
}
