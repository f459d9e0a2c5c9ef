//! Events as bytes: a letter for the kind, then fields of fixed lengths, big-endian.
//!
//! Nodes of two releases read each other's events. So there each event has its length in front of it: one of a kind that
//! this release does not know is skipped, and fields that a later release appends to a known kind are. Who adds either
//! raises the version of summaries, where the journal is shared.

use jiff::{Timestamp, civil::Date};

use super::{Event, Joined, Opened, Report, Seated};
use crate::{civic::ProvedBy, vault::Subject};

/// Bytes of an event's length, in front of it.
#[cfg(feature = "postgres")]
const LENGTH_BYTES: usize = 2;

/// Appends an event.
pub(in crate::ledger) fn encode(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Opened(opened) => encode_opened(opened, out),
        Event::Renewed { visit, generation } => {
            out.push(b'R');
            out.extend(visit.0);
            out.extend(generation.to_be_bytes());
        }
        Event::LeaseGone { visit } => {
            out.push(b'G');
            out.extend(visit.0);
        }
        Event::Moved { visit, turn } => {
            out.push(b'M');
            out.extend(visit.0);
            out.extend(turn.to_be_bytes());
        }
        Event::Ended { visit } => {
            out.push(b'E');
            out.extend(visit.0);
        }
        Event::Joined(Joined { who, round, number }) => {
            out.push(b'J');
            encode_who(*who, out);
            out.extend(round.to_be_bytes());
            out.extend(number);
        }
        Event::Called { round, number } => {
            out.push(b'C');
            out.extend(round.to_be_bytes());
            out.extend(number);
        }
        Event::Left(who) => {
            out.push(b'L');
            encode_who(*who, out);
        }
        Event::SeatMoved(who) => {
            out.push(b'S');
            encode_who(*who, out);
        }
        Event::Closed { round } => {
            out.push(b'X');
            out.extend(round.to_be_bytes());
        }
        Event::Drawn { round } => {
            out.push(b'D');
            out.extend(round.to_be_bytes());
        }
        Event::Reported(Report { spare, entering_per_kilosecond, reached: (round, number) }) => {
            out.push(b'P');
            out.extend(spare.to_be_bytes());
            out.extend(entering_per_kilosecond.to_be_bytes());
            out.extend(round.to_be_bytes());
            out.extend(number);
        }
        Event::Counted { office, clerk, day } => {
            out.push(b'Q');
            out.extend(office.0);
            out.extend(clerk.0);
            out.extend(day.year().to_be_bytes());
            out.extend(day.month().to_be_bytes());
            out.extend(day.day().to_be_bytes());
        }
    }
}

/// Takes the first event off `bytes`; `None` if it is not one.
pub(in crate::ledger) fn decode(bytes: &mut &[u8]) -> Option<Event> {
    let [kind] = take(bytes)?;
    Some(match kind {
        b'O' => Event::Opened(Opened {
            visit: subject(bytes)?,
            person: subject(bytes)?,
            subject: subject(bytes)?,
            began_at: second(bytes)?,
            proved_by: take(bytes).and_then(|[byte]| ProvedBy::from_byte(byte))?,
            expires_at: second(bytes)?,
            generation: u32::from_be_bytes(take(bytes)?),
        }),
        b'R' => {
            Event::Renewed { visit: subject(bytes)?, generation: u32::from_be_bytes(take(bytes)?) }
        }
        b'G' => Event::LeaseGone { visit: subject(bytes)? },
        b'M' => Event::Moved { visit: subject(bytes)?, turn: u64::from_be_bytes(take(bytes)?) },
        b'E' => Event::Ended { visit: subject(bytes)? },
        b'J' => Event::Joined(Joined {
            who: who(bytes)?,
            round: u64::from_be_bytes(take(bytes)?),
            number: take(bytes)?,
        }),
        b'C' => Event::Called { round: u64::from_be_bytes(take(bytes)?), number: take(bytes)? },
        b'L' => Event::Left(who(bytes)?),
        b'S' => Event::SeatMoved(who(bytes)?),
        b'X' => Event::Closed { round: u64::from_be_bytes(take(bytes)?) },
        b'D' => Event::Drawn { round: u64::from_be_bytes(take(bytes)?) },
        b'P' => Event::Reported(Report {
            spare: i32::from_be_bytes(take(bytes)?),
            entering_per_kilosecond: u32::from_be_bytes(take(bytes)?),
            reached: (u64::from_be_bytes(take(bytes)?), take(bytes)?),
        }),
        b'Q' => Event::Counted {
            office: subject(bytes)?,
            clerk: subject(bytes)?,
            day: Date::new(
                i16::from_be_bytes(take(bytes)?),
                i8::from_be_bytes(take(bytes)?),
                i8::from_be_bytes(take(bytes)?),
            )
            .ok()?,
        },
        _ => return None,
    })
}

/// Appends an event with its length in front of it.
#[cfg(feature = "postgres")]
pub(in crate::ledger) fn encode_framed(event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; LENGTH_BYTES]);
    encode(event, out);
    let length = u16::try_from(out.len() - start - LENGTH_BYTES).expect("an event is short");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
}

