//! The pieces of the page, from what was seen of the server.

use std::time::Duration;

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::{
    board::Piece,
    history::{History, Plot, view_box},
    machine,
    numbers::{or_none, percent, rate, short_time, whole},
    people,
    reading::Quantity,
    recent::Recent,
    tile::{Alarm, Tile},
    work,
};
use crate::{
    civic::{Language, local_time, written_time},
    intake::Status,
    registry::notice::Notice,
};

/// What is seen of the server at one moment.
pub(in super::super) struct Seen<'s> {
    /// The metrics page.
    pub(in super::super) metrics: &'s str,
    /// Time slices and notice.
    pub(in super::super) status: &'s Status,
    /// Why no new work is taken, if it is not.
    pub(in super::super) obstacle: Option<&'s str>,
    /// Whether an operator has paused the entry.
    pub(in super::super) is_paused: bool,
    /// What operators did last, the latest first.
    pub(in super::super) actions: &'s [Action],
}

/// Something that an operator did.
#[derive(Clone, Debug)]
pub(in super::super) struct Action {
    /// When.
    pub(in super::super) at: Timestamp,
    /// What, with who did it, and what was before and after.
    pub(in super::super) what: String,
}

/// What the page is made from.
pub(super) struct Scene<'s> {
    pub(super) seen: &'s Seen<'s>,
    pub(super) recent: &'s Recent,
    pub(super) history: &'s History<{ SERIES.len() }>,
    /// Time since the start.
    pub(super) uptime: Duration,
}

/// A series of the last hour.
pub(super) struct Series {
    id: &'static str,
    title: &'static str,
    /// Its value at a sample.
    pub(super) of: fn(&Recent) -> Option<f64>,
    write: fn(f64) -> String,
}

/// Every series of the last hour.
pub(super) const SERIES: [Series; 8] = [
    Series {
        id: "plot-asked",
        title: "Requests to enter a second",
        of: |recent| recent.per_second(|reading| reading.asked_to_enter),
        write: rate,
    },
    Series {
        id: "plot-let-in",
        title: "People let in a second",
        of: |recent| recent.rate(Quantity::SessionsOpened),
        write: rate,
    },
    Series {
        id: "plot-finished",
        title: "Applications a second",
        of: |recent| recent.rate(Quantity::Accepted),
        write: rate,
    },
    Series {
        id: "plot-waiting",
        title: "People waiting",
        of: |recent| {
            let now = recent.newest();
            Some(now.of(Quantity::CitizensWaiting) + now.of(Quantity::IntermediariesWaiting))
        },
        write: whole,
    },
    Series {
        id: "plot-inside",
        title: "Sessions inside",
        of: |recent| {
            let now = recent.newest();
            Some(now.of(Quantity::CitizensInside) + now.of(Quantity::IntermediariesInside))
        },
        write: whole,
    },
    Series {
        id: "plot-submissions",
        title: "Submissions, p99",
        of: |recent| recent.quantile(|reading| &reading.submissions, 0.99),
        write: short_time,
    },
    Series {
        id: "plot-undecided",
        title: "Applications undecided",
        of: |recent| Some(recent.newest().of(Quantity::Undecided)),
        write: whole,
    },
    Series { id: "plot-cpu", title: "CPU used", of: machine::cpu, write: percent },
];

/// The sections of the page and the pieces in each, in their order.
pub(super) const SECTIONS: [(&str, &str, &[&str]); 7] = [
    ("who", "Who may enter", &["citizens", "intermediaries"]),
    ("people", "People", &["asked", "let-in", "waiting", "inside", "leases", "admission"]),
    ("applications", "Applications", &["finished", "balance", "undecided"]),
    ("answers", "Answers", &["submissions", "others", "commits", "refused"]),
    (
        "hour",
        "The last hour",
        &[
            "plot-asked",
            "plot-let-in",
            "plot-finished",
            "plot-waiting",
            "plot-inside",
            "plot-submissions",
            "plot-undecided",
            "plot-cpu",
        ],
    ),
    (
        "house",
        "Machine and safety",
        &[
            "cpu",
            "cost",
            "disk",
            "connections",
            "crossover",
            "ledger",
            "records",
            "log",
            "settings",
            "certificate",
            "canary",
        ],
    ),
    ("operators", "Operators and public", &["actions", "notice"]),
];

