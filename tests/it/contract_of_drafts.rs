//! The contract of the drafts, on any engine: random changes of a few people, for themselves and for offices, compared with
//! a model across restarts; and the bound of drafts.

use std::{collections::HashMap, sync::Arc};

use sportello::{
    civic::FiscalCode,
    ledger::drafts::{DRAFTS_MAX, DraftFault, Drafts, Expected, Slot, version_of},
    schemes::Scheme,
    vault::HouseKeys,
};

use crate::dice::{self, Dice};

/// Times that the drafts are opened, and changes in each.
const SESSIONS: usize = 3;
const CHANGES: usize = 60;
const PEOPLE: usize = 2;
/// Whom a person may act for: themselves, or an office under two mandates.
const PLACES: [Option<(&str, &str)>; 4] =
    [None, Some(("caf-1", "M-1")), Some(("caf-1", "M-2")), Some(("caf-2", "M-1"))];

/// The content of each draft.
type Model = HashMap<(usize, usize), Vec<u8>>;

fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

/// The draft of a person as a citizen, or of an office under a mandate.
pub(crate) fn slot(person: u64, place: Option<(&str, &str)>) -> Slot {
    let person = keys().subject(&FiscalCode::made_up(person));
    let principal = place.map_or(person, |(office, _)| keys().office(office));
    let mandate = place.map(|(_, mandate)| mandate);
    Slot { key: keys().draft(person, principal, Scheme::Iscro, mandate), person, principal }
}

/// Asserts that the drafts are what the model holds. `open` opens the same drafts again in each session.
pub(crate) fn holds(open: &dyn Fn(usize) -> Box<dyn Drafts>) {
    let mut dice = Dice::new(dice::seed());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut model = Model::new();
    for session in 0..SESSIONS {
        let drafts = open(session);
        runtime.block_on(agrees(&*drafts, &model));
        for _ in 0..CHANGES {
            runtime.block_on(change(&*drafts, &mut model, &mut dice));
        }
        runtime.block_on(agrees(&*drafts, &model));
        drafts.close();
    }
    runtime.block_on(is_bounded(&*open(SESSIONS)));
}

async fn change(drafts: &dyn Drafts, model: &mut Model, dice: &mut Dice) {
    let at = (dice.below(PEOPLE), dice.below(PLACES.len()));
    let slot = slot(at.0 as u64, PLACES[at.1]);
    let content = vec![b'0' + u8::try_from(dice.below(3)).unwrap(); 1 + dice.below(3000)];
    let stored = model.get(&at).cloned();
    let version = version_of(stored.as_deref().unwrap_or_default());
    let expected = match dice.below(4) {
        0 => Expected::Anything,
        1 => Expected::Something,
        2 => Expected::OneOf(vec!["another".to_owned()]),
        _ => Expected::OneOf(vec!["another".to_owned(), version]),
    };
    let is_met = expected.is_met_by(stored.as_deref());
    match dice.below(5) {
        0 => {
            drafts.forget(slot.person, slot.principal, &|| slot.key).await;
            model.remove(&at);
        }
        1 => match drafts.remove(slot, expected).await {
            Ok(was_there) => {
                assert!(is_met);
                assert_eq!(was_there, model.remove(&at).is_some());
            }
            Err(fault) => assert!(!is_met && matches!(fault, DraftFault::Changed), "{fault}"),
        },
        _ => match drafts.save(slot, content.clone().into(), expected).await {
            Ok(()) => {
                assert!(is_met);
                model.insert(at, content);
            }
            Err(fault) => assert!(!is_met && matches!(fault, DraftFault::Changed), "{fault}"),
        },
    }
    let found = drafts.load(slot).await.unwrap();
    assert_eq!(found.map(|draft| draft.content), model.get(&at).cloned());
}

async fn agrees(drafts: &dyn Drafts, model: &Model) {
    for person in 0..PEOPLE {
        for (place, of) in PLACES.iter().enumerate() {
            let slot = slot(person as u64, *of);
            let found = drafts.load(slot).await.unwrap();
            assert!(found.as_ref().is_none_or(|draft| draft.principal == slot.principal));
            assert_eq!(found.map(|draft| draft.content), model.get(&(person, place)).cloned());
        }
    }
}

/// A person has [`DRAFTS_MAX`] drafts for an office; those for others do not count.
async fn is_bounded(drafts: &dyn Drafts) {
    let save = |n: usize, office: &'static str| async move {
        let slot = slot(77, Some((office, &format!("M-{n}"))));
        drafts.save(slot, "{}".into(), Expected::Anything).await
    };
    for n in 0..DRAFTS_MAX {
        save(n, "caf-1").await.unwrap();
    }
    assert!(matches!(save(DRAFTS_MAX, "caf-1").await, Err(DraftFault::TooMany)));
    save(0, "caf-1").await.unwrap();
    save(0, "caf-2").await.unwrap();
    let removed = drafts.remove(slot(77, Some(("caf-1", "M-3"))), Expected::Something).await;
    assert!(removed.unwrap());
    save(DRAFTS_MAX, "caf-1").await.unwrap();
    assert!(matches!(save(3, "caf-1").await, Err(DraftFault::TooMany)));
}
