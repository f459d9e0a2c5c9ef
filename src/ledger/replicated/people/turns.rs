//! Changes about one person follow one another, on whatever node they are made.
//!
//! A transaction takes the turn of each person that it is about before it reads or writes, and keeps it until the server has
//! ended it, the wait for the standbys included. So it decides by what is committed. And a statement that the network
//! delays takes no effect after its client has given up and a later change was acknowledged: that one waited for its turn.

use futures_util::future::try_join;

use super::super::{fault::Setback, house::HouseLink};
use crate::vault::Subject;

/// Takes a turn, or fails after the time for which this session waits for locks.
const TURN: &str = "SELECT pg_advisory_xact_lock($1)";
/// Writes a record to the log that nothing reads: a commit that has written is waited for.
const MARK: &str = "SELECT pg_logical_emit_message(true, 'sportello', ''::text)";

/// Begins a transaction about one person.
///
/// # Errors
/// [`Setback`].
pub(super) async fn begin(link: &HouseLink, person: Subject) -> Result<(), Setback> {
    try_join(link.begin(), turn(link, person)).await.map(drop)
}

/// Begins a transaction about two people, who may be one.
///
/// # Errors
/// [`Setback`].
pub(super) async fn begin_for_two(
    link: &HouseLink,
    mut people: [Subject; 2],
) -> Result<(), Setback> {
    // In one order on every node, so that no two of them wait for each other.
    people.sort_unstable_by_key(|person| key_of(*person));
    begin(link, people[0]).await?;
    turn(link, people[1]).await
}

/// Commits a transaction; returns once a majority of servers has it, and everything that it read.
///
/// # Errors
/// After any setback the commit is unknown.
pub(super) async fn settle(link: &HouseLink) -> Result<(), Setback> {
    link.rows(MARK, &[]).await?;
    link.commit().await
}

/// Returns once a majority of servers has everything that this link read outside of a transaction. A primary that was
/// deposed, and does not know it, cannot do this.
///
/// # Errors
/// [`Setback`]: what was read may be lost or out of date.
pub(super) async fn confirm(link: &HouseLink) -> Result<(), Setback> {
    link.durably(MARK, &[]).await.map(drop)
}

async fn turn(link: &HouseLink, person: Subject) -> Result<(), Setback> {
    link.rows(TURN, &[&key_of(person)]).await.map(drop)
}

/// The key of an advisory lock. Two people with the same one wait for each other, and no more.
fn key_of(person: Subject) -> i64 {
    person.0.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}
