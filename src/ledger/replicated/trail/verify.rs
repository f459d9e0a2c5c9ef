//! Whether the trail is whole: every chain row by row, and the end of each as the others name it.

use tokio_postgres::Row;

use super::{
    super::{
        super::{
            audit::{
                Chained, SearchFault, TrailRow,
                heads::{Ends, Head, parse},
            },
            fault::StorageFault,
            proof::Digest,
        },
        fault::Setback,
        house::House,
        messages,
        whole::{self, Chains},
    },
    heads,
    rows::{self, FoundBy},
};
use crate::vault::HouseKeys;

const TRAIL: Chains = Chains {
    what: "audit trail",
    parts: "SELECT DISTINCT node, month FROM trail ORDER BY 1, 2",
    page: "SELECT number, written_at, events, actors, control, root, signature, people, named FROM trail \
        WHERE month = $1 AND node = $2 AND number >= $3 ORDER BY number LIMIT $4",
    missing: "SELECT month, node, number FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[]) \
        AS named(month, node, number, root) WHERE NOT EXISTS (SELECT FROM trail t \
        WHERE t.month = named.month COLLATE \"C\" AND t.node = named.node AND t.number = named.number \
        AND t.root = named.root)",
};

/// A row with what finds it.
struct Indexed {
    row: TrailRow,
    found_by: FoundBy,
}

impl Chained for Indexed {
    fn number(&self) -> i64 {
        self.row.number
    }

    fn signed(&self) -> (&Digest, &str) {
        self.row.signed()
    }

    fn root_after(&self, previous: &Digest) -> Digest {
        self.row.root_after(previous)
    }
}

/// Verifies the chains of the trail and of the messages of providers, of all nodes. Returns what is wrong, in words for the
/// operator. Waits for the database; servers may be running.
///
/// # Errors
/// [`SearchFault`].
pub(in crate::ledger::replicated) fn inspect(
    house: &House,
    keys: &HouseKeys,
) -> Result<Vec<String>, SearchFault> {
    // Before the rows: what is named now is there, and more may follow.
    let mut ends = Ends::default();
    ends.add(ends_in_tables(house)?);
    let read = |row: &Row| {
        let (row, found_by) = rows::read(row)?;
        Ok(Indexed { row, found_by })
    };
    let (mut findings, first_month) = whole::walk((house, keys), &TRAIL, read, |indexed| {
        ends.add(parse(&indexed.row.control).unwrap_or_default());
        let is_found = FoundBy::of(&indexed.row).is_some_and(|by| by == indexed.found_by);
        (!is_found).then_some("searches do not find it, because what they look for was changed")
    })?;
    let (found, first_of_messages) = messages::walk(house, keys)?;
    findings.extend(found);
    for (chains, kind, first) in
        [(&TRAIL, "trail", first_month), (&messages::CHAINS, "messages", first_of_messages)]
    {
        findings.extend(whole::missing(house, chains, ends.of(kind, first.as_deref()))?);
    }
    Ok(findings)
}

/// The ends that the tables of nodes name, whatever the month.
fn ends_in_tables(house: &House) -> Result<Vec<Head>, SearchFault> {
    let read = house.wait_for(|link| {
        Box::pin(async move {
            let rows = link.rows(heads::ENDS, &[&"", &i64::MAX]).await?;
            rows.iter().map(heads::read).collect::<Result<Vec<_>, Setback>>()
        })
    });
    Ok(read.map_err(StorageFault::from)?)
}
