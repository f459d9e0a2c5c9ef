//! Cases for judges: any node leases any undecided application for a while.
//!
//! A judge that dies leaves its leases to end by themselves, by the clock of the database. Two judges with the same case
//! cost a decision that is not written: the first change of an application exists once.

/// Rows of the work list that one look for cases examines: many nodes may have leased its neighbours.
pub(super) const LOOK_AHEAD_MAX: i64 = 1024;

/// The statement that leases cases: from a lot on, which is chosen at random, so many for so many milliseconds.
pub(super) fn lease() -> String {
    format!(
        "WITH ahead AS (SELECT lot, position FROM undecided WHERE lot >= $1 ORDER BY lot LIMIT {LOOK_AHEAD_MAX}), \
         free AS (SELECT u.lot, u.position FROM undecided u JOIN ahead USING (lot, position) \
             WHERE u.leased_until <= now() LIMIT $2 FOR UPDATE OF u SKIP LOCKED), \
         leased AS (UPDATE undecided u SET leased_until = now() + $3 * interval '1 ms' FROM free \
             WHERE u.lot = free.lot AND u.position = free.position RETURNING u.position) \
         SELECT r.position, r.sealed FROM leased JOIN records r USING (position)"
    )
}
