//! The rules engine: benefit schemes as pure functions over data.
//!
//! [`Rules`] holds the checked parameters of every campaign. [`Rules::decide_with`] decides on the [`Facts`] of an
//! application, the same for an estimate, a submission, `evaluate` and a re-examination; [`Rules::running`]
//! computes what events change in a benefit that runs. A decision explains itself: each requirement, whether it is
//! met, what was found, what the law asks, and the article.
//!
//! Rules never read a clock, a file or a random number, and never use floating point. Where no source settles a
//! question, our own decision is in [`iscro::assumptions`] and [`allowance600::assumptions`].

pub mod allowance600;
mod answers;
mod campaign;
mod check;
mod decision;
mod explain;
mod facts;
mod ground;
pub mod iscro;
mod rules;
mod withholding;
mod words;
mod written;

pub use answers::{Answers, INCOME_YEARS_MAX};
pub use campaign::{Campaign, CampaignWindow, Scheme};
pub use decision::{Award, Decision, Outcome};
pub use explain::{Explanation, Mark, Reason};
pub use facts::Facts;
pub use ground::{Finding, GROUNDS_MAX, Ground, Grounds, Requirement};
pub use rules::Rules;
pub use withholding::withheld;
pub use words::amount;
pub use written::ParameterFault;
