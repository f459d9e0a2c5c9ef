//! `surge overload` end to end: a given server, and one that it starts with a quota.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use super::house::{EVENING, House, json, sportello, surge, told};

#[test]
fn a_given_server_is_offered_twice_and_ten_times_the_capacity() {
    let house = House::open_at(EVENING);
    let (json_path, page) = (house.path("overload.json"), house.path("overload.html"));
    let words = ["overload", "--capacity", "20", "--duration", "2s"];
    let output = house
        .surge(&words)
        .args(["--json", &json_path, "--report", &page, "--server"])
        .arg(sportello())
        .output()
        .expect("it runs");
    let text = told(&output);
    // On a busy machine the generator may lag, which makes the figures invalid; their shape does not depend on it.
    assert!(output.status.code().is_some_and(|code| code <= 1), "{text}");
    let found = json(&json_path);
    let run = &found["runs"][0];
    let phases = run["figures"]["phases"].as_array().expect("phases");
    let labels: Vec<_> = phases.iter().filter_map(|phase| phase["label"].as_str()).collect();
    assert_eq!(labels, ["warm-up", "before", "2 times", "10 times", "after"], "{text}");
    let offered = phases[3]["offered_per_s"].as_f64().expect("a rate");
    assert!((150.0..250.0).contains(&offered), "{text}");
    assert_eq!(run["figures"]["finished_share"], 1.0, "{text}");
    assert_eq!(run["figures"]["crossovers"], 0);
    assert!(phases[3]["server"]["cpu_shares"][2].as_f64() > Some(0.0), "{text}");
    assert!(run["seconds"].as_array().is_some_and(|seconds| seconds.len() >= 7), "{text}");
    assert_eq!(found["reached"]["checks"].as_array().map(Vec::len), Some(8), "{text}");
    let page = fs::read_to_string(page).expect("a page");
    assert!(page.matches("<svg").count() == 4 && !page.contains("src="));

    let wrong = house.surge(&["overload", "--impatient-share", "2"]).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
}

#[test]
fn ctrl_c_leaves_no_server_and_no_control_group() {
    let mut command = surge();
    command.args(["overload", "--capacity", "20", "--duration", "60s", "--server"]);
    let run = command.arg(sportello()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut run = run.expect("it runs");
    let server = (0..200).find_map(|_| {
        sleep(Duration::from_millis(50));
        server_of(run.id()).or_else(|| run.try_wait().ok().flatten().map(|_| 0))
    });
    let server = server.expect("a server");
    if server == 0 {
        let text = told(&run.wait_with_output().expect("it ended"));
        assert!(text.contains("cannot make a control group"), "{text}");
        eprintln!("skipped: no right to make a control group");
        return;
    }
    let group = group_of(server).expect("a control group of its own");
    assert!(group.exists(), "{}", group.display());
    sleep(Duration::from_secs(2));
    let told_to = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(told_to.expect("kill runs").success());
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(!group.exists(), "{} is left", group.display());
    assert_eq!(group_of(server), None, "the server is left");
}

/// The `sportello serve` that the process `parent` started.
fn server_of(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let mut children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    children.find(|pid| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split('\0').nth(1) == Some("serve")
    })
}

/// The directory of its control group, in version 1 or 2.
fn group_of(pid: u32) -> Option<PathBuf> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let paths = groups.lines().filter_map(|line| line.rsplit_once(":/"));
    let own = paths.filter(|(_, path)| path.starts_with("surge-overload-"));
    let mounts = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup"].map(PathBuf::from);
    let at = own.flat_map(|(_, path)| mounts.clone().map(|mount| mount.join(path)));
    at.into_iter().find(|at| at.exists())
}
