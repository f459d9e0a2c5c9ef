//! Reads what a process did to the files below a directory from a log of `strace`.
//!
//! `strace` logs the begin of a call before the kernel executes it, and its end before the process gets the result. So
//! the order of the lines is a possible order of the effects.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::Command,
};

use crate::disk::{History, Step, Target, What};

/// Every call by which a file or a name can change, be opened or be synced.
const CALLS: &str = "trace=openat,open,creat,close,dup,dup2,dup3,write,writev,pwrite64,pwritev,pwritev2,lseek,\
    ftruncate,truncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,msync,rename,renameat,renameat2,link,linkat,\
    unlink,unlinkat,mkdir,mkdirat,rmdir,sendfile,copy_file_range,io_uring_enter";

/// The command under `strace`, which writes to `log`.
pub(crate) fn traced(command: &Command, log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-xx", "-s", "16777216", "--seccomp-bpf", "-e", CALLS, "-o"]);
    strace.arg(log).arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}

struct Call {
    begin: usize,
    end: usize,
    text: String,
}

/// Appends the logged calls on files below `root` to a history. Writes to the file `marks` are answers to people.
pub(crate) fn append(history: &mut History, log: &str, root: &Path, marks: &Path) {
    let names = history.names();
    let mut reading =
        Reading { history, names, root, marks, open: HashMap::new(), steps: Vec::new() };
    let calls = calls(log, reading.history.end);
    let mut moments: BTreeMap<usize, (&Call, bool)> = BTreeMap::new();
    for call in &calls {
        moments.insert(call.begin, (call, true));
        moments.insert(call.end, (call, false));
    }
    let end = moments.last_key_value().map_or(0, |(last, _)| last + 1);
    for (call, begins) in moments.into_values() {
        reading.follow(call, begins);
    }
    let mut steps = reading.steps;
    steps.sort_by_key(|step| step.begin);
    history.steps.append(&mut steps);
    history.end = end;
}

/// The calls of a log. Joins the two parts of a call that lines of other threads interrupt.
fn calls(log: &str, from: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in log.lines().enumerate() {
        let (thread, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        let (begin, end) = (from + 2 * number, from + 2 * number + 1);
        if text.starts_with("---") || text.starts_with("+++") {
            continue;
        }
        if let Some(head) = text.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (begin, head));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let (_, tail) = rest.split_once(" resumed>").unwrap();
            let (begin, head) = unfinished.remove(thread).unwrap();
            calls.push(Call { begin, end, text: format!("{head}{tail}") });
        } else {
            calls.push(Call { begin, end, text: text.to_owned() });
        }
    }
    calls
}

#[derive(Clone)]
enum Opened {
    File { file: usize, at: usize },
    Directory(PathBuf),
    Marks,
}

struct Reading<'h> {
    history: &'h mut History,
    names: BTreeMap<PathBuf, Target>,
    root: &'h Path,
    marks: &'h Path,
    open: HashMap<i64, Opened>,
    steps: Vec<Step>,
}

