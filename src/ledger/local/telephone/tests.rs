//! Who redeems a PIN, how often, and until when.

use jiff::SignedDuration;

use super::*;
use crate::{
    civic::{FiscalCode, Office, TelephonePin},
    ledger::telephone::WRONG_TRIES_MAX,
    schemes::Scheme,
};

const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

fn person(n: u64) -> Subject {
    keys().subject(&FiscalCode::made_up(n))
}

fn at(hour: i64) -> Timestamp {
    let evening: Timestamp = "2024-09-16T17:30:00+02:00".parse().unwrap();
    evening + SignedDuration::from_hours(hour)
}

/// A house, which may be opened again.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Telephone {
        Telephone::open(self.0.path(), keys()).unwrap()
    }
}

/// What a clerk of an office says.
fn said(
    telephone: &Telephone,
    (office, clerk): (&str, u64),
    caller: u64,
    pin: TelephonePin,
    hour: i64,
) -> Result<Mandate, RedeemFault> {
    let office = Office::parse(office).unwrap();
    telephone.redeem(Redeeming {
        office: &office,
        clerk: person(clerk),
        person: person(caller),
        pin,
        campaign: CAMPAIGN,
        at: at(hour),
    })
}

fn is_refused(redeemed: &Result<Mandate, RedeemFault>) -> bool {
    matches!(redeemed, Err(RedeemFault::Refused))
}

/// Another PIN than this one.
fn other(pin: TelephonePin) -> TelephonePin {
    let number = pin.digits().parse::<u32>().unwrap();
    TelephonePin::of_random((number + 1) % 100_000_000).unwrap()
}

#[test]
fn a_pin_is_redeemed_by_one_office_for_mandates_of_a_day() {
    let house = House::new();
    let telephone = house.open();
    let MadePin { pin, expires_at } = telephone.make(person(1), at(0)).unwrap();
    assert_eq!(expires_at, at(24));
    let standing = |telephone: &Telephone, hour| {
        let standing = telephone.standing(person(1), at(hour)).unwrap();
        standing.map(|standing| (standing.is_redeemed, standing.tries_left))
    };
    assert_eq!(standing(&telephone, 0), Some((false, WRONG_TRIES_MAX)));
    let first = said(&telephone, ("center-1", 9), 1, pin, 16).unwrap();
    let day = jiff::civil::date(2024, 9, 17);
    assert_eq!((first.signed_on, first.expires_on, first.campaign), (day, day, CAMPAIGN));
    assert!(first.grantor == person(1) && first.office.as_str() == "center-1");
    assert!(first.is_by_telephone && first.holds_on(day));
    let again = said(&telephone, ("center-1", 8), 1, pin, 17).unwrap();
    assert_eq!(again.reference, first.reference, "a lost answer costs nothing");
    assert!(is_refused(&said(&telephone, ("center-2", 9), 1, pin, 17)), "it is used");
    assert_eq!(standing(&telephone, 17), Some((true, WRONG_TRIES_MAX - 1)));

    // After a restart everything is as it was.
    drop(telephone);
    let telephone = house.open();
    assert_eq!(standing(&telephone, 17), Some((true, WRONG_TRIES_MAX - 1)));
    assert_eq!(said(&telephone, ("center-1", 9), 1, pin, 17).unwrap().reference, first.reference);
    assert_eq!(standing(&telephone, 24), None);
    assert!(is_refused(&said(&telephone, ("center-1", 9), 1, pin, 24)), "it has expired");
    let office = keys().office("center-1");
    let covering = |on: Date, reference| {
        let acting = Acting { office, person: person(1), campaign: CAMPAIGN, reference };
        telephone.covering(acting, on).unwrap().len()
    };
    assert_eq!((covering(day, None), covering(day, Some(&*first.reference))), (1, 1));
    let (before, after) = (day.yesterday().unwrap(), day.tomorrow().unwrap());
    assert_eq!((covering(before, None), covering(after, None)), (0, 0), "for one day");
    assert_eq!(covering(day, Some("TEL-other")), 0);
    for holder in [Holder::Grantor(person(1)), Holder::Office(office)] {
        assert_eq!(telephone.list(holder, None, 9).unwrap().len(), 1);
        assert_eq!(telephone.list(holder, Some(&first.reference), 9).unwrap().len(), 0);
        assert!(telephone.find(holder, &first.reference).unwrap().is_some());
    }
    let stranger = Holder::Grantor(person(2));
    assert!(telephone.find(stranger, &first.reference).unwrap().is_none());
    assert_eq!(inspect(house.0.path(), &keys()).unwrap(), (1, Vec::new()));
}

