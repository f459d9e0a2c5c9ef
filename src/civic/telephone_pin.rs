//! The number with which a person lets a Contact Center act for them.

use super::opaque::debug_without_contents;

/// Digits of a PIN: short enough to be said on the telephone. Tries are bounded where it is redeemed.
pub const TELEPHONE_PIN_DIGITS: usize = 8;
/// How many PINs there are.
const PINS: u32 = 100_000_000;
/// The largest multiple of [`PINS`] that 32 bits hold: numbers below it are as many for each PIN.
const UNBIASED_MAX: u32 = u32::MAX / PINS * PINS;

/// A telephone PIN, eight digits. A secret of the person who made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TelephonePin([u8; TELEPHONE_PIN_DIGITS]);

debug_without_contents!(TelephonePin);

impl TelephonePin {
    /// Reads the digits; `None` if they are not eight.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes().try_into().ok()?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then_some(Self(digits))
    }

    /// The PIN of a random number; `None` for the few numbers that would make some PINs more likely than others.
    #[must_use]
    pub fn of_random(number: u32) -> Option<Self> {
        let text = format!("{:08}", number % PINS);
        (number < UNBIASED_MAX).then(|| Self::parse(&text))?
    }

    /// Its digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        // They are ASCII.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_eight_digits_and_never_in_a_log() {
        for wrong in ["", "1234567", "123456789", "1234567a", "1234 5678", "１23456"] {
            assert!(TelephonePin::parse(wrong).is_none(), "{wrong}");
        }
        let pin = TelephonePin::parse("01234567").unwrap();
        assert_eq!((pin.digits(), &*format!("{pin:?}")), ("01234567", "TelephonePin(..)"));
    }

    #[test]
    fn every_pin_is_as_likely_as_another() {
        let of = |number| TelephonePin::of_random(number).map(|pin| pin.digits().to_owned());
        assert_eq!(of(7).as_deref(), Some("00000007"));
        assert_eq!(of(4_199_999_999).as_deref(), Some("99999999"));
        assert_eq!(of(4_200_000_000), None);
    }
}
