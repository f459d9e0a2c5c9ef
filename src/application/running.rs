//! A report on a running benefit: the decision that granted it, the months paid, and what happened meanwhile.
//!
//! ```json
//! { "decision": { "outcome": "granted", "parameters": "iscro-2024", "monthlyAmount": "687.50",
//!                 "withheldMonthly": "137.50", "months": 6, "startsOn": "2024-09-17", "endsOn": "2025-03-16" },
//!   "monthsPaid": 4,
//!   "events": [ { "event": "vat-closed", "on": "2024-12-01" },
//!               { "event": "ape-sociale", "from": "2024-11-01", "to": null } ] }
//! ```
//!
//! The decision is what `evaluate` and the server write, whole or with these fields only.

use super::fault::{Allowed, FaultCode};
use super::fields::{self, one_of};
use super::walk::{Cursor, Object};
use crate::civic::{Euro, calendar};
use crate::schemes::iscro::Parameters;
use crate::schemes::iscro::running::Event;
use crate::schemes::{Award, Campaign, Rules, Scheme};

/// The most events of one report.
const EVENTS_MAX: usize = 64;

/// A granted benefit, how much of it is paid, and the events that may end it. Personal data, so without `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The campaign that granted it.
    pub campaign: Campaign,
    /// What was granted.
    pub award: Award,
    /// How many of its months are paid, the first ones.
    pub months_paid: u8,
    /// What happened, in any order.
    pub events: Vec<Event>,
}

/// The kind of an event, before its days are read.
#[derive(Clone, Copy)]
enum EventKind {
    EndsOn(fn(jiff::civil::Date) -> Event),
    ApeSociale,
}

/// The schema of a report.
pub(super) fn report(document: &mut Object<'_, '_>, rules: &Rules) -> Option<Report> {
    let granted =
        document.required("decision", |cursor| cursor.object(|object| decision(object, rules)));
    let months = granted.map_or(u8::MAX, |(_, award)| award.months);
    let months_paid = document.required("monthsPaid", |cursor| count(cursor, 0, months));
    let events = document
        .required("events", |cursor| cursor.list(EVENTS_MAX, |event| event.object(one_event)));
    let (campaign, award) = granted?;
    Some(Report { campaign, award, months_paid: months_paid?, events: events? })
}

fn decision(object: &mut Object<'_, '_>, rules: &Rules) -> Option<(Campaign, Award)> {
    let outcome = object.required("outcome", |cursor| one_of(cursor, &[("granted", ())]));
    let parameters = object.required("parameters", |cursor| parameters(cursor, rules));
    let monthly = object.required("monthlyAmount", |cursor| {
        fields::amount_between(cursor, Euro::ZERO, parameters.map(Parameters::monthly_max))
    });
    let withheld = object
        .required("withheldMonthly", |cursor| fields::amount_between(cursor, Euro::ZERO, monthly));
    let months_max = parameters.map_or(u8::MAX, |parameters| parameters.statute().months);
    let months = object.required("months", |cursor| count(cursor, 1, months_max));
    let starts_on = object.required("startsOn", fields::date);
    let end = starts_on.zip(months).map(|(day, months)| calendar::period_end(day, months));
    let ends_on = object.required("endsOn", |cursor| match end {
        Some(end) => fields::day(cursor, end, end),
        None => fields::date(cursor),
    });
    // The rest of a decision, such as its grounds, changes nothing here.
    object.ignore_rest();
    let ((), monthly, months) = (outcome?, monthly?, months?);
    let award = Award {
        monthly,
        gross_total: monthly.checked_mul(i64::from(months))?,
        withheld_monthly: withheld?,
        months,
        starts_on: starts_on?,
        ends_on: ends_on?,
    };
    Some((parameters?.campaign(), award))
}

/// The parameters of the campaign that granted the benefit: only ISCRO is paid over months and can be lost.
fn parameters<'r>(cursor: Cursor<'_, '_>, rules: &'r Rules) -> Option<&'r Parameters> {
    let campaign = Campaign::from_name(cursor.text(fields::WORD_CHARS_MAX)?);
    let campaign = campaign.filter(|campaign| campaign.scheme == Scheme::Iscro);
    campaign.and_then(|campaign| rules.iscro(campaign.year)).or_else(|| {
        let name = |year| Campaign { scheme: Scheme::Iscro, year };
        let (first, last) = rules.years(Scheme::Iscro).unwrap_or_default();
        cursor.fault(FaultCode::UnknownValue, Allowed::range(&name(first), &name(last)))
    })
}

fn one_event(object: &mut Object<'_, '_>) -> Option<Event> {
    let kind = object.required("event", |cursor| {
        one_of(
            cursor,
            &[
                ("vat-closed", EventKind::EndsOn(Event::VatClosed)),
                ("direct-pension", EventKind::EndsOn(Event::DirectPension)),
                ("other-insurance", EventKind::EndsOn(Event::OtherInsurance)),
                ("inclusion-allowance", EventKind::EndsOn(Event::InclusionAllowance)),
                ("ape-sociale", EventKind::ApeSociale),
            ],
        )
    });
    match kind {
        Some(EventKind::EndsOn(event)) => object.required("on", fields::date).map(event),
        Some(EventKind::ApeSociale) => {
            let first = object.required("from", fields::date);
            let last = object.required("to", |cursor| {
                if cursor.is_null() {
                    Some(None)
                } else {
                    fields::date_from(cursor, first).map(Some)
                }
            });
            Some(Event::ApeSociale { first: first?, last: last? })
        }
        None => {
            // Which days there should be depends on the event.
            object.ignore_rest();
            None
        }
    }
}

fn count(cursor: Cursor<'_, '_>, least: u8, most: u8) -> Option<u8> {
    fields::count(cursor, least.into(), most.into()).and_then(|count| u8::try_from(count).ok())
}
