//! The machine, and what must never happen.

use super::{
    numbers::{Numbers, or_none, percent},
    reading::{Quantity, Reading},
    recent::Recent,
    tile::{Alarm, Tile},
};
use crate::civic::Language;

/// Free space, in reserves, below which somebody should make room before intake stops.
const DISK_RESERVES_MIN: f64 = 2.0;
/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Days before the expiry of a certificate from which it is a warning, and from which it is critical.
const CERTIFICATE_DAYS_WARNING: f64 = 14.0;
const CERTIFICATE_DAYS_CRITICAL: f64 = 3.0;

/// CPU used, as a part of what there is.
pub(super) fn cpu(recent: &Recent) -> Option<f64> {
    let purposes = [Quantity::CpuInside, Quantity::CpuEntering, Quantity::CpuOutside];
    let used =
        recent.per_second(|reading| purposes.iter().map(|purpose| reading.of(*purpose)).sum())?;
    let cores = recent.newest().of(Quantity::Cores);
    (cores > 0.0).then_some(used / cores)
}

/// CPU, what a visit takes of it, disk and connections.
pub(super) fn machine(recent: &Recent, language: Language) -> [Tile; 4] {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let now = recent.newest();
    let cores = now.of(Quantity::Cores);
    let purposes = [
        (
            t("persone dentro e tutto il resto", "people inside and everything else"),
            Quantity::CpuInside,
        ),
        (t("ingressi", "entering"), Quantity::CpuEntering),
        (t("persone fuori", "people outside"), Quantity::CpuOutside),
    ];
    let by_purpose = purposes.map(|(name, purpose)| {
        let part = recent.rate(purpose).filter(|_| cores > 0.0).map(|used| used / cores);
        format!("{name} {}", or_none(part, percent))
    });
    let of_cores = match language {
        Language::Italian => format!("di {} core", n.decimal(cores, 2)),
        Language::English => format!("of {} cores", n.decimal(cores, 2)),
    };
    [
        Tile::new("cpu", "CPU", or_none(cpu(recent), percent), of_cores)
            .note(by_purpose.join(", ")),
        cost(now, language),
        disk(now, language),
        Tile::new(
            "connections",
            t("Connessioni", "Connections"),
            n.whole(now.of(Quantity::Connections)),
            t("aperte", "open"),
        ),
    ]
}

fn cost(now: &Reading, language: Language) -> Tile {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let [visit, handshake, entering, outside] = [
        Quantity::CostOfVisit,
        Quantity::CostOfHandshake,
        Quantity::CostOfEntering,
        Quantity::CostOutside,
    ]
    .map(|quantity| n.short_time(now.of(quantity)));
    let parts = match language {
        Language::Italian => format!("di cui {handshake} per l'handshake, {entering} per entrare"),
        Language::English => {
            format!("of it {handshake} for its handshake, {entering} for entering")
        }
    };
    let request = t("una richiesta da fuori costa", "a request from outside takes");
    Tile::new("cost", t("Una visita", "A visit"), visit, t("di CPU", "of CPU"))
        .note(parts)
        .note(format!("{request} {outside}"))
}

fn disk(now: &Reading, language: Language) -> Tile {
    let (t, n) = (|italian, english| language.of(italian, english), Numbers(language));
    let (free, reserve) = (now.of(Quantity::DiskFree), now.of(Quantity::DiskReserve));
    let short = if free < reserve {
        Some(Alarm::critical(t(
            "Il disco è quasi pieno e non si accoglie più niente: liberare spazio.",
            "The disk is nearly full and nothing new is accepted: free space.",
        )))
    } else if free < DISK_RESERVES_MIN * reserve {
        Some(Alarm::warning(t(
            "Il disco si riempie: liberare spazio prima che le domande si fermino.",
            "The disk fills up: free space before intake stops.",
        )))
    } else {
        None
    };
    let reserve = match language {
        Language::Italian => format!("sotto {} non si accoglie più niente", n.size(reserve)),
        Language::English => format!("below {} nothing new is accepted", n.size(reserve)),
    };
    Tile::new("disk", t("Disco", "Disk"), n.size(free), t("liberi", "free"))
        .note(reserve)
        .alarm(short)
}

/// What must never happen, and what is about to.
pub(super) fn safety(recent: &Recent, language: Language) -> [Option<Tile>; 7] {
    let now = recent.newest();
    [
        Some(crossover(now, language)),
        Some(ledger(now, language)),
        Some(records(now, language)),
        Some(log(now, language)),
        Some(settings(now, language)),
        now.known(Quantity::CertificateExpiry).map(|seconds| certificate(seconds, language)),
        now.known(Quantity::CanaryFailures)
            .map(|failures| canary(failures, now.of(Quantity::CanaryMixups), language)),
    ]
}

fn crossover(now: &Reading, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let blocked = now.of(Quantity::Crossover);
    let title = t("Scambi di persona", "Cross-over");
    Tile::new("crossover", title, Numbers(language).whole(blocked), t("risposte bloccate", "answers blocked"))
        .note(t(
            "destinate a un'altra persona, fermate all'ultima barriera",
            "rendered for another person, stopped at the last gate",
        ))
        .alarm((blocked > 0.0).then(|| {
            Alarm::critical(t(
                "È stata bloccata una risposta destinata a un'altra persona: svuotare questo server, conservarne il log e \
                 trovare la causa.",
                "An answer for another person was blocked: drain this server, keep its log, and find the cause.",
            ))
        }))
}

