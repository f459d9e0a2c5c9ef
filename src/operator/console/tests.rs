//! The console as a whole, without a server.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Action, Console, Place, Seen,
    history::History,
    page::Page,
    reading::Reading,
    recent::Recent,
    view::{self, SECTIONS, Scene},
};
use crate::{
    civic::Language, gate::schedule::Window, identity::Audience, intake::Status,
    registry::notice::Notice,
};

fn status() -> Status {
    let now: Timestamp = "2024-09-16T15:30:05Z".parse().unwrap();
    let until = Some("2024-09-17T06:00:00Z".parse().unwrap());
    Status {
        now,
        windows: [
            (Audience::Citizens, Window::Open { until }),
            (Audience::Intermediaries, Window::Closed { opens_at: Timestamp::MAX }),
        ],
        campaigns: Vec::new(),
        round: 1,
        commitment: "ab".repeat(32).parse().unwrap(),
        notice: None,
    }
}

/// The pieces that a metrics page makes, by their names.
fn piece<'s>(metrics: &'s str, change: impl FnOnce(&mut Seen<'s>), id: &str) -> String {
    let mut seen = Seen {
        metrics,
        status: Box::leak(Box::new(status())),
        obstacle: None,
        is_paused: false,
        actions: &[],
    };
    change(&mut seen);
    let console = Console::new();
    console.show(&seen);
    console.piece(id, Language::English).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_has_a_place_for_every_piece_and_no_other() {
    let status = status();
    let seen =
        Seen { metrics: "", status: &status, obstacle: None, is_paused: false, actions: &[] };
    let (recent, history) =
        (Recent::new(Reading::of_page(std::time::Duration::ZERO, "")), History::new());
    let uptime = std::time::Duration::from_secs(90);
    let scene = Scene { seen: &seen, recent: &recent, history: &history, uptime };
    let console = Console::new();
    console.show(&seen);
    for language in [Language::Italian, Language::English] {
        let pieces = view::pieces(&scene, language);
        let made: Vec<_> = pieces.iter().map(|piece| piece.id).collect();
        let in_sections = SECTIONS.iter().flat_map(|section| section.pieces.iter().copied());
        let placed: BTreeSet<_> = ["alarms", "clock"].into_iter().chain(in_sections).collect();
        assert_eq!(made.len(), placed.len(), "none twice: {made:?}");
        assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), placed);
        let html = Page::new(&console, language, true).to_string();
        for id in placed {
            assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
    }
}

/// Every title and every alarm in one language has another wording in the other.
#[test]
fn the_page_speaks_italian_and_english() {
    let metrics = "sportello_crossover_blocked_total 1\nsportello_log_lost_total 4\nsportello_ledger_poisoned 1\n\
                   sportello_disk_free_bytes 150\nsportello_disk_reserve_bytes 100\nsportello_audit_failed 1\n\
                   sportello_audit_lost_total 2\nsportello_drafts_failed 1\nsportello_journal_failed 1\n\
                   sportello_settings_faults 1\nsportello_ledger_away{campaign=\"iscro-2024\"} 1\n\
                   sportello_certificate_expiry_seconds -1\n\
                   sportello_canary_failures_total{reason=\"mixup\"} 1\n";
    let seen = Seen { metrics, status: &status(), obstacle: None, is_paused: true, actions: &[] };
    let console = Console::new();
    console.show(&seen);
    let words = |language: Language| -> BTreeSet<String> {
        let page = Page::new(&console, language, true).to_string();
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())), "{page}");
        let marks = ["<h2", "<h3>", "class=\"alarm\"", "class=\"unit\"", "<li class"];
        let lines = page.lines().filter(|line| marks.iter().any(|mark| line.contains(mark)));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let (italian, english) = (words(Language::Italian), words(Language::English));
    assert!(italian.len() > 50 && italian.len() == english.len(), "{italian:#?} {english:#?}");
    let in_both: Vec<_> = italian.intersection(&english).collect();
    // Words of the field that are the same in both.
    let same = ["<h3>CPU</h3>", "<h3>Log</h3>", "p99</span>"];
    assert!(in_both.iter().all(|line| same.iter().any(|word| line.contains(word))), "{in_both:#?}");
}

