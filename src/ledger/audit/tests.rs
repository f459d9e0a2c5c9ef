use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::{
    civic::FiscalCode,
    clock::Clock,
    ledger::{local::files::take_directory, position::Position, receipt::ReceiptCode},
    schemes::{Campaign, Scheme},
    vault::HouseKeys,
};

const CONFIG: Config =
    Config { months_kept: 24, queue_events_max: 16, own_wait_ms: 5, disk_reserve_bytes: 0 };
const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

struct House {
    directory: tempfile::TempDir,
    keys: Arc<HouseKeys>,
    clock: Clock,
}

fn house(now: &str) -> House {
    let directory = tempfile::tempdir().unwrap();
    drop(take_directory(directory.path()).unwrap());
    let keys = Arc::new(HouseKeys::from_master(&[7; 32]));
    House { directory, keys, clock: Clock::standing_at(at(now)) }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl House {
    fn trail(&self) -> LocalTrail {
        self.trail_with(CONFIG)
    }

    fn trail_with(&self, config: Config) -> LocalTrail {
        let (keys, clock) = (Arc::clone(&self.keys), self.clock.clone());
        LocalTrail::open(self.directory.path(), keys, clock, config).unwrap()
    }

    fn did(&self, n: u64) -> Vec<String> {
        self.search(n).done_by().unwrap().into_iter().map(|line| line.what).collect()
    }

    fn search(&self, n: u64) -> Search {
        Search::of(self.directory.path(), Arc::clone(&self.keys), &FiscalCode::made_up(n))
    }

    fn findings(&self) -> Vec<String> {
        inspect(self.directory.path(), &self.keys).unwrap()
    }

    fn months(&self) -> Vec<String> {
        let months = stored::months::<TrailRow>(self.directory.path()).unwrap();
        months.iter().map(ToString::to_string).collect()
    }
}

fn citizen(n: u64) -> Who<'static> {
    Who { fiscal_code: FiscalCode::made_up(n), office: None, is_contact_center: false }
}

fn clerk(n: u64) -> Who<'static> {
    let office = Some("patronato-1");
    Who { fiscal_code: FiscalCode::made_up(n), office, is_contact_center: n == 77 }
}

async fn look(house: &House, trail: &LocalTrail, who: Who<'_>, whose: u64) {
    let subject = house.keys.subject(&FiscalCode::made_up(whose));
    let object = Some((CAMPAIGN, Position(7)));
    trail.note(Action::ApplicationShown, subject, who, object).await.unwrap();
}

#[tokio::test]
async fn a_person_who_looked_is_found_with_name_and_office_and_nobody_else_is() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail();
    look(&house, &trail, citizen(1), 1).await;
    house.clock.set(at("2024-09-17T07:00:00Z"));
    look(&house, &trail, clerk(9), 1).await;
    look(&house, &trail, citizen(2), 2).await;

    // The trail is still open, as while a server runs.
    let lines = house.search(1).done_to([].into_iter()).unwrap();
    let found: Vec<_> =
        lines.iter().map(|line| (line.by.as_deref().unwrap(), line.office.as_deref())).collect();
    let (person, other) = (FiscalCode::made_up(1), FiscalCode::made_up(9));
    assert_eq!(found, [(person.as_str(), None), (other.as_str(), Some("patronato-1"))]);
    let receipt = ReceiptCode::of(&house.keys, CAMPAIGN, Position(7)).to_string();
    assert!(lines.iter().all(|line| line.what == "application-shown" && line.receipt.as_ref() == Some(&receipt)));
    assert_eq!(lines[1].at, at("2024-09-17T07:00:00Z"));
    assert_eq!(house.search(9).done_to([].into_iter()).unwrap(), []);
    assert_eq!(house.search(9).done_by().unwrap().len(), 1);
}

