//! Who may enter, who comes, who waits and who is inside.

use jiff::{SignedDuration, Timestamp};

use super::{
    numbers::{Numbers, or_none, percent},
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
pub(super) fn slices(status: &Status, language: Language) -> impl Iterator<Item = Tile> {
    let t = move |italian, english| language.of(italian, english);
    status.windows.iter().map(move |(audience, window)| {
        let (id, title) = match audience {
            Audience::Citizens => ("citizens", t("Cittadini", "Citizens")),
            Audience::Intermediaries => ("intermediaries", t("Intermediari", "Intermediaries")),
        };
        let (open, closed) = (t("Aperto", "Open"), t("Chiuso", "Closed"));
        let left = |until: Timestamp| {
            let left = until.duration_since(status.now).max(SignedDuration::from_secs(1));
            written_time::duration(left, language)
        };
        let at = |instant| written_time::instant(instant, language);
        match *window {
            Window::Open { until: Some(until) } => {
                let left = match language {
                    Language::Italian => format!("ancora {}", left(until)),
                    Language::English => format!("{} left", left(until)),
                };
                Tile::new(id, title, open, left).note(format!(
                    "{} {}",
                    t("fino a", "until"),
                    at(until)
                ))
            }
            Window::Open { until: None } => {
                Tile::new(id, title, open, t("a tutte le ore", "at all times"))
            }
            Window::Closed { opens_at } if opens_at == Timestamp::MAX => {
                let none = t("Nessuna apertura prevista.", "No opening is planned.");
                Tile::new(id, title, closed, "").note(none)
            }
            Window::Closed { opens_at } => {
                let opens = format!("{} {}", t("apre tra", "opens in"), left(opens_at));
                let on = match language {
                    Language::Italian => at(opens_at),
                    Language::English => format!("on {}", at(opens_at)),
                };
                Tile::new(id, title, closed, opens).note(on)
            }
        }
    })
}

/// People on their way in, and inside.
pub(super) fn people(recent: &Recent, language: Language) -> [Tile; 6] {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let now = recent.newest();
    let asked = recent.per_second(|reading| reading.asked_to_enter);
    let let_in = recent.rate(Quantity::SessionsOpened);
    let of = |quantity| n.whole(now.of(quantity));
    let inside = now.of(Quantity::CitizensInside) + now.of(Quantity::IntermediariesInside);
    let (held, free) = (now.of(Quantity::LeasesHeld), now.of(Quantity::LeasesFree));
    let a_second = t("al secondo", "a second");
    let requests = t("Richieste di entrare", "Requests to enter");
    let again = t("le prime, e di chi chiede ancora", "first ones, and of people who ask again");
    let since = t("dall'avvio", "since the start");
    let leases = t("Posti occupati", "Leases held");
    let trim = percent(now.of(Quantity::AdmissionTrim));
    let allowed = match language {
        Language::Italian => format!("ritardi e code ne lasciano {trim}"),
        Language::English => format!("delays and queues leave {trim} of it"),
    };
    [
        Tile::new("asked", requests, or_none(asked, |rate| n.rate(rate)), a_second).note(again),
        Tile::new("let-in", t("Entrati", "Let in"), or_none(let_in, |rate| n.rate(rate)), a_second)
            .note(format!("{} {since}", of(Quantity::SessionsOpened))),
        waiting(recent, language),
        Tile::new("inside", t("Dentro", "Inside"), n.whole(inside), t("sessioni", "sessions"))
            .note(by_audience(
                recent,
                [Quantity::CitizensInside, Quantity::IntermediariesInside],
                language,
            )),
        Tile::new(
            "leases",
            leases,
            n.whole(held),
            format!("{} {}", t("di", "of"), n.whole(held + free)),
        )
        .note(t("posti riservati per finire", "reserved places to finish")),
        Tile::new(
            "admission",
            t("Ingressi ammessi", "Admission allows"),
            n.rate(now.of(Quantity::AdmissionRate)),
            a_second,
        )
        .note(allowed),
    ]
}

/// How many of citizens, and how many of intermediaries.
fn by_audience(recent: &Recent, of: [Quantity; 2], language: Language) -> String {
    let [citizens, intermediaries] = of.map(|of| Numbers(language).whole(recent.newest().of(of)));
    match language {
        Language::Italian => format!("{citizens} di cittadini, {intermediaries} di intermediari"),
        Language::English => format!("{citizens} of citizens, {intermediaries} of intermediaries"),
    }
}

fn waiting(recent: &Recent, language: Language) -> Tile {
    let audiences = [Quantity::CitizensWaiting, Quantity::IntermediariesWaiting];
    let people: f64 = audiences.iter().map(|of| recent.newest().of(*of)).sum();
    let (title, unit) = (language.of("In attesa", "Waiting"), language.of("persone", "people"));
    let waiting = Tile::new("waiting", title, Numbers(language).whole(people), unit)
        .note(by_audience(recent, audiences, language));
    if people > 0.0 { waiting.note(estimate(recent, people, language)) } else { waiting }
}

/// How long the last of these people waits, if as many are let in as in the last seconds.
#[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
fn estimate(recent: &Recent, people: f64, language: Language) -> String {
    let seconds = people / recent.rate(Quantity::SessionsOpened).unwrap_or(0.0);
    if seconds > ESTIMATE_SECONDS_MAX {
        let none = language
            .of("non entra quasi nessuno: nessuna stima", "nearly nobody enters: no estimate");
        return none.to_owned();
    }
    let wait = SignedDuration::from_secs(seconds.ceil() as i64);
    let pace =
        language.of("a questo ritmo l'ultima entra tra", "at this pace the last one enters in");
    format!("{pace} {}", written_time::duration(wait, language))
}
