//! The pieces of the page, from what was seen of the server.

use std::time::Duration;

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::{
    board::Piece,
    history::{History, Plot, view_box},
    machine,
    numbers::{Numbers, or_none, percent},
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
    italian: &'static str,
    english: &'static str,
    /// Its value at a sample.
    pub(super) of: fn(&Recent) -> Option<f64>,
    write: fn(Numbers, f64) -> String,
}

/// Every series of the last hour.
pub(super) const SERIES: [Series; 8] = [
    Series {
        id: "plot-asked",
        italian: "Richieste di entrare al secondo",
        english: "Requests to enter a second",
        of: |recent| recent.per_second(|reading| reading.asked_to_enter),
        write: Numbers::rate,
    },
    Series {
        id: "plot-let-in",
        italian: "Persone entrate al secondo",
        english: "People let in a second",
        of: |recent| recent.rate(Quantity::SessionsOpened),
        write: Numbers::rate,
    },
    Series {
        id: "plot-finished",
        italian: "Domande al secondo",
        english: "Applications a second",
        of: |recent| recent.rate(Quantity::Accepted),
        write: Numbers::rate,
    },
    Series {
        id: "plot-waiting",
        italian: "Persone in attesa",
        english: "People waiting",
        of: |recent| {
            let now = recent.newest();
            Some(now.of(Quantity::CitizensWaiting) + now.of(Quantity::IntermediariesWaiting))
        },
        write: Numbers::whole,
    },
    Series {
        id: "plot-inside",
        italian: "Sessioni dentro",
        english: "Sessions inside",
        of: |recent| {
            let now = recent.newest();
            Some(now.of(Quantity::CitizensInside) + now.of(Quantity::IntermediariesInside))
        },
        write: Numbers::whole,
    },
    Series {
        id: "plot-submissions",
        italian: "Invii, p99",
        english: "Submissions, p99",
        of: |recent| recent.quantile(|reading| &reading.submissions, 0.99),
        write: Numbers::short_time,
    },
    Series {
        id: "plot-undecided",
        italian: "Domande da decidere",
        english: "Applications undecided",
        of: |recent| Some(recent.newest().of(Quantity::Undecided)),
        write: Numbers::whole,
    },
    Series {
        id: "plot-cpu",
        italian: "CPU usata",
        english: "CPU used",
        of: machine::cpu,
        write: |_, part| percent(part),
    },
];

/// A section of the page.
pub(super) struct Section {
    pub(super) id: &'static str,
    italian: &'static str,
    english: &'static str,
    /// Its pieces, in their order.
    pub(super) pieces: &'static [&'static str],
}

impl Section {
    pub(super) fn title(&self, language: Language) -> &'static str {
        language.of(self.italian, self.english)
    }
}

/// The sections of the page, in their order.
pub(super) const SECTIONS: [Section; 7] = [
    Section {
        id: "who",
        italian: "Chi può entrare",
        english: "Who may enter",
        pieces: &["citizens", "intermediaries"],
    },
    Section {
        id: "people",
        italian: "Persone",
        english: "People",
        pieces: &["asked", "let-in", "waiting", "inside", "leases", "admission"],
    },
    Section {
        id: "applications",
        italian: "Domande",
        english: "Applications",
        pieces: &["finished", "balance", "undecided"],
    },
    Section {
        id: "answers",
        italian: "Risposte",
        english: "Answers",
        pieces: &["submissions", "others", "commits", "refused"],
    },
    Section {
        id: "hour",
        italian: "L'ultima ora",
        english: "The last hour",
        pieces: &[
            "plot-asked",
            "plot-let-in",
            "plot-finished",
            "plot-waiting",
            "plot-inside",
            "plot-submissions",
            "plot-undecided",
            "plot-cpu",
        ],
    },
    Section {
        id: "house",
        italian: "Macchina e sicurezza",
        english: "Machine and safety",
        pieces: &[
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
    },
    Section {
        id: "operators",
        italian: "Operatori e pubblico",
        english: "Operators and public",
        pieces: &["actions", "notice"],
    },
];

#[derive(Template)]
#[template(path = "console/alarms.html")]
struct Alarms {
    language: Language,
    alarms: Vec<Alarm>,
}

#[derive(Template)]
#[template(path = "console/clock.html")]
struct Clock {
    language: Language,
    machine: String,
    text: String,
    seconds: String,
    uptime: String,
}

#[derive(Template)]
#[template(path = "console/plot.html")]
struct Figure {
    language: Language,
    title: &'static str,
    view_box: String,
    path: String,
    latest: String,
    highest: String,
}

#[derive(Template)]
#[template(path = "console/actions.html")]
struct Actions {
    language: Language,
    actions: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "console/notice.html")]
