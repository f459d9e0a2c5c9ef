//! The demo's printed commands, run by a shell, and the deployment files, checked by the tools that read them.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use crate::running::Running;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
#[ignore = "needs bash, curl and sed"]
fn the_session_that_the_demo_prints_works_as_printed() {
    let place = tempfile::tempdir().unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_sportello"))
        .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, printed) = (demo.stdout.take().unwrap(), demo.stderr.take().unwrap());
    let _demo = Running(demo);
    let mut ready = String::new();
    BufReader::new(out).read_line(&mut ready).unwrap();
    assert!(ready.starts_with("ready https://127.0.0.1:"), "{ready}");
    let lines = BufReader::new(printed).lines().map_while(Result::ok);
    let printed: Vec<String> = lines
        .skip_while(|line| !line.trim_start().starts_with("IDENTITY="))
        .take_while(|line| !line.trim().is_empty())
        .collect();
    let copied = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &printed.join("\n")])
        .current_dir(place.path())
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&copied.stdout).unwrap_or_else(|fault| {
        panic!(
            "{fault}: {}\n{}",
            String::from_utf8_lossy(&copied.stdout),
            String::from_utf8_lossy(&copied.stderr)
        )
    });
    assert_eq!(json["state"], "decided");
    assert_eq!(json["decision"]["monthlyAmount"], "687.50");
}

#[test]
#[ignore = "needs promtool, systemd-analyze and jq"]
fn deployment_files_pass_the_checks_of_the_tools_that_read_them() {
    let checked = Command::new(Path::new(ROOT).join("deploy/check"))
        .arg(env!("CARGO_BIN_EXE_sportello"))
        .current_dir(ROOT)
        .status()
        .unwrap();
    assert!(checked.success());
}
