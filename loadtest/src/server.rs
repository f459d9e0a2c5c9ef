//! A server that surge starts itself: killed and stopped by it, and never left running.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader},
    net::TcpListener,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::{clock, fault::Fault};

/// Longest wait from the start of the process to its `ready` line, recovery included.
const READY_WAIT_MAX: Duration = Duration::from_mins(1);
/// Longest wait from SIGTERM to the end of the process; the server drains for at most 20 s.
const STOP_WAIT_MAX: Duration = Duration::from_secs(40);
/// Joins the group of the first argument and becomes the program of the others.
const JOIN_AND_RUN: &str = r#"echo $$ > "$0" && exec "$@""#;
/// Becomes the program, and passes standard input on as its public socket, as a service manager does (`sd_listen_fds(3)`).
const PASS_AND_RUN: &str = r#"exec 3<&0 </dev/null
export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=public
exec "$0" "$@""#;
const STOP_POLL: Duration = Duration::from_millis(20);

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The `sportello` program.
    pub program: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// File that its log is appended to.
    pub log: PathBuf,
    /// `cgroup.procs` of the control group that it is started in, if any.
    pub group: Option<PathBuf>,
    /// A public socket that stays open while the server is replaced, if any.
    pub socket: Option<Arc<TcpListener>>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    recipe: Recipe,
    child: Child,
    /// Address of its public listener, `127.0.0.1:PORT`.
    pub public: String,
    /// Address of its operator listener.
    pub operator: String,
}

impl Recipe {
    /// Starts a server on free ports.
    ///
    /// # Errors
    ///
    /// When it is not ready in time.
    pub fn start(&self) -> Result<Server, Fault> {
        self.start_at("127.0.0.1:0", "127.0.0.1:0")
    }

    /// The program without standard input; a shell passes the socket on, or joins the control group first, so that the
    /// server has its quota from its first instruction.
    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new("sh");
        if let Some(socket) = &self.socket {
            let passed = OwnedFd::from(socket.try_clone()?);
            command.args(["-c", PASS_AND_RUN]).arg(&self.program).stdin(passed);
            return Ok(command);
        }
        match &self.group {
            Some(group) => _ = command.args(["-c", JOIN_AND_RUN]).arg(group).arg(&self.program),
            None => command = Command::new(&self.program),
        }
        command.stdin(Stdio::null());
        Ok(command)
    }

    fn start_at(&self, public: &str, operator: &str) -> Result<Server, Fault> {
        let needs = |what: &dyn std::fmt::Display| {
            Fault::Needs(format!(
                "cannot start `{} serve --demo`: {what}; its log is {}. \
                 Build it with `cargo build --release`, or give --server PATH",
                self.program.display(),
                self.log.display()
            ))
        };
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let child = self
            .command()
            .map_err(|error| needs(&error))?
            .args(["serve", "--demo", "--listen", public, "--operator", operator, "--data"])
            .arg(&self.data)
            .stdout(Stdio::piped())
            .stderr(log.map_err(|error| needs(&error))?)
            // A group of its own, so that Ctrl-C reaches only surge, which stops the server.
            .process_group(0)
            .spawn()
            .map_err(|error| needs(&error))?;
        let (public, operator) = (String::new(), String::new());
        let mut server = Server { recipe: self.clone(), child, public, operator };
        let (public, operator) = server.ready_line().map_err(|error| needs(&error))?;
        server.public = public;
        server.operator = operator;
        Ok(server)
    }
}

