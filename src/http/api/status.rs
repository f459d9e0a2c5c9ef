//! `GET /v1/status`: which audience may enter now, and which campaigns are open. The same for everybody.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{civic::local_time, gate::schedule::Window, identity::Audience, intake::Intake};

/// How long a cache may keep the status, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.desk.intake;
    let now = intake.clock.now();
    let status = public.status.of(now.as_second(), || to_json(intake, now));
    Reply::public("application/json", status, CACHE_SECONDS)
}

fn to_json(intake: &Intake, now: Timestamp) -> String {
    let today = local_time::date_at(now);
    let audiences: Map<String, Value> = Audience::ALL
        .map(|audience| {
            let window = match intake.schedule.window(audience, now) {
                Window::Open { until } => {
                    json!({ "open": true, "until": until.map(local_time::rfc3339) })
                }
                Window::Closed { opens_at } => {
                    json!({ "open": false, "opensAt": local_time::rfc3339(opens_at) })
                }
            };
            (audience.as_str().to_owned(), window)
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
