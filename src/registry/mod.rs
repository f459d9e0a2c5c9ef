//! What the institute knows itself: whether contributions are in order, and incomes it already holds.
//!
//! [`Registry`] is what judges ask; [`FileRegistry`] answers from a file, loaded into a compact index. The
//! rules never ask: what was answered is an input of theirs ([`Answers`]).
//!
//! ```text
//! fiscalCode,contributionsRegular,2021,2022,2023
//! RSSMRA80A01H501U,true,6000.00,5000.00,3000.00
//! end,1
//! ```
//!
//! The head names up to four years in a row. An empty cell is no answer; nothing is quoted. The last line counts
//! the people, so that a file that was cut short is noticed.

mod file;
mod load;
mod people;
#[cfg(test)]
mod tests;

pub use self::file::FileRegistry;
pub use self::load::{LineFault, LoadFault};
use crate::civic::FiscalCode;
use crate::schemes::Answers;

/// Somebody who may know more about applicants than they state.
pub trait Registry: Send + Sync {
    /// What is known of a person; nothing is an answer too.
    fn answers(&self, person: &FiscalCode) -> Answers;

    /// Rises whenever answers may have become others: what waited for one is worth deciding again.
    fn edition(&self) -> u64 {
        0
    }

    /// Looks whether there is something newer to know. May wait for the disk for seconds.
    fn refresh(&self) {}
}

/// A registry that knows nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silence;

impl Registry for Silence {
    fn answers(&self, _: &FiscalCode) -> Answers {
        Answers::NONE
    }
}
