//! Manual pages and completions come from the definitions that `--help` shows, for every command.

use std::fs;

use crate::program::{finished, program};

/// The names of the commands, as `--help` lists them.
fn commands() -> Vec<String> {
    let (_, help, _) = finished(program().arg("--help"));
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// A page's text without the escapes of the typesetter.
fn plain(page: &str) -> String {
    page.replace("\\-", "-")
        .replace("\\*(Aq", "'")
        .replace("\\&", "")
        .replace("\\fB", "")
        .replace("\\fI", "")
        .replace("\\fR", "")
        .replace("\\e", "\\")
}

#[test]
fn every_command_has_a_manual_page_with_the_examples_of_its_help() {
    let place = tempfile::tempdir().unwrap();
    let (code, out, _) = finished(program().arg("man").arg(place.path().join("man1")));
    assert_eq!(code, Some(0));
    let read = |name: &str| {
        let path = place.path().join("man1").join(format!("{name}.1"));
        plain(&fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{name}: {fault}")))
    };
    let (top, names) = (read("sportello"), commands());
    assert!(names.len() > 15, "{names:?}");
    for name in &names {
        let page = read(&format!("sportello-{name}"));
        let (_, help, _) = finished(program().args([name, "--help"]));
        let examples: Vec<_> =
            help.lines().filter(|line| line.starts_with("  sportello ")).collect();
        assert!(!examples.is_empty() || help.contains("| sportello "), "{name}: {help}");
        for example in examples {
            assert!(page.contains(example.trim()), "{name}: {example} is missing in {page}");
        }
        assert!(top.contains(&format!("sportello-{name}(1)")), "{name} is missing in {top}");
        assert!(page.contains(".SH \"SEE ALSO\"\nsportello(1)"), "{name}: {page}");
    }
    // A subcommand of a command has a page of its own.
    assert!(read("sportello-config").contains("sportello-config-check(1)"));
    assert!(read("sportello-config-check").contains("sportello-config(1)"));
    let directory = place.path().join("man1");
    let pages = fs::read_dir(&directory).unwrap().count();
    assert_eq!(out, format!("{}: {pages} pages\n", directory.display()));
}

#[test]
fn pages_that_cannot_be_written_are_an_error() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let (code, _, complaint) = finished(program().arg("man").arg(file.join("man1")));
    assert_eq!(code, Some(2));
    assert!(complaint.contains("Not a directory"), "{complaint}");
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (code, script, _) = finished(program().args(["completions", shell]));
        assert_eq!(code, Some(0));
        for name in commands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
    assert_eq!(finished(program().args(["completions", "tcsh"])).0, Some(2));
}
