//! The contract of the mandates, on any engine: what revocations and telephone PINs do, each step after a restart.

use std::{io::Write as _, path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp, civil::Date};
use sportello::{
    civic::{FiscalCode, TelephonePin},
    identity::Office,
    ledger::{
        mandates::{Acting, Holder, Mandates},
        telephone::{
            CLERK_MISSES_PER_DAY_MAX, MadePin, PINS_PER_DAY_MAX, PinFault, RedeemFault, Redeeming,
            WRONG_TRIES_MAX,
        },
    },
    registry::mandates::{Mandate, MandateFile},
    schemes::{Campaign, Scheme},
    vault::{HouseKeys, Subject},
};

pub(crate) const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };
/// The day of [`at`]`(0)`, a Monday.
pub(crate) const DAY: Date = jiff::civil::date(2024, 9, 16);
const CENTERS: [&str; 2] = ["center-1", "center-2"];
/// The signed mandates: reference, grantor, office.
const SIGNED: [(&str, u64, &str); 4] =
    [("M-1", 1, "caf-1"), ("M-2", 2, "caf-1"), ("M-3", 1, "caf-2"), ("M-4", 1, "center-1")];

pub(crate) fn keys() -> Arc<HouseKeys> {
    Arc::new(HouseKeys::from_master(&[7; 32]))
}

pub(crate) fn person(n: u64) -> Subject {
    keys().subject(&FiscalCode::made_up(n))
}

/// So many hours after half past five in the afternoon.
pub(crate) fn at(hour: i64) -> Timestamp {
    let evening: Timestamp = "2024-09-16T17:30:00+02:00".parse().unwrap();
    evening + SignedDuration::from_hours(hour)
}

pub(crate) fn centers() -> Vec<Office> {
    CENTERS.iter().map(|name| Office::parse(name).unwrap()).collect()
}

/// The registry, in a file of `directory`.
pub(crate) fn registry(directory: &Path) -> MandateFile {
    let path = directory.join("mandates.ndjson");
    let mut file = std::fs::File::create(&path).unwrap();
    for (reference, grantor, office) in SIGNED {
        let grantor = FiscalCode::made_up(grantor);
        let clerk = FiscalCode::made_up(99);
        let (grantor, clerk) = (grantor.as_str(), clerk.as_str());
        writeln!(
            file,
            r#"{{"reference":"{reference}","grantor":"{grantor}","office":"{office}","clerk":"{clerk}","scheme":"iscro","year":2024,"signedOn":"2024-09-01","expiresOn":"2025-08-31","document":"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}}"#
        )
        .unwrap();
    }
    MandateFile::open(&path, keys()).unwrap()
}

/// A node that is opened anew for each call, and closed after it.
pub(crate) struct Anew<'o> {
    pub(crate) open: &'o dyn Fn() -> Box<dyn Mandates>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

impl<'o> Anew<'o> {
    pub(crate) fn new(open: &'o dyn Fn() -> Box<dyn Mandates>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { open, runtime }
    }

    fn make(&self, n: u64, hour: i64) -> Result<TelephonePin, PinFault> {
        let made = self.runtime.block_on((self.open)().make_pin(person(n), at(hour)));
        made.map(|MadePin { pin, expires_at }| {
            assert_eq!(expires_at, at(hour + 24));
            pin
        })
    }

    fn standing(&self, n: u64, hour: i64) -> Option<(bool, u8)> {
        let standing = self.runtime.block_on((self.open)().pin(person(n), at(hour))).unwrap();
        standing.map(|standing| (standing.is_redeemed, standing.tries_left))
    }

    fn revoke_pin(&self, n: u64) {
        self.runtime.block_on((self.open)().revoke_pin(person(n))).unwrap();
    }

    pub(crate) fn redeem(
        &self,
        office_and_clerk: (&str, u64),
        caller: u64,
        pin: TelephonePin,
        hour: i64,
    ) -> Result<Mandate, RedeemFault> {
        let mandates = (self.open)();
        self.runtime.block_on(redeem(&*mandates, office_and_clerk, caller, pin, hour))
    }

    fn covers(&self, office: &str, n: u64, on: Date, reference: Option<&str>) -> bool {
        self.runtime.block_on(covers(&*(self.open)(), office, n, on, reference))
    }

    fn revoke(&self, n: u64, reference: &str, hour: i64) -> bool {
        self.runtime.block_on((self.open)().revoke(person(n), reference, at(hour))).unwrap()
    }

