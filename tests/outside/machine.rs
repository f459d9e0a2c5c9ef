//! Deployment files in use: on a throw-away copy of this machine with a systemd of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_sportello");

/// Runs a command to its end in the repository; returns what it printed.
fn succeeds(command: &mut Command) -> String {
    let output = command.current_dir(ROOT).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}{complaint}", output.status);
    said
}

/// Boots the throw-away machine with `given` as `/try`, and runs a script of `tests/outside/machine` in it.
fn on_a_machine(given: &Path, script: &str) -> String {
    let scripts = Path::new(ROOT).join("tests/outside/machine");
    fs::copy(scripts.join(script), given.join(script)).unwrap();
    succeeds(Command::new(scripts.join("boot")).arg(given).arg(format!("/try/{script}")))
}

#[test]
#[ignore = "needs the superuser, systemd, debhelper, lintian, curl, jq and openssl"]
fn the_debian_package_is_installed_used_upgraded_removed_and_purged() {
    let place = tempfile::tempdir().unwrap();
    let mut build = Command::new("deploy/package");
    build.arg(PROGRAM).arg(place.path().join("package"));
    // A package that is thrown away need not be small.
    let made = succeeds(build.env("DPKG_DEB_COMPRESSOR_LEVEL", "0"));
    let package = PathBuf::from(made.trim());
    // Tags of what Debian itself would have to change are overridden in deploy/debian, each with its reason.
    let lint = ["--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root"];
    succeeds(Command::new("lintian").args(lint).arg(&package));
    let given = tempfile::tempdir().unwrap();
    let runbook = Path::new(ROOT).join("tests/outside/machine/runbook");
    let page = Path::new(ROOT).join("deploy/RUNBOOK.md");
    for file in [&package, &runbook, &page] {
        fs::copy(file, given.path().join(file.file_name().unwrap())).unwrap();
    }
    let said = on_a_machine(given.path(), "package");
    assert!(said.ends_with("operator: done\n"), "{said}");
}

#[test]
#[ignore = "needs the superuser, systemd, curl and jq"]
fn systemds_journal_gets_each_line_with_its_severity() {
    let given = tempfile::tempdir().unwrap();
    fs::copy(PROGRAM, given.path().join("sportello")).unwrap();
    let said = on_a_machine(given.path(), "journal");
    assert!(said.ends_with("journal: done\n"), "{said}");
}

#[test]
#[ignore = "needs the superuser, systemd, prometheus, haproxy, curl, jq and PyYAML"]
fn prometheus_of_compose_and_the_proxy_of_kubernetes_show_metrics_and_nothing_else() {
    let given = tempfile::tempdir().unwrap();
    fs::copy(PROGRAM, given.path().join("sportello")).unwrap();
    succeeds(Command::new("cp").arg("-r").arg("deploy").arg(given.path()));
    let started =
        succeeds(Command::new("python3").args(["deploy/check_manifests.py", "prometheus"]));
    fs::write(given.path().join("prometheus.json"), started).unwrap();
    let said = on_a_machine(given.path(), "watch");
    assert!(said.ends_with("watch: done\n"), "{said}");
}
