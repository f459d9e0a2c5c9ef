//! `GET /v1/draws`: the drawn rounds of the waiting room, with their seeds, so that everybody can recompute numbers,
//! and the chains that the seeds belong to.

use serde_json::{Value, json};

use super::super::{guard::Reply, request::Public};
use crate::{
    civic::local_time,
    gate::waiting::Draws,
    ledger::rounds::{Chain, DrawnBeacon, DrawnRound},
};

/// How long a cache may keep the list, seconds.
const CACHE_SECONDS: u32 = 1;

pub(super) fn show(public: &Public) -> Reply {
    let intake = &public.counter.intake;
    let draws = public.draws.of(intake.now().as_second(), || to_json(intake.draws()));
    Reply::public("application/json", draws, CACHE_SECONDS)
}

fn to_json(Draws { drawn, closed, chains }: Draws) -> String {
    let closed = closed.map(|(round, commitment, beacon_round)| {
        json!({ "round": round, "commitment": commitment.to_string(), "beaconRound": beacon_round })
    });
    json!({
        "draws": drawn.iter().map(describe).collect::<Vec<Value>>(),
        "closed": closed,
        "chains": chains.map(|Chain { first, rounds, anchor }| {
            json!({ "first": first, "rounds": rounds, "anchor": anchor.to_string() })
        }),
    })
    .to_string()
}

fn describe(round: &DrawnRound) -> Value {
    let mut json = json!({
        "round": round.round,
        "commitment": round.commitment.to_string(),
        "seed": round.seed.to_string(),
        "people": round.people,
        "drawnAt": local_time::rfc3339(round.drawn_at),
    });
    if let Some(DrawnBeacon { round, value }) = round.beacon {
        json["beaconRound"] = round.into();
        json["beacon"] = value.map(|value| value.to_string()).into();
    }
    json
}