impl Server {
    fn ready_line(&mut self) -> Result<(String, String), String> {
        let output = self.child.stdout.take().ok_or("no standard output")?;
        let (tell, told) = sync_channel(1);
        // Reads all output, so that the server never blocks on a full pipe; ends with the server.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(addresses) = parse_ready(&line) {
                    drop(tell.try_send(addresses));
                }
            }
        });
        told.recv_timeout(READY_WAIT_MAX).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("not ready within {READY_WAIT_MAX:?}"),
            RecvTimeoutError::Disconnected => "it ended before it was ready".to_owned(),
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True when its process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Kills it with SIGKILL.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again with the same data and addresses.
    ///
    /// # Errors
    ///
    /// When it is not ready in time.
    pub fn start_again(&mut self) -> Result<(), Fault> {
        *self = self.recipe.clone().start_at(&self.public, &self.operator)?;
        Ok(())
    }

    /// Stops it with SIGTERM and waits; kills it when it does not end in time.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn stop(&mut self) -> io::Result<()> {
        if signal("TERM", self.pid())? {
            let give_up = clock::now() + STOP_WAIT_MAX;
            while clock::now() < give_up {
                if self.child.try_wait()?.is_some() {
                    return Ok(());
                }
                thread::sleep(STOP_POLL);
            }
        }
        self.kill()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when the process has already ended, which is fine.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Sends `signal` to the process `pid`, which must be one that surge started.
pub(crate) fn signal(signal: &str, pid: u32) -> io::Result<bool> {
    let status: ExitStatus = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .stderr(Stdio::null())
        .status()?;
    Ok(status.success())
}

/// Result of `sportello verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// True when the ledger is intact and holds all receipts.
    pub whole: bool,
    /// Applications in the ledger.
    pub accepted: u64,
    /// Distinct receipts that were checked.
    pub receipts: u64,
    /// Receipts that are missing from the ledger.
    pub lost: u64,
    /// Complete output.
    pub words: String,
}

/// Verifies the ledger in `data` against the file `receipts`.
///
/// # Errors
///
/// When `sportello verify` cannot be run.
pub fn verify(program: &Path, data: &Path, receipts: &Path) -> Result<Verified, Fault> {
    let output = Command::new(program)
        .args(["verify", "--data"])
        .arg(data)
        .arg("--receipts")
        .arg(receipts)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| {
        Fault::Needs(format!("cannot run `{} verify`: {error}", program.display()))
    })?;
    let mut words = String::from_utf8_lossy(&output.stdout).into_owned();
    words.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(parse_verified(output.status.success(), words))
}

fn parse_verified(whole: bool, words: String) -> Verified {
    let numbers = |line: &str| -> Vec<u64> {
        line.split(|one: char| !one.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect()
    };
    let after = |line: &str, word: &str| numbers(line.split_once(word)?.1).first().copied();
    let accepted = words.lines().filter_map(|line| after(line, ": accepted")).sum();
    // `N read`, and how many of them are distinct unless all are.
    let receipts = words.lines().find_map(|line| line.strip_prefix("receipts:"));
    let receipts = receipts.and_then(|line| numbers(line).into_iter().take(2).min()).unwrap_or(0);
    let lost = words.lines().filter(|line| line.contains("LOST")).count() as u64;
    Verified { whole, accepted, receipts, lost, words }
}

/// The addresses in the line `ready https://ADDR operator http://ADDR`.
fn parse_ready(line: &str) -> Option<(String, String)> {
    let (public, operator) =
        line.strip_prefix("ready https://")?.split_once(" operator http://")?;
    Some((public.to_owned(), operator.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{parse_ready, parse_verified};

    #[test]
    fn the_ready_line_names_both_addresses() {
        let line = "ready https://127.0.0.1:8443 operator http://127.0.0.1:9464";
        let addresses = ("127.0.0.1:8443".to_owned(), "127.0.0.1:9464".to_owned());
        assert_eq!(parse_ready(line), Some(addresses));
        assert_eq!(parse_ready("the counter is open"), None);
    }

    #[test]
    fn verify_s_words_are_counted() {
        let words = "iscro-2024: accepted 2100 = decided 2099 + undecided 1 + withdrawn before a decision 0; withdrawn later 0\n\
                     receipts: 2105 read, 2101 distinct, 1 lost, 0 faulty\nr.ndjson:7: LOST: the ledger does not hold ISCRO-2024-X\n";
        let found = parse_verified(false, words.to_owned());
        assert_eq!((found.accepted, found.receipts, found.lost), (2100, 2101, 1));
        let found = parse_verified(true, "receipts: 2105 read, all distinct\n".to_owned());
        assert_eq!((found.receipts, found.lost), (2105, 0));
    }
}
