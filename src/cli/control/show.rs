//! The answers of control as text for people.

use std::fmt::Write as _;

use hyper::StatusCode;
use serde_json::Value;

use super::{super::messages::escaped, Exit, client::Answer, complain, say};

/// The state.
pub(super) fn state(state: &Value) -> Exit {
    let mut text = String::new();
    let mut line = |name: &str, value: &str, source: &str| {
        let _infallible = writeln!(text, "{name:<28}  {}{source}", escaped(value));
    };
    let intake = &state["intake"];
    line("intake", &bare(&intake["state"]), &by(intake));
    for part in ["schedule", "limits"] {
        let shown = &state[part];
        line(part, &bare(&shown["source"]), &by(shown));
        for (name, setting) in shown["settings"].as_object().into_iter().flatten() {
            let source = match &setting["source"] {
                source if source == "control" => {
                    format!(" (control; configured: {})", escaped(&bare(&setting["configured"])))
                }
                _ => String::new(),
            };
            line(&format!("  {name}"), &bare(&setting["value"]), &source);
        }
    }
    let notice = &state["notice"];
    line("notice", &bare(&notice["source"]), &by(notice));
    if notice["shown"].is_null() {
        line("  none", "", "");
    }
    for (language, words) in notice["shown"].as_object().into_iter().flatten() {
        line(&format!("  {language}"), &bare(words), "");
    }
    for action in state["actions"].as_array().into_iter().flatten() {
        let [at, operator, what, summary] =
            ["at", "operator", "action", "summary"].map(|member| bare(&action[member]));
        line(&at, &format!("{operator}  {what}: {summary}"), "");
    }
    say(text.trim_end())
}

/// What was done, or would be, and how it is taken back with these `flags`.
pub(super) fn done(done: &Value, flags: &str) -> Exit {
    let mut text = String::new();
    let (is, verb) = if done["dryRun"] == true { ("would be", "would do") } else { ("is", "did") };
    for change in done["changes"].as_array().into_iter().flatten() {
        let [what, before, after] =
            ["what", "before", "after"].map(|member| escaped(&bare(&change[member])));
        let _infallible = writeln!(text, "{what} was {before} and {is} {after}");
    }
    if done["changes"].as_array().is_some_and(Vec::is_empty) {
        text.push_str("nothing changes\n");
    }
    for warning in done["warnings"].as_array().into_iter().flatten() {
        let _infallible = writeln!(text, "warning: {}", escaped(&bare(warning)));
    }
    let _infallible =
        writeln!(text, "what {} {verb}: {}", bare(&done["action"]), escaped(&bare(&done["note"])));
    // To be copied into a shell, so it is not escaped: one that a terminal would interpret is left out.
    let is_harmless = |command: &&str| !command.chars().any(|it| it.is_control() && it != '\n');
    if let Some(command) = done["undo"]["command"].as_str().filter(is_harmless) {
        let _infallible = writeln!(text, "undo: {command}{flags}");
    }
    say(text.trim_end())
}

/// Why it was not done.
pub(super) fn problem(answer: &Answer) -> Exit {
    let Answer { status, json } = answer;
    let [title, detail] = ["title", "detail"].map(|member| escaped(&bare(&json[member])));
    complain(format_args!("{title}: {detail}"));
    for fault in json["errors"].as_array().into_iter().flatten() {
        complain(escaped(&bare(&fault["detail"])));
    }
    let is_usage = matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if is_usage { Exit::Usage } else { Exit::Faults }
}

/// A value without its quotes.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Who set it, if it was control.
fn by(shown: &Value) -> String {
    match (shown["by"].as_str(), shown["since"].as_str()) {
        (Some(by), Some(since)) => format!(" by {} since {}", escaped(by), escaped(since)),
        _ => String::new(),
    }
}
