//! What belongs to a person: [`drafts`], [`mandates`] and what is said about them by [`telephone`]. Changes take [`turns`].

mod columns;
mod drafts;
mod gatherer;
mod mandates;
mod telephone;
mod turns;

pub use self::{drafts::ReplicatedDrafts, mandates::ReplicatedMandates};
