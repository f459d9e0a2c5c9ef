//! What of the journal can still matter to a node that starts: the events of what lives, without those of what is over.
//!
//! Events are taken in their order, and given back so that taking those, and then all that follow, comes to the same. Of a
//! session that is over one visit is left, so that it never opens again.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    ledger::journal::{
        Event, Joined, Opened, Seated,
        encoding::{decode_framed, encode_framed},
    },
    vault::Subject,
};

/// How much later than by the clock of this node a session is over: the clocks of nodes differ by less.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
/// How long changes of a session are kept whose opening is not there. It comes with the same look, or the next.
const EARLY_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// How long a seat is kept after its person took it, or asked at another node: as long as rows are.
const SEAT_LASTS: SignedDuration = SignedDuration::from_hours(48);

/// An event as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) node: i32,
    /// By the server's clock, microseconds.
    pub(super) at: i64,
    /// How often it happened. Applications of one clerk in a day are one event.
    pub(super) times: u32,
    pub(super) event: Event,
}

/// What lives.
#[derive(Default)]
pub(super) struct Living {
    visits: HashMap<Subject, Visit>,
    /// Visits that were opened so far.
    opened: u64,
    /// Visits whose session is over, and which were not given back yet.
    ended: Vec<Subject>,
    seats: HashMap<Seated, Written>,
    /// The round and the number up to which people were called.
    called: Option<((u64, [u8; 8]), Written)>,
    /// The latest round that was closed.
    closed: Option<(u64, Written)>,
    /// The latest day of which something was counted.
    day: Option<Date>,
    counts: HashMap<(Subject, Subject), Written>,
}

/// A session that has not ended.
struct Visit {
    /// Its place among all of them, oldest first.
    order: u64,
    /// Of its first event.
    node: i32,
    at: i64,
    /// `None` if only changes were read.
    opened: Option<Opened>,
    generation: u32,
    turn: u64,
    is_lease_gone: bool,
}

impl Living {
    /// Takes in the next event.
    pub(super) fn take(&mut self, written: Written) {
        let Written { node, at, times, event } = written;
        match event {
            Event::Opened(opened) => {
                self.opened += 1;
                let order = self.opened;
                let visit = self.visit(opened.visit, (node, at));
                visit.order = order;
                visit.generation = visit.generation.max(opened.generation);
                visit.opened = Some(opened);
            }
            Event::Renewed { visit, generation } => {
                let visit = self.visit(visit, (node, at));
                visit.generation = visit.generation.max(generation);
            }
            Event::LeaseGone { visit } => self.visit(visit, (node, at)).is_lease_gone = true,
            Event::Moved { visit, turn } => {
                let visit = self.visit(visit, (node, at));
                visit.turn = visit.turn.max(turn);
            }
            Event::Ended { visit } => {
                self.visits.remove(&visit);
                self.ended.push(visit);
            }
            Event::Joined(Joined { who, .. }) => {
                self.seats.insert(who, written);
            }
            Event::SeatMoved(who) => {
                if let Some(seat) = self.seats.get_mut(&who) {
                    (seat.node, seat.at) = (node, at);
                }
            }
            Event::Left(who) => {
                self.seats.remove(&who);
            }
            Event::Called { round, number } => {
                let reach = (round, number);
                if self.called.is_none_or(|(before, _)| before < reach) {
                    self.called = Some((reach, written));
                }
            }
            Event::Closed { round } => {
                if self.closed.is_none_or(|(before, _)| before < round) {
                    self.closed = Some((round, written));
                }
            }
            Event::Counted { office, clerk, day } => {
                if self.day < Some(day) {
                    self.day = Some(day);
                    self.counts.clear();
                }
                if self.day == Some(day) {
                    let nothing = Written { times: 0, ..written };
                    self.counts.entry((office, clerk)).or_insert(nothing).times += times;
                }
            }
            // They matter to nodes that run.
            Event::Drawn { .. } | Event::Reported(_) => {}
        }
    }

    /// Drops what is over: `now` by the clock of this node, `at` by the server's, microseconds.
    pub(super) fn drop_what_is_over(&mut self, now: Timestamp, at: i64) {
        let is_older = |written: i64, lasts: SignedDuration| {
            i128::from(at) - i128::from(written) >= lasts.as_micros()
        };
        let ended = &mut self.ended;
        self.visits.retain(|key, visit| match &visit.opened {
            Some(opened) => {
                let lives = now.duration_since(opened.expires_at) < SLACK;
                if !lives {
                    ended.push(*key);
                }
                lives
            }
            None => !is_older(visit.at, EARLY_LASTS),
        });
        self.seats.retain(|_, seat| !is_older(seat.at, SEAT_LASTS));
    }

    /// The visits whose session is over since this was called before.
    pub(super) fn take_ended(&mut self) -> Vec<Subject> {
        std::mem::take(&mut self.ended)
    }

