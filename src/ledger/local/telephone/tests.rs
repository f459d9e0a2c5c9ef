//! The file of the telephone mandates. What PINs do is in the contract of the mandates, which the tests of the program run.

use jiff::SignedDuration;

use super::*;
use crate::{
    civic::{FiscalCode, Office, TelephonePin},
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

#[test]
fn a_mandate_that_was_changed_covers_nothing_and_a_copy_holds_no_pin() {
    let directory = tempfile::tempdir().unwrap();
    let telephone = Telephone::open(directory.path(), keys()).unwrap();
    let MadePin { pin, .. } = telephone.make(person(1), at(0)).unwrap();
    let mandate = said(&telephone, ("center-1", 9), 1, pin, 1).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let target = FORMAT.open(copied.path(), &copied.path().join(FILE)).unwrap();
    let source = directory.path().join(FILE);
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
        let (count, findings) = inspect(directory.path(), &keys()).unwrap();
        assert_eq!((count, findings.len()), (1, 1), "{change}");
    }
}
