//! The loss of a running benefit, and what must be paid back.
//!
//! Four events end the benefit (*decadenza*): the months that begin after them are undue. *APE sociale* makes
//! undue only the months that it overlaps. Pure: the order in which events became known changes nothing.

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::Parameters;
use super::assumptions::EVENT_DAY_IS_STILL_DUE;
use crate::civic::calendar::Written;
use crate::civic::{Euro, calendar};
use crate::schemes::decision::Award;

/// Something that happened to the recipient of a benefit.
///
/// Of two events on one day, the first in the order of the variants is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The VAT number was closed on that day.
    VatClosed(Date),
    /// A direct pension is due from that day.
    DirectPension(Date),
    /// Another compulsory pension insurance began on that day.
    OtherInsurance(Date),
    /// *Assegno di inclusione*, until 2023 *Reddito di cittadinanza*, is due from that day.
    InclusionAllowance(Date),
    /// *APE sociale* was due from the first day to the last, both included.
    ApeSociale {
        /// Its first day.
        first: Date,
        /// Its last day, `None` while it is due; a day before the first means that it was never due.
        last: Option<Date>,
    },
}

impl Event {
    /// The event's name, such as `vat-closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VatClosed(_) => "vat-closed",
            Self::DirectPension(_) => "direct-pension",
            Self::OtherInsurance(_) => "other-insurance",
            Self::InclusionAllowance(_) => "inclusion-allowance",
            Self::ApeSociale { .. } => "ape-sociale",
        }
    }

    /// The first day without the benefit, if the event ends it for good.
    fn ends_benefit_from(self) -> Option<Date> {
        match self {
            Self::VatClosed(day)
            | Self::DirectPension(day)
            | Self::OtherInsurance(day)
            | Self::InclusionAllowance(day) => {
                Some(if EVENT_DAY_IS_STILL_DUE { day.tomorrow().unwrap_or(day) } else { day })
            }
            Self::ApeSociale { .. } => None,
        }
    }

    /// Whether the event makes undue a month that begins on that day.
    fn makes_undue(self, month_begins_on: Date) -> bool {
        match self {
            Self::ApeSociale { first, last } => {
                first <= month_begins_on && last.is_none_or(|last| month_begins_on <= last)
            }
            _ => self.ends_benefit_from().is_some_and(|from| from <= month_begins_on),
        }
    }
}

impl Serialize for Event {
    /// Its name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The loss of a benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The first day without it, never before the benefit's own first day.
    #[serde(serialize_with = "written")]
    pub from: Date,
    /// The event that ended it; of several on one day, the first in the order of [`Event`].
    pub event: Event,
    /// The article.
    pub source: &'static str,
}

/// A month that was paid but not due.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndueMonth {
    /// Its first day.
    #[serde(serialize_with = "written")]
    pub begins_on: Date,
    /// The event that makes it undue; of several, the first in the order of [`Event`].
    pub event: Event,
    /// The article.
    pub source: &'static str,
}

/// A running benefit after events.
///
/// Personal data, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Its loss, if it is lost.
    pub loss: Option<Loss>,
    /// The number of its months that are due in all, paid or not yet paid.
    pub months_due: u8,
    /// The months that were paid but not due, in order.
    pub undue_months: Vec<UndueMonth>,
    /// The amount paid for them, before tax.
    pub undue: Euro,
    /// The amount that the person pays back: `undue` less the tax withheld from it.
    pub recovery: Euro,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn written<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    Written(*day).serialize(serializer)
}

/// What events change in an award of which the first months are paid.
///
/// More months paid than awarded count as all months. The month under way at an event remains due whole; see
/// [`assumptions`](super::assumptions). An event after the last day changes nothing.
///
/// Source: L. 213/2023 art. 1 c. 142-155, before 2024 L. 178/2020 art. 1 c. 386-400; for the tax TUIR
/// art. 10 c. 2-bis.
#[must_use]
pub(in crate::schemes) fn running(
    award: &Award,
    parameters: &Parameters,
    events: &[Event],
    months_paid: u8,
) -> Running {
    let sources = parameters.running_sources();
    let loss = events
        .iter()
        .filter_map(|&event| Some((event.ends_benefit_from()?.max(award.starts_on), event)))
        .filter(|(from, _)| *from <= award.ends_on)
        .min()
        .map(|(from, event)| Loss { from, event, source: sources.loss });
    let undue_month = |month: u8| {
        let begins_on = begin_of_month(award, month);
        let event = events.iter().copied().filter(|event| event.makes_undue(begins_on)).min()?;
        let is_overlap = matches!(event, Event::ApeSociale { .. });
        let source = if is_overlap { sources.ape_sociale } else { sources.loss };
        Some(UndueMonth { begins_on, event, source })
    };
    let months_due = (0..award.months).map(|month| u8::from(undue_month(month).is_none())).sum();
    let undue_months: Vec<_> = (0..months_paid.min(award.months)).filter_map(undue_month).collect();
    let months = i64::try_from(undue_months.len()).unwrap_or(i64::MAX);
    let times = |amount: Euro| Euro::from_cents(amount.cents().saturating_mul(months));
    let (undue, withheld) = (times(award.monthly), times(award.withheld_monthly));
    let recovery = Euro::from_cents(undue.cents().saturating_sub(withheld.cents()));
    Running { loss, months_due, undue_months, undue, recovery }
}