    /// Whether there is a mandate of a reference, and the day of its revocation.
    fn found(&self, holder: Holder, reference: &str) -> (bool, Option<Date>) {
        let found = self.runtime.block_on((self.open)().find(holder, reference)).unwrap();
        (found.is_some(), found.and_then(|mandate| mandate.revoked_on))
    }

    fn listed(&self, holder: Holder, after: Option<&str>, most: usize) -> (Vec<String>, bool) {
        let page = self.runtime.block_on((self.open)().list(holder, after, most)).unwrap();
        (page.mandates.into_iter().map(|mandate| mandate.reference).collect(), page.has_more)
    }
}

/// Whether an office may act for the n-th person.
pub(crate) async fn covers(
    mandates: &dyn Mandates,
    office: &str,
    n: u64,
    on: Date,
    reference: Option<&str>,
) -> bool {
    let (office, person) = (keys().office(office), person(n));
    mandates.cover(Acting { office, person, campaign: CAMPAIGN, reference }, on).await.unwrap()
}

/// A clerk of an office says what a caller says.
pub(crate) async fn redeem(
    mandates: &dyn Mandates,
    (office, clerk): (&str, u64),
    caller: u64,
    pin: TelephonePin,
    hour: i64,
) -> Result<Mandate, RedeemFault> {
    let office = Office::parse(office).unwrap();
    let (clerk, person, campaign, at) = (person(clerk), person(caller), CAMPAIGN, at(hour));
    mandates.redeem(Redeeming { office: &office, clerk, person, pin, campaign, at }).await
}

pub(crate) fn is_refused(redeemed: &Result<Mandate, RedeemFault>) -> bool {
    matches!(redeemed, Err(RedeemFault::Refused))
}

/// Another PIN than this one.
pub(crate) fn other(pin: TelephonePin) -> TelephonePin {
    let number = pin.digits().parse::<u32>().unwrap();
    TelephonePin::of_random((number + 1) % 100_000_000).unwrap()
}

/// Asserts the contract. `open` opens the same mandates each time, with [`registry`] and [`centers`].
pub(crate) fn holds(open: &dyn Fn() -> Box<dyn Mandates>) {
    let anew = Anew::new(open);
    a_revocation_counts_over_the_registry(&anew);
    a_pin_is_redeemed_by_one_office_for_mandates_of_a_day(&anew);
    wrong_tries_void_a_pin_and_stop_a_clerk(&anew);
    a_new_pin_replaces_the_one_before(&anew);
}

fn a_revocation_counts_over_the_registry(anew: &Anew<'_>) {
    assert!(anew.covers("caf-1", 1, DAY, None) && anew.covers("caf-1", 1, DAY, Some("M-1")));
    assert!(!anew.covers("caf-1", 1, DAY, Some("M-2")) && !anew.covers("caf-1", 3, DAY, None));
    assert!(!anew.covers("center-1", 1, DAY, None), "a Contact Center has no signed mandate");
    assert!(!anew.revoke(2, "M-1", 0) && !anew.revoke(1, "M-9", 0), "none of theirs");
    assert!(anew.revoke(1, "M-1", 0) && anew.revoke(1, "M-1", 48), "a second time, too");
    assert!(!anew.covers("caf-1", 1, DAY, None) && !anew.covers("caf-1", 1, DAY, Some("M-1")));
    assert!(anew.covers("caf-1", 2, DAY, None) && anew.covers("caf-2", 1, DAY, None));
    let (grantor, caf) = (Holder::Grantor(person(1)), Holder::Office(keys().office("caf-1")));
    for holder in [grantor, caf] {
        assert_eq!(anew.found(holder, "M-1"), (true, Some(DAY)), "the first revocation counts");
    }
    assert_eq!(anew.found(caf, "M-2"), (true, None));
    assert_eq!(anew.found(Holder::Grantor(person(2)), "M-1"), (false, None));
    let list = |references: &[&str]| references.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(anew.listed(caf, None, 1), (list(&["M-1"]), true));
    assert_eq!(anew.listed(caf, Some("M-1"), 1), (list(&["M-2"]), false));
    assert_eq!(anew.listed(grantor, None, 9), (list(&["M-1", "M-3"]), false));
}

