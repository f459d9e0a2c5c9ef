//! What must hold when everything is at rest again.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    process::Command,
    sync::Arc,
    time::Duration,
};

use cluster::{
    history::{self, Expect, Outcome, Recorder, check},
    until,
};

use crate::{
    counter::{Counter, without_settings},
    house::House,
    person::Person,
};

/// Longest time until everything is decided: leases of judges that were killed end first.
const DECIDED_MAX: Duration = Duration::from_secs(40);
/// Time after which an ended token opens nothing at any counter, also at one that was cut off or paused meanwhile.
const ENDED_LASTS_US_MAX: u64 = 30_000_000;
/// Contradictions that a failure shows.
const SHOWN: usize = 20;

/// Asks everybody to look again, and compares what they were told with each other and with the database.
pub(crate) async fn check_all(
    house: &House,
    primary: &str,
    recorder: &Arc<Recorder>,
    mut people: Vec<Person>,
) {
    let undecided = "SELECT count(*) FROM sportello_iscro_2024.undecided";
    until("everything is decided", DECIDED_MAX, || {
        (house.sql(primary, undecided) == "0").then_some(())
    })
    .unwrap();
    for some in people.chunks_mut(16) {
        futures_util::future::join_all(some.iter_mut().map(Person::look_again)).await;
    }
    let codes: BTreeSet<_> =
        people.iter().flat_map(|person| &person.held).map(|held| held.code.as_str()).collect();
    contradicts_nothing(recorder, codes.len());
    let records = house.sql(primary, "SELECT count(*) FROM sportello_iscro_2024.records");
    assert_eq!(records, codes.len().to_string(), "records and receipts");
    verifies(house, &people);
    for counter in &house.counters {
        assert_eq!(counter.panics(), [""; 0], "{} panicked", counter.name);
    }
}

/// Checks the history, and keeps it if it is wrong.
fn contradicts_nothing(recorder: &Recorder, receipts: usize) {
    let history = recorder.history();
    let count = |of: fn(&Outcome) -> bool| history.iter().filter(|one| of(&one.outcome)).count();
    println!(
        "{} operations, {receipts} receipts, {} unknown, {} refused, {} withdrawn",
        history.len(),
        count(|outcome| *outcome == Outcome::Unknown),
        count(|outcome| matches!(outcome, Outcome::Refused { .. })),
        count(|outcome| *outcome == Outcome::Withdrawn),
    );
    let expect = Expect {
        all_decided: true,
        judges_unseen: true,
        ended_lasts_us_max: Some(ENDED_LASTS_US_MAX),
    };
    let found = check(&history, expect);
    if !found.is_empty() {
        let (file, path) =
            tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap().keep().unwrap();
        history::write(&history, &file as &File).unwrap();
        let shown: Vec<_> = found.iter().take(SHOWN).map(ToString::to_string).collect();
        let path = path.display();
        panic!("{} contradictions; history in {path}:\n{}", found.len(), shown.join("\n"));
    }
}

/// `sportello verify` finds the ledger whole, with every receipt.
fn verifies(house: &House, people: &[Person]) {
    let held = people.iter().flat_map(|person| &person.held);
    let receipts: Vec<_> = held.map(|held| held.receipt.as_str()).collect();
    let path = house.place().join("receipts.ndjson");
    fs::write(&path, receipts.join("\n")).unwrap();
    let counter: &Counter = &house.counters[0];
    let mut verify = Command::new(env!("CARGO_BIN_EXE_sportello"));
    without_settings(&mut verify);
    verify.arg("verify").arg("--config").arg(counter.settings()).arg("--receipts").arg(path);
    let output = verify.output().unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (told(&output.stdout), told(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    println!("{}", out.trim_end());
}
