//! Comparing every record with what was signed of it.

use tokio_postgres::{Row, Transaction};

use super::{
    super::{campaign::lot, fault::Setback},
    rows::Rows,
    walk::{BATCHES_MAX, Walk},
};
use crate::{
    ledger::{
        book::{
            change::{Change, State},
            entry::Entry,
            record::{Channel, Header, day_number},
        },
        position::Position,
        verify::{NO_DECISION, NOT_ERASED, SEALED_DECISION, UNRECORDED_DECISION, signed_header},
    },
    schemes::Outcome,
};

/// Records in memory at a time.
const RECORDS_MAX: i32 = 512;
/// What the batches say, without signatures.
const ENTRIES: &str = "SELECT first, entries FROM batches WHERE first IS NOT NULL ORDER BY first";
/// Records with everything that follows from them.
const RECORDS: &str = "SELECT r.position, r.claim, r.key, r.digest, r.channel, r.sealed, \
    ARRAY(SELECT c.change FROM changes c WHERE c.position = r.position ORDER BY c.step), \
    ARRAY(SELECT c.step FROM changes c WHERE c.position = r.position ORDER BY c.step), \
    ARRAY(SELECT c.sealed FROM changes c WHERE c.position = r.position ORDER BY c.step), \
    u.lots, p.position IS NOT NULL, f.offices, f.receipts, f.people, f.days \
    FROM records r \
    LEFT JOIN (SELECT position, array_agg(lot) AS lots FROM undecided GROUP BY position) u USING (position) \
    LEFT JOIN pending p USING (position) \
    LEFT JOIN (SELECT position, array_agg(office) AS offices, array_agg(receipt) AS receipts, \
        array_agg(person) AS people, array_agg(day) AS days FROM filings GROUP BY position) f USING (position) \
    ORDER BY r.position";

/// Office, receipt, person and day.
type Filing = (Vec<u8>, Vec<u8>, Vec<u8>, i32);

/// A record with everything that follows from it.
struct Stored<'r> {
    position: Position,
    claim: &'r [u8],
    key: &'r [u8],
    digest: &'r [u8],
    channel: i16,
    sealed: &'r [u8],
    codes: Vec<i16>,
    steps: Vec<i16>,
    decisions: Vec<Option<&'r [u8]>>,
    lots: Option<Vec<i64>>,
    is_pending: bool,
    filings: Vec<Filing>,
}

