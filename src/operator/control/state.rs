//! The state that control shows: each part with its values, where they come from, and its tag for `If-Match`.

use serde_json::{Map, Value, json};

use super::{
    actions::Action,
    orders::{Order, Orders},
    parts::{LiveParts, Part, SettingNow},
};
use crate::{civic::local_time::rfc3339, intake::Intake, registry::notice::Notice};

/// Characters of a tag.
const TAG_CHARS: usize = 16;

/// What the state is made from.
pub(super) struct State<'a> {
    pub(super) orders: &'a Orders,
    pub(super) intake: &'a Intake,
    pub(super) parts: &'a dyn LiveParts,
}

impl State<'_> {
    /// Everything.
    pub(super) fn whole(&self, is_draining: bool, actions: &[Action]) -> Value {
        let paused = self.orders.paused.as_ref();
        let state = match (is_draining, paused) {
            (true, _) => "draining",
            (false, Some(_)) => "paused",
            (false, None) => "taking",
        };
        let mut json = json!({
            "now": rfc3339(self.intake.now()),
            "intake": with_source(json!({ "state": state }), paused),
        });
        for part in Part::ALL {
            json[part.as_str()] = self.part(part);
        }
        json["notice"] = self.notice();
        json["actions"] = actions.iter().map(action).collect();
        json
    }

    /// A section of the settings.
    pub(super) fn part(&self, part: Part) -> Value {
        let set = self.orders.of(part);
        let setting = |SettingNow { name, value, configured }| {
            let is_of_control = set.is_some_and(|set| set.settings.contains_key(name));
            let shown = if is_of_control {
                json!({ "value": value, "source": "control", "configured": configured })
            } else {
                json!({ "value": value, "source": "configuration" })
            };
            (name.to_owned(), shown)
        };
        let settings: Map<_, _> = self.parts.now(part).into_iter().map(setting).collect();
        tagged(with_source(json!({ "settings": settings }), set.map(|set| &set.order)))
    }

    /// The notice.
    pub(super) fn notice(&self) -> Value {
        let text = |notice: Option<Notice>| {
            notice.map(|Notice { italian, english }| json!({ "it": italian, "en": english }))
        };
        let json = json!({
            "shown": text(self.intake.notice_in_force()),
            "configured": text(self.intake.configured_notice()),
        });
        tagged(with_source(json, self.orders.notice.as_ref().map(|shown| &shown.order)))
    }
}

/// The tag of a part, as `If-Match` repeats it.
pub(super) fn tag_of(part: &Value) -> &str {
    part["etag"].as_str().unwrap_or_default()
}

fn with_source(mut json: Value, order: Option<&Order>) -> Value {
    json["source"] = if order.is_some() { "control" } else { "configuration" }.into();
    if let Some(Order { by, since }) = order {
        json["by"] = by.as_str().into();
        json["since"] = since.as_str().into();
    }
    json
}

/// With a tag that changes with everything that is shown.
fn tagged(mut json: Value) -> Value {
    let hash = blake3::hash(json.to_string().as_bytes()).to_hex();
    json["etag"] = format!("\"{}\"", &hash[..TAG_CHARS]).into();
    json
}

fn action(Action { at, operator, action, summary }: &Action) -> Value {
    json!({ "at": rfc3339(*at), "operator": operator, "action": action, "summary": summary })
}
