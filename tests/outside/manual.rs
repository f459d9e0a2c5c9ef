//! The manual pages and completions, read by the programs that people read them with.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{finished, program};

fn pages(place: &Path) -> Vec<PathBuf> {
    let (code, _, complaint) = finished(program().arg("man").arg(place));
    assert_eq!(code, Some(0), "{complaint}");
    fs::read_dir(place).unwrap().map(|page| page.unwrap().path()).collect()
}

#[test]
#[ignore = "needs man-db and mandoc"]
fn manual_pages_have_no_faults() {
    let place = tempfile::tempdir().unwrap();
    for page in pages(place.path()) {
        let mut man = Command::new("man");
        man.args(["-l", "--warnings=w"]).arg(&page).env("MANWIDTH", "80");
        let (code, shown, warnings) = finished(&mut man);
        assert_eq!((code, &*warnings), (Some(0), ""), "{}", page.display());
        assert!(shown.contains("SYNOPSIS") && shown.contains("EXIT STATUS"), "{shown}");
        // A page belongs to a version, so it has no date; the breaks are those of the library around lists of values.
        let known = ["missing date", "br before sp", "br after sp"];
        let mut lint = Command::new("mandoc");
        lint.args(["-T", "lint", "-W", "warning"]).arg(&page);
        let (_, found, _) = finished(&mut lint);
        let is_known = |line: &&str| known.iter().any(|known| line.contains(known));
        let faults: Vec<_> = found.lines().filter(|line| !is_known(line)).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

/// The words that a shell offers after `line`.
fn offered(shell: &str, asking: &str) -> Vec<String> {
    let (code, script, _) = finished(program().args(["completions", shell]));
    assert_eq!(code, Some(0));
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("completions");
    fs::write(&path, script).unwrap();
    let mut asked = Command::new(shell);
    if shell == "bash" {
        asked.args(["--norc", "--noprofile"]);
    }
    asked.arg("-c").arg(asking).env("SCRIPT", &path).current_dir(place.path());
    let (code, words, complaint) = finished(&mut asked);
    assert_eq!((code, &*complaint), (Some(0), ""), "{shell}: {words}");
    words.split_whitespace().map(ToOwned::to_owned).collect()
}

#[test]
#[ignore = "needs bash, fish and zsh"]
fn shells_complete_commands_and_options() {
    let in_bash = |line: &str| {
        let asking = format!(
            "source \"$SCRIPT\"; COMP_WORDS=({line} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             [ \"${{#COMP_WORDS[@]}}\" -gt 2 ] || unset 'COMP_WORDS[2]'; \
             _sportello sportello \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        offered("bash", &asking)
    };
    let commands = in_bash("sportello");
    for command in ["serve", "backup", "restore", "man", "completions", "--version"] {
        assert!(commands.iter().any(|word| word == command), "{command}: {commands:?}");
    }
    let options = in_bash("sportello backup");
    assert!(options.iter().any(|word| word == "--to"), "{options:?}");
    let shells = in_bash("sportello completions");
    assert!(["bash", "fish", "zsh"].iter().all(|shell| shells.iter().any(|word| word == shell)));

    let script = finished(program().args(["completions", "zsh"])).1;
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("_sportello"), script).unwrap();
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-n", "_sportello"]).current_dir(place.path());
    assert_eq!(finished(&mut zsh), (Some(0), String::new(), String::new()));

    let in_fish = |line: &str| offered("fish", &format!("source $SCRIPT; complete -C '{line}'"));
    assert!(in_fish("sportello rest").contains(&"restore".to_owned()));
    assert!(in_fish("sportello backup --").contains(&"--to".to_owned()));
}
