//! Damaged files: flipped bits, zeroed sectors, truncated and missing files.
//!
//! For any damage, the ledger does not panic, shows people nothing but their own unchanged data, and the checks of
//! `sportello verify --receipts` name every receipt that was lost.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use sportello::ledger::{
    Contents, Position, ReadFault, ReceiptCode, State,
    verify::{Inspection, Receipts as _},
};

use crate::{
    check::Promised,
    dice::{Dice, seed, setting},
    disk::{Image, read_image, write_image},
    power_cut::place,
    writer::{self, CAMPAIGN, House, Task, body, outcome_of},
};

const DAMAGES_DEFAULT: u64 = 300;
const SECTOR_BYTES: usize = 512;

/// A small ledger twice, with its write-ahead log as while a server runs and as after a stop; and its answers.
fn ledger() -> ([Image; 2], Promised) {
    let place = place();
    let (data, marks) = (place.path().join("data"), place.path().join("marks"));
    let task = Task { data, marks, seed: 7, people_from: 0, versions: 6, sessions: 1, rounds: 12 };
    let mut image = Image::new();
    writer::run_and_look(&task, || image = read_image(&task.data));
    let mut promised = Promised::default();
    promised.add(fs::read_to_string(&task.marks).unwrap().lines());
    ([image, read_image(&task.data)], promised)
}

/// Damages one file; a description of the damage.
fn damage(image: &mut Image, dice: &mut Dice) -> String {
    let files: Vec<PathBuf> = image
        .iter()
        .filter(|(_, contents)| contents.as_ref().is_some_and(|bytes| bytes.len() > 1))
        .map(|(path, _)| path.clone())
        .collect();
    let path = dice.pick(&files).unwrap();
    if dice.chance(5) {
        image.remove(path);
        return format!("{} is missing", path.display());
    }
    let bytes = image.get_mut(path).unwrap().as_mut().unwrap();
    let at = dice.below(bytes.len());
    let what = match dice.below(8) {
        0 => {
            bytes.truncate(at);
            "is truncated"
        }
        1 => {
            let sector = at - at % SECTOR_BYTES;
            let until = (sector + SECTOR_BYTES).min(bytes.len());
            bytes[sector..until].fill(0);
            "has a zeroed sector"
        }
        _ => {
            bytes[at] ^= 1 << dice.below(8);
            "has a flipped bit"
        }
    };
    format!("{} {what} at {at}", path.display())
}

/// What the ledger did wrong with the damage: panics aside, wrong data shown, or losses that verification does not
/// name.
fn met(data: &Path, promised: &Promised, how: &str, before: &[Option<State>]) -> Vec<String> {
    let mut wrong = Vec::new();
    let house = match House::open(data) {
        Ok(house) => house,
        // The ledger does not open: that is enough if the operator learns why.
        Err(fault) => {
            return fault
                .to_string()
                .is_empty()
                .then(|| "the fault has no text".to_owned())
                .into_iter()
                .collect();
        }
    };
    let keys = Arc::clone(&house.keys);
    let mut lost = Vec::new();
    for (code, (visit, receipt)) in &promised.received {
        let Some((position, _)) = find(&house, code) else {
            lost.push(code);
            continue;
        };
        let subject = house.subject(*visit);
        match house.wait(house.ledger.read(position, subject)) {
            Ok(Contents { application, .. }) if application != body(*visit).as_bytes() => {
                wrong.push(format!("{code}: another application is shown"));
            }
            Ok(Contents { decision: Some(decision), .. })
                if decision != outcome_of(code).as_str().as_bytes() =>
            {
                wrong.push(format!("{code}: another decision is shown"));
            }
            Ok(_) => {}
            Err(ReadFault::Storage(_) | ReadFault::Record(_)) => lost.push(code),
        }
        match house.wait(house.ledger.receipt(position)) {
            Ok(Some(stored)) if stored != *receipt => {
                wrong.push(format!("{code}: another receipt is shown"));
            }
            Ok(None) | Err(_) => lost.push(code),
            _ => {}
        }
    }
    let states = states(&house, promised);
    drop(house);
    let named = match Inspection::open(&data.join("ledger"), CAMPAIGN, keys) {
        Err(fault) => fault.to_string(),
        Ok(inspection) => verified(&inspection, promised),
    };
    // A truncated log loses records without a trace: they may never have been written.
    if named.is_empty() && !how.contains("-wal") && states != *before {
        wrong.push("states of applications differ, and verify does not report it".to_owned());
    }
    wrong.extend(
        lost.iter()
            .filter(|code| !named.contains(**code))
            .map(|code| format!("{code}: is lost, and verify does not report it: {named:.200}")),
    );
    wrong
}

/// The state of every application; `None` if it is not found.
fn states(house: &House, promised: &Promised) -> Vec<Option<State>> {
    promised.received.keys().map(|code| find(house, code).map(|(_, state)| state)).collect()
}

fn find(house: &House, code: &str) -> Option<(Position, State)> {
    house.wait(house.ledger.find(ReceiptCode::parse(code).unwrap())).ok().flatten()
}

fn verified(inspection: &Inspection, promised: &Promised) -> String {
    let mut named = inspection.walk(drop);
    for (code, (_, receipt)) in &promised.received {
        if !inspection.holds(receipt).is_ok_and(|held| held) {
            named.push(format!("LOST: {code}"));
        }
    }
    named.join("\n")
}

#[test]
fn a_missing_ledger_file_is_not_recreated_over_its_log() {
    let ([mut image, _], _) = ledger();
    image.remove(&file("iscro-2024.sqlite")).unwrap();
    let place = place();
    write_image(&image, place.path());
    let fault = House::open(place.path()).err().unwrap().to_string();
    assert!(fault.contains("the file is missing, but its write-ahead log is there"), "{fault}");
    let log = file("iscro-2024.sqlite-wal");
    assert_eq!(read_image(place.path())[&log], image[&log], "the log is unchanged");
}

fn file(name: &str) -> PathBuf {
    Path::new("ledger").join(name)
}

#[test]
fn verify_names_every_receipt_lost_to_damage_and_nobody_is_shown_foreign_data() {
    let damages = setting("SPORTELLO_TEST_DAMAGES").unwrap_or(DAMAGES_DEFAULT);
    let seed = seed();
    let (whole, promised) = ledger();
    assert!(promised.received.len() > 20);
    let before = {
        let place = place();
        write_image(&whole[0], place.path());
        states(&House::open(place.path()).unwrap(), &promised)
    };
    let mut wrong = Vec::new();
    for number in 0..damages {
        let mut dice = Dice::new(seed.wrapping_add(number));
        let mut image = whole[dice.below(2)].clone();
        let how = damage(&mut image, &mut dice);
        let place = place();
        write_image(&image, place.path());
        let met = catch_unwind(AssertUnwindSafe(|| met(place.path(), &promised, &how, &before)));
        let met = met.unwrap_or_else(|_| vec!["it panicked".to_owned()]);
        wrong.extend(met.into_iter().take(2).map(|what| format!("{number}: {how}: {what}")));
    }
    println!(
        "{damages} damaged ledgers of {} receipts: {} handled wrongly",
        promised.received.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(20)]);
}
