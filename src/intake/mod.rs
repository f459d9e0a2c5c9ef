//! The use cases of the counter, a file each: entering, submitting, reading, drafting, batches, status.
//!
//! Requests come in as bytes and words; results are typed and, where they belong to a person, branded. Nothing here
//! knows HTTP. [`Intake`] is shared by all runtimes; its parts are private. A [`Counter`] belongs to one runtime.

mod admitting;
mod batches;
mod counter;
mod drafting;
mod entering;
mod forms;
mod mandates;
mod opening;
mod overview;
mod reading;
mod status;
mod submitting;
mod ticket;
mod under_way;

pub use self::{
    batches::BatchFault,
    counter::Counter,
    drafting::{DraftOf, DraftingFault},
    entering::{Asked, EnterFault, Entered, Place},
    mandates::{MandateFault, ShownMandate, ShownMandates},
    opening::{Config, Intake, Parts},
    overview::{By, Disclosure, DisclosureFault, Disclosures, ListedApplication},
    reading::{LookupFault, SubmittedApplication},
    status::{AudienceStatus, Counts, Obstacle, Status},
    submitting::SubmitFault,
    under_way::BatchUnderWay,
};
