use std::{fs, sync::Arc};

use jiff::Timestamp;

use super::*;
use crate::{
    civic::FiscalCode, clock::Clock, ledger::local::files::take_directory, vault::HouseKeys,
};

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
    fn store(&self) -> MessageStore {
        MessageStore::open(self.directory.path(), Arc::clone(&self.keys), self.clock.clone())
            .unwrap()
    }

    fn search(&self) -> MessageSearch {
        MessageSearch::of(self.directory.path(), Arc::clone(&self.keys))
    }

    fn of(&self, person: u64) -> Vec<String> {
        let found = self.search().of_person(&FiscalCode::made_up(person)).unwrap();
        found.into_iter().map(|found| String::from_utf8(found.content).unwrap()).collect()
    }

    fn handle(&self, visit: &str) -> String {
        self.keys.session_handle(self.keys.visit(visit))
    }

    fn findings(&self) -> Vec<String> {
        inspect(self.directory.path(), &self.keys).unwrap()
    }

    /// The bytes of all files.
    fn on_disk(&self) -> Vec<u8> {
        let files = fs::read_dir(self.directory.path()).unwrap();
        files.flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

async fn record(store: &MessageStore, visit: &str, person: Option<u64>, content: &str) {
    let code = person.map(FiscalCode::made_up);
    let messages = LoginMessages { visit, person: code.as_ref(), content: content.as_bytes() };
    store.record(messages).await.unwrap();
}

#[tokio::test]
async fn messages_are_found_by_person_and_by_session_and_no_others_are() {
    let house = house("2024-09-16T15:30:00Z");
    let store = house.store();
    record(&store, "visit-1", Some(1), "first of one").await;
    record(&store, "visit-2", Some(2), "of two").await;
    house.clock.set(at("2024-09-17T15:30:00Z"));
    record(&store, "visit-3", Some(1), "second of one").await;
    record(&store, "visit-4", None, "of nobody").await;

    // The store is still open, as while a server runs.
    assert_eq!(house.of(1), ["first of one", "second of one"]);
    assert_eq!(house.of(2), ["of two"]);
    assert_eq!(house.of(3), Vec::<String>::new());
    for (visit, expected) in [("visit-2", "of two"), ("visit-4", "of nobody")] {
        let handle = house.handle(visit);
        let found = house.search().of_session(&handle).unwrap();
        assert_eq!((found.len(), &*found[0].content), (1, expected.as_bytes()));
        assert_eq!(found[0].handle, handle);
    }
    assert_eq!(house.search().of_session("").unwrap(), []);
    assert_eq!(house.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn messages_survive_a_restart_and_are_unreadable_without_the_key() {
    let house = house("2024-09-16T15:30:00Z");
    let store = house.store();
    record(&store, "visit-1", Some(1), "TINIT-of-one").await;
    drop(store);
    let store = house.store();
    record(&store, "visit-2", Some(1), "TINIT-again").await;
    assert_eq!(house.of(1), ["TINIT-of-one", "TINIT-again"]);
    assert_eq!(house.findings(), Vec::<String>::new());

    let disk = house.on_disk();
    let code = FiscalCode::made_up(1);
    for secret in ["TINIT", "visit-1", code.as_str()] {
        let is_there = disk.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        assert!(!is_there, "{secret} is on the disk in plain text");
    }
    let stranger = Arc::new(HouseKeys::from_master(&[8; 32]));
    let search = MessageSearch::of(house.directory.path(), Arc::clone(&stranger));
    assert_eq!(search.of_person(&code).unwrap(), [], "the keyed hash is another one");
    assert!(search.of_session(&house.handle("visit-1")).is_err(), "it does not open");
    assert!(!inspect(house.directory.path(), &stranger).unwrap().is_empty());
}

#[tokio::test]
async fn messages_are_gone_after_24_months_and_not_before() {
    let house = house("2022-08-31T21:59:00Z");
    let store = house.store();
    record(&store, "visit-1", Some(1), "of August").await;
    house.clock.set(at("2022-08-31T22:00:00Z"));
    record(&store, "visit-2", Some(1), "of September").await;
    let months = || super::super::stored::months::<MessageRow>(house.directory.path()).unwrap();
    assert_eq!(months().len(), 2, "the month changes at midnight in Rome");
    assert_eq!(house.findings(), Vec::<String>::new());

    house.clock.set(at("2024-08-31T21:59:59Z"));
    assert_eq!(house.of(1), ["of August", "of September"]);
    record(&store, "visit-3", Some(2), "of two").await;
    assert_eq!(house.of(1), ["of August", "of September"]);
    house.clock.set(at("2024-08-31T22:00:00Z"));
    record(&store, "visit-4", Some(2), "of two").await;
    assert_eq!(house.of(1), ["of September"]);
    assert_eq!(
        months().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["2022-09", "2024-08", "2024-09"]
    );
    drop(store);
    house.clock.set(at("2024-10-01T12:00:00Z"));
    drop(house.store());
    assert_eq!(months().len(), 2, "opening removes them, too");
    assert_eq!(house.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_changed_or_missing_message_is_found_out() {
    let damage = [
        "UPDATE message SET handle = 'other' WHERE number = 2",
        "UPDATE message SET sealed = x'00' WHERE number = 3",
        "UPDATE message SET written_at = written_at + 1 WHERE number = 1",
        "DELETE FROM message WHERE number = 2",
    ];
    for sql in damage {
        let house = house("2024-09-16T15:30:00Z");
        let store = house.store();
        for visit in ["visit-1", "visit-2", "visit-3"] {
            record(&store, visit, Some(1), "content").await;
        }
        drop(store);
        let file = house.directory.path().join("messages-2024-09.sqlite");
        assert_eq!(house.findings(), Vec::<String>::new());
        rusqlite::Connection::open(file).unwrap().execute(sql, []).unwrap();
        assert!(!house.findings().is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_for_good() {
    let house = house("2024-09-16T15:30:00Z");
    let store = house.store();
    record(&store, "visit-1", Some(1), "content").await;
    // Without its table, the next write fails.
    let file = house.directory.path().join("messages-2024-09.sqlite");
    rusqlite::Connection::open(file).unwrap().execute("DROP TABLE message", []).unwrap();
    assert!(!store.failed());
    for _ in 0..2 {
        let messages = LoginMessages { visit: "visit-2", person: None, content: b"content" };
        assert_eq!(store.record(messages).await, Err(NotRecorded));
        assert!(store.failed());
    }
}