fn a_pin_is_redeemed_by_one_office_for_mandates_of_a_day(anew: &Anew<'_>) {
    let pin = anew.make(11, 0).unwrap();
    assert_eq!(anew.standing(11, 0), Some((false, WRONG_TRIES_MAX)));
    let first = anew.redeem(("center-1", 9), 11, pin, 16).unwrap();
    let day = DAY.tomorrow().unwrap();
    assert_eq!((first.signed_on, first.expires_on, first.campaign), (day, day, CAMPAIGN));
    assert!(first.grantor == person(11) && first.is_by_telephone);
    let again = anew.redeem(("center-1", 8), 11, pin, 17).unwrap();
    assert_eq!(again.reference, first.reference, "a lost answer costs nothing");
    assert!(is_refused(&anew.redeem(("center-2", 9), 11, pin, 17)), "it is used");
    assert_eq!(anew.standing(11, 17), Some((true, WRONG_TRIES_MAX - 1)));
    assert_eq!(anew.standing(11, 24), None);
    assert!(is_refused(&anew.redeem(("center-1", 9), 11, pin, 24)), "it has expired");
    let reference = Some(&*first.reference);
    assert!(anew.covers("center-1", 11, day, None) && anew.covers("center-1", 11, day, reference));
    assert!(!anew.covers("center-2", 11, day, None));
    assert!(!anew.covers("center-1", 11, DAY, None), "for one day");
    assert!(!anew.covers("center-1", 11, day, Some("TEL-other")));
    for holder in [Holder::Grantor(person(11)), Holder::Office(keys().office("center-1"))] {
        assert_eq!(anew.listed(holder, None, 9), (vec![first.reference.clone()], false));
        assert_eq!(anew.listed(holder, reference, 9), (Vec::new(), false));
        assert_eq!(anew.found(holder, &first.reference), (true, None));
    }
    assert!(!anew.revoke(12, &first.reference, 17));
    assert!(anew.revoke(11, &first.reference, 17));
    assert!(!anew.covers("center-1", 11, day, None));
    assert!(is_refused(&anew.redeem(("center-1", 8), 11, pin, 18)), "nor is another one given");
}

fn wrong_tries_void_a_pin_and_stop_a_clerk(anew: &Anew<'_>) {
    let pin = anew.make(21, 0).unwrap();
    for n in 0..WRONG_TRIES_MAX {
        assert_eq!(anew.standing(21, 1), Some((false, WRONG_TRIES_MAX - n)));
        assert!(is_refused(&anew.redeem(("center-1", 300 + u64::from(n)), 21, other(pin), 1)));
    }
    let right = anew.redeem(("center-1", 50), 21, pin, 1);
    assert!(is_refused(&right), "void, also for the right one");
    assert_eq!(anew.standing(21, 1), None);
    // People without a PIN are refused alike. Clerk 50 has missed once.
    let theirs = anew.make(22, 1).unwrap();
    for _ in 1..CLERK_MISSES_PER_DAY_MAX {
        assert!(is_refused(&anew.redeem(("center-1", 50), 21, theirs, 1)));
    }
    for center in CENTERS {
        let stopped = anew.redeem((center, 50), 22, theirs, 1);
        assert!(matches!(stopped, Err(RedeemFault::UsedUp)), "at any office");
    }
    assert!(anew.redeem(("center-1", 51), 22, theirs, 1).is_ok(), "their colleague is not");
    assert!(anew.redeem(("center-1", 50), 22, theirs, 10).is_ok(), "nor they tomorrow");
    assert!(is_refused(&anew.redeem(("center-1", 50), 21, theirs, 10)));
    assert!(anew.redeem(("center-1", 50), 22, theirs, 11).is_ok(), "their tries begin anew");
}

fn a_new_pin_replaces_the_one_before(anew: &Anew<'_>) {
    let first = anew.make(31, 0).unwrap();
    let second = anew.make(31, 0).unwrap();
    assert!(first == second || is_refused(&anew.redeem(("center-1", 9), 31, first, 1)));
    anew.revoke_pin(31);
    anew.revoke_pin(32);
    assert!(is_refused(&anew.redeem(("center-1", 9), 31, second, 1)));
    assert_eq!(anew.standing(31, 1), None);
    for _ in 2..PINS_PER_DAY_MAX {
        assert!(anew.make(31, 2).is_ok());
    }
    assert!(matches!(anew.make(31, 3), Err(PinFault::UsedUp)));
    let last = anew.make(31, 10).unwrap_or_else(|fault| panic!("the next day: {fault:?}"));
    let mandate = anew.redeem(("center-1", 9), 31, last, 10).unwrap();
    let next = anew.make(31, 11).unwrap_or_else(|fault| panic!("{fault:?}"));
    let another = anew.redeem(("center-1", 9), 31, next, 11).unwrap();
    assert_ne!(another.reference, mandate.reference, "a consent of its own");
}
