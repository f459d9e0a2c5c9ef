//! Applications and answers: how many, whether all are accounted for, how fast, and what is refused.

use super::{
    numbers::{or_none, rate, short_time, whole},
    reading::{Distribution, Quantity, Reading},
    recent::{Balance, Recent},
    tile::{Alarm, Tile},
};

/// Applications, and their balance.
pub(super) fn applications(recent: &Recent) -> [Tile; 3] {
    let now = recent.newest();
    let of = |quantity| whole(now.of(quantity));
    [
        Tile::new(
            "finished",
            "Applications",
            or_none(recent.rate(Quantity::Accepted), rate),
            "a second",
        )
        .note(format!("{} accepted since the ledger began", of(Quantity::Accepted))),
        balance(recent),
        Tile::new("undecided", "Undecided", of(Quantity::Undecided), "applications")
            .note(format!("{} of them in the urn", of(Quantity::Urn)))
            .note(format!("{} decided as pending", of(Quantity::Pending))),
    ]
}

/// Accepted = decided + undecided + withdrawn, or by how much it is not.
fn balance(recent: &Recent) -> Tile {
    let now = recent.newest();
    let of = |quantity| whole(now.of(quantity));
    let balance = recent.balance();
    let (value, unit, sign) = match balance {
        Balance::Even => ("Even".to_owned(), "", "="),
        Balance::Moving(by) => (whole(by), "while counting", "≠"),
        Balance::Broken(by) => (whole(by), "unaccounted for", "≠"),
    };
    let broken = match balance {
        Balance::Broken(_) => Some(Alarm::critical(
            "The balance of applications is broken: accepted applications are not all decided, undecided or withdrawn. \
             Keep the log, and run sportello verify on a copy.",
        )),
        Balance::Even | Balance::Moving(_) => None,
    };
    Tile::new("balance", "Balance", value, unit)
        .note(format!(
            "{} accepted {sign} {} decided + {} undecided + {} withdrawn before a decision",
            of(Quantity::Accepted),
            of(Quantity::Decided),
            of(Quantity::Undecided),
            of(Quantity::WithdrawnUndecided)
        ))
        .alarm(broken)
}

/// Time to answer, and what is refused.
pub(super) fn answers(recent: &Recent) -> [Tile; 4] {
    [
        time(recent, "submissions", "Submissions answered in", |reading| &reading.submissions),
        time(recent, "others", "Other requests answered in", |reading| &reading.others),
        time(recent, "commits", "Batches committed in", |reading| &reading.commits),
        refused(recent),
    ]
}

fn time(
    recent: &Recent,
    id: &'static str,
    title: &'static str,
    of: impl Fn(&Reading) -> &Distribution + Copy,
) -> Tile {
    let [half, most] = [0.5, 0.99].map(|part| or_none(recent.quantile(of, part), short_time));
    Tile::new(id, title, most, "p99").note(format!("p50 {half}; of the last seconds"))
}

fn refused(recent: &Recent) -> Tile {
    let classes = [
        ("finish", Quantity::ShedFinish),
        ("step", Quantity::ShedStep),
        ("read", Quantity::ShedRead),
        ("enter", Quantity::ShedEnter),
    ];
    let all =
        recent.per_second(|reading| classes.iter().map(|(_, class)| reading.of(*class)).sum());
    let by_class =
        classes.map(|(name, class)| format!("{name} {}", or_none(recent.rate(class), rate)));
    let submissions = recent.rate(Quantity::ShedFinish).filter(|rate| *rate > 0.0);
    Tile::new("refused", "Refused", or_none(all, rate), "a second").note(by_class.join(", ")).alarm(
        submissions.map(|_| Alarm::critical("Submissions are refused: see storage and disk.")),
    )
}
