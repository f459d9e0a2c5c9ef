//! `GET /v1/status`: which audience may enter now, and which campaigns are open, and what the operator tells everybody. The same for everybody.

use serde_json::{Map, Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{civic::local_time, gate::schedule::Window, intake::Status};

/// How long a cache may keep the status, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.counter.intake;
    let now = intake.now();
    let status = public.status.of(now.as_second(), || to_json(&intake.status(now)));
    Reply::public("application/json", status, CACHE_SECONDS)
}

fn to_json(status: &Status) -> String {
    let audiences: Map<String, Value> = status
        .windows
        .iter()
        .map(|(audience, window)| {
            let window = match *window {
                Window::Open { until } => {
                    json!({ "open": true, "until": until.map(local_time::rfc3339) })
                }
                Window::Closed { opens_at } => {
                    json!({ "open": false, "opensAt": local_time::rfc3339(opens_at) })
                }
            };
            (audience.as_str().to_owned(), window)
        })
        .collect();
    let campaigns: Vec<Value> = status
        .campaigns
        .iter()
        .map(|(window, open)| {
            json!({
                "scheme": window.campaign.scheme.as_str(),
                "year": window.campaign.year,
                "opensOn": window.opens_on.to_string(),
                "closesOn": window.closes_on.to_string(),
                "open": open,
            })
        })
        .collect();
    json!({
        "now": local_time::rfc3339(status.now),
        "audiences": audiences,
        "campaigns": campaigns,
        "notice": status.notice.as_ref().map(|notice| json!({ "it": notice.italian, "en": notice.english })),
        "draw": { "round": status.round, "commitment": status.commitment.to_string() },
    })
    .to_string()
}
