//! What the institute itself knows of a person: whether contributions are in order, and incomes.
//!
//! [`mandates`] says which offices may act for whom, [`notice`] what everybody is told. Judges ask a [`Registry`] and pass its
//! [`Answers`] to the rules, which never ask themselves. [`FileRegistry`] answers from a file, which it holds in memory.
//!
//! ```text
//! fiscalCode,contributionsRegular,2021,2022,2023
//! RSSMRA80A01H501U,true,6000.00,5000.00,3000.00
//! end,1
//! ```
//!
//! The first line names up to four consecutive years. An empty cell is no answer; cells are not quoted. The last line
//! has the number of people, so that a truncated file is detected.

mod file;
mod lines;
pub(crate) mod live_file;
mod load;
pub mod mandates;
pub mod notice;
mod people;
#[cfg(test)]
mod tests;

pub use self::file::FileRegistry;
pub use self::load::{LineFault, LoadFault};
use crate::civic::FiscalCode;
use crate::schemes::Answers;

/// A source of answers about applicants.
pub trait Registry: Send + Sync {
    /// What is known of a person; [`Answers::NONE`] if nothing.
    fn answers(&self, person: &FiscalCode) -> Answers;

    /// Increases whenever answers may have changed: pending applications are then decided again.
    fn edition(&self) -> u64 {
        0
    }

    /// Loads newer answers, if there are any. May block on the disk for seconds.
    fn refresh(&self) {}
}

/// A registry without answers.
#[derive(Clone, Copy, Debug)]
pub struct Silence;

impl Registry for Silence {
    fn answers(&self, _: &FiscalCode) -> Answers {
        Answers::NONE
    }
}
