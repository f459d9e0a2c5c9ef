//! The program under test, as a command.

use std::{net::TcpListener, os::fd::OwnedFd, path::Path, process::Command};

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

/// The same with a socket for the public listener, passed on as a service manager does (`sd_listen_fds(3)`), under a
/// name.
pub(crate) fn serve_on(socket: &TcpListener, name: &str, data: &Path) -> Command {
    let serve = serve("127.0.0.1:1", data);
    let mut passing = Command::new("sh");
    let pass = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";
    passing.args(["-c", pass]).arg(serve.get_program()).args(serve.get_args());
    for (variable, value) in serve.get_envs() {
        match value {
            Some(value) => passing.env(variable, value),
            None => passing.env_remove(variable),
        };
    }
    passing.env("LISTEN_FDNAMES", name);
    passing.stdin(OwnedFd::from(socket.try_clone().unwrap()));
    passing
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn finished(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