struct Told {
    language: Language,
    notice: Option<Notice>,
}

/// Every piece, the alarms and the clock first. They are always the same ones: what there is nothing to say of is empty.
pub(super) fn pieces(scene: &Scene<'_>, language: Language) -> Vec<Piece> {
    let Scene { seen, recent, .. } = scene;
    let tiles: Vec<Option<Tile>> = people::slices(seen.status, language)
        .chain(people::people(recent, language))
        .chain(work::applications(recent, language))
        .chain(work::answers(recent, language))
        .chain(machine::machine(recent, language))
        .map(Some)
        .chain(machine::safety(recent, language))
        .collect();
    let paused = language
        .of("L'ingresso è sospeso: non entra nessuno.", "The entry is paused: nobody is let in.");
    let paused = seen.is_paused.then(|| Alarm::warning(paused));
    let refuses = language.of("Non si accetta nuovo lavoro", "No new work is taken");
    let mut alarms: Vec<Alarm> = seen
        .obstacle
        .map(|why| Alarm::critical(format!("{refuses}: {}.", why.trim_end())))
        .into_iter()
        .chain(paused)
        .chain(tiles.iter().flatten().flat_map(|tile| tile.alarms.clone()))
        .collect();
    alarms.sort_by_key(|alarm| std::cmp::Reverse(alarm.level));
    let alarms = Piece { id: "alarms", html: Alarms { language, alarms }.to_string() };
    [alarms, clock(scene, language)]
        .into_iter()
        .chain(tiles.iter().zip(ids()).map(|(tile, id)| match tile {
            Some(tile) => tile.piece(language),
            None => Piece { id, html: String::new() },
        }))
        .chain(plots(scene, language))
        .chain([actions(seen.actions, language), notice(seen.status.notice.clone(), language)])
        .collect()
}

/// The pieces that are tiles, in the order in which they are made.
fn ids() -> impl Iterator<Item = &'static str> {
    let sections = SECTIONS.iter().filter(|section| !["hour", "operators"].contains(&section.id));
    sections.flat_map(|section| section.pieces.iter().copied())
}

fn clock(Scene { seen, uptime, .. }: &Scene<'_>, language: Language) -> Piece {
    let now = seen.status.now;
    let local = now.to_zoned(local_time::rome().clone());
    let uptime = SignedDuration::try_from(*uptime).unwrap_or(SignedDuration::MAX);
    let clock = Clock {
        language,
        machine: local_time::rfc3339(now),
        text: written_time::instant(now, language),
        seconds: local.strftime(":%S").to_string(),
        uptime: written_time::duration(uptime, language),
    };
    Piece { id: "clock", html: clock.to_string() }
}

fn plots(Scene { history, .. }: &Scene<'_>, language: Language) -> [Piece; SERIES.len()] {
    let mut number = 0;
    SERIES.map(|Series { id, italian, english, write, .. }| {
        let Plot { path, highest, latest } = history.plot(number);
        number += 1;
        let write = |number| write(Numbers(language), number);
        let (latest, highest) = (or_none(latest, write), write(highest));
        let title = language.of(italian, english);
        let figure = Figure { language, title, view_box: view_box(), path, latest, highest };
        Piece { id, html: figure.to_string() }
    })
}

fn actions(actions: &[Action], language: Language) -> Piece {
    let written = |Action { at, what }: &Action| {
        let text = written_time::instant(*at, language);
        (local_time::rfc3339(*at), text, what.clone())
    };
    let actions = Actions { language, actions: actions.iter().map(written).collect() };
    Piece { id: "actions", html: actions.to_string() }
}

fn notice(notice: Option<Notice>, language: Language) -> Piece {
    Piece { id: "notice", html: Told { language, notice }.to_string() }
}
