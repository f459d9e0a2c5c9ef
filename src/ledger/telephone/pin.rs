//! The PIN of a person as it is stored: its hash, and what has become of it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::{Timestamp, civil::Date};

use super::{PIN_LASTS, PINS_PER_DAY_MAX, PinStanding, Redeeming, WRONG_TRIES_MAX};
use crate::{
    civic::{TelephonePin, local_time},
    ledger::book::record::{day_number, day_of},
    vault::{HouseKeys, Place, Subject, fill_random},
};

/// The first byte of a sealed PIN's header.
const HEADER_VERSION: u8 = 1;
/// The version and the expiry.
const HEADER_BYTES: usize = 1 + 8;

/// What has become of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Use {
    /// Nobody has redeemed it.
    Fresh,
    /// This office has.
    By(Subject),
    /// Its person has revoked it.
    Revoked,
}

/// What a clerk's try is.
pub(in crate::ledger) enum Try {
    /// Right: this PIN is redeemed.
    Right(Pin),
    /// Wrong. What is to be stored of the PIN, if the person has one that can be redeemed.
    Wrong(Option<Pin>),
}

impl Try {
    /// Compares what a clerk says with the PIN that the person made last.
    pub(in crate::ledger) fn of(
        keys: &HouseKeys,
        stored: Option<Pin>,
        redeeming: &Redeeming<'_>,
    ) -> Self {
        let Redeeming { office, person, pin, at, .. } = *redeeming;
        let Some(mut stored) = stored.filter(|stored| stored.is_live(at)) else {
            return Self::Wrong(None);
        };
        if stored.fits(keys, person, pin, keys.office(office.as_str())) {
            return Self::Right(stored);
        }
        stored.wrong_tries = stored.wrong_tries.saturating_add(1);
        Self::Wrong(Some(stored))
    }
}

/// The PIN that a person made last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct Pin {
    /// A random number that names it.
    pub(in crate::ledger) number: [u8; 8],
    hash: [u8; 16],
    pub(in crate::ledger) expires_at: Timestamp,
    /// The day on which it was made, Europe/Rome.
    made_on: Date,
    /// How many the person has made on that day, this one included.
    made_that_day: u8,
    wrong_tries: u8,
    pub(in crate::ledger) used: Use,
}

impl Pin {
    /// The next PIN of a person, and its digits, which are not kept; `None` if they have made [`PINS_PER_DAY_MAX`] today.
    pub(in crate::ledger) fn next(
        keys: &HouseKeys,
        person: Subject,
        at: Timestamp,
        before: Option<&Self>,
    ) -> Option<(Self, TelephonePin)> {
        let today = local_time::date_at(at);
        let made = before.filter(|pin| pin.made_on == today).map_or(0, |pin| pin.made_that_day);
        (made < PINS_PER_DAY_MAX).then(|| Self::make(keys, person, (at, today), made + 1))
    }

    fn make(
        keys: &HouseKeys,
        person: Subject,
        (at, today): (Timestamp, Date),
        made_that_day: u8,
    ) -> (Self, TelephonePin) {
        let mut number = [0; 8];
        fill_random(&mut number);
        let digits = random_digits();
        let expires_at = at.saturating_add(PIN_LASTS).unwrap_or(Timestamp::MAX);
        let pin = Self {
            number,
            hash: keys.telephone_pin(person, number, digits),
            // As it is stored.
            expires_at: Timestamp::from_second(expires_at.as_second()).unwrap_or(expires_at),
            made_on: today,
            made_that_day,
            wrong_tries: 0,
            used: Use::Fresh,
        };
        (pin, digits)
    }

    /// Whether anybody can redeem it.
    fn is_live(&self, at: Timestamp) -> bool {
        at < self.expires_at && self.wrong_tries < WRONG_TRIES_MAX && self.used != Use::Revoked
    }