fn ledger(now: &Reading, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let is_poisoned = now.of(Quantity::Poisoned) > 0.0;
    let is_away = now.of(Quantity::Away) > 0.0;
    let value = match (is_poisoned, is_away) {
        (true, _) => t("Bloccato", "Poisoned"),
        (false, true) => t("Non raggiungibile", "Away"),
        (false, false) => t("Integro", "Sound"),
    };
    Tile::new("ledger", t("Registro", "Ledger"), value, "")
        .alarm(is_poisoned.then(|| {
            Alarm::critical(t(
                "Una scrittura o un sync del registro non è riuscito e le domande sono ferme: riparare il disco, poi riavviare.",
                "A write or sync of the ledger failed and intake has stopped: repair the storage, then restart.",
            ))
        }))
        .alarm(is_away.then(|| {
            Alarm::critical(t(
                "La base dati non conferma le scritture: le domande attendono e riprendono da sole quando tornano il primario e una replica.",
                "The database takes no commits: submissions wait, and go on by themselves once a primary and a standby are back.",
            ))
        }))
}

/// Audit trail, drafts and journal.
fn records(now: &Reading, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let [audit, drafts, journal] =
        [Quantity::AuditFailed, Quantity::DraftsFailed, Quantity::JournalFailed]
            .map(|failed| now.of(failed) > 0.0);
    let lost = now.of(Quantity::AuditLost);
    let has_failed = audit || drafts || journal || lost > 0.0;
    let value = if has_failed { t("Guasti", "Failed") } else { t("Scritti", "Written") };
    let title = t("Tracciamento, bozze, giornale", "Audit trail, drafts, journal");
    let only_in_the_log = t(
        "eventi di tracciamento sono solo nel log: conservarlo.",
        "audit events are only in the log: keep it.",
    );
    Tile::new("records", title, value, "")
        .alarm(audit.then(|| {
            Alarm::critical(t(
                "Il tracciamento non si può scrivere: riparare il disco, poi riavviare.",
                "The audit trail cannot be written: repair the storage, then restart.",
            ))
        }))
        .alarm((lost > 0.0).then(|| {
            let lost = Numbers(language).whole(lost);
            Alarm::critical(format!("{lost} {only_in_the_log}"))
        }))
        .alarm(drafts.then(|| {
            Alarm::critical(t(
                "Non si salvano bozze: riparare il disco, poi riavviare.",
                "No draft is saved: repair the storage, then restart.",
            ))
        }))
        .alarm(journal.then(|| {
            Alarm::warning(t(
                "Dopo un riavvio chi è dentro o in attesa deve entrare di nuovo: riavviare quando dentro sono in pochi.",
                "After a restart everybody inside or waiting has to enter again: restart when few are inside.",
            ))
        }))
}

fn log(now: &Reading, language: Language) -> Tile {
    let lost = now.of(Quantity::LogLost);
    let lines = language.of("righe perse", "lines lost");
    Tile::new("log", "Log", Numbers(language).whole(lost), lines).alarm((lost > 0.0).then(|| {
        Alarm::warning(language.of(
            "Lo standard error non ha preso tutte le righe: controllare chi legge il log.",
            "Standard error did not take all log lines: look at what reads the log.",
        ))
    }))
}

fn settings(now: &Reading, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let faults = now.of(Quantity::SettingsFaults);
    let (title, unit) = (t("Impostazioni", "Settings"), t("errori nel file", "faults in the file"));
    Tile::new("settings", title, Numbers(language).whole(faults), unit).alarm((faults > 0.0).then(
        || {
            Alarm::warning(t(
                "Valgono le impostazioni di prima: eseguire sportello config check.",
                "The settings before stay in force: run sportello config check.",
            ))
        },
    ))
}

fn certificate(seconds: f64, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let days = seconds / DAY;
    let left = Numbers(language).whole(days.floor());
    let renew = match language {
        Language::Italian => format!("Il certificato scade tra {left} giorni: rinnovarlo."),
        Language::English => format!("The certificate expires in {left} days: renew it."),
    };
    let alarm = if seconds <= 0.0 {
        let expired =
            t("Il certificato è scaduto: rinnovarlo.", "The certificate has expired: renew it.");
        Some(Alarm::critical(expired))
    } else if days < CERTIFICATE_DAYS_CRITICAL {
        Some(Alarm::critical(renew))
    } else if days < CERTIFICATE_DAYS_WARNING {
        Some(Alarm::warning(renew))
    } else {
        None
    };
    Tile::new(
        "certificate",
        t("Certificato", "Certificate"),
        left,
        t("giorni rimasti", "days left"),
    )
    .alarm(alarm)
}

/// A mix-up never goes away; a visit that failed otherwise is looked at by the alert of a silent canary.
fn canary(failures: f64, mixups: f64, language: Language) -> Tile {
    let t = |italian, english| language.of(italian, english);
    let value = if mixups > 0.0 { t("Scambio", "Mix-up") } else { t("Canta", "Sings") };
    let failed = t("controlli non riusciti dall'avvio", "failed checks since the start");
    Tile::new("canary", t("Canarino", "Canary"), value, "")
        .note(format!("{} {failed}", Numbers(language).whole(failures)))
        .alarm((mixups > 0.0).then(|| {
            Alarm::critical(t(
                "Una visita di prova ha ricevuto i dati di un'altra persona: sospendere gli ingressi e seguire il runbook.",
                "A synthetic visit was given another person's data: pause intake and follow the runbook.",
            ))
        }))
}
