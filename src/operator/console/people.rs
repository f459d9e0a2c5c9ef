//! Who may enter, who comes, who waits and who is inside.

use jiff::{SignedDuration, Timestamp};

use super::{
    numbers::{or_none, percent, rate, whole},
    reading::Quantity,
    recent::Recent,
    tile::Tile,
};
use crate::{
    civic::{Language, written_time},
    gate::schedule::Window,
    identity::Audience,
    intake::Status,
};

/// Longest estimate that is shown: beyond it, the present pace says nothing.
const ESTIMATE_SECONDS_MAX: f64 = 86_400.0;

/// The time slices: open or closed, and for how long.
pub(super) fn slices(status: &Status) -> impl Iterator<Item = Tile> {
    status.windows.iter().map(|(audience, window)| {
        let (id, title) = match audience {
            Audience::Citizens => ("citizens", "Citizens"),
            Audience::Intermediaries => ("intermediaries", "Intermediaries"),
        };
        let left = |until: Timestamp| {
            let left = until.duration_since(status.now).max(SignedDuration::from_secs(1));
            written_time::duration(left, Language::English)
        };
        let at = |instant| written_time::instant(instant, Language::English);
        match *window {
            Window::Open { until: Some(until) } => {
                Tile::new(id, title, "Open", format!("{} left", left(until)))
                    .note(format!("until {}", at(until)))
            }
            Window::Open { until: None } => Tile::new(id, title, "Open", "at all times"),
            Window::Closed { opens_at } if opens_at == Timestamp::MAX => {
                Tile::new(id, title, "Closed", "").note("No opening is planned.")
            }
            Window::Closed { opens_at } => {
                Tile::new(id, title, "Closed", format!("opens in {}", left(opens_at)))
                    .note(format!("on {}", at(opens_at)))
            }
        }
    })
}

/// People on their way in, and inside.
pub(super) fn people(recent: &Recent) -> [Tile; 6] {
    let now = recent.newest();
    let asked = recent.per_second(|reading| reading.asked_to_enter);
    let of = |quantity| whole(now.of(quantity));
    let inside = now.of(Quantity::CitizensInside) + now.of(Quantity::IntermediariesInside);
    let (held, free) = (now.of(Quantity::LeasesHeld), now.of(Quantity::LeasesFree));
    [
        Tile::new("asked", "Requests to enter", or_none(asked, rate), "a second")
            .note("first ones, and of people who ask again"),
        Tile::new(
            "let-in",
            "Let in",
            or_none(recent.rate(Quantity::SessionsOpened), rate),
            "a second",
        )
        .note(format!("{} since the start", of(Quantity::SessionsOpened))),
        waiting(recent),
        Tile::new("inside", "Inside", whole(inside), "sessions").note(format!(
            "{} of citizens, {} of intermediaries",
            of(Quantity::CitizensInside),
            of(Quantity::IntermediariesInside)
        )),
        Tile::new("leases", "Leases held", whole(held), format!("of {}", whole(held + free)))
            .note("reserved places to finish"),
        Tile::new(
            "admission",
            "Admission allows",
            rate(now.of(Quantity::AdmissionRate)),
            "a second",
        )
        .note(format!(
            "delays and queues leave {} of it",
            percent(now.of(Quantity::AdmissionTrim))
        )),
    ]
}

fn waiting(recent: &Recent) -> Tile {
    let now = recent.newest();
    let [citizens, intermediaries] =
        [Quantity::CitizensWaiting, Quantity::IntermediariesWaiting].map(|of| now.of(of));
    let people = citizens + intermediaries;
    let tile = Tile::new("waiting", "Waiting", whole(people), "people").note(format!(
        "{} citizens, {} intermediaries",
        whole(citizens),
        whole(intermediaries)
    ));
    if people > 0.0 { tile.note(estimate(recent, people)) } else { tile }
}

/// How long the last of these people waits, if as many are let in as in the last seconds.
#[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
fn estimate(recent: &Recent, people: f64) -> String {
    let pace = recent.rate(Quantity::SessionsOpened).unwrap_or(0.0);
    let seconds = people / pace;
    if seconds > ESTIMATE_SECONDS_MAX {
        return "nearly nobody enters: no estimate".to_owned();
    }
    let wait = SignedDuration::from_secs(seconds.ceil() as i64);
    let wait = written_time::duration(wait, Language::English);
    format!("at this pace the last one enters in {wait}")
}