impl Reading<'_> {
    fn follow(&mut self, call: &Call, begins: bool) {
        let (name, rest) = call.text.split_once('(').unwrap();
        let (arguments, result) = rest.rsplit_once(" = ").unwrap();
        let arguments = arguments.trim_end().strip_suffix(')').unwrap();
        let Ok(result) = result.split(' ').next().unwrap().parse::<i64>() else { return };
        if result < 0 {
            return;
        }
        let arguments: Vec<&str> = arguments.split(", ").collect();
        // A descriptor becomes free when its close begins, and is taken when its open has ended.
        match (name, begins) {
            ("openat" | "open", false) => self.opened(call, &arguments, result),
            ("openat" | "open", true) | (_, false) => {}
            ("close", true) => drop(self.open.remove(&number(arguments[0]))),
            ("mkdir" | "mkdirat" | "unlink" | "unlinkat" | "link" | "linkat", true) => {
                self.named(call, name, &arguments);
            }
            (_, true) => self.by_descriptor(call, name, &arguments, result),
        }
    }

    fn opened(&mut self, call: &Call, arguments: &[&str], descriptor: i64) {
        let quoted = arguments.iter().position(|argument| argument.starts_with('"')).unwrap();
        let (path, flags) = (text(arguments[quoted]), arguments[quoted + 1]);
        if Path::new(&path) == self.marks {
            self.open.insert(descriptor, Opened::Marks);
            return;
        }
        let Some(path) = self.below(&path) else { return };
        let target = match self.names.get(&path) {
            Some(target) => *target,
            None if path.as_os_str().is_empty() => Target::Directory,
            None => {
                assert!(
                    flags.contains("O_CREAT"),
                    "{} is opened but was never created",
                    path.display()
                );
                let target = Target::File(self.history.files);
                self.history.files += 1;
                self.name(call, path.clone(), Some(target));
                target
            }
        };
        let opened = match target {
            Target::Directory => Opened::Directory(path),
            Target::File(file) => {
                if flags.contains("O_TRUNC") {
                    self.step(call, What::Size(file, 0));
                }
                Opened::File { file, at: 0 }
            }
        };
        self.open.insert(descriptor, opened);
    }

    fn named(&mut self, call: &Call, name: &str, arguments: &[&str]) {
        let paths: Vec<_> = arguments.iter().filter(|argument| argument.starts_with('"')).collect();
        let Some(path) = self.below(&text(paths[0])) else { return };
        match name {
            "mkdir" | "mkdirat" => self.name(call, path, Some(Target::Directory)),
            "unlink" | "unlinkat" => self.name(call, path, None),
            _ => {
                let target = self.names[&path];
                let other = self.below(&text(paths[1])).unwrap();
                self.name(call, other, Some(target));
            }
        }
    }

    fn by_descriptor(&mut self, call: &Call, name: &str, arguments: &[&str], result: i64) {
        let descriptor = number(arguments[0]);
        let Some(opened) = self.open.get_mut(&descriptor) else { return };
        let count = usize::try_from(result).unwrap();
        let what = match (name, opened) {
            ("write", Opened::Marks) => What::Mark(text(arguments[1])),
            ("write", Opened::File { file, at }) => {
                let from = *at;
                *at += count;
                What::Write(*file, from, bytes(arguments[1], count))
            }
            ("pwrite64", Opened::File { file, .. }) => {
                let at = usize::try_from(number(arguments[3])).unwrap();
                What::Write(*file, at, bytes(arguments[1], count))
            }
            ("lseek", Opened::File { at, .. }) => {
                *at = count;
                return;
            }
            ("ftruncate", Opened::File { file, .. }) => {
                What::Size(*file, usize::try_from(number(arguments[1])).unwrap())
            }
            ("fsync" | "fdatasync", Opened::File { file, .. }) => What::SyncFile(*file),
            ("fsync" | "fdatasync", Opened::Directory(path)) => What::SyncDirectory(path.clone()),
            (other, _) => panic!("{other} on a recorded file is not supported: {:.200}", call.text),
        };
        self.step(call, what);
    }

    fn name(&mut self, call: &Call, path: PathBuf, target: Option<Target>) {
        match target {
            Some(target) => self.names.insert(path.clone(), target),
            None => self.names.remove(&path),
        };
        self.step(call, What::Name(path, target));
    }

    fn step(&mut self, call: &Call, what: What) {
        self.steps.push(Step::new(call.begin, call.end, what));
    }

    /// The path relative to the root; `None` if it is not below the root.
    fn below(&self, path: &str) -> Option<PathBuf> {
        Path::new(path).strip_prefix(self.root).ok().map(Path::to_owned)
    }
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(-1)
}

/// The text of a quoted argument, every byte of it as `\xhh`.
fn text(quoted: &str) -> String {
    String::from_utf8(unquoted(quoted)).unwrap()
}

fn bytes(quoted: &str, count: usize) -> Vec<u8> {
    let mut bytes = unquoted(quoted);
    assert!(bytes.len() >= count, "the log lacks bytes of a write");
    bytes.truncate(count);
    bytes
}

fn unquoted(quoted: &str) -> Vec<u8> {
    let digits = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
    let value = |digit: u8| (digit as char).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<4>();
    assert!(rest.is_empty(), "{quoted:.100}");
    pairs.iter().map(|pair| value(pair[2]).unwrap() << 4 | value(pair[3]).unwrap()).collect()
}
