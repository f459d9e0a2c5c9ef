//! `GET /v1/status`: who may enter now, and which campaigns are open. The same for everybody.

use std::cell::RefCell;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{civic::local_time, gate::schedule::Window, intake::Status};

/// How long a cache may keep the status, seconds.
const CACHE_SECONDS: u32 = 1;

/// What was told last, and in which second: it is the same for everybody, and tells the time to the second.
#[derive(Debug, Default)]
pub struct LastStatus(RefCell<(i64, Bytes)>);

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.desk.intake;
    let now = intake.now();
    let mut last = public.status.0.borrow_mut();
    if last.1.is_empty() || last.0 != now.as_second() {
        *last = (now.as_second(), told(&intake.status(now)).into());
    }
    Reply::public("application/json", last.1.clone(), CACHE_SECONDS)
}

fn told(status: &Status) -> String {
    let audiences: Map<String, Value> = status
        .windows
        .iter()
        .map(|(audience, window)| {
            let told = match *window {
                Window::Open { until } => {
                    json!({ "open": true, "until": until.map(local_time::rfc3339) })
                }
                Window::Closed { opens_at } => {
                    json!({ "open": false, "opensAt": local_time::rfc3339(opens_at) })
                }
            };
            (audience.as_str().to_owned(), told)
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
        "draw": { "round": status.round, "commitment": status.commitment.to_string() },
    })
    .to_string()
}
