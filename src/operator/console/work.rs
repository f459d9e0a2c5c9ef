//! Applications and answers: how many, whether all are accounted for, how fast, and what is refused.

use super::{
    numbers::{Numbers, or_none},
    reading::{Distribution, Quantity, Reading},
    recent::{Balance, Recent},
    tile::{Alarm, Tile},
};
use crate::civic::Language;

/// Applications, and their balance.
pub(super) fn applications(recent: &Recent, language: Language) -> [Tile; 3] {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let of = |quantity| n.whole(recent.newest().of(quantity));
    let accepted = recent.rate(Quantity::Accepted);
    let since = t("accolte da quando esiste il registro", "accepted since the ledger began");
    let pending = t("decise con riserva", "decided as pending");
    [
        Tile::new(
            "finished",
            t("Domande", "Applications"),
            or_none(accepted, |rate| n.rate(rate)),
            t("al secondo", "a second"),
        )
        .note(format!("{} {since}", of(Quantity::Accepted))),
        balance(recent, language),
        Tile::new(
            "undecided",
            t("Da decidere", "Undecided"),
            of(Quantity::Undecided),
            t("domande", "applications"),
        )
        .note(format!("{} {}", of(Quantity::Urn), t("di queste nell'urna", "of them in the urn")))
        .note(format!("{} {pending}", of(Quantity::Pending))),
    ]
}

/// Accepted = decided + undecided + withdrawn, or by how much it is not.
fn balance(recent: &Recent, language: Language) -> Tile {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let (value, unit, sign) = match recent.balance() {
        Balance::Even => (t("In pari", "Even").to_owned(), "", "="),
        Balance::Moving(by) => (n.whole(by), t("durante il conteggio", "while counting"), "≠"),
        Balance::Broken(by) => (n.whole(by), t("mancano all'appello", "unaccounted for"), "≠"),
    };
    let broken = match recent.balance() {
        Balance::Broken(_) => Some(Alarm::critical(t(
            "Il conto delle domande non torna: quelle accolte non sono tutte decise, da decidere o ritirate. Conservare \
             il log ed eseguire sportello verify su una copia.",
            "The balance of applications is broken: accepted applications are not all decided, undecided or withdrawn. \
             Keep the log, and run sportello verify on a copy.",
        ))),
        Balance::Even | Balance::Moving(_) => None,
    };
    let [accepted, decided, undecided, withdrawn] =
        [Quantity::Accepted, Quantity::Decided, Quantity::Undecided, Quantity::WithdrawnUndecided]
            .map(|quantity| n.whole(recent.newest().of(quantity)));
    let sum = match language {
        Language::Italian => format!(
            "{accepted} accolte {sign} {decided} decise + {undecided} da decidere + {withdrawn} ritirate prima della decisione"
        ),
        Language::English => format!(
            "{accepted} accepted {sign} {decided} decided + {undecided} undecided + {withdrawn} withdrawn before a decision"
        ),
    };
    Tile::new("balance", t("Conto", "Balance"), value, unit).note(sum).alarm(broken)
}

/// Time to answer, and what is refused.
pub(super) fn answers(recent: &Recent, language: Language) -> [Tile; 4] {
    let t = |italian, english| language.of(italian, english);
    let time = |id, title, of: fn(&Reading) -> &Distribution| time(recent, id, title, of, language);
    [
        time("submissions", t("Invii con risposta in", "Submissions answered in"), |reading| {
            &reading.submissions
        }),
        time(
            "others",
            t("Altre richieste con risposta in", "Other requests answered in"),
            |reading| &reading.others,
        ),
        time("commits", t("Scritture su disco in", "Batches committed in"), |reading| {
            &reading.commits
        }),
        refused(recent, language),
    ]
}

fn time(
    recent: &Recent,
    id: &'static str,
    title: &'static str,
    of: fn(&Reading) -> &Distribution,
    language: Language,
) -> Tile {
    let [half, most] = [0.5, 0.99].map(|part| {
        or_none(recent.quantile(of, part), |seconds| Numbers(language).short_time(seconds))
    });
    let of_late = language.of("degli ultimi secondi", "of the last seconds");
    Tile::new(id, title, most, "p99").note(format!("p50 {half}; {of_late}"))
}

/// The classes keep the names that metrics and log give them.
fn refused(recent: &Recent, language: Language) -> Tile {
    let n = Numbers(language);
    let classes = [
        ("finish", Quantity::ShedFinish),
        ("step", Quantity::ShedStep),
        ("read", Quantity::ShedRead),
        ("enter", Quantity::ShedEnter),
    ];
    let written = |number| or_none(number, |rate| n.rate(rate));
    let all =
        recent.per_second(|reading| classes.iter().map(|(_, class)| reading.of(*class)).sum());
    let by_class = classes.map(|(name, class)| format!("{name} {}", written(recent.rate(class))));
    let submissions = recent.rate(Quantity::ShedFinish).filter(|rate| *rate > 0.0);
    let title = language.of("Rifiutate", "Refused");
    Tile::new("refused", title, written(all), language.of("al secondo", "a second"))
        .note(by_class.join(", "))
        .alarm(submissions.map(|_| {
            Alarm::critical(language.of(
                "Si rifiutano invii di domande: vedere registro e disco.",
                "Submissions are refused: see storage and disk.",
            ))
        }))
}
