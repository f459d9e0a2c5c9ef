//! The vault: the house's secrets and everything that is derived from them.
//!
//! [`house_keys`] reads and rotates the secrets, [`subject`] turns people and claims into keyed hashes, [`seal`]
//! encrypts what is stored for one subject, [`random`] asks the operating system for random bytes. Nothing here stores
//! anything but the key file.

mod house_keys;
mod random;
mod seal;
mod subject;

pub(crate) use self::seal::Place;
pub use self::{
    house_keys::{HouseKeys, KeysFault, rotate},
    random::{fill_random, parse_hex},
    seal::SealBroken,
    subject::{Claim, DraftKey, KeyHash, MandateKey, Subject},
};