/// Calls `each` with the framed events in `bytes`, apart from those of kinds that this release does not know. `None` if the
/// frames are not whole.
#[cfg(feature = "postgres")]
pub(in crate::ledger) fn decode_framed(
    mut bytes: &[u8],
    each: &mut dyn FnMut(Event),
) -> Option<()> {
    while !bytes.is_empty() {
        let length = u16::from_be_bytes(take(&mut bytes)?);
        let (mut event, rest) = bytes.split_at_checked(length.into())?;
        bytes = rest;
        if let Some(event) = decode(&mut event) {
            each(event);
        }
    }
    Some(())
}

fn encode_opened(opened: &Opened, out: &mut Vec<u8>) {
    let Opened { visit, person, subject, expires_at, generation, .. } = opened;
    out.push(b'O');
    for hash in [visit, person, subject] {
        out.extend(hash.0);
    }
    out.extend(opened.began_at.as_second().to_be_bytes());
    out.push(opened.proved_by.byte());
    out.extend(expires_at.as_second().to_be_bytes());
    out.extend(generation.to_be_bytes());
}

fn encode_who(who: Seated, out: &mut Vec<u8>) {
    out.extend(who.person);
    out.push(who.for_office.into());
}

fn who(bytes: &mut &[u8]) -> Option<Seated> {
    let person = take(bytes)?;
    let [for_office] = take(bytes)?;
    Some(Seated { person, for_office: for_office != 0 })
}

fn subject(bytes: &mut &[u8]) -> Option<Subject> {
    take(bytes).map(Subject)
}

fn second(bytes: &mut &[u8]) -> Option<Timestamp> {
    Timestamp::from_second(i64::from_be_bytes(take(bytes)?)).ok()
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> impl Strategy<Value = Event> {
        let hash = || any::<[u8; 16]>().prop_map(Subject);
        let who = || {
            any::<([u8; 8], bool)>().prop_map(|(person, for_office)| Seated { person, for_office })
        };
        let second = || (0..4_000_000_000_i64).prop_map(|at| Timestamp::from_second(at).unwrap());
        prop_oneof![
            (hash(), hash(), hash(), [second(), second()], 1..=6_u8, any::<u32>()).prop_map(
                |(visit, person, subject, [began_at, expires_at], proved_by, generation)| {
                    let proved_by = ProvedBy::from_byte(proved_by).unwrap();
                    Event::Opened(Opened {
                        visit,
                        person,
                        subject,
                        began_at,
                        proved_by,
                        expires_at,
                        generation,
                    })
                }
            ),
            (hash(), any::<u32>())
                .prop_map(|(visit, generation)| Event::Renewed { visit, generation }),
            hash().prop_map(|visit| Event::LeaseGone { visit }),
            (hash(), any::<u64>()).prop_map(|(visit, turn)| Event::Moved { visit, turn }),
            hash().prop_map(|visit| Event::Ended { visit }),
            (who(), any::<u64>(), any::<[u8; 8]>())
                .prop_map(|(who, round, number)| Event::Joined(Joined { who, round, number })),
            (any::<u64>(), any::<[u8; 8]>())
                .prop_map(|(round, number)| Event::Called { round, number }),
            who().prop_map(Event::Left),
            who().prop_map(Event::SeatMoved),
            any::<u64>().prop_map(|round| Event::Closed { round }),
            any::<u64>().prop_map(|round| Event::Drawn { round }),
            any::<(i32, u32, u64, [u8; 8])>().prop_map(
                |(spare, entering_per_kilosecond, round, number)| Event::Reported(Report {
                    spare,
                    entering_per_kilosecond,
                    reached: (round, number)
                })
            ),
            (hash(), hash(), 1..=28_i8).prop_map(|(office, clerk, day)| Event::Counted {
                office,
                clerk,
                day: Date::new(2024, 9, day).unwrap()
            }),
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn events_are_read_as_they_were_noted(
            noted in proptest::collection::vec(events(), 0..20),
            cut in 1..40_usize,
        ) {
            let mut bytes = Vec::new();
            for event in &noted {
                encode(event, &mut bytes);
            }
            let mut rest = bytes.as_slice();
            let read: Vec<_> = std::iter::from_fn(|| decode(&mut rest)).collect();
            prop_assert_eq!(&read, &noted);
            prop_assert!(rest.is_empty());
            let mut rest = &bytes[..bytes.len().saturating_sub(cut)];
            let read: Vec<_> = std::iter::from_fn(|| decode(&mut rest)).collect();
            prop_assert!(noted.starts_with(&read) && (read.len() < noted.len() || noted.is_empty()));
        }
    }
    #[cfg(feature = "postgres")]
    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_a_later_release_notes_is_skipped_and_what_it_appends_too(
            noted in proptest::collection::vec(events(), 1..20),
            kind in prop::sample::select(vec![0, b'N', b'z', 255]),
            unknown in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut bytes = Vec::new();
            for event in &noted {
                let mut later = Vec::new();
                encode(event, &mut later);
                later.extend(&unknown);
                bytes.extend(u16::try_from(later.len()).unwrap().to_be_bytes());
                bytes.extend(later);
                bytes.extend(u16::try_from(unknown.len() + 1).unwrap().to_be_bytes());
                bytes.push(kind);
                bytes.extend(&unknown);
                encode_framed(event, &mut bytes);
            }
            let mut read = Vec::new();
            prop_assert!(decode_framed(&bytes, &mut |event| read.push(event)).is_some());
            let twice: Vec<_> = noted.iter().flat_map(|event| [*event, *event]).collect();
            prop_assert_eq!(read, twice);
            prop_assert!(decode_framed(&bytes[..bytes.len() - 1], &mut |_| ()).is_none());
        }
    }
}