    /// Whether an office may redeem it with these digits, unless it is void.
    fn fits(
        &self,
        keys: &HouseKeys,
        person: Subject,
        digits: TelephonePin,
        office: Subject,
    ) -> bool {
        let said = keys.telephone_pin(person, self.number, digits);
        let is_free = self.used == Use::Fresh || self.used == Use::By(office);
        verify_slices_are_equal(&said, &self.hash).is_ok() && is_free
    }

    /// The same PIN after another use.
    pub(in crate::ledger) fn after(self, used: Use) -> Self {
        Self { used, ..self }
    }

    /// What its person may know of it, as long as anybody can redeem it.
    pub(in crate::ledger) fn standing(&self, at: Timestamp) -> Option<PinStanding> {
        self.is_live(at).then(|| PinStanding {
            expires_at: self.expires_at,
            is_redeemed: matches!(self.used, Use::By(_)),
            tries_left: WRONG_TRIES_MAX.saturating_sub(self.wrong_tries),
        })
    }

    /// Seals it for its person.
    pub(in crate::ledger) fn seal(&self, keys: &HouseKeys, person: Subject) -> Vec<u8> {
        let (used, office) = match self.used {
            Use::Fresh => (0, Subject([0; 16])),
            Use::By(office) => (1, office),
            Use::Revoked => (2, Subject([0; 16])),
        };
        let plain = [
            self.number.as_slice(),
            &self.hash,
            &day_number(self.made_on).to_be_bytes(),
            &[self.made_that_day, self.wrong_tries, used],
            &office.0,
        ]
        .concat();
        keys.seal(Place::Telephone, person, &self.header(), &plain)
    }

    /// Opens a PIN; `None` if it is none of this person's.
    pub(in crate::ledger) fn open(
        keys: &HouseKeys,
        person: Subject,
        sealed: &[u8],
    ) -> Option<Self> {
        let plain = keys.open(Place::Telephone, person, HEADER_BYTES, sealed).ok()?;
        let (&HEADER_VERSION, expires) = sealed.get(..HEADER_BYTES)?.split_first()? else {
            return None;
        };
        let (number, rest) = plain.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (made_on, rest) = rest.split_first_chunk()?;
        let ([made_that_day, wrong_tries, used], office) = rest.split_first_chunk()?;
        let office = Subject(office.try_into().ok()?);
        Some(Self {
            number: *number,
            hash: *hash,
            expires_at: Timestamp::from_second(i64::from_be_bytes(expires.try_into().ok()?))
                .ok()?,
            made_on: day_of(i32::from_be_bytes(*made_on))?,
            made_that_day: *made_that_day,
            wrong_tries: *wrong_tries,
            used: match used {
                0 => Use::Fresh,
                1 => Use::By(office),
                2 => Use::Revoked,
                _ => return None,
            },
        })
    }

    fn header(&self) -> Vec<u8> {
        [&[HEADER_VERSION], self.expires_at.as_second().to_be_bytes().as_slice()].concat()
    }
}

fn random_digits() -> TelephonePin {
    loop {
        let mut number = [0; 4];
        fill_random(&mut number);
        if let Some(digits) = TelephonePin::of_random(u32::from_ne_bytes(number)) {
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_was_stored_and_opens_for_its_person_alone() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let [person, other] = [1, 2].map(|n| Subject([n; 16]));
        let at = Timestamp::from_second(1_726_500_600).unwrap();
        let (mut pin, _) = Pin::make(&keys, person, (at, jiff::civil::date(2024, 9, 16)), 3);
        pin.wrong_tries = 1;
        for used in [Use::Fresh, Use::By(other), Use::Revoked] {
            let pin = Pin { used, ..pin.clone() };
            let mut sealed = pin.seal(&keys, person);
            assert_eq!(Pin::open(&keys, person, &sealed).as_ref(), Some(&pin));
            assert_eq!(Pin::open(&keys, other, &sealed), None);
            sealed[8] ^= 1;
            assert_eq!(Pin::open(&keys, person, &sealed), None, "its expiry was changed");
        }
    }
}
