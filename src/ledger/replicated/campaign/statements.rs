//! Every statement, prepared once on each link.

use tokio_postgres::{Client, Statement};

use super::{super::guard, cases, counts};

/// Declares the statements of a kind of link.
macro_rules! statements {
    ($(#[doc = $about:literal])+ $kind:ident { $($(#[doc = $help:literal])* $name:ident: $sql:expr;)+ }) => {
        $(#[doc = $about])+
        pub(in super::super) struct $kind { $($(#[doc = $help])* pub(in super::super) $name: Statement),+ }

        impl $kind {
            /// Prepares all of them.
            pub(in super::super) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
                Ok(Self { $($name: client.prepare(&$sql).await?),+ })
            }
        }
    };
}

/// The batch whose first position is the last one up to a position, and the root of the batch before.
pub(in super::super) const BATCH: &str = "SELECT b.node, b.number, b.first, b.written_at, b.entries, b.changes, b.root, b.signature, p.root \
    FROM batches b LEFT JOIN batches p ON p.node = b.node AND p.number = b.number - 1 \
    WHERE b.first <= $1 ORDER BY b.first DESC LIMIT 1";

/// A record without its contents, and its changes in their order.
fn found(of: &str) -> String {
    format!(
        "SELECT position, claim, channel, key, digest, \
         ARRAY(SELECT c.change FROM changes c WHERE c.position = r.position ORDER BY c.step) \
         FROM records r WHERE {of} ORDER BY claim, nth"
    )
}

statements! {
    /// The statements of a committer.
    Writing {
        /// The last batch of a node and its counts; waits until a transaction of this node has ended.
        head: format!("SELECT batches, root, {} FROM nodes WHERE node = $1 FOR UPDATE", counts::COLUMNS);
        of_claims: found("claim = ANY($1)");
        of_office_keys: found("channel <> 0 AND key = ANY($1)");
        of_positions: found("position = ANY($1)");
        /// Adds records; fewer rows than records if another node was first.
        add_records: "INSERT INTO records (position, claim, nth, key, digest, channel, sealed) \
            SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::smallint[], $4::bytea[], $5::bytea[], \
            $6::smallint[], $7::bytea[]) ON CONFLICT DO NOTHING";
        /// Adds cases, some of them leased for so many milliseconds.
        add_undecided: "INSERT INTO undecided (lot, position, leased_until) \
            SELECT lot, position, CASE WHEN leased THEN now() + $4 * interval '1 ms' ELSE '-infinity' END \
            FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS t(lot, position, leased)";
        add_filings: "INSERT INTO filings (office, receipt, position, person, day) \
            SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::integer[])";
        /// Adds changes; fewer rows than changes if another node was first.
        add_changes: "INSERT INTO changes (position, step, change, sealed) \
            SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::bytea[]) \
            ON CONFLICT DO NOTHING";
        /// Empties what is erased: the rows stay, because the chain names them.
        erase_records: "UPDATE records SET sealed = '' WHERE position = ANY($1)";
        erase_changes: "UPDATE changes SET sealed = NULL WHERE position = ANY($1) AND sealed IS NOT NULL";
        erase_filings: "DELETE FROM filings WHERE position = ANY($1)";
        take_undecided: "DELETE FROM undecided u USING unnest($1::bigint[], $2::bigint[]) AS t(lot, position) \
            WHERE u.lot = t.lot AND u.position = t.position";
        add_pending: "INSERT INTO pending SELECT unnest($1::bigint[]) ON CONFLICT DO NOTHING";
        take_pending: "DELETE FROM pending WHERE position = ANY($1)";
        add_batch: "INSERT INTO batches (node, number, first, written_at, entries, changes, root, signature) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        /// The last statement of each transaction: it always writes, so that its commit is waited for, and it returns the
        /// settings of the primary.
        move_head: format!("UPDATE nodes SET batches = $2, root = $3, accepted = $4, decided = $5, revised = $6, \
            pending = $7, withdrawn_undecided = $8, withdrawn_decided = $9, confirmed = confirmed + 1 \
            WHERE node = $1 RETURNING {}", guard::COLUMNS);
        reserve: "UPDATE positions SET next = next + $1 RETURNING next - $1";
    }
}

statements! {
    /// The statements of a link that reads.
    Reading {
        of_claims: found("claim = ANY($1)");
        of_positions: found("position = ANY($1)");
        sealed: "SELECT sealed FROM records WHERE position = $1";
        /// A record and its latest decision.
        contents: "SELECT r.sealed, d.change, d.sealed FROM records r LEFT JOIN LATERAL (\
            SELECT c.change, c.sealed FROM changes c WHERE c.position = r.position AND c.sealed IS NOT NULL \
            ORDER BY c.step DESC LIMIT 1) d ON true WHERE r.position = $1";
        batch: BATCH;
        filings: "SELECT f.receipt, f.person, f.day, \
            ARRAY(SELECT c.change FROM changes c WHERE c.position = f.position ORDER BY c.step) \
            FROM filings f WHERE f.office = $1 AND f.receipt > $2 ORDER BY f.receipt LIMIT $3";
        pending: "SELECT r.position, r.sealed FROM records r JOIN (\
            SELECT position FROM pending WHERE position >= $1 ORDER BY position LIMIT $2) p USING (position) \
            ORDER BY r.position";
        lease: cases::lease();
        /// The counts of every node but one.
        others: format!("SELECT {} FROM nodes WHERE node <> $1", counts::COLUMNS);
    }
}
