//! The demo opens its home page in a browser, if somebody started it at a terminal with a display.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{harness::until, running::Running};

/// A demo at a terminal of its own; both end when it is dropped.
struct Demo {
    place: tempfile::TempDir,
    _terminal: Running,
}

impl Demo {
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.place.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may not have begun.
        let _ended = Command::new("kill").arg(self.read("pid").trim()).status();
    }
}

/// Starts a demo where `xdg-open` writes what it is asked to open into a file.
fn at_a_terminal(flag: &str, display: &str) -> Demo {
    let directory = tempfile::tempdir().unwrap();
    let place: &Path = directory.path();
    let opener = place.join("xdg-open");
    fs::write(&opener, format!("#!/bin/sh\necho \"$@\" > {}/opened\n", place.display())).unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o700)).unwrap();
    let program = env!("CARGO_BIN_EXE_sportello");
    let place = place.display();
    let demo = format!(
        "echo $$ > {place}/pid; exec {program} serve --demo --data {place}/data --listen 127.0.0.1:0 \
         --operator 127.0.0.1:0 {flag}"
    );
    let path = format!("{place}:{}", std::env::var("PATH").unwrap());
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--flush", "--command", &demo, &format!("{place}/shown")]);
    let terminal = terminal
        .env("PATH", path)
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let terminal = Running(terminal.spawn().unwrap());
    Demo { place: directory, _terminal: terminal }
}

#[tokio::test]
#[ignore = "needs script of util-linux"]
async fn a_demo_at_a_terminal_opens_its_home_page_unless_it_is_told_not_to() {
    for (flag, display, is_opened) in
        [("", ":9", true), ("--no-open", ":9", false), ("", "", false)]
    {
        let demo = at_a_terminal(flag, display);
        let read = |name: &str| demo.read(name);
        let ready = until("the demo is ready", async || {
            let shown = read("shown");
            let (_, ready) = shown.split_once("ready ")?;
            ready.split_once(" operator").map(|(address, _)| address.to_owned())
        })
        .await;
        let opened = format!("{ready}/\n");
        if is_opened {
            until("the page is opened", async || (read("opened") == opened).then_some(())).await;
        } else {
            // It would be opened before the demo is ready.
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert_eq!(read("opened"), "", "{flag} {display}");
        }
        let address = read("shown").find(&ready);
        assert!(address < read("shown").find("IDENTITY="), "the page comes before the commands");
    }
}
