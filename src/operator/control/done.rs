//! What a call of control did, or would do: every change with the value before, and the call that takes it back.

use std::fmt::Write as _;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    super::answer::Answer,
    json::answer,
    orders::Shown,
    parts::{Change, Part},
};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// What it was, such as `pause`.
    pub(super) action: &'static str,
    pub(super) dry_run: bool,
    pub(super) changes: Vec<Change>,
    /// What the operator should know, although it is allowed.
    pub(super) warnings: Vec<String>,
    /// The call that takes it back; `None` if there is none, or nothing to take back.
    pub(super) undo: Option<Undo>,
    /// What it means for people, in one sentence.
    pub(super) note: &'static str,
}

/// A call that takes another one back.
#[derive(Debug, PartialEq)]
pub(super) struct Undo {
    method: &'static str,
    path: String,
    body: Option<Value>,
    /// The same on the command line.
    command: String,
}

impl Done {
    /// The changes in one line, for the audit trail.
    pub(super) fn summary(&self) -> String {
        let changes = self.changes.iter();
        let changes: Vec<_> = changes
            .map(|it| format!("{} was {} and is {}", it.what, it.before, it.after))
            .collect();
        if changes.is_empty() { "nothing changed".to_owned() } else { changes.join("; ") }
    }

    pub(super) fn answer(&self) -> Answer {
        let Self { action, dry_run, changes, warnings, undo, note } = self;
        let change =
            |it: &Change| json!({ "what": it.what, "before": it.before, "after": it.after });
        let undo = undo.as_ref().map(|Undo { method, path, body, command }| {
            json!({ "method": method, "path": path, "body": body, "command": command })
        });
        let json = json!({
            "action": action,
            "dryRun": dry_run,
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
            "warnings": warnings,
            "undo": undo,
            "note": note,
        });
        answer(StatusCode::OK, "application/json", &json)
    }
}

impl Undo {
    /// A call without a body.
    pub(super) fn post(action: &str) -> Self {
        let (path, command) = (format!("/control/{action}"), format!("sportello control {action}"));
        Self { method: "POST", path, body: None, command }
    }

    /// Back to the settings that control had set before, or to the configuration.
    pub(super) fn settings(part: Part, before: Option<&Map<String, Value>>) -> Self {
        let name = part.as_str();
        let Some(before) = before else { return Self::reset(name) };
        let mut command = format!("sportello control {name} --only");
        for (name, value) in before {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _infallible = write!(command, " {}", quoted(&format!("{name}={value}")));
        }
        Self::put(name, json!(before), command)
    }

    /// Back to the notice that control had shown before, or to that of the configuration.
    pub(super) fn notice(before: Option<&Shown>) -> Self {
        let Some(Shown { it, en, .. }) = before else { return Self::reset("notice") };
        let command = if it.is_empty() {
            "sportello control notice --none".to_owned()
        } else {
            format!("sportello control notice --it {} --en {}", quoted(it), quoted(en))
        };
        Self::put("notice", json!({ "it": it, "en": en }), command)
    }

    fn reset(name: &str) -> Self {
        let command = format!("sportello control {name} --reset");
        Self { method: "DELETE", path: format!("/control/{name}"), body: None, command }
    }

    fn put(name: &str, body: Value, command: String) -> Self {
        Self { method: "PUT", path: format!("/control/{name}"), body: Some(body), command }
    }
}

/// A word as a shell reads it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:=/".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::control::orders::Order;

    #[test]
    fn the_audit_trail_is_told_of_every_change() {
        let change = |what: &str| Change {
            what: what.to_owned(),
            before: "1".to_owned(),
            after: "2".to_owned(),
        };
        let done = Done { changes: vec![change("one"), change("two")], ..Done::default() };
        assert_eq!(done.summary(), "one was 1 and is 2; two was 1 and is 2");
        assert_eq!(Done::default().summary(), "nothing changed");
    }

    #[test]
    fn the_call_that_takes_a_change_back_restores_what_was_there() {
        let before = json!({ "citizens": "18:00-08:00", "open_on": "2024-12-24, 2025-01-01", "weekends_open": true });
        let undo = Undo::settings(Part::Schedule, before.as_object());
        assert_eq!(
            (undo.method, &*undo.path, undo.body.as_ref()),
            ("PUT", "/control/schedule", Some(&before))
        );
        assert_eq!(
            undo.command,
            "sportello control schedule --only citizens=18:00-08:00 'open_on=2024-12-24, 2025-01-01' weekends_open=true"
        );
        let undo = Undo::settings(Part::Limits, None);
        assert_eq!((undo.method, &*undo.path, undo.body), ("DELETE", "/control/limits", None));
        let order = || Order { by: String::new(), since: String::new() };
        let shown =
            |it: &str, en: &str| Shown { order: order(), it: it.to_owned(), en: en.to_owned() };
        let undo = Undo::notice(Some(&shown("L'ufficio chiude", "Closed; rm -rf /")));
        assert_eq!(
            undo.command,
            r"sportello control notice --it 'L'\''ufficio chiude' --en 'Closed; rm -rf /'"
        );
        assert_eq!(Undo::notice(Some(&shown("", ""))).command, "sportello control notice --none");
        assert_eq!(Undo::notice(None).command, "sportello control notice --reset");
    }
}
