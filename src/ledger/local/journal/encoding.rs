//! Events as bytes: a letter for the kind, then fields of fixed lengths, big-endian.

use jiff::{Timestamp, civil::Date};

use crate::{
    civic::ProvedBy,
    ledger::journal::{Event, Joined, Opened, Report, Seated},
    vault::Subject,
};

/// Appends an event.
pub(super) fn encode(event: &Event, out: &mut Vec<u8>) {
    match event {
        Event::Opened(opened) => {
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
        Event::Renewed { visit, generation } => {
            out.push(b'R');
            out.extend(visit.0);
            out.extend(generation.to_be_bytes());
        }
        Event::LeaseGone { visit } => {
            out.push(b'G');
            out.extend(visit.0);
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
pub(super) fn decode(bytes: &mut &[u8]) -> Option<Event> {
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
}