/// The first day of a month of the benefit, counted from zero: the day after the months before it.
fn begin_of_month(award: &Award, month: u8) -> Date {
    if month == 0 {
        return award.starts_on;
    }
    let before = calendar::period_end(award.starts_on, month);
    before.tomorrow().unwrap_or(before)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::Event::{ApeSociale, DirectPension, InclusionAllowance, OtherInsurance, VatClosed};
    use super::*;
    use crate::schemes::Rules;

    /// 687.50 a month from 17 September 2024 to 16 March 2025, 137.50 of it withheld.
    fn award() -> Award {
        Award {
            monthly: Euro::from_cents(68_750),
            gross_total: Euro::from_cents(412_500),
            withheld_monthly: Euro::from_cents(13_750),
            months: 6,
            starts_on: date(2024, 9, 17),
            ends_on: date(2025, 3, 16),
        }
    }

    fn after(events: &[Event], months_paid: u8) -> Running {
        running(&award(), Rules::builtin().iscro(2024).unwrap(), events, months_paid)
    }

    /// The first day lost, months due, months undue, the amount paid for them, the recovery.
    fn told(running: &Running) -> String {
        let from = running.loss.map_or("-".to_owned(), |loss| loss.from.to_string());
        let (due, undue) = (running.months_due, running.undue_months.len());
        format!("{from} {due} due, {undue} undue: {} {}", running.undue, running.recovery)
    }

    #[test]
    fn without_an_event_nothing_is_lost_and_nothing_recovered() {
        for months_paid in [0, 3, 6, 200] {
            assert_eq!(told(&after(&[], months_paid)), "- 6 due, 0 undue: 0.00 0.00");
        }
    }

    #[test]
    fn each_event_ends_the_benefit_the_day_after() {
        let day = date(2024, 12, 1);
        let events =
            [VatClosed(day), DirectPension(day), OtherInsurance(day), InclusionAllowance(day)];
        for (event, name) in events.into_iter().zip([
            "vat-closed",
            "direct-pension",
            "other-insurance",
            "inclusion-allowance",
        ]) {
            let running = after(&[event], 6);
            assert_eq!(told(&running), "2024-12-02 3 due, 3 undue: 2062.50 1650.00", "{name}");
            let loss = running.loss.unwrap();
            assert_eq!((loss.event, loss.event.as_str()), (event, name));
            assert_eq!(loss.source, "L. 213/2023 art. 1 c. 142-155");
            assert_eq!(running.undue_months[0].begins_on, date(2024, 12, 17));
            assert_eq!(running.undue_months[0].source, loss.source);
        }
    }

    #[test]
    fn a_month_under_way_remains_due_and_the_next_does_not() {
        for (closed_on, expected) in [
            (date(2024, 9, 15), "2024-09-17 0 due, 2 undue: 1375.00 1100.00"),
            (date(2024, 9, 16), "2024-09-17 0 due, 2 undue: 1375.00 1100.00"),
            (date(2024, 9, 17), "2024-09-18 1 due, 1 undue: 687.50 550.00"),
            (date(2024, 10, 16), "2024-10-17 1 due, 1 undue: 687.50 550.00"),
            (date(2024, 10, 17), "2024-10-18 2 due, 0 undue: 0.00 0.00"),
            (date(2025, 3, 15), "2025-03-16 6 due, 0 undue: 0.00 0.00"),
            (date(2025, 3, 16), "- 6 due, 0 undue: 0.00 0.00"),
            (date(2020, 1, 1), "2024-09-17 0 due, 2 undue: 1375.00 1100.00"),
        ] {
            assert_eq!(told(&after(&[VatClosed(closed_on)], 2)), expected, "{closed_on}");
        }
    }

    #[test]
    fn ape_sociale_makes_undue_what_it_overlaps_and_ends_nothing() {
        let ape = |first, last| ApeSociale { first, last };
        for (event, expected) in [
            (ape(date(2024, 11, 1), None), "- 2 due, 4 undue: 2750.00 2200.00"),
            (ape(date(2024, 11, 1), Some(date(2024, 12, 31))), "- 4 due, 2 undue: 1375.00 1100.00"),
            (ape(date(2024, 11, 17), Some(date(2024, 11, 17))), "- 5 due, 1 undue: 687.50 550.00"),
            (ape(date(2024, 11, 18), Some(date(2024, 12, 16))), "- 6 due, 0 undue: 0.00 0.00"),
            (ape(date(2024, 12, 31), Some(date(2024, 11, 1))), "- 6 due, 0 undue: 0.00 0.00"),
            (ape(date(2025, 3, 17), None), "- 6 due, 0 undue: 0.00 0.00"),
        ] {
            let running = after(&[event], 6);
            assert_eq!(told(&running), expected, "{event:?}");
            assert!(running.undue_months.iter().all(|month| month.event.as_str() == "ape-sociale"));
        }
    }

    #[test]
    fn a_month_undue_twice_is_recovered_once_and_the_earliest_loss_counts() {
        let events = [
            ApeSociale { first: date(2024, 10, 1), last: Some(date(2024, 12, 31)) },
            OtherInsurance(date(2025, 1, 1)),
            VatClosed(date(2024, 12, 1)),
        ];
        let running = after(&events, 6);
        assert_eq!(told(&running), "2024-12-02 1 due, 5 undue: 3437.50 2750.00");
        assert_eq!(running.loss.unwrap().event, events[2]);
        let causes: Vec<_> =
            running.undue_months.iter().map(|month| month.event.as_str()).collect();
        let expected = ["ape-sociale", "ape-sociale", "vat-closed", "vat-closed", "vat-closed"];
        assert_eq!(causes, expected);
    }

    #[test]
    fn months_that_begin_on_a_day_their_month_lacks_follow_without_a_gap() {
        let award = Award { starts_on: date(2024, 8, 31), ends_on: date(2025, 2, 28), ..award() };
        let begins: Vec<_> = (0..6).map(|month| begin_of_month(&award, month)).collect();
        let expected = [(2024, 8, 31), (2024, 10, 1), (2024, 10, 31), (2024, 12, 1)];
        assert_eq!(begins[..4], expected.map(|(year, month, day)| date(year, month, day)));
        let end = calendar::period_end(award.starts_on, 6);
        assert!(begins.windows(2).all(|pair| pair[0] < pair[1]) && begins[5] < end);
    }

    fn any_day() -> impl Strategy<Value = Date> {
        (0..400_i32).prop_map(|days| date(2024, 6, 1).saturating_add(jiff::Span::new().days(days)))
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            any_day().prop_map(VatClosed),
            any_day().prop_map(DirectPension),
            any_day().prop_map(OtherInsurance),
            any_day().prop_map(InclusionAllowance),
            (any_day(), prop::option::of(any_day()))
                .prop_map(|(first, last)| ApeSociale { first, last }),
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn the_order_of_events_changes_nothing(
            mut events in prop::collection::vec(any_event(), 0..5), turn in 0..5_usize, paid in 0..=8_u8,
        ) {
            let before = after(&events, paid);
            let turn = turn.min(events.len());
            events.rotate_left(turn);
            events.reverse();
            prop_assert!(before == after(&events, paid));
        }

        #[test]
        fn never_more_is_recovered_than_was_paid(
            events in prop::collection::vec(any_event(), 0..5), paid in 0..=8_u8,
        ) {
            let running = after(&events, paid);
            let months = i64::from(paid.min(6));
            prop_assert!(running.undue.cents() <= 68_750 * months);
            prop_assert!(running.recovery.cents() <= (68_750 - 13_750) * months);
            prop_assert!(running.recovery.cents() >= 0 && running.recovery <= running.undue);
            prop_assert!(usize::from(running.months_due) + after(&events, 6).undue_months.len() == 6);
        }

        #[test]
        fn a_further_event_never_lessens_what_is_lost(
            events in prop::collection::vec(any_event(), 0..4), further in any_event(), paid in 0..=6_u8,
        ) {
            let more = [events.as_slice(), &[further]].concat();
            let (before, after) = (after(&events, paid), after(&more, paid));
            prop_assert!(after.recovery >= before.recovery && after.months_due <= before.months_due);
            let from = |running: &Running| running.loss.map_or(Date::MAX, |loss| loss.from);
            prop_assert!(from(&after) <= from(&before));
        }
    }
}
