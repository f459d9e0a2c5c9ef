//! The program under test, as a command.

use std::{path::Path, process::Command};

/// The program under test, without settings from the environment of the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sportello"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPORTELLO_")) {
        command.env_remove(name);
    }
    command
}

/// `serve --demo` with a public listener at `listen` and an operator listener at a free port.
pub(crate) fn serve(listen: &str, data: &Path) -> Command {
    let mut serve = program();
    serve.args(["serve", "--demo", "--listen", listen, "--operator", "127.0.0.1:0", "--data"]);
    serve.arg(data);
    serve
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn finished(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
