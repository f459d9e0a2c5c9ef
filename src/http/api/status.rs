//! `GET /v1/status`: who may enter now, and which campaigns are open. The same for everybody.

use serde_json::{Map, Value, json};

use super::super::guard::Reply;
use crate::{civic::local_time, gate::schedule::Window, identity::Audience, intake::Intake};

/// How long a cache may keep the status, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(intake: &Intake) -> Reply {
    let now = intake.clock.now();
    let today = local_time::date_at(now);
    let audiences: Map<String, Value> = Audience::ALL
        .map(|audience| {
            let told = match intake.window(audience) {
                Window::Open { until } => {
                    json!({ "open": true, "until": until.map(local_time::rfc3339) })
                }
                Window::Closed { opens_at } => {
                    json!({ "open": false, "opensAt": local_time::rfc3339(opens_at) })
                }
            };
            (audience.as_str().to_owned(), told)
        })
        .into_iter()
        .collect();
    let campaigns: Vec<Value> = intake
        .rules
        .campaigns()
        .map(|window| {
            json!({
                "scheme": window.campaign.scheme.as_str(),
                "year": window.campaign.year,
                "opensOn": window.opens_on.to_string(),
                "closesOn": window.closes_on.to_string(),
                "open": window.contains(today),
            })
        })
        .collect();
    let told = json!({
        "now": local_time::rfc3339(now),
        "audiences": audiences,
        "campaigns": campaigns,
        "draw": null,
    });
    Reply::public("application/json", told.to_string(), CACHE_SECONDS)
}
