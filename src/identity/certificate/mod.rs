//! Client certificates: a person's card (CNS, CIE), or an office's system, whose clerk is named with the request.
//!
//! The TLS handshake checks the chain and the revocation lists. Everything is checked again when somebody enters,
//! because a connection may be hours old; and what TLS does not look at is checked then, too: policy, key usage, name.
//!
//! Source: CNS certificate profile (`AgID`), CIE certificate profile (Ministry of the Interior), RFC 5280.

mod card;
mod files;
mod live;
mod policies;
mod trust;
mod verifier;

pub use self::{
    card::{Card, NoCard, read as read_card},
    files::FilesFault,
    live::{CertificateFault, Certificates},
    policies::Policies,
    trust::Config,
    verifier::AtHandshake,
};