#[test]
fn wrong_tries_void_a_pin_and_stop_a_clerk_also_over_restarts() {
    let house = House::new();
    let mut telephone = house.open();
    let MadePin { pin, .. } = telephone.make(person(1), at(0)).unwrap();
    for n in 0..WRONG_TRIES_MAX {
        assert!(is_refused(&said(&telephone, ("center-1", u64::from(n)), 1, other(pin), 1)));
        telephone = {
            drop(telephone);
            house.open()
        };
    }
    assert!(
        is_refused(&said(&telephone, ("center-1", 50), 1, pin, 1)),
        "void, also for the right one"
    );
    assert_eq!(telephone.standing(person(1), at(1)).unwrap(), None);

    // Another person's PIN, and people without one, are refused alike. Clerk 50 has missed once.
    let MadePin { pin: theirs, .. } = telephone.make(person(2), at(1)).unwrap();
    for _ in 1..CLERK_MISSES_PER_DAY_MAX {
        assert!(is_refused(&said(&telephone, ("center-1", 50), 1, theirs, 1)));
    }
    telephone = {
        drop(telephone);
        house.open()
    };
    let stopped = said(&telephone, ("center-1", 50), 2, theirs, 1);
    assert!(matches!(stopped, Err(RedeemFault::UsedUp)), "also at another office");
    let stopped = said(&telephone, ("center-2", 50), 2, theirs, 1);
    assert!(matches!(stopped, Err(RedeemFault::UsedUp)));
    assert!(said(&telephone, ("center-1", 51), 2, theirs, 1).is_ok(), "their colleague is not");
    assert!(said(&telephone, ("center-1", 50), 2, theirs, 10).is_ok(), "nor they tomorrow");
}

#[test]
fn a_new_pin_replaces_the_one_before_and_a_revoked_one_is_gone() {
    let house = House::new();
    let telephone = house.open();
    let MadePin { pin: first, .. } = telephone.make(person(1), at(0)).unwrap();
    let MadePin { pin: second, .. } = telephone.make(person(1), at(0)).unwrap();
    assert!(first == second || is_refused(&said(&telephone, ("center-1", 9), 1, first, 1)));
    telephone.revoke_pin(person(1)).unwrap();
    telephone.revoke_pin(person(2)).unwrap();
    assert!(is_refused(&said(&telephone, ("center-1", 9), 1, second, 1)));
    assert_eq!(telephone.standing(person(1), at(1)).unwrap(), None);

    // Who revokes a mandate does not want the next one either.
    let MadePin { pin: third, .. } = telephone.make(person(1), at(1)).unwrap();
    let mandate = said(&telephone, ("center-1", 9), 1, third, 1).unwrap();
    assert!(!telephone.revoke_pin_of(person(2), &mandate.reference).unwrap());
    assert!(telephone.revoke_pin_of(person(1), &mandate.reference).unwrap());
    assert!(is_refused(&said(&telephone, ("center-1", 9), 1, third, 16)));
    for _ in 3..PINS_PER_DAY_MAX {
        assert!(telephone.make(person(1), at(2)).is_ok());
    }
    assert!(matches!(telephone.make(person(1), at(3)), Err(PinFault::UsedUp)));
    let MadePin { pin: last, .. } = telephone.make(person(1), at(10)).unwrap();
    let anew = said(&telephone, ("center-1", 9), 1, last, 10).unwrap();
    assert_ne!(anew.reference, mandate.reference, "a consent of its own");
}

#[test]
fn a_mandate_that_was_changed_covers_nothing_and_a_copy_holds_no_pin() {
    let house = House::new();
    let telephone = house.open();
    let MadePin { pin, .. } = telephone.make(person(1), at(0)).unwrap();
    let mandate = said(&telephone, ("center-1", 9), 1, pin, 1).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let target = FORMAT.open(copied.path(), &copied.path().join(FILE)).unwrap();
    let source = house.0.path().join(FILE);
    target.execute("ATTACH ?1 AS source", [source.to_string_lossy()]).unwrap();
    assert_eq!(copy(&target, &mut |_| ()).unwrap(), Some(1));
    assert_eq!(copy(&target, &mut |_| ()).unwrap(), Some(0));
    drop(target);
    let restored = Telephone::open(copied.path(), keys()).unwrap();
    assert!(restored.find(Holder::Grantor(person(1)), &mandate.reference).unwrap().is_some());
    assert!(is_refused(&said(&restored, ("center-1", 9), 1, pin, 1)));

    for change in [
        "UPDATE mandates SET day = day + 1",
        "UPDATE mandates SET office = zeroblob(16)",
        "UPDATE mandates SET pin = zeroblob(8), day = day - 1",
        "UPDATE mandates SET sealed = zeroblob(99)",
    ] {
        assert_eq!(telephone.connection().execute(change, []).unwrap(), 1);
        assert!(telephone.find(Holder::Grantor(person(1)), &mandate.reference).unwrap().is_none());
        let (count, findings) = inspect(house.0.path(), &keys()).unwrap();
        assert_eq!((count, findings.len()), (1, 1), "{change}");
    }
}
