//! `GET /v1/status`: who may enter now, and which campaigns are open. The same for everybody.

use std::cell::RefCell;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{civic::local_time, gate::schedule::Window, identity::Audience, intake::Intake};

/// How long a cache may keep the status, seconds.
const CACHE_SECONDS: u32 = 1;

/// What was told last, and in which second: it is the same for everybody, and tells the time to the second.
#[derive(Debug, Default)]
pub struct LastStatus(RefCell<(i64, Bytes)>);

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.desk.intake;
    let now = intake.clock.now();
    let mut last = public.status.0.borrow_mut();
    if last.1.is_empty() || last.0 != now.as_second() {
        *last = (now.as_second(), told(intake, now).into());
    }
    Reply::public("application/json", last.1.clone(), CACHE_SECONDS)
}

fn told(intake: &Intake, now: Timestamp) -> String {
    let today = local_time::date_at(now);
    let audiences: Map<String, Value> = Audience::ALL
        .map(|audience| {
            let told = match intake.schedule.window(audience, now) {
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
    let (round, commitment) = intake.waiting.next_round();
    json!({
        "now": local_time::rfc3339(now),
        "audiences": audiences,
        "campaigns": campaigns,
        "draw": { "round": round, "commitment": commitment.to_string() },
    })
    .to_string()
}
