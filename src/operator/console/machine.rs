//! The machine, and what must never happen.

use super::{
    numbers::{or_none, percent, short_time, size, whole},
    reading::{Quantity, Reading},
    recent::Recent,
    tile::{Alarm, Tile},
};

/// Free space, in reserves, below which somebody should make room before intake stops.
const DISK_RESERVES_MIN: f64 = 2.0;
/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Days before the expiry of a certificate from which it is a warning, and from which it is critical.
const CERTIFICATE_DAYS_WARNING: f64 = 14.0;
const CERTIFICATE_DAYS_CRITICAL: f64 = 3.0;

/// CPU used, as a part of what there is.
pub(super) fn cpu(recent: &Recent) -> Option<f64> {
    let used = recent
        .per_second(|reading| PURPOSES.iter().map(|(_, purpose)| reading.of(*purpose)).sum())?;
    let cores = recent.newest().of(Quantity::Cores);
    (cores > 0.0).then_some(used / cores)
}

const PURPOSES: [(&str, Quantity); 3] = [
    ("people inside and everything else", Quantity::CpuInside),
    ("entering", Quantity::CpuEntering),
    ("people outside", Quantity::CpuOutside),
];

/// CPU, what a visit takes of it, disk and connections.
pub(super) fn machine(recent: &Recent) -> [Tile; 4] {
    let now = recent.newest();
    let cores = now.of(Quantity::Cores);
    let by_purpose = PURPOSES.map(|(name, purpose)| {
        let part = recent.rate(purpose).filter(|_| cores > 0.0).map(|used| used / cores);
        format!("{name} {}", or_none(part, percent))
    });
    let cost = |quantity| short_time(now.of(quantity));
    let (free, reserve) = (now.of(Quantity::DiskFree), now.of(Quantity::DiskReserve));
    let short = if free < reserve {
        Some(Alarm::critical("The disk is nearly full and nothing new is accepted: free space."))
    } else if free < DISK_RESERVES_MIN * reserve {
        Some(Alarm::warning("The disk fills up: free space before intake stops."))
    } else {
        None
    };
    [
        Tile::new("cpu", "CPU", or_none(cpu(recent), percent), format!("of {cores:.2} cores"))
            .note(by_purpose.join(", ")),
        Tile::new("cost", "A visit", cost(Quantity::CostOfVisit), "of CPU")
            .note(format!(
                "of it {} for its handshake, {} for entering",
                cost(Quantity::CostOfHandshake),
                cost(Quantity::CostOfEntering)
            ))
            .note(format!("a request from outside takes {}", cost(Quantity::CostOutside))),
        Tile::new("disk", "Disk", size(free), "free")
            .note(format!("below {} nothing new is accepted", size(reserve)))
            .alarm(short),
        Tile::new("connections", "Connections", whole(now.of(Quantity::Connections)), "open"),
    ]
}

/// What must never happen, and what is about to.
pub(super) fn safety(recent: &Recent) -> [Option<Tile>; 7] {
    let now = recent.newest();
    [
        Some(crossover(now)),
        Some(ledger(now)),
        Some(records(now)),
        Some(log(now)),
        Some(settings(now)),
        now.known(Quantity::CertificateExpiry).map(certificate),
        now.known(Quantity::CanaryFailures).map(canary),
    ]
}

fn crossover(now: &Reading) -> Tile {
    let blocked = now.of(Quantity::Crossover);
    Tile::new("crossover", "Cross-over", whole(blocked), "answers blocked")
        .note("rendered for another person, stopped at the last gate")
        .alarm((blocked > 0.0).then(|| {
            Alarm::critical(
                "An answer for another person was blocked: drain this server, keep its log, and find the cause.",
            )
        }))
}

fn ledger(now: &Reading) -> Tile {
    let is_poisoned = now.of(Quantity::Poisoned) > 0.0;
    let value = if is_poisoned { "Poisoned" } else { "Sound" };
    Tile::new("ledger", "Ledger", value, "").alarm(is_poisoned.then(|| {
        Alarm::critical(
            "A write or sync of the ledger failed and intake has stopped: repair the storage, then restart.",
        )
    }))
}

/// Audit trail, drafts and journal.
fn records(now: &Reading) -> Tile {
    let [audit, drafts, journal] =
        [Quantity::AuditFailed, Quantity::DraftsFailed, Quantity::JournalFailed]
            .map(|failed| now.of(failed) > 0.0);
    let lost = now.of(Quantity::AuditLost);
    let value = if audit || drafts || journal || lost > 0.0 { "Failed" } else { "Written" };
    let mut tile = Tile::new("records", "Audit trail, drafts, journal", value, "")
        .alarm(audit.then(|| {
            Alarm::critical("The audit trail cannot be written: repair the storage, then restart.")
        }))
        .alarm((lost > 0.0).then(|| {
            let lost = whole(lost);
            Alarm::critical(format!("{lost} audit events are only in the log: keep it."))
        }))
        .alarm(
            drafts.then(|| Alarm::critical("No draft is saved: repair the storage, then restart.")),
        );
    if journal {
        tile = tile.alarm(Some(Alarm::warning(
            "After a restart everybody inside or waiting has to enter again: restart when few are inside.",
        )));
    }
    tile
}

fn log(now: &Reading) -> Tile {
    let lost = now.of(Quantity::LogLost);
    Tile::new("log", "Log", whole(lost), "lines lost").alarm((lost > 0.0).then(|| {
        Alarm::warning("Standard error did not take all log lines: look at what reads the log.")
    }))
}

fn settings(now: &Reading) -> Tile {
    let faults = now.of(Quantity::SettingsFaults);
    Tile::new("settings", "Settings", whole(faults), "faults in the file").alarm(
        (faults > 0.0).then(|| {
            Alarm::warning("The settings before stay in force: run sportello config check.")
        }),
    )
}

fn certificate(seconds: f64) -> Tile {
    let days = seconds / DAY;
    let renew = format!("The certificate expires in {} days: renew it.", whole(days.floor()));
    let alarm = if seconds <= 0.0 {
        Some(Alarm::critical("The certificate has expired: renew it."))
    } else if days < CERTIFICATE_DAYS_CRITICAL {
        Some(Alarm::critical(renew))
    } else if days < CERTIFICATE_DAYS_WARNING {
        Some(Alarm::warning(renew))
    } else {
        None
    };
    Tile::new("certificate", "Certificate", whole(days.floor()), "days left").alarm(alarm)
}

fn canary(failures: f64) -> Tile {
    let value = if failures > 0.0 { "Failed" } else { "Sings" };
    Tile::new("canary", "Canary", value, "")
        .note(format!("{} failed checks", whole(failures)))
        .alarm((failures > 0.0).then(|| {
            Alarm::critical("A synthetic visit failed or met another person's data: see the log.")
        }))
}