#[test]
fn a_path_may_name_the_language() {
    let page = |language, is_live| Some(Place::Page { language, is_live });
    assert_eq!(Place::at("/"), page(None, true));
    assert_eq!(Place::at("/it"), page(Some(Language::Italian), true));
    assert_eq!(Place::at("/en/still"), page(Some(Language::English), false));
    assert_eq!(Place::at("/en/events"), Some(Place::Events { language: Some(Language::English) }));
    for other in ["/item", "/fr", "/en/console/none", "/e", "//"] {
        assert_eq!(Place::at(other), None, "{other}");
    }
}

#[test]
fn what_needs_a_person_stands_above_all_the_most_urgent_first() {
    let metrics = "sportello_crossover_blocked_total 1\nsportello_log_lost_total 4\n\
                   sportello_ledger_poisoned 1\nsportello_disk_free_bytes 150\nsportello_disk_reserve_bytes 100\n";
    let alarms = piece(metrics, |seen| seen.obstacle = Some("draining\n"), "alarms");
    let texts: Vec<_> = alarms.split("<li class=").skip(1).collect();
    let words = ["No new work is taken: draining.", "blocked: drain", "intake has stopped"];
    for (text, words) in texts.iter().zip(words) {
        assert!(
            text.starts_with("\"critical\"><strong>Act now.</strong>") && text.contains(words),
            "{text}"
        );
    }
    assert!(texts[3].contains("Act today") && texts[4].contains("Act today"), "{texts:?}");
    assert_eq!(texts.len(), 5);
    let paused = piece("", |seen| seen.is_paused = true, "alarms");
    assert!(paused.contains("The entry is paused: nobody is let in."), "{paused}");
    assert_eq!(
        piece("", |_| (), "alarms"),
        "<p class=\"well\"><strong>Nothing needs you now.</strong></p>"
    );
}

#[test]
fn a_database_that_takes_no_commits_is_an_alarm_and_no_poison() {
    let away = "sportello_ledger_away{campaign=\"iscro-2024\"} ";
    let tile = |value: &str, id| piece(&format!("{away}{value}\n"), |_| (), id);
    assert!(tile("0", "ledger").contains("Sound") && tile("0", "alarms").contains("Nothing needs"));
    assert!(tile("1", "ledger").contains("Away"), "{}", tile("1", "ledger"));
    let alarms = tile("1", "alarms");
    assert!(alarms.contains("\"critical\"") && alarms.contains("takes no commits"), "{alarms}");
    assert!(!alarms.contains("restart"), "{alarms}");
}

#[test]
fn certificate_and_canary_are_shown_once_the_server_measures_them() {
    assert_eq!(piece("", |_| (), "certificate") + &piece("", |_| (), "canary"), "");
    let expiry = |days: f64| {
        piece(
            &format!("sportello_certificate_expiry_seconds {}\n", days * 86_400.0),
            |_| (),
            "certificate",
        )
    };
    assert!(expiry(90.5).contains("90 <span") && expiry(90.5).contains("calm"));
    assert!(expiry(13.0).contains("Act today") && expiry(2.0).contains("Act now"));
    assert!(expiry(-1.0).contains("has expired"));
    assert!(piece("sportello_canary_failures_total 0\n", |_| (), "canary").contains("Sings"));
    let failed =
        |reason: &str| format!("sportello_canary_failures_total{{reason=\"{reason}\"}} 1\n");
    let silent = piece(&failed("no-answer"), |_| (), "canary");
    assert!(silent.contains("Sings") && silent.contains("1 failed checks"), "{silent}");
    assert!(piece(&failed("mixup"), |_| (), "canary").contains("Act now"));
}