#[tokio::test]
async fn months_have_files_of_their_own_are_chained_and_leave_when_they_are_old() {
    let house = house("2022-08-31T21:59:00Z");
    let trail = house.trail();
    look(&house, &trail, citizen(1), 1).await;
    house.clock.set(at("2022-08-31T22:00:00Z"));
    look(&house, &trail, citizen(1), 1).await;
    assert_eq!(house.months(), ["2022-08", "2022-09"], "the month changes at midnight in Rome");
    drop(trail);
    house.clock.set(at("2024-09-16T15:30:00Z"));
    let trail = house.trail();
    assert_eq!(house.months(), ["2022-09", "2024-09"], "24 full months and the current one");
    look(&house, &trail, citizen(1), 1).await;
    trail.control("operator: tested");
    drop(trail);
    assert_eq!(house.search(1).done_to([].into_iter()).unwrap().len(), 2);
    let controls = controls(house.directory.path()).unwrap();
    assert_eq!(controls, [(at("2024-09-16T15:30:00Z"), "operator: tested".to_owned())]);
    assert_eq!(house.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn every_tampering_is_found() {
    for (tampering, words) in [
        ("DELETE FROM trail WHERE number = 2", "rows before 3 are missing"),
        ("DELETE FROM trail WHERE number = 0", "rows before 1 are missing"),
        ("UPDATE trail SET written_at = written_at + 1 WHERE number = 2", "row 2 was changed"),
        ("UPDATE trail SET control = 'nothing' WHERE number = 3", "row 3 was changed"),
        ("UPDATE trail SET actors = x'' WHERE number = 1", "row 1 was changed"),
        (
            "UPDATE trail SET events = (SELECT events FROM trail WHERE number = 2) WHERE number = 1",
            "row 1 was changed",
        ),
    ] {
        let house = house("2024-09-16T15:30:00Z");
        let trail = house.trail();
        look(&house, &trail, citizen(1), 1).await;
        look(&house, &trail, citizen(2), 2).await;
        drop(trail);
        let trail = house.trail();
        trail.control("operator: tested");
        drop(trail);
        assert_eq!(house.findings(), Vec::<String>::new());
        let file = house.directory.path().join("audit-2024-09.sqlite");
        let changed = rusqlite::Connection::open(file).unwrap().execute(tampering, []).unwrap();
        assert_eq!(changed, 1);
        let findings = house.findings();
        assert!(
            findings.iter().any(|finding| finding.contains(words)),
            "{tampering}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn a_month_of_another_house_or_out_of_the_chain_is_found() {
    let house = house("2024-08-16T15:30:00Z");
    let trail = house.trail();
    look(&house, &trail, citizen(1), 1).await;
    house.clock.set(at("2024-09-16T15:30:00Z"));
    look(&house, &trail, citizen(1), 1).await;
    drop(trail);
    assert_eq!(house.findings(), Vec::<String>::new());
    let august = house.directory.path().join("audit-2024-08.sqlite");
    rusqlite::Connection::open(august)
        .unwrap()
        .execute("DELETE FROM trail WHERE number = 1", [])
        .unwrap();
    let findings = house.findings();
    assert!(findings[0].starts_with("audit trail of 2024-09: row 0"), "{findings:?}");
    let others = HouseKeys::from_master(&[8; 32]);
    assert!(!inspect(house.directory.path(), &others).unwrap().is_empty());
}

#[tokio::test]
async fn a_month_without_rows_breaks_the_chain_if_it_had_some_and_not_otherwise() {
    let house = house("2024-07-16T15:30:00Z");
    // What a crash leaves between the making of a file and its first row.
    let make = |month: &str| {
        let path = house.directory.path().join(format!("audit-{month}.sqlite"));
        drop(row::FORMATS[0].open(house.directory.path(), &path).unwrap());
    };
    make("2024-06");
    look(&house, &house.trail(), citizen(1), 1).await;
    make("2024-08");
    house.clock.set(at("2024-09-16T15:30:00Z"));
    let trail = house.trail();
    look(&house, &trail, citizen(1), 1).await;
    house.clock.set(at("2024-10-16T15:30:00Z"));
    look(&house, &trail, citizen(1), 1).await;
    drop(trail);
    assert_eq!(house.findings(), Vec::<String>::new());
    for (month, next) in [("2024-09", "2024-10"), ("2024-07", "2024-10")] {
        let file = house.directory.path().join(format!("audit-{month}.sqlite"));
        rusqlite::Connection::open(file).unwrap().execute("DELETE FROM trail", []).unwrap();
        let findings = house.findings();
        let words = format!("audit trail of {next}: row 0 was changed");
        assert!(
            findings.iter().any(|finding| finding.starts_with(&words)),
            "{month}: {findings:?}"
        );
    }
}

#[tokio::test]
async fn a_trail_that_cannot_be_written_says_so_and_delays_nobody() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail();
    look(&house, &trail, citizen(1), 1).await;
    // Without its table, the next write fails.
    let file = house.directory.path().join("audit-2024-09.sqlite");
    rusqlite::Connection::open(file).unwrap().execute("DROP TABLE trail", []).unwrap();
    assert!(!trail.failed());
    look(&house, &trail, citizen(1), 1).await;
    assert!(trail.failed());
    look(&house, &trail, citizen(1), 1).await;
    trail.control("operator: tested");
}

#[test]
fn commands_that_run_at_once_are_all_noted_in_one_chain() {
    let house = house("2024-09-16T15:30:00Z");
    let now = house.clock.now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    note_command(house.directory.path(), &house.keys, now, "tested").unwrap();
                }
            });
        }
    });
    assert_eq!(controls(house.directory.path()).unwrap().len(), 200);
    assert_eq!(house.findings(), Vec::<String>::new());
}

