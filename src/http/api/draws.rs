//! `GET /v1/draws`: the drawn rounds of the waiting room, with their seeds, so that everybody can recompute numbers.

use serde_json::{Value, json};

use super::super::{guard::Reply, request::Public};
use crate::civic::local_time;

/// How long a cache may keep the list, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(public: &Public) -> Reply {
    let rounds = public.counter.intake.draws();
    let draws: Vec<Value> = rounds
        .iter()
        .map(|round| {
            json!({
                "round": round.round,
                "commitment": round.commitment.to_string(),
                "seed": round.seed.to_string(),
                "people": round.people,
                "drawnAt": local_time::rfc3339(round.drawn_at),
            })
        })
        .collect();
    Reply::public("application/json", json!({ "draws": draws }).to_string(), CACHE_SECONDS)
}