    /// Everything that lives, as events.
    pub(super) fn events(&self) -> Vec<Written> {
        let mut visits: Vec<_> = self.visits.iter().collect();
        visits.sort_unstable_by_key(|(_, visit)| visit.order);
        let once = [self.called.map(|(_, it)| it), self.closed.map(|(_, it)| it)];
        let mut events: Vec<_> = visits.into_iter().flat_map(|(key, it)| it.events(*key)).collect();
        events.extend(self.seats.values().chain(self.counts.values()).copied());
        events.extend(once.into_iter().flatten());
        events
    }

    fn visit(&mut self, visit: Subject, (node, at): (i32, i64)) -> &mut Visit {
        self.visits.entry(visit).or_insert(Visit {
            order: 0,
            node,
            at,
            opened: None,
            generation: 0,
            turn: 0,
            is_lease_gone: false,
        })
    }
}

impl Visit {
    fn events(&self, visit: Subject) -> impl Iterator<Item = Written> + use<> {
        let Self { node, at, generation, turn, .. } = *self;
        let opened = self.opened.map(|opened| Event::Opened(Opened { generation, ..opened }));
        let renewed = || (generation > 0).then_some(Event::Renewed { visit, generation });
        let events = [
            opened.or_else(renewed),
            self.is_lease_gone.then_some(Event::LeaseGone { visit }),
            (turn > 0).then_some(Event::Moved { visit, turn }),
        ];
        events.into_iter().flatten().map(move |event| Written { node, at, times: 1, event })
    }
}