/// Records that somebody enters.
fn enters(house: &House, trail: &LocalTrail, person: u64) {
    let who = citizen(person);
    let subject = house.keys.subject(&who.fiscal_code);
    assert!(trail.note_soon(Action::Entered, subject, who, None).is_ok());
}

#[tokio::test]
async fn who_enters_is_written_with_others_and_at_once_with_an_event_that_cannot_wait() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail_with(Config { own_wait_ms: 3_600_000, ..CONFIG });
    enters(&house, &trail, 1);
    enters(&house, &trail, 2);
    assert!(house.did(1).is_empty());
    look(&house, &trail, citizen(2), 2).await;
    assert_eq!(house.did(1), ["entered"]);
    assert_eq!(house.did(2), ["entered", "application-shown"]);
    enters(&house, &trail, 3);
    trail.close();
    assert_eq!(house.did(3), ["entered"]);
}

#[tokio::test]
async fn a_full_queue_takes_no_more_until_an_event_that_cannot_wait_has_written_it() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail_with(Config { own_wait_ms: 3_600_000, ..CONFIG });
    for _ in 0..CONFIG.queue_events_max {
        enters(&house, &trail, 1);
    }
    let who = citizen(1);
    let subject = house.keys.subject(&who.fiscal_code);
    assert!(trail.note_soon(Action::DraftShown, subject, who, None).is_err());
    trail.note(Action::DraftShown, subject, who, None).await.unwrap();
    assert_eq!(house.did(1).len(), CONFIG.queue_events_max + 1);
    enters(&house, &trail, 1);
}

#[tokio::test]
async fn a_person_who_looks_at_their_own_trail_finds_what_they_have_just_done() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail_with(Config { own_wait_ms: 3_600_000, ..CONFIG });
    enters(&house, &trail, 1);
    let found = trail.done_to(FiscalCode::made_up(1), Vec::new()).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn who_enters_alone_is_written_after_the_wait() {
    let house = house("2024-09-16T15:30:00Z");
    let trail = house.trail();
    enters(&house, &trail, 1);
    while house.did(1).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.did(1), ["entered"]);
}
