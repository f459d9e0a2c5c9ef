//! `GET /v1/draws`: the drawn rounds of the waiting room, with their seeds, so that everybody can recompute numbers.

use serde_json::{Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{civic::local_time, gate::waiting::DrawnRound};

/// How long a cache may keep the list, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.counter.intake;
    let draws = public.draws.of(intake.now().as_second(), || to_json(&intake.draws()));
    Reply::public("application/json", draws, CACHE_SECONDS)
}

fn to_json(rounds: &[DrawnRound]) -> String {
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
    json!({ "draws": draws }).to_string()
}