impl Written {
    /// Appends it.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.node.to_be_bytes());
        out.extend(self.at.to_be_bytes());
        out.extend(self.times.to_be_bytes());
        encode_framed(&self.event, out);
    }

    /// Takes the first one off `bytes`; `None` if it is not one.
    pub(super) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (node, rest) = bytes.split_first_chunk::<4>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (times, framed) = rest.split_first_chunk::<4>()?;
        let (length, _) = framed.split_first_chunk::<2>()?;
        let end = length.len() + usize::from(u16::from_be_bytes(*length));
        let (framed, rest) = framed.split_at_checked(end)?;
        *bytes = rest;
        let mut found = None;
        decode_framed(framed, &mut |event| found = Some(event))?;
        Some(Self {
            node: i32::from_be_bytes(*node),
            at: i64::from_be_bytes(*at),
            times: u32::from_be_bytes(*times),
            event: found?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::civic::ProvedBy;

    /// Microseconds of a second.
    const SECOND: i64 = 1_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn written(node: i32, second: i64, event: Event) -> Written {
        Written { node, at: second * SECOND, times: 1, event }
    }

    fn visit(n: u8) -> Subject {
        Subject([n; 16])
    }

    fn opened(n: u8, expires_at: i64) -> Event {
        Event::Opened(Opened {
            visit: visit(n),
            person: visit(n + 100),
            subject: visit(n + 100),
            began_at: at(expires_at - 1800),
            proved_by: ProvedBy::Spid,
            expires_at: at(expires_at),
            generation: 0,
        })
    }

    fn who(n: u8) -> Seated {
        Seated { person: [n; 8], for_office: false }
    }

    fn taken(events: &[Written]) -> Living {
        let mut living = Living::default();
        for event in events {
            living.take(*event);
        }
        living
    }

    /// What a summary of it holds, as a node reads it.
    fn read_again(living: &Living) -> Vec<Written> {
        let mut bytes = Vec::new();
        for event in living.events() {
            event.encode(&mut bytes);
        }
        let mut rest = bytes.as_slice();
        std::iter::from_fn(|| Written::decode(&mut rest)).collect()
    }

    /// All of it, in an order that does not depend on a hash map: openings stay in their own.
    fn whole(living: &Living) -> Vec<String> {
        let (mut sessions, mut others) = (Vec::new(), Vec::new());
        for written in living.events() {
            let of =
                if matches!(written.event, Event::Opened(_)) { &mut sessions } else { &mut others };
            of.push(format!("{written:?}"));
        }
        others.sort_unstable();
        sessions.extend(others);
        sessions
    }

    fn events() -> impl Strategy<Value = Event> {
        let few = || 1..5_u8;
        let round = || (1..4_u64, few().prop_map(|n| [n; 8]));
        let day = |n: i8| Date::new(2024, 9, n).unwrap();
        prop_oneof![
            few().prop_map(|n| opened(n, 5000)),
            (few(), 1..9_u32)
                .prop_map(|(n, generation)| Event::Renewed { visit: visit(n), generation }),
            few().prop_map(|n| Event::LeaseGone { visit: visit(n) }),
            (few(), 1..99_u64).prop_map(|(n, turn)| Event::Moved { visit: visit(n), turn }),
            few().prop_map(|n| Event::Ended { visit: visit(n) }),
            (few(), round()).prop_map(|(n, (round, number))| Event::Joined(Joined {
                who: who(n),
                round,
                number
            })),
            few().prop_map(|n| Event::Left(who(n))),
            few().prop_map(|n| Event::SeatMoved(who(n))),
            round().prop_map(|(round, number)| Event::Called { round, number }),
            (1..4_u64).prop_map(|round| Event::Closed { round }),
            (1..4_u64).prop_map(|round| Event::Drawn { round }),
            (few(), few(), 1..4_i8).prop_map(move |(office, clerk, n)| Event::Counted {
                office: visit(office),
                clerk: visit(clerk),
                day: day(n)
            }),
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn a_summary_and_what_follows_it_come_to_the_same_as_everything(
            noted in proptest::collection::vec((1..4_i32, events()), 0..60),
            cuts in proptest::collection::vec(0..60_usize, 0..3),
        ) {
            let noted: Vec<_> = (0..)
                .zip(noted)
                .map(|(second, (node, event))| written(node, second, event))
                .collect();
            let everything = taken(&noted);
            let (mut summary, mut ended, mut from) = (Living::default(), Vec::new(), 0);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(noted.len())).collect();
            cuts.sort_unstable();
            for cut in cuts.into_iter().chain([noted.len()]) {
                summary = taken(&read_again(&summary));
                noted[from..cut].iter().for_each(|event| summary.take(*event));
                from = cut;
                summary.drop_what_is_over(at(60), 60 * SECOND);
                ended.extend(summary.take_ended());
            }
            prop_assert_eq!(whole(&summary), whole(&everything));
            prop_assert!(ended == everything.ended, "who ended stays ended");
        }
    }

    #[test]
    fn what_is_known_of_a_session_before_its_opening_is_kept_with_it() {
        let early = [
            Event::Renewed { visit: visit(1), generation: 2 },
            Event::LeaseGone { visit: visit(1) },
            opened(1, 5000),
            Event::Moved { visit: visit(1), turn: 7 },
        ];
        let living = taken(&early.map(|event| written(1, 0, event)));
        let Event::Opened(known) = opened(1, 5000) else { panic!("it is one") };
        let events: Vec<_> = read_again(&living).iter().map(|written| written.event).collect();
        let [opened, gone, moved] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*opened, Event::Opened(Opened { generation: 2, ..known }));
        assert_eq!([*gone, *moved], [early[1], early[3]]);
    }

    #[test]
    fn of_seats_rounds_and_quotas_the_latest_is_kept() {
        let joined = |n| Event::Joined(Joined { who: who(n), round: 1, number: [n; 8] });
        let counted = |n: i8| {
            let day = Date::new(2024, 9, n).unwrap();
            Event::Counted { office: visit(1), clerk: visit(2), day }
        };
        let called = |round, n| Event::Called { round, number: [n; 8] };
        let noted = [
            (1, joined(1)),
            (1, joined(2)),
            (2, Event::SeatMoved(who(1))),
            (2, Event::Left(who(2))),
            (2, Event::SeatMoved(who(2))),
            (1, called(2, 1)),
            (1, called(1, 9)),
            (1, Event::Closed { round: 3 }),
            (1, Event::Closed { round: 2 }),
            (1, counted(1)),
            (1, counted(2)),
            (2, counted(2)),
            (1, counted(1)),
        ];
        let living = taken(&noted.map(|(node, event)| written(node, 0, event)));
        let left: Vec<_> =
            read_again(&living).iter().map(|it| (it.node, it.times, it.event)).collect();
        let kept = [
            (2, 1, joined(1)),
            (1, 2, counted(2)),
            (1, 1, called(2, 1)),
            (1, 1, Event::Closed { round: 3 }),
        ];
        assert_eq!(left, kept);
    }

    #[test]
    fn what_is_over_is_dropped_and_a_visit_is_left_of_a_session() {
        let hour = 3600;
        let seat = |n| Event::Joined(Joined { who: who(n), round: 1, number: [n; 8] });
        let mut living = taken(&[
            written(1, 0, seat(1)),
            written(1, hour, seat(2)),
            written(1, 48 * hour, opened(1, 48 * hour + 1800)),
            written(1, 48 * hour + 60, opened(2, 48 * hour + 1860)),
            written(1, 48 * hour - 3600, Event::LeaseGone { visit: visit(3) }),
            written(2, 48 * hour, Event::LeaseGone { visit: visit(4) }),
            written(2, 48 * hour, Event::Ended { visit: visit(5) }),
        ]);
        // By the slowest clock the first session is over just now.
        living.drop_what_is_over(at(48 * hour + 1800 + 599), (48 * hour - 1) * SECOND);
        assert_eq!(living.events().len(), 6);
        living.drop_what_is_over(at(48 * hour + 1800 + 600), 48 * hour * SECOND);
        let left: Vec<_> = living.events().iter().map(|written| written.event).collect();
        let kept = [opened(2, 48 * hour + 1860), Event::LeaseGone { visit: visit(4) }, seat(2)];
        assert!(left.len() == 3 && kept.iter().all(|event| left.contains(event)), "{left:?}");
        assert!(living.take_ended() == [visit(5), visit(1)]);
        assert!(living.take_ended().is_empty(), "each once");
    }
}