#[derive(Template)]
#[template(path = "console/alarms.html")]
struct Alarms {
    alarms: Vec<Alarm>,
}

#[derive(Template)]
#[template(path = "console/clock.html")]
struct Clock {
    machine: String,
    text: String,
    seconds: String,
    uptime: String,
}

#[derive(Template)]
#[template(path = "console/plot.html")]
struct Figure {
    title: &'static str,
    view_box: String,
    path: String,
    latest: String,
    highest: String,
}

#[derive(Template)]
#[template(path = "console/actions.html")]
struct Actions {
    actions: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "console/notice.html")]
struct Told {
    notice: Option<Notice>,
}

/// Every piece, the alarms and the clock first. They are always the same ones: what there is nothing to say of is empty.
pub(super) fn pieces(scene: &Scene<'_>) -> Vec<Piece> {
    let Scene { seen, recent, .. } = scene;
    let tiles: Vec<Option<Tile>> = people::slices(seen.status)
        .chain(people::people(recent))
        .chain(work::applications(recent))
        .chain(work::answers(recent))
        .chain(machine::machine(recent))
        .map(Some)
        .chain(machine::safety(recent))
        .collect();
    let paused = seen.is_paused.then(|| Alarm::warning("The entry is paused: nobody is let in."));
    let mut alarms: Vec<Alarm> = seen
        .obstacle
        .map(|why| Alarm::critical(format!("No new work is taken: {}.", why.trim_end())))
        .into_iter()
        .chain(paused)
        .chain(tiles.iter().flatten().flat_map(|tile| tile.alarms.clone()))
        .collect();
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.level));
    let alarms = Piece { id: "alarms", html: Alarms { alarms }.to_string() };
    [alarms, clock(scene)]
        .into_iter()
        .chain(tiles.iter().zip(ids()).map(|(tile, id)| match tile {
            Some(tile) => tile.piece(),
            None => Piece { id, html: String::new() },
        }))
        .chain(plots(scene))
        .chain([actions(seen.actions), notice(seen.status.notice.clone())])
        .collect()
}

/// The pieces that are tiles, in the order in which they are made.
fn ids() -> impl Iterator<Item = &'static str> {
    let sections = SECTIONS.iter().filter(|(section, ..)| !["hour", "operators"].contains(section));
    sections.flat_map(|(_, _, pieces)| pieces.iter().copied())
}

fn clock(Scene { seen, uptime, .. }: &Scene<'_>) -> Piece {
    let now = seen.status.now;
    let local = now.to_zoned(local_time::rome().clone());
    let uptime = SignedDuration::try_from(*uptime).unwrap_or(SignedDuration::MAX);
    let clock = Clock {
        machine: local_time::rfc3339(now),
        text: written_time::instant(now, Language::English),
        seconds: local.strftime(":%S").to_string(),
        uptime: written_time::duration(uptime, Language::English),
    };
    Piece { id: "clock", html: clock.to_string() }
}

fn plots(Scene { history, .. }: &Scene<'_>) -> [Piece; SERIES.len()] {
    let mut number = 0;
    SERIES.map(|Series { id, title, write, .. }| {
        let Plot { path, highest, latest } = history.plot(number);
        number += 1;
        let (latest, highest) = (or_none(latest, write), write(highest));
        let figure = Figure { title, view_box: view_box(), path, latest, highest };
        Piece { id, html: figure.to_string() }
    })
}

fn actions(actions: &[Action]) -> Piece {
    let written = |Action { at, what }: &Action| {
        let text = written_time::instant(*at, Language::English);
        (local_time::rfc3339(*at), text, what.clone())
    };
    let actions = Actions { actions: actions.iter().map(written).collect() };
    Piece { id: "actions", html: actions.to_string() }
}

fn notice(notice: Option<Notice>) -> Piece {
    Piece { id: "notice", html: Told { notice }.to_string() }
}
