//! The use cases of the counter, a file each: entering, submitting, reading, listing, drafting, batches, status, operating.
//!
//! Requests come in as bytes and words; results are typed and, where they belong to a person, branded. Nothing here
//! knows HTTP. [`Intake`] is shared by all runtimes; its parts are private. A [`Counter`] belongs to one runtime.

mod admitting;
mod batches;
mod canary;
mod counter;
mod disclosures;
mod drafting;
mod entering;
mod forms;
mod found;
mod inside;
mod listing;
mod mandates;
mod meters;
mod opening;
mod operating;
mod own_sessions;
mod reading;
mod signing_in;
mod status;
mod submitting;
mod telephone;
mod ticket;
mod under_way;

pub use self::{
    batches::BatchFault,
    counter::Counter,
    disclosures::{DisclosureFault, Disclosures},
    drafting::{DraftOf, DraftingFault},
    entering::{Asked, EnterFault, Entered, Place, Proof},
    found::{By, Disclosure},
    listing::{ListedApplication, ListedApplications, PAGE_APPLICATIONS_MAX},
    mandates::{MandateFault, PAGE_MANDATES_MAX, ShownMandate, ShownMandates},
    opening::{Config, Intake, Parts},
    reading::{LookupFault, SubmittedApplication},
    signing_in::SignInFault,
    status::{AudienceStatus, Counts, Obstacle, Status},
    submitting::{Accepted, SubmitFault},
    telephone::TelephoneFault,
    under_way::{BatchUnderWay, UploadUnderWay},
};
