//! The seats of the waiting room, sized for a million people.

use std::sync::Arc;

use hashbrown::HashTable;
use jiff::Timestamp;

use crate::{
    civic::FiscalCode,
    gate::lottery::Number,
    identity::Audience,
    ledger::journal::{Event, Joined, Journal, Node, Seated},
    vault::Subject,
};

/// A person who asks to enter, with a verified identity.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The person.
    pub person: Subject,
    /// Their fiscal code, from which their number is made.
    pub fiscal_code: FiscalCode,
    /// Whether they act for themselves or for an office.
    pub audience: Audience,
}

impl Asking {
    /// Who they are to the waiting room.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter { person: self.person, audience: self.audience }
    }
}

/// A person in the waiting room, as far as a seat is found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The person.
    pub person: Subject,
    /// Whether they wait for themselves or for an office.
    pub audience: Audience,
}

/// How far a seat's person has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The seat is free.
    Vacant,
    /// In a round that is not drawn, which is given by the last byte of its index.
    Gathering(u8),
    /// In a drawn round, given likewise.
    Drawn(u8),
    /// Called: may enter. The round is given likewise.
    Called(u8),
}

/// How a seat's person stands with the moment at which they were told to ask again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Expected then; before it they are early.
    Expected,
    /// Was told that it is their turn, or may not know the moment after a restart: is never early.
    MayCome,
    /// Their connection was closed since they last asked: no lease is kept free for them when they are called.
    Gone,
}

/// One person in the waiting room.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    /// Half of the keyed hash. Two of a million people have the same half, and would share a seat, once in 40 million
    /// rooms.
    pub(super) person: [u8; 8],
    /// Not yet mixed with the beacon while the round gathers.
    pub(super) number: Number,
    /// When they are expected to ask again, seconds.
    pub(super) due: u32,
    pub(super) stage: Stage,
    pub(super) audience: Audience,
    pub(super) presence: Presence,
    /// The other node at which the person asked last; `None` if it was this one. Then `due` and `presence` mean nothing.
    pub(super) elsewhere: Option<Node>,
}

impl Stage {
    /// In this round, which is not drawn.
    pub(super) fn of_undrawn(round: u64) -> Self {
        Self::Gathering(last_byte(round))
    }

    /// In this drawn round.
    pub(super) fn of_drawn(round: u64, is_called: bool) -> Self {
        if is_called { Self::Called(last_byte(round)) } else { Self::Drawn(last_byte(round)) }
    }
}

impl Seat {
    pub(super) fn who(&self) -> Seated {
        Seated { person: self.person, for_office: self.audience == Audience::Intermediaries }
    }

    /// Whether they would ask before they were told to.
    pub(super) fn is_early(&self, now: u32) -> bool {
        self.presence != Presence::MayCome && now < self.due
    }

    /// Whether their connection to this node was closed since they asked.
    pub(super) fn is_gone(&self) -> bool {
        self.elsewhere.is_none() && self.presence == Presence::Gone
    }

    /// Whether this node waits for them at the moment that it told them.
    pub(super) fn is_awaited(&self) -> bool {
        self.elsewhere.is_none() && self.presence != Presence::Gone
    }

    /// Whether the person was called.
    pub(super) fn is_called(&self) -> bool {
        matches!(self.stage, Stage::Called(_))
    }
}

/// All seats, found by person; the journal knows who takes and who leaves one. Address space for all of them is reserved at the start: growing a table would block
/// everybody while it is copied.
pub(super) struct Seats {
    journal: Arc<dyn Journal>,
    all: Vec<Seat>,
    vacant: Vec<u32>,
    by_person: HashTable<u32>,
    taken: [usize; Audience::ALL.len()],
    /// Of them, those who asked last at another node.
    elsewhere: usize,
    people_max: usize,
}

