//! `/visit/{visit}/{language}/upload`: many applications of an office in one file.
//!
//! The file is sent to be checked, and the page that answers carries it in a hidden field, from which the browser sends it
//! again to be submitted. So the clerk chooses it once, and between the two steps it is in the clerk's browser alone: the
//! server keeps nothing of it, no expiry can lose it, and any node may take the second step. If the second step breaks
//! off, sending the same again continues it, because each row's content is its key, as in a batch of the API.
//!
//! A browser reads no answer before it has sent everything; so a file is in memory while it is worked on, within
//! [`SHEET_BYTES_MAX`](crate::application::sheet::SHEET_BYTES_MAX) and as many at a time as
//! [`begin_upload`](crate::intake::Intake::begin_upload) allows.
//!
//! From the bottom up: `sent` reads the posted file, `told` is what a row came to, `form` asks for a file, `preview` checks
//! it, `run` submits it.

mod form;
mod preview;
mod run;
mod sent;
mod told;

pub(super) use self::{
    form::{show, template},
    preview::preview,
    run::run,
};
