//! The requests of a random sequence.

use proptest::{prelude::*, sample::Index};

use super::{
    model::{Applicant, Body, MandateOf, OFFICES, PARTIES},
    pin_pages::{PINS, Pin},
    proofs::{PROOFS, Proof},
};

/// One request. An [`Index`] chooses one of the open sessions, or of the receipts given so far.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Enter(usize, Proof),
    /// By any proof, whatever proved who they are before.
    EnterAgain(Index, Proof),
    /// Enters in the visit of a session of another party, or in one that has ended.
    EnterWhereTaken(usize, Proof, Index),
    Show(Index),
    Leave(Index),
    /// Lists the party's own sessions, and ends one of them.
    EndOwn(Index, Index),
    SaveDraft(Index, Applicant, u8),
    ShowDraft(Index, Applicant),
    DeleteDraft(Index, Applicant),
    Estimate(Index, Body),
    Submit(Index, Body, u8),
    Batch(Index, Vec<Body>),
    /// The same as a file on the pages.
    Upload(Index, Vec<Body>),
    Read(Index, Index),
    Withdraw(Index, Index),
    /// All of them, or those after one.
    ListMandates(Index, Option<MandateOf>),
    ShowMandate(Index, MandateOf),
    Revoke(Index, MandateOf),
    /// Fills in a step for the client who gave a mandate, on a page.
    FillInFor(Index, MandateOf, u8),
    /// Does something with a telephone PIN, on a page.
    Pin(Index, Pin),
    /// From the first one, or after one of the receipts.
    ListApplications(Index, Option<Index>),
    /// From the first one, or after a number of them.
    Disclosures(Index, bool),
    /// The page of one visit with the cookie of another, of the same or of none.
    Page(Index, Option<Index>),
    /// With the token of one session below the visit of another.
    Cross(Index, Index, Index),
}

/// Any of them.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let session = any::<Index>;
    let proof = || prop::sample::select(&PROOFS[..]);
    let whom =
        || prop::sample::select(vec![Applicant::Person, Applicant::First, Applicant::Second]);
    let body = || {
        (whom(), 0..2_u8, prop::bool::weighted(0.9)).prop_map(|(of, version, fits)| Body {
            of,
            version,
            fits,
        })
    };
    let named = || {
        (prop::sample::select(&OFFICES[..]), whom())
            .prop_map(|(office, of)| MandateOf { office, of })
    };
    prop_oneof![
        3 => (0..PARTIES.len(), proof()).prop_map(|(party, proof)| Event::Enter(party, proof)),
        2 => (session(), proof()).prop_map(|(at, proof)| Event::EnterAgain(at, proof)),
        1 => (0..PARTIES.len(), proof(), session())
            .prop_map(|(party, proof, at)| Event::EnterWhereTaken(party, proof, at)),
        2 => (session(), session()).prop_map(|(at, which)| Event::EndOwn(at, which)),
        2 => session().prop_map(Event::Show),
        2 => session().prop_map(Event::Leave),
        4 => (session(), whom(), any::<u8>()).prop_map(|(at, of, n)| Event::SaveDraft(at, of, n)),
        4 => (session(), whom()).prop_map(|(at, of)| Event::ShowDraft(at, of)),
        2 => (session(), whom()).prop_map(|(at, of)| Event::DeleteDraft(at, of)),
        2 => (session(), body()).prop_map(|(at, body)| Event::Estimate(at, body)),
        7 => (session(), body(), 0..3_u8).prop_map(|(at, body, key)| Event::Submit(at, body, key)),
        3 => (session(), prop::collection::vec(body(), 0..4)).prop_map(|(at, all)| Event::Batch(at, all)),
        3 => (session(), prop::collection::vec(body(), 0..4)).prop_map(|(at, all)| Event::Upload(at, all)),
        5 => (session(), any::<Index>()).prop_map(|(at, receipt)| Event::Read(at, receipt)),
        3 => (session(), any::<Index>()).prop_map(|(at, receipt)| Event::Withdraw(at, receipt)),
        2 => (session(), prop::option::of(named())).prop_map(|(at, after)| Event::ListMandates(at, after)),
        2 => (session(), named()).prop_map(|(at, named)| Event::ShowMandate(at, named)),
        5 => (session(), named()).prop_map(|(at, named)| Event::Revoke(at, named)),
        4 => (session(), named(), 0..4_u8).prop_map(|(at, named, n)| Event::FillInFor(at, named, n)),
        3 => (session(), prop::sample::select(&PINS[..])).prop_map(|(at, what)| Event::Pin(at, what)),
        2 => (session(), prop::option::of(any::<Index>())).prop_map(|(at, after)| Event::ListApplications(at, after)),
        1 => (session(), any::<bool>()).prop_map(|(at, by_number)| Event::Disclosures(at, by_number)),
        3 => (session(), prop::option::of(session())).prop_map(|(at, by)| Event::Page(at, by)),
        6 => (session(), session(), any::<Index>()).prop_map(|(at, by, what)| Event::Cross(at, by, what)),
    ]
}