impl Seats {
    pub(super) fn new(people_max: usize, journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            all: Vec::with_capacity(people_max),
            vacant: Vec::new(),
            by_person: HashTable::with_capacity(people_max),
            taken: [0; Audience::ALL.len()],
            elsewhere: 0,
            people_max,
        }
    }

    /// How many people are in the room, by audience.
    pub(super) fn taken(&self) -> [usize; Audience::ALL.len()] {
        self.taken
    }

    /// How many people are in the room.
    pub(super) fn people(&self) -> usize {
        self.taken.iter().sum()
    }

    /// How many of them asked last at this node.
    pub(super) fn here(&self) -> usize {
        self.people() - self.elsewhere
    }

    pub(super) fn get(&self, index: u32) -> &Seat {
        &self.all[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Seat {
        &mut self.all[index as usize]
    }

    /// Every seat with its index, also free ones.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Seat)> {
        (0..).zip(&mut self.all)
    }

    /// How many seats there are, including free ones.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn of_person(&self, person: Subject, audience: Audience) -> Option<u32> {
        self.find(half(person), audience)
    }

    /// The seat of a person whom the journal names.
    pub(super) fn of(&self, who: Seated) -> Option<u32> {
        self.find(who.person, audience_of(who))
    }

    fn find(&self, person: [u8; 8], audience: Audience) -> Option<u32> {
        let same = |index: &u32| {
            let seat = self.get(*index);
            seat.person == person && seat.audience == audience
        };
        self.by_person.find(u64::from_be_bytes(person), same).copied()
    }

    /// Gives a new person a seat in a round that is not drawn; `None` if all are taken.
    pub(super) fn take(
        &mut self,
        asking: &Asking,
        (round, number): (u64, Number),
        now: u32,
    ) -> Option<u32> {
        let seat = Seat {
            person: half(asking.person),
            number,
            due: now,
            stage: Stage::of_undrawn(round),
            audience: asking.audience,
            presence: Presence::Expected,
            elsewhere: None,
        };
        let index = self.put(seat)?;
        let (who, number) = (seat.who(), number.to_bytes());
        self.journal.note(Event::Joined(Joined { who, round, number }));
        Some(index)
    }

    /// Gives a person the seat that the journal knows, at this node or another; `None` if all are taken.
    pub(super) fn restore(
        &mut self,
        who: Seated,
        (stage, number): (Stage, Number),
        elsewhere: Option<Node>,
    ) -> Option<u32> {
        let (person, audience, presence) = (who.person, audience_of(who), Presence::MayCome);
        self.put(Seat { person, number, due: 0, stage, audience, presence, elsewhere })
    }

    /// Notes at which node a person asked last.
    pub(super) fn set_elsewhere(&mut self, index: u32, elsewhere: Option<Node>) {
        let before = std::mem::replace(&mut self.get_mut(index).elsewhere, elsewhere);
        self.elsewhere += usize::from(elsewhere.is_some());
        self.elsewhere -= usize::from(before.is_some());
    }

    /// Notes a change in the journal.
    pub(super) fn note(&self, event: Event) {
        self.journal.note(event);
    }

    fn put(&mut self, seat: Seat) -> Option<u32> {
        if self.people() >= self.people_max {
            return None;
        }
        let index = if let Some(index) = self.vacant.pop() {
            *self.get_mut(index) = seat;
            index
        } else {
            self.all.push(seat);
            self.len() - 1
        };
        let all = &self.all;
        let person_of = |index: &u32| u64::from_be_bytes(all[*index as usize].person);
        self.by_person.insert_unique(person_of(&index), index, person_of);
        self.taken[seat.audience as usize] += 1;
        self.elsewhere += usize::from(seat.elsewhere.is_some());
        Some(index)
    }

    /// Frees a seat; returns it as it was.
    pub(super) fn leave(&mut self, index: u32) -> Seat {
        let seat = self.free(index);
        self.note(Event::Left(seat.who()));
        seat
    }

    /// Frees a seat that another node has freed; returns it as it was.
    pub(super) fn free(&mut self, index: u32) -> Seat {
        let seat = *self.get(index);
        let person = u64::from_be_bytes(seat.person);
        if let Ok(known) = self.by_person.find_entry(person, |known| *known == index) {
            known.remove();
        }
        self.taken[seat.audience as usize] -= 1;
        self.elsewhere -= usize::from(seat.elsewhere.is_some());
        self.get_mut(index).stage = Stage::Vacant;
        self.vacant.push(index);
        seat
    }

    /// Whether no person is in the room and no index entry is left.
    #[cfg(test)]
    pub(super) fn forgot_everybody(&self) -> bool {
        self.by_person.is_empty() && self.vacant.len() == self.all.len() && self.people() == 0
    }
}

/// A moment in whole seconds, in four bytes.
pub(super) fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX)
}

/// The name of a round in a [`Stage`].
pub(super) fn last_byte(round: u64) -> u8 {
    round.to_le_bytes()[0]
}

fn audience_of(who: Seated) -> Audience {
    if who.for_office { Audience::Intermediaries } else { Audience::Citizens }
}

fn half(person: Subject) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(&person.key()[..8]);
    half
}
