//! A real server in a temporary directory, and surge's commands against it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

/// A Saturday, with weekends open to citizens and intermediaries.
pub(crate) const OPEN_TO_ALL: &str = "2024-09-21T10:00[Europe/Rome]";
/// An evening in the citizens' slice.
pub(crate) const EVENING: &str = "2024-09-16T17:30[Europe/Rome]";

/// A running server; killed when dropped.
pub(crate) struct House {
    server: Child,
    public: String,
    operator: String,
    pub(crate) directory: tempfile::TempDir,
}

/// A command of surge, as built for these tests.
pub(crate) fn surge() -> Command {
    let mut surge = Command::new(env!("CARGO_BIN_EXE_surge"));
    surge.stdin(Stdio::null());
    surge
}

/// The `sportello` program in the directory of surge; built here when only surge was built.
pub(crate) fn sportello() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_surge")).with_file_name("sportello");
        if !program.exists() {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--bin", "sportello"]).current_dir(root);
            assert!(build.status().expect("cargo runs").success(), "the server was built");
        }
        program
    })
}

impl House {
    /// Starts a server whose clock begins at `now`.
    pub(crate) fn open_at(now: &str) -> Self {
        Self::open_with(now, &[])
    }

    /// The same with settings, as environment variables.
    pub(crate) fn open_with(now: &str, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut server = Command::new(sportello())
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"])
            .args(["--now", now, "--data"])
            .arg(directory.path().join("data"))
            .env("SPORTELLO_SCHEDULE_WEEKENDS_OPEN", "true")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = server.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its ready line");
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[0], words[2]), ("ready", "operator"), "{line}");
        Self { server, public: words[1].to_owned(), operator: words[3].to_owned(), directory }
    }

    /// The public listener's URL.
    pub(crate) fn target(&self) -> &str {
        &self.public
    }

    /// A path in the server's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("a path of text").to_owned()
    }

    /// A command of surge with this server as its target.
    pub(crate) fn surge(&self, words: &[&str]) -> Command {
        let mut surge = surge();
        surge.args(words).args(["--target", &self.public, "--operator", &self.operator]);
        surge.args(["--data", &self.path("data")]);
        surge
    }

    /// Kills the server and verifies its ledger against `receipts`; returns the output.
    pub(crate) fn verified(mut self, receipts: &str) -> String {
        self.server.kill().expect("it is killed");
        self.server.wait().expect("it ended");
        let mut verify = Command::new(sportello());
        let output = verify.args(["verify", "--data", &self.path("data"), "--receipts", receipts]);
        let output = output.output().expect("verify runs");
        assert!(output.status.success(), "{}", told(&output));
        told(&output)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.server.kill().is_ok() {
            self.server.wait().expect("it ended");
        }
    }
}

/// Output of a command, standard error last.
pub(crate) fn told(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// The JSON report at `path`.
pub(crate) fn json(path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(path).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// Whether a run passed, or would have if this machine had not been too busy for the generator to keep its pace.
pub(crate) fn passed(run: &serde_json::Value) -> bool {
    let verdict = &run["verdict"];
    let lagged = |why: &serde_json::Value| {
        why.as_str().is_some_and(|why| why.starts_with("the generator itself lagged"))
    };
    verdict["held"] == true && verdict["invalid"].as_array().expect("rows").iter().all(lagged)
}