#[test]
fn what_operators_did_and_what_the_public_reads_is_text() {
    let actions = [Action {
        at: "2024-09-16T15:00:00Z".parse().unwrap(),
        what: "pause, by <anna>".to_owned(),
    }];
    let shown = piece("", |seen| seen.actions = &actions, "actions");
    assert!(
        shown.contains(
            "Monday 16 September 2024 at 17:00</time> <span lang=\"en\">pause, by &#60;anna&#62;"
        ),
        "{shown}"
    );
    let status = Status {
        notice: Some(Notice { italian: "Chiuso".to_owned(), english: "<Closed>".to_owned() }),
        ..status()
    };
    let console = Console::new();
    console.show(&Seen {
        metrics: "",
        status: &status,
        obstacle: None,
        is_paused: false,
        actions: &[],
    });
    assert!(
        console.piece("notice", Language::English).contains("lang=\"en\">&#60;Closed&#62;</p>")
    );
}

#[test]
fn who_waits_is_given_an_estimate_from_the_present_pace() {
    let (status, console) = (status(), Console::new());
    let show = |metrics: &str| {
        let seen =
            Seen { metrics, status: &status, obstacle: None, is_paused: false, actions: &[] };
        console.show(&seen);
        console.piece("waiting", Language::English)
    };
    let waiting = "sportello_waiting{audience=\"citizens\"} 1200\n";
    assert!(show(waiting).contains("nearly nobody enters: no estimate"));
    std::thread::sleep(std::time::Duration::from_millis(100));
    let shown =
        show(&format!("{waiting}sportello_sessions_opened_total{{audience=\"citizens\"}} 100\n"));
    assert!(shown.contains("1,200 <span class=\"unit\">people"), "{shown}");
    assert!(
        shown.contains("at this pace the last one enters in 1 second")
            || shown.contains(" seconds"),
        "{shown}"
    );
}

/// Neither the server nor another browser waits for one that reads nothing, and nothing gathers for it.
#[test]
fn a_slow_reader_skips_versions_and_is_cut_off_in_the_end() {
    let (status, console) = (status(), Arc::new(Console::new()));
    let show = |n: u32| {
        let metrics = format!("sportello_applications_accepted_total {n}\n");
        let seen = Seen {
            metrics: &metrics,
            status: &status,
            obstacle: None,
            is_paused: false,
            actions: &[],
        };
        console.show(&seen);
    };
    show(1);
    let (idle_end, quick_end) = (CancellationToken::new(), CancellationToken::new());
    let mut idle = console.stream(Language::English, idle_end.clone()).unwrap();
    let mut quick = console.stream(Language::English, quick_end.clone()).unwrap();
    let read = |stream: &mut super::live::Events| -> Option<String> {
        let frame = stream.frame().now_or_never()??.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    };
    assert!(read(&mut idle).unwrap().contains("1 accepted"));
    assert!(read(&mut quick).unwrap().contains("\"clock\""), "everything first");
    assert_eq!(read(&mut quick), None, "nothing new");
    for n in 2..=10 {
        show(n);
        assert!(read(&mut quick).unwrap().contains(&format!("{n} accepted")));
    }
    let late = read(&mut idle).unwrap();
    assert!(
        late.contains("10 accepted") && !late.contains("\"clock\""),
        "one event for all: {late}"
    );
    assert_eq!(read(&mut idle), None);
    for n in 11..=26 {
        assert!(!idle_end.is_cancelled(), "{n}");
        show(n);
        read(&mut quick);
    }
    assert!(idle_end.is_cancelled() && !quick_end.is_cancelled());
    drop(idle);
    let others: Vec<_> = (0..20)
        .map_while(|_| console.stream(Language::English, CancellationToken::new()))
        .collect();
    assert_eq!(others.len(), super::places::STREAMS_MAX - 1, "the place of the slow one is free");
}
