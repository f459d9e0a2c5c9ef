//! Tickets of the waiting room: a person who waits asks again with one, which spares the check of a signature.
//!
//! A ticket is sealed for one visit and opens for no other. It holds the identity itself, so the room keeps nothing for it,
//! and the round that it was issued for, so that a seat which the journal lost in a power cut is found again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use crate::{
    civic::{FiscalCode, fiscal_code::FISCAL_CODE_CHARS},
    identity::{Identity, Office, ProvedBy, token::TOKEN_BYTES_MAX},
    session::visit::Visit,
    vault::{HouseKeys, Place},
};

/// The header of a ticket: its version. Session tokens have another one.
const HEADER: [u8; 1] = [5];

/// When a ticket ends, and what it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// The ticket.
    pub(super) ticket: Timestamp,
    /// What proved the identity, which bounds the session too; far off unless it was a certificate.
    pub(super) proof: Timestamp,
}

/// A ticket that was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket<'t> {
    text: &'t str,
    valid_until: Timestamp,
    /// When the proof ends for which it was issued.
    pub(super) proof_ends_at: Timestamp,
    /// The index of the round for which it was issued.
    pub(super) round: u64,
}

/// A ticket with which a person who waits in `round` may ask again before it ends.
pub(super) fn issue(
    keys: &HouseKeys,
    visit: &Visit,
    identity: &Identity,
    (round, ends): (u64, Ends),
) -> String {
    let mut plain = ends.ticket.as_second().to_be_bytes().to_vec();
    plain.extend(ends.proof.as_second().to_be_bytes());
    plain.extend(round.to_be_bytes());
    plain.push(identity.proved_by.byte());
    plain.extend_from_slice(identity.fiscal_code.as_str().as_bytes());
    plain.extend_from_slice(identity.office.as_ref().map_or("", Office::as_str).as_bytes());
    let visit = keys.visit(visit.as_str());
    URL_SAFE_NO_PAD.encode(keys.seal(Place::Ticket, visit, &HEADER, &plain))
}

/// A ticket of this visit, and the identity in it; `None` if it is none, or no longer valid at `now`.
pub(super) fn open<'t>(
    keys: &HouseKeys,
    visit: &Visit,
    ticket: &'t str,
    now: Timestamp,
) -> Option<(Identity, Ticket<'t>)> {
    if ticket.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(ticket).ok()?;
    if !sealed.starts_with(&HEADER) {
        return None;
    }
    let visit = keys.visit(visit.as_str());
    let plain = keys.open(Place::Ticket, visit, HEADER.len(), &sealed).ok()?;
    let (until, rest) = plain.split_first_chunk()?;
    let (proof_until, rest) = rest.split_first_chunk()?;
    let (round, rest) = rest.split_first_chunk()?;
    let (proved_by, rest) = rest.split_first()?;
    let (code, office) = rest.split_at_checked(FISCAL_CODE_CHARS)?;
    let [valid_until, proof_ends_at] = [until, proof_until]
        .map(|second: &[u8; 8]| Timestamp::from_second(i64::from_be_bytes(*second)).ok());
    let (valid_until, proof_ends_at) = (valid_until?, proof_ends_at?);
    let fiscal_code = FiscalCode::parse(str::from_utf8(code).ok()?).ok()?;
    let office = str::from_utf8(office).ok()?;
    let office = (!office.is_empty()).then(|| Office::parse(office)).transpose().ok()?;
    let proved_by = ProvedBy::from_byte(*proved_by)?;
    let round = u64::from_be_bytes(*round);
    let opened = Ticket { text: ticket, valid_until, proof_ends_at, round };
    let identity = Identity { fiscal_code, office, proved_by, valid_until };
    (now < valid_until).then_some((identity, opened))
}

impl Ticket<'_> {
    /// The same ticket, if it lasts for at least half of the time until `until`; otherwise the slice was prolonged since
    /// it was issued, and the person needs a fresh one.
    pub(super) fn lasting(self, now: Timestamp, until: Timestamp) -> Option<String> {
        let [left, wanted] = [self.valid_until, until].map(|end| end.duration_since(now));
        (left >= wanted / 2).then(|| self.text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_proves_its_person_for_its_visit_until_it_ends() {
        let keys = HouseKeys::from_master(&[7; 32]);
        let [visit, other] = ["v", "w"].map(|letter| Visit::parse(&letter.repeat(22)).unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        for office in [None, Office::parse("patronato-7").ok()] {
            let fiscal_code = FiscalCode::made_up(7);
            let (proved_by, valid_until) = (ProvedBy::Spid, Timestamp::MAX);
            let identity = Identity { fiscal_code, office, proved_by, valid_until };
            let ends = Ends { ticket: at(100), proof: at(300) };
            let ticket = issue(&keys, &visit, &identity, (7, ends));
            assert!(!ticket.contains('.'), "an identity token has dots");
            let (opened, same) = open(&keys, &visit, &ticket, at(99)).unwrap();
            assert_eq!((same.round, same.proof_ends_at), (7, at(300)));
            assert_eq!(same.lasting(at(0), at(100)), Some(ticket.clone()));
            assert_eq!(same.lasting(at(0), at(201)), None, "the slice was prolonged");
            assert_eq!((opened.fiscal_code, opened.office), (fiscal_code, identity.office));
            assert_eq!(opened.proved_by, ProvedBy::Spid);
            assert!(open(&keys, &visit, &ticket, at(100)).is_none());
            assert!(open(&keys, &other, &ticket, at(99)).is_none());
            assert!(open(&HouseKeys::from_master(&[8; 32]), &visit, &ticket, at(99)).is_none());
            for wrong in ["", "a.b.c", &ticket[1..], &ticket[..ticket.len() - 1]] {
                assert!(open(&keys, &visit, wrong, at(99)).is_none(), "{wrong}");
            }
        }
    }
}
