//! What the command asks of the server.

use clap::Args;
use hyper::Method;
use serde_json::{Map, Value, json};

/// A request to control.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) method: Method,
    /// Below `/control`.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The tag of what was seen.
    pub(super) if_match: Option<String>,
}

#[derive(Debug, Args)]
#[group(id = "settings", required = true, multiple = true, args = ["values", "reset"])]
pub(super) struct Settings {
    /// Settings and their values, such as `citizens=14:00-08:00`. Others that control has set stay.
    #[arg(value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// Nothing else that control has set stays.
    #[arg(long, requires = "values")]
    only: bool,
    /// Return to the configuration.
    #[arg(long, conflicts_with_all = ["values", "only"])]
    reset: bool,
}

#[derive(Debug, Args)]
#[group(id = "notice", required = true, multiple = true, args = ["it", "none", "reset"])]
pub(super) struct Notice {
    /// The text in Italian; both are required.
    #[arg(long, value_name = "TEXT", requires = "en")]
    it: Option<String>,
    /// The text in English.
    #[arg(long, value_name = "TEXT", requires = "it")]
    en: Option<String>,
    /// Show none, whatever the configuration says.
    #[arg(long, conflicts_with_all = ["it", "en"])]
    none: bool,
    /// Return to the configuration.
    #[arg(long, conflicts_with_all = ["it", "en", "none"])]
    reset: bool,
}

impl Wanted {
    pub(super) fn post(action: &str) -> Self {
        Self { method: Method::POST, path: action.to_owned(), body: None, if_match: None }
    }

    pub(super) fn end_session(tag: &str) -> Result<Self, String> {
        let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if tag.is_empty() || !tag.bytes().all(is_tag) {
            return Err("not a subject tag or the handle of a session".to_owned());
        }
        Ok(Self { method: Method::DELETE, ..Self::post(&format!("sessions/{tag}")) })
    }

    fn put(name: &str, body: Value, state: &Value) -> Self {
        Self { body: Some(body), ..Self::document(Method::PUT, name, state) }
    }

    fn document(method: Method, name: &str, state: &Value) -> Self {
        let if_match = state[name]["etag"].as_str().map(str::to_owned);
        Self { method, path: name.to_owned(), body: None, if_match }
    }
}

impl Settings {
    pub(super) fn wanted(&self, part: &str, state: &Value) -> Result<Wanted, String> {
        if self.reset {
            return Ok(Wanted::document(Method::DELETE, part, state));
        }
        let now = &state[part]["settings"];
        let mut settings = if self.only { Map::new() } else { set_by_control(now) };
        for value in &self.values {
            let (name, text) =
                value.split_once('=').ok_or_else(|| format!("{value}: not NAME=VALUE"))?;
            settings.insert(name.to_owned(), typed(text, &now[name]["value"]));
        }
        Ok(Wanted::put(part, Value::Object(settings), state))
    }
}

impl Notice {
    pub(super) fn wanted(&self, state: &Value) -> Wanted {
        if self.reset {
            return Wanted::document(Method::DELETE, "notice", state);
        }
        // Without texts it is no notice.
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Wanted::put("notice", json!({ "it": text(&self.it), "en": text(&self.en) }), state)
    }
}

/// The settings of a part that control has set.
fn set_by_control(settings: &Value) -> Map<String, Value> {
    let all = settings.as_object().into_iter().flatten();
    let set = all.filter(|(_, setting)| setting["source"] == "control");
    set.map(|(name, setting)| (name.clone(), setting["value"].clone())).collect()
}

/// A value of the same type as the one now; the server says what is wrong with any other.
fn typed(text: &str, now: &Value) -> Value {
    let bare = (!now.is_string()).then(|| serde_json::from_str(text).ok()).flatten();
    bare.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_added_to_those_of_control_or_take_their_place() {
        let state = json!({ "schedule": { "etag": "\"1\"", "settings": {
            "citizens": { "value": "16:00-08:00", "source": "configuration" },
            "weekends_open": { "value": true, "source": "control", "configured": false },
            "grace_seconds": { "value": 1800, "source": "configuration" },
        } } });
        let wanted = |values: &[&str], only| {
            let values = values.iter().map(|&value| value.to_owned()).collect();
            Settings { values, only, reset: false }.wanted("schedule", &state)
        };
        let more = wanted(&["citizens=18:00-08:00", "grace_seconds=60"], false).unwrap();
        assert_eq!((more.method, more.if_match.as_deref()), (Method::PUT, Some("\"1\"")));
        assert_eq!(
            more.body.unwrap(),
            json!({ "weekends_open": true, "citizens": "18:00-08:00", "grace_seconds": 60 })
        );
        let only = wanted(&["grace_seconds=many", "unknown=x=1"], true).unwrap();
        assert_eq!(only.body.unwrap(), json!({ "grace_seconds": "many", "unknown": "x=1" }));
        assert!(wanted(&["citizens"], false).is_err());
        let reset = Settings { values: Vec::new(), only: false, reset: true };
        let reset = reset.wanted("schedule", &state).unwrap();
        assert_eq!((reset.method, reset.body), (Method::DELETE, None));
    }
}