impl Walk<'_> {
    /// Reads every record next to its entry. Calls `progress` with the number of records read.
    ///
    /// # Errors
    /// [`Setback`].
    pub(super) async fn records(
        &mut self,
        snapshot: &Transaction<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Setback> {
        let mut batches = Rows::of(snapshot, ENTRIES, BATCHES_MAX).await?;
        let mut rows = Rows::of(snapshot, RECORDS, RECORDS_MAX).await?;
        let mut row = rows.next(snapshot).await?;
        let mut read = 0;
        while let Some(batch) = batches.next(snapshot).await? {
            let (first, entries): (i64, &[u8]) = (batch.try_get(0)?, batch.try_get(1)?);
            for (entry, at) in Entry::decode_all(entries).unwrap_or_default().iter().zip(first..) {
                while let Some(stray) = row.take_if(|row| is_before(row, at)) {
                    self.stray(&stray)?;
                    row = rows.next(snapshot).await?;
                }
                let Some(position) = u32::try_from(at).ok().map(Position) else { continue };
                let Some(own) = row.take_if(|row| is_before(row, at + 1)) else {
                    self.find(position, "the record is missing");
                    continue;
                };
                let found = self.examine(&Stored::read(&own, position)?, entry);
                for what in found {
                    self.find(position, what);
                }
                row = rows.next(snapshot).await?;
                read += 1;
                progress(read);
            }
        }
        while let Some(stray) = row {
            self.stray(&stray)?;
            row = rows.next(snapshot).await?;
        }
        Ok(())
    }

    /// Notes a record that no batch has.
    fn stray(&mut self, row: &Row) -> Result<(), Setback> {
        if let Ok(position) = u32::try_from(row.try_get::<_, i64>(0)?) {
            self.find(Position(position), "its batch is missing or cannot be read");
        } else {
            let what = format!("{}: a record is where none can be", self.campaign);
            self.findings.push(what);
        }
        Ok(())
    }

    /// What is wrong with a record.
    fn examine(&self, stored: &Stored<'_>, entry: &Entry) -> Vec<&'static str> {
        let mut found = Vec::new();
        let position = stored.position;
        let is_signed = *stored.claim == entry.claim.0
            && *stored.key == entry.key.0
            && *stored.digest == entry.digest
            && stored.channel == entry.channel as i16;
        if !is_signed {
            found.push("its claim, key, digest or channel is not the one that was signed");
        }
        let Some(state) = self.history.state(position) else {
            found.push("the changes that the chain records contradict each other");
            return found;
        };
        let codes = self.history.changes(position).map(|change| i16::from(change.code()));
        if !codes.eq(stored.codes.iter().copied())
            || !(0..).zip(&stored.steps).all(|(step, at)| step == *at)
        {
            found.push("its changes are not those that the chain records");
        }
        if self.work_is_wrong(stored, state) {
            found.push("it is on a work list and should not be, or should be and is not");
        }
        if matches!(state, State::Erased { .. }) {
            let is_erased = stored.sealed.is_empty()
                && stored.decisions.iter().all(Option::is_none)
                && stored.filings.is_empty();
            found.extend((!is_erased).then_some(NOT_ERASED));
            return found;
        }
        match signed_header(self.keys, self.campaign, stored.sealed, entry) {
            Ok(header) => {
                found.extend(self.decisions_fault(stored, &header));
                if self.filing_is_wrong(stored, &header) {
                    found.push("the list of its office does not show it as it is");
                }
            }
            Err(difference) => found.push(difference),
        }
        found
    }

    fn work_is_wrong(&self, stored: &Stored<'_>, state: State) -> bool {
        let is_undecided = state == State::Waiting;
        let lots = is_undecided.then(|| vec![lot(&self.code(stored.position))]);
        lots != stored.lots || stored.is_pending != (state == State::Decided(Outcome::Pending))
    }

    fn decisions_fault(&self, stored: &Stored<'_>, header: &Header) -> Option<&'static str> {
        let changes = stored.codes.iter().map(|&code| Change::from_code(u8::try_from(code).ok()?));
        changes.zip(&stored.decisions).find_map(|(change, sealed)| {
            match (change.and_then(Change::turn), sealed) {
                (Some(turn), Some(sealed)) => {
                    let at = (stored.position, turn);
                    let opened = self.keys.open_decision(self.campaign, header.subject, at, sealed);
                    opened.is_err().then_some(SEALED_DECISION)
                }
                (Some(_), None) => Some(NO_DECISION),
                (None, Some(_)) => Some(UNRECORDED_DECISION),
                (None, None) => None,
            }
        })
    }

    fn filing_is_wrong(&self, stored: &Stored<'_>, header: &Header) -> bool {
        let expected = (!matches!(header.channel, Channel::Citizen | Channel::Canary)).then(|| {
            let receipt = self.code(stored.position).block_bytes().to_vec();
            let (office, person) = (header.principal.0.to_vec(), header.subject.0.to_vec());
            (office, receipt, person, day_number(header.received_on))
        });
        !stored.filings.iter().eq(&expected)
    }
}

impl<'r> Stored<'r> {
    fn read(row: &'r Row, position: Position) -> Result<Self, Setback> {
        let list = |column| -> Result<Vec<Vec<u8>>, tokio_postgres::Error> {
            Ok(row.try_get::<_, Option<_>>(column)?.unwrap_or_default())
        };
        let days: Option<Vec<i32>> = row.try_get(14)?;
        let of_offices = list(11)?.into_iter().zip(list(12)?);
        let filings = of_offices.zip(list(13)?.into_iter().zip(days.unwrap_or_default()));
        Ok(Self {
            position,
            claim: row.try_get(1)?,
            key: row.try_get(2)?,
            digest: row.try_get(3)?,
            channel: row.try_get(4)?,
            sealed: row.try_get(5)?,
            codes: row.try_get(6)?,
            steps: row.try_get(7)?,
            decisions: row.try_get(8)?,
            lots: row.try_get(9)?,
            is_pending: row.try_get(10)?,
            filings: filings
                .map(|((office, receipt), (person, day))| (office, receipt, person, day))
                .collect(),
        })
    }
}

/// Whether a record comes before a position. One whose position cannot be read does.
fn is_before(row: &Row, position: i64) -> bool {
    row.try_get::<_, i64>(0).map_or(true, |at| at < position)
}
